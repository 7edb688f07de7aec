"""The Pulumi engine as this project uses it: one process per operation, stopped in order.

This is Pulumi's Automation API with what costs a process each left out: the version check, stack
selection (every command names its stack) and reading back outputs and history. The engine runs in a
session of its own, so that an interrupt reaches it once: it finishes what is in flight and stops.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from pulumi.automation import (
    CommandError,
    CommandResult,
    ConcurrentUpdateError,
    Deployment,
    LocalWorkspace,
    PulumiCommand,
    Stack,
    UpdateSummary,
)
from pulumi.automation._stack import StackInitMode
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from velapulumi.clusters.identity import Reached
from velapulumi.engine.editing import settled, without, without_pending
from velapulumi.engine.environment import engine_environment, prepare_backend
from velapulumi.engine.events import Listener
from velapulumi.engine.interrupts import Interrupts
from velapulumi.engine.locks import clear_stale_lock, drop_torn_attributes
from velapulumi.engine.scratch import scratch
from velapulumi.engine.sessions import end_session
from velapulumi.engine.stacks import cluster_names
from velapulumi.engine.watchdog import Watchdog
from velapulumi.errors import EngineFailed, Interrupted, StackLocked, VelapulumiError
from velapulumi.plan.objects import ObjectKey
from velapulumi.playground import find_engine
from velapulumi.playground.tools import PULUMI_VERSION
from velapulumi.project import Project, StackName

DELETING = 600.0
"""Seconds the provider lets an object take to go."""


class Engine:
    """Runs engine operations on the stacks of one project.

    Args:
        project: The project.
        listener: Is told what happens.
        interrupts: Tell the engine's processes that they are to end.
    """

    def __init__(self, project: Project, listener: Listener, interrupts: Interrupts) -> None:
        self._project = project
        self._listener = listener
        self._interrupts = interrupts
        self._environment = engine_environment(project)
        prepare_backend(project, self._environment)
        self._command = _Command(str(find_engine().root), interrupts, project.state / "tmp")
        self._workspace = _Workspace(
            work_dir=str(project.root),
            pulumi_command=self._command,
            env_vars=self._environment,
        )

    def up(
        self,
        stack: StackName,
        program: Callable[[], None],
        clusters: Sequence[Reached],
        patience: float,
        *,
        listed: bool = False,
        owed: Collection[ObjectKey] = (),
        parallel: int = 0,
        tolerant: bool = False,
        silent: Collection[str] = (),
        settle: Collection[ObjectKey] = (),
    ) -> None:
        """Bring a stack to what the program registers.

        Args:
            stack: The stack.
            program: Registers the resources; runs in this process.
            clusters: The clusters that have to answer all the time.
            patience: Seconds an object may take to get ready.
            listed: Whether the stack lists any operation as under way, over or not.
            owed: The objects of such operations that are left to a later run.
            parallel: How many resources are worked on at once; the engine decides when 0.
            tolerant: Whether to go on with other resources when one fails.
            silent: Names of clusters that do not answer, and on which nothing is waited for.
            settle: Objects that stay as they are, and that are not waited for.

        Raises:
            ClusterUnreachable: A cluster was gone for too long.
            VelapulumiError: What the program raised, or why the engine failed.
        """
        failure: list[VelapulumiError] = []
        name_of = cluster_names(self._project)

        def run() -> None:
            try:
                program()
            except VelapulumiError as error:
                failure.append(error)
                raise

        def operate(handle: _Stack) -> None:
            if silent or settle:
                edit = partial(settled, clusters=silent, objects=settle, name_of=name_of)
                _edit(handle, edit)
            handle.up(
                program=run,
                on_event=self._listener.on_event,
                parallel=parallel or None,
                continue_on_error=tolerant or None,
                suppress_outputs=True,
                color="never",
            )
            if listed:  # and not before: until now nothing else has told of what was begun
                _edit(handle, partial(without_pending, owed=owed, name_of=name_of))

        self._operate(stack, operate, failure, (clusters, patience))

    def destroy(self, stack: StackName, clusters: Sequence[Reached]) -> None:
        """Delete everything a stack holds, then the stack and its configuration.

        Args:
            stack: The stack.
            clusters: The clusters that have to answer all the time.

        Raises:
            ClusterUnreachable: A cluster was gone for too long.
            VelapulumiError: Why the engine failed; what it could not delete stays in the stack.
        """

        def operate(handle: _Stack) -> None:
            handle.destroy(on_event=self._listener.on_event, color="never", suppress_outputs=True)
            self._workspace.remove_stack(handle.name)

        self._operate(stack, operate, [], (clusters, DELETING))

    def forget(self, stack: StackName, objects: Container[ObjectKey]) -> None:
        """Take objects out of a stack and leave them in their clusters; another stack has them.

        Raises:
            VelapulumiError: Why the engine failed.
        """
        edit = partial(without, objects=objects, name_of=cluster_names(self._project))
        self._operate(stack, lambda handle: _edit(handle, edit), [], ((), DELETING))

    def _operate(
        self,
        stack: StackName,
        operate: Callable[[_Stack], None],
        failure: list[VelapulumiError],
        watched: tuple[Sequence[Reached], float],
    ) -> None:
        self._listener.clear()
        self._command.watchdog = watchdog = Watchdog(stack, *watched, self._listener.heard)
        try:
            drop_torn_attributes(self._project, stack, self._environment)
            handle = _Stack(str(stack), self._workspace, StackInitMode.SELECT)
            try:
                operate(handle)
            except ConcurrentUpdateError:
                clear_stale_lock(self._project, stack, self._environment)
                operate(handle)
        except ConcurrentUpdateError as error:
            raise StackLocked(f"stack {stack} is in use by another run") from error
        except CommandError as error:
            if self._interrupts.stopping:
                raise Interrupted(f"stopped while delivering {stack}") from error
            if watchdog.reason:
                raise watchdog.reason from error
            if failure:
                raise failure[0] from None
            if gone := watchdog.gone(self._listener.errors_of):
                raise gone from error
            raise EngineFailed(
                f"stack {stack}: {self._listener.errors or self._listener.hide(_last_words(error))}"
            ) from error
        if self._interrupts.stopping:
            raise Interrupted(f"stopped after delivering {stack}")


class _Stack(Stack):
    """A stack whose operations are one process each."""

    def outputs(self) -> dict[str, Any]:
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        return UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")


class _Workspace(LocalWorkspace):
    """A workspace that selects nothing, as every command names its stack."""

    def select_stack(self, stack_name: str) -> None:
        return None


class _Command(PulumiCommand):
    """The ``pulumi`` command, each run in a session of its own."""

    def __init__(self, root: str, interrupts: Interrupts, scratch_parent: Path) -> None:
        self.command = os.path.join(root, "bin", "pulumi")
        self._scratch_parent = scratch_parent
        self.version = VersionInfo.parse(PULUMI_VERSION)
        self._interrupts = interrupts
        self.watchdog: Watchdog | None = None

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        if self._interrupts.stopping:
            raise Interrupted("interrupted")
        if "--non-interactive" not in args:
            args = ["--non-interactive", *args]
        # Files, not pipes, and a signal: when this process is killed, an engine that writes into a
        # broken pipe would die at once and leave its provider and open operations behind. So it is
        # interrupted instead, and winds up in order.
        with (
            scratch(self._scratch_parent) as folder,
            TemporaryFile("w+", encoding="utf-8") as out,
            TemporaryFile("w+") as err,
        ):
            process = subprocess.Popen(
                [self.command, *args],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env={
                    **os.environ,
                    **additional_env,
                    "PULUMI_AUTOMATION_API": "true",
                    "TMPDIR": str(folder),
                },
                start_new_session=True,
                preexec_fn=_interrupt_with_parent,
            )
            watched = self.watchdog.over(process) if self.watchdog else nullcontext()
            with self._interrupts.running(process), watched:
                code = process.wait()
            end_session(process.pid)
            out.seek(0)
            err.seek(0)
            result = CommandResult(stdout=out.read(), stderr=err.read(), code=code)
        if code != 0:
            raise create_command_error(result)
        return result


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _interrupt_with_parent() -> None:
    """Ask the kernel to interrupt this new process when its parent dies; Linux only."""
    if hasattr(_LIBC, "prctl"):
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _edit(handle: _Stack, change: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Change what a stack holds, without touching any cluster."""
    state = handle.export_stack()
    before = dict(state.deployment or {})
    after = change(before)
    if after != before:
        handle.import_stack(Deployment(version=state.version, deployment=after))


def _last_words(error: CommandError) -> str:
    """What the engine wrote to stderr, without the frame the Automation API puts around it."""
    text = str(error).partition("stderr:")[2].strip()
    return text.removeprefix("error:").strip() or str(error).strip()
