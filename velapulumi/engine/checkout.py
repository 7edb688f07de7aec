"""What a checkout may not say of the machine that delivers it, once somebody's yes is asked for.

Whoever can change the files of a repository could otherwise have the deliverer run a program of
theirs as the provider, lend its access token to a server of theirs, or take cluster credentials
from them.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from velapulumi.errors import CheckoutRefused
from velapulumi.gate.ledger import read_ledger
from velapulumi.project import PULUMI_FILE, Project, read_mapping

_PROGRAMS = ("plugins", "packages")
_LEDGER = ".ledger.jsonl"


def check_checkout(project: Project) -> None:
    """Refuse a checkout of a governed project that says what only the deliverer may say.

    Args:
        project: The project.

    Raises:
        CheckoutRefused: It does; everything that is refused is named.
        InvalidFile: A file of the project is damaged.
    """
    found = _problems(project)
    if found:
        raise CheckoutRefused("\n".join(found))


@lru_cache(maxsize=16)
def _problems(project: Project) -> tuple[str, ...]:
    if not _is_governed(project):
        return ()
    return (*_of_project(project), *_of_stacks(project), *_of_state(project))


def _is_governed(project: Project) -> bool:
    """Whether the files or a ledger of the project name keys or a policy."""
    if any((project.gates / name).exists() for name in ("policy.yaml", "allowed_signers")):
        return True
    names = (path.name.removesuffix(_LEDGER) for path in project.stacks.glob(f"*{_LEDGER}"))
    return any(not read_ledger(project.ledger_file(name), name).trust.empty for name in names)


def _of_project(project: Project) -> Iterator[str]:
    path = project.root / PULUMI_FILE
    document = read_mapping(path)
    for key in _PROGRAMS:
        if document.get(key):
            yield f"{path}: {key}: names programs that would run on this machine"
    runtime = document.get("runtime")
    name = runtime.get("name") if isinstance(runtime, Mapping) else runtime
    if name not in (None, "python"):
        yield f"{path}: runtime: is {name}, must be python"
    backend = project.backend or ""
    if backend.startswith(("http://", "https://")) and not os.environ.get("PULUMI_BACKEND_URL"):
        yield (
            f"{path}: backend: {backend} would get the access token of this machine; "
            "name it in PULUMI_BACKEND_URL"
        )


def _of_stacks(project: Project) -> Iterator[str]:
    for stack in project.stack_names():
        path = project.config_file(stack)
        document = read_mapping(path)
        if document.get("environment"):
            yield f"{path}: environment: would set variables of this machine"
        config: Any = document.get("config")
        for key in config if isinstance(config, Mapping) else ():
            if str(key).startswith("kubernetes:"):
                yield f"{path}: {key}: would change how clusters are reached"


def _of_state(project: Project) -> Iterator[str]:
    """What is wrong with the folder of what belongs to this machine alone."""
    state = project.state
    if state.is_symlink():
        yield f"{state}: is a link"
        return
    for path in sorted(state.rglob("*")) if state.is_dir() else ():
        if path.is_symlink():
            yield f"{path}: is a link"
    command = ["git", "-C", str(project.root), "ls-files", "-z", "--", state.name]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        return  # without git, nothing was checked out
    for name in filter(None, done.stdout.decode(errors="replace").split("\0")):
        yield f"{project.root / name}: is in version control, and belongs to one machine alone"
