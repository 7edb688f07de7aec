"""Deleting what an application does not deliver any more, once its workflow has succeeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from velapulumi.clusters.identity import Reached, reach
from velapulumi.delivery.apply import Teller
from velapulumi.delivery.interrupts import Interrupts
from velapulumi.delivery.locks import clear_stale_lock
from velapulumi.plan.changes import Action, ObjectKey, plan_stage
from velapulumi.program.application import Application
from velapulumi.program.comparison import compare
from velapulumi.program.environment import engine_environment
from velapulumi.program.prepare import Prepared, prepare
from velapulumi.program.registration import is_rendered, keys_of
from velapulumi.program.release import application_of, forgotten, release
from velapulumi.program.stacks import file_backend, read_record
from velapulumi.project import Project, StackName

if TYPE_CHECKING:
    from velapulumi.delivery.engine import Engine

_GOING = (Action.DELETE, Action.LEAVE)


class Collector:
    """Finds and deletes what the stages of an application hold beyond what it delivers.

    Args:
        application: The application.
        teller: Is told what is done.
        interrupts: Tell whether to stop.
        patience: Seconds an object may take.
    """

    def __init__(
        self, application: Application, teller: Teller, interrupts: Interrupts, patience: float
    ) -> None:
        self._application = application
        self._teller = teller
        self._interrupts = interrupts
        self._patience = patience

    def stages(self, values: Mapping[str, Any]) -> list[str]:
        """The stages which hold something to be deleted; those without steps come last.

        Args:
            values: What the steps have published.
        """
        application = self._now(values)
        found = []
        for stage in application.workflow.stages:
            prepared = _collecting(application, stage)
            if prepared is not None and _is_due(prepared):
                found.append(stage)
        return found + [stack.stage for stack in abandoned(application)]

    def collect(self, stage: str, values: Mapping[str, Any], intent: Callable[[], None]) -> bool:
        """Delete what a stage holds beyond what the application delivers; whether it did.

        What another stage has taken over is only forgotten.

        Args:
            stage: Name of the stage.
            values: What the steps have published.
            intent: Is called before anything is changed.

        Raises:
            VelapulumiError: Why it could not be done; running it again goes on.
        """
        application = self._now(values)
        if stage not in application.workflow.stages:
            intent()
            self._abandon(application, application.stack(stage))
            return True
        prepared = _collecting(application, stage)
        if prepared is None:
            return False
        clusters = tuple(prepared.check_clusters().values())
        intent()
        engine = self._engine(stage)
        if moved := _moved(prepared):
            engine.forget(prepared.stack, moved)
            prepared = _collecting(self._now(values), stage) or prepared
        plan = compare(prepared)
        if plan:
            self._teller.planned(prepared.title, plan)
            from velapulumi.delivery.engine import DELETING
            from velapulumi.program.stage import deliver_stage

            engine.up(
                prepared.stack,
                lambda: deliver_stage(prepared.reread(), self._patience),
                clusters,
                max(self._patience, DELETING),
            )
        return True

    def _now(self, values: Mapping[str, Any]) -> Application:
        """The application as its files are now, after the run."""
        application = self._application.reread()
        return application.taken_up(replace(application.run, values=values))

    def _abandon(self, application: Application, stack: StackName) -> None:
        """Delete a stack that no step delivers to any more, with what only it holds."""
        engine = self._engine(stack.stage)
        if read_record(application.project, stack):
            engine.forget(stack, application.held_elsewhere(stack.stage))
        if record := read_record(application.project, stack):
            held = [(entry.cluster, entry.manifest) for entry in record.objects]
            kept = {ObjectKey.of(e.cluster, e.manifest) for e in record.objects if e.retained}
            self._teller.planned(stack.stage, plan_stage(stack.stage, [], held, kept))
        destroy(application.project, stack, engine, lambda text: self._teller.progress("", text))

    def _engine(self, stage: str) -> Engine:
        from velapulumi.delivery.engine import Engine
        from velapulumi.delivery.events import Listener

        listener = Listener(lambda text: self._teller.progress(stage, text))
        return Engine(self._application.project, listener, self._interrupts)


def abandoned(application: Application) -> Iterator[StackName]:
    """The stacks that no step delivers to any more, but those a policy keeps something in.

    Nobody could approve the end of a stage under a gate policy, so that stays, too.
    """
    rules = application.loaded.rules
    for stack in application.project.stack_names(application.name):
        if stack.stage in application.workflow.stages:
            continue
        record = read_record(application.project, stack)
        objects = record.objects if record else ()
        if application.authority.governs(stack.stage, {entry.cluster for entry in objects}):
            continue
        if not any(rules.treatment_of(entry.manifest).stays for entry in objects):
            yield stack


def destroy(
    project: Project, stack: StackName, engine: Engine, progress: Callable[[str], None]
) -> None:
    """Delete what a stack holds, the stack itself and its configuration.

    What the application gives up is written before the engine runs, which has locked the stack only
    from then on. So another run is waited for first.

    Args:
        project: The project.
        stack: The stack.
        engine: The engine.
        progress: Is told of each step.

    Raises:
        VelapulumiError: Why it could not be deleted; running it again goes on.
    """
    environment = engine_environment(project)
    if file_backend(project, environment) is not None:
        clear_stale_lock(project, stack, environment)
    record = read_record(project, stack)
    if record is not None:
        progress(f"{stack.stage}: deleting")
        left = forgotten(record)
        clusters = reach(project, {entry.cluster for entry in (*record.objects, *left)})
        release(application_of(record), record, left, clusters)
        engine.destroy(stack, [each for each in clusters.values() if isinstance(each, Reached)])
    project.config_file(stack).unlink(missing_ok=True)


def _collecting(application: Application, stage: str) -> Prepared | None:
    """A stage as it is collected; None when no step of it has delivered the revision."""
    record = application.records[stage]
    steps = application.workflow.stages[stage].steps
    held = record.steps if record else {}
    done = [step for step in steps if held.get(step.name) == str(application.revision)]
    if not done:
        return None
    lost = frozenset[str]().union(*(application.lost(step.name) for step in done))
    return prepare(application, stage, None, done[-1], without=lost, collecting=True)


def _is_due(prepared: Prepared) -> bool:
    going = any(change.action in _GOING for change in compare(prepared).changes)
    return going or bool(_moved(prepared))


def _moved(prepared: Prepared) -> frozenset[ObjectKey]:
    """What the stage holds, does not deliver any more, and another stage holds, too."""
    record = prepared.application.records[prepared.stage.name]
    held = keys_of(record.objects) if record else frozenset()
    wanted = {
        ObjectKey.of(desired.entry.cluster, desired.entry.manifest)
        for desired in prepared.desired
        if is_rendered(desired.entry)
    }
    return (held - wanted) & prepared.application.held_elsewhere(prepared.stage.name)
