"""Secret values as a plan may show them: by a keyed hash, which only who has the key can compare.

The key is made of the passphrase of the project's stacks, as whoever delivers has that anyway;
without one it is drawn once and kept beside the credentials of the machine.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from velapulumi import files
from velapulumi.clusters.secrecy import SECRET, VALUES, is_secret_value
from velapulumi.engine.environment import engine_environment, prepare_backend
from velapulumi.engine.values import SEALED
from velapulumi.errors import InvalidFile
from velapulumi.project import Project

_KEY_FILE = "plan.key"


class Mask:
    """Hides secret values.

    Args:
        project: The project whose key is used.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._used = False

    @property
    def name(self) -> str:
        """Names the key, without telling it; empty when nothing was hidden."""
        return self._keyed(b"name")[:16] if self._used else ""

    def hide(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """A manifest with nothing secret in it.

        What a stack holds encrypted is only told to be there.

        Args:
            manifest: The manifest, as rendered, as a cluster has it, or as a stack recorded it.
        """
        plain = {key: _without_sealed(value) for key, value in manifest.items()}
        if manifest.get("kind") != SECRET:
            return plain
        plain = {key: self._misplaced(key, value) for key, value in plain.items()}
        values = encoded(manifest)
        if values is None:
            return plain
        rest = {key: value for key, value in plain.items() if key not in VALUES}
        if values:
            self._used = True
            rest["data"] = {key: self._keyed(text.encode()) for key, text in values.items()}
        return rest

    def _misplaced(self, key: str, value: Any) -> Any:
        """What stands at the top of a Secret; what a Secret does not have may be a value."""
        if key in VALUES or not is_secret_value(SECRET, (key,)):
            return value
        self._used = True
        return self._keyed(json.dumps(value, sort_keys=True, default=str).encode())

    def _keyed(self, content: bytes) -> str:
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()

    @cached_property
    def _key(self) -> bytes:
        salt = f"velapulumi plan {self._project.name}".encode()
        return hashlib.scrypt(_secret_of(self._project), salt=salt, n=2**14, r=8, p=1, dklen=32)


def encoded(secret: Mapping[str, Any]) -> dict[str, str] | None:
    """The values of a Secret as an API server keeps them; None when they are encrypted."""
    plain = secret.get("stringData") or {}
    data = secret.get("data") or {}
    if SEALED in plain or SEALED in data:
        return None
    written = {key: b64encode(str(text).encode()).decode() for key, text in plain.items()}
    return {**{key: str(text) for key, text in data.items()}, **written}


def _without_sealed(value: Any) -> Any:
    if isinstance(value, Mapping):
        if set(value) == {SEALED}:
            return "[secret]"
        return {key: _without_sealed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_sealed(entry) for entry in value]
    return value


def _secret_of(project: Project) -> bytes:
    """The passphrase of the stacks, or the machine's own key."""
    environment = engine_environment(project)
    prepare_backend(project, environment)
    if passphrase := environment.get("PULUMI_CONFIG_PASSPHRASE"):
        return passphrase.encode()
    if named := environment.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        return _content(Path(named))
    files.make_private_folder(project.state)
    path = project.state / _KEY_FILE
    with files.locked(project.state / f"{_KEY_FILE}.lock"):
        if not path.exists():
            files.write(path, secrets.token_urlsafe(32) + "\n", mode=0o600)
        return _content(path)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        raise InvalidFile(f"{path}: {error.strerror}") from error
