"""Values in a stack as they were before the engine carried them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_SECRET_KEY = "4dabf18193072939515e22adb298388d"

SEALED = "secret"
"""Key of the map that stands for a value the stack holds encrypted."""


def plain(value: Any) -> Any:
    """A value as it was before the engine carried it: whole numbers are integers again."""
    if isinstance(value, dict):
        if _SECRET_KEY in value:
            return {SEALED: json.dumps(value, sort_keys=True)}
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def answer_of(resource: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object as the server answered: of a definition of kinds the provider renames keys."""
    answer = plain(resource.get("outputs") or {})
    found: Mapping[str, Any] = _renamed(answer) if answer.get("kind") == _CRD else answer
    return found


_CRD = "CustomResourceDefinition"
_RENAMED = "x_kubernetes_"


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key.replace("_", "-") if key.startswith(_RENAMED) else key: _renamed(entry)
            for key, entry in value.items()
        }
    return [_renamed(entry) for entry in value] if isinstance(value, list) else value
