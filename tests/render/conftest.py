from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from velapulumi.render import Loaded, parse

COMPONENT = {
    "name": "express-server",
    "type": "webservice",
    "properties": {"image": "crccheck/hello-world", "port": 8000},
    "traits": [{"type": "scaler", "properties": {"replicas": 2}}],
}


def application(*envs: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """An application with one component and the given envs in one policy."""
    spec: dict[str, Any] = {"components": [COMPONENT]}
    if envs:
        policy = {"name": "envs", "type": "env-binding", "properties": {"envs": list(envs)}}
        spec["policies"] = [policy]
    return {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "app", **metadata},
        "spec": spec,
    }


@pytest.fixture
def load_envs() -> Callable[..., Loaded]:
    """Loads an application with the given envs."""

    def load(*envs: dict[str, Any], **metadata: Any) -> Loaded:
        return parse(yaml.safe_dump(application(*envs, **metadata)), "app.yaml")

    return load
