"""What a cluster says of a Secret, told without the values of the Secret at hand. No I/O."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from velapulumi.render.rules import LAST_APPLIED

SECRET = "Secret"
HIDDEN = "[secret]"
VALUES = ("data", "stringData")
"""Where a Secret has its values."""

_NO_VALUES = frozenset({"apiVersion", "kind", "metadata", "type", "immutable", "spec", "status"})
"""What is no value at the top of a Secret; kinds of that name in other groups have the last two."""


_TOO_LARGE = 2**63
"""From here on a server takes a whole number for one with a fraction, and writes it as such."""


def is_secret_value(kind: str, path: tuple[str | int, ...]) -> bool:
    """Whether a field is a value that nobody may see, repeats one, or was meant to be one.

    Args:
        kind: The kind of its object.
        path: Its path.
    """
    return kind == SECRET and (path[0] not in _NO_VALUES or path == LAST_APPLIED)


def hiding(manifests: Iterable[Mapping[str, Any] | None]) -> Callable[[str], str]:
    """Gives a function that takes the values of Secrets out of words.

    Args:
        manifests: Objects, Secrets among them.
    """
    forms = {
        form
        for manifest in manifests
        if manifest is not None and manifest.get("kind") == SECRET
        for key, value in manifest.items()
        if is_secret_value(SECRET, (key,))
        for form in _forms(value)
    }
    if not forms:
        return str
    pattern = re.compile("|".join(map(_whole, sorted(forms, key=len, reverse=True))))
    return lambda text: pattern.sub(HIDDEN, text)


def _whole(form: str) -> str:
    """A pattern for a value as a whole: 1 is not meant where a version is named."""
    before, after = (r"\b" if re.match(r"\w", edge) else "" for edge in (form[0], form[-1]))
    return f"{before}{re.escape(form)}{after}"


def _forms(value: Any) -> Iterator[str]:
    """How a value may be written: as it is, quoted, and in base64 either way."""
    if isinstance(value, Mapping | list):
        for below in value.values() if isinstance(value, Mapping) else value:
            yield from _forms(below)
        return
    if value is None:
        return
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    texts = {text, text.strip(), _decoded(text)}
    if isinstance(value, int) and abs(value) >= _TOO_LARGE:
        with suppress(OverflowError):
            texts.add(repr(float(value)))
    for each in filter(None, texts):
        yield each
        yield json.dumps(each, ensure_ascii=False)[1:-1]
        yield b64encode(each.encode("utf-8", "backslashreplace")).decode()


def _decoded(text: str) -> str:
    """What a text says in base64; empty when it is none, or no text."""
    try:
        return b64decode(text).decode()
    except ValueError:
        return ""
