"""The settings under which the engine works on a project, wherever it is started from."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping

from velapulumi import files
from velapulumi.engine.checkout import check_checkout
from velapulumi.errors import ToolMissing
from velapulumi.playground import find_engine
from velapulumi.project import Project

_PERSONAL = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def engine_environment(project: Project) -> dict[str, str]:
    """The variables under which ``pulumi`` works on a project, to be laid over the environment.

    What a person has set stays: a backend URL, a backend in ``Pulumi.yaml``, a passphrase, a
    ``PULUMI_HOME``. Without any, the backend is a folder of the project and the passphrase a random
    one kept beside it, so that nothing needs an account.

    Args:
        project: The project.

    Raises:
        CheckoutRefused: A governed project says what only this machine may say.
    """
    check_checkout(project)
    result = {key: os.environ[key] for key in _PERSONAL if key in os.environ}
    if not result.get("PULUMI_BACKEND_URL") and not project.backend:
        result["PULUMI_BACKEND_URL"] = f"file://{project.state / 'backend'}"
    if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & result.keys():
        result["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(project.state / "passphrase")
    backend = result.get("PULUMI_BACKEND_URL") or project.backend or ""
    if not backend.startswith(("http://", "https://")):
        result["PULUMI_SKIP_UPDATE_CHECK"] = "true"
        result |= _local_tools()
    return result


def _local_tools() -> dict[str, str]:
    """Where the engine and its provider lie; nothing when ``pulumi`` has to be taken from PATH."""
    try:
        engine = find_engine()
    except ToolMissing:
        return {}
    return {
        "PATH": os.pathsep.join([str(engine.root / "bin"), os.environ.get("PATH", os.defpath)]),
        "PULUMI_HOME": str(engine.home),
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def prepare_backend(project: Project, environment: Mapping[str, str]) -> None:
    """Make the project's own backend folder and passphrase, where they are the ones in use.

    Args:
        project: The project.
        environment: What ``engine_environment`` gave.
    """
    backend = project.state / "backend"
    if environment.get("PULUMI_BACKEND_URL") == f"file://{backend}":
        files.make_private_folder(backend)
    passphrase = project.state / "passphrase"
    if environment.get("PULUMI_CONFIG_PASSPHRASE_FILE") == str(passphrase):
        files.make_private_folder(project.state)
        with files.locked(project.state / "passphrase.lock"):
            if not passphrase.exists():
                files.write(passphrase, secrets.token_urlsafe(32) + "\n", mode=0o600)
