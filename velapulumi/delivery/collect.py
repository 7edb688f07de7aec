"""Deleting what an application does not deliver any more, once its workflow has succeeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from velapulumi.clusters.identity import unusable
from velapulumi.delivery.apply import Teller, kept_unready
from velapulumi.delivery.failures import named_by_finalizers
from velapulumi.delivery.remove import Removal
from velapulumi.engine.interrupts import Interrupts
from velapulumi.errors import PlanChanged
from velapulumi.program.application import Application
from velapulumi.project import StackName
from velapulumi.stage.approval import authorize
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision
from velapulumi.stage.plan import PlanWriter
from velapulumi.stage.prepare import Prepared, prepare
from velapulumi.stage.refusals import refuse
from velapulumi.stage.release import is_taken_out, let_go
from velapulumi.stage.shown import shown_of

if TYPE_CHECKING:
    from velapulumi.engine.automation import Engine


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
        return found + [
            stack.stage
            for stack in abandoned(application)
            if not Removal.of(application.project, stack, application).waits
        ]

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
        look = Look(application.project, prepared.clusters)
        decisions = _decide(prepared, look)
        refuse(decisions)
        authorize(prepared, look)
        intent()
        engine = self._engine(stage)
        writer = PlanWriter(application, look)
        self._teller.planned(prepared.title, writer.stage(stage, [prepared.step], decisions))
        beside = [each for each in decisions if is_taken_out(each)]
        forget = partial(engine.forget, prepared.stack)
        let_go(application.full_name, beside, look.clusters, forget)
        if any(not each.operation.is_quiet for each in decisions if each not in beside):
            from velapulumi.engine.automation import DELETING
            from velapulumi.stage.program import deliver_stage

            shown = shown_of(decisions)
            try:
                with named_by_finalizers(application.project, decisions):
                    engine.up(
                        prepared.stack,
                        lambda: deliver_stage(prepared.reread(), self._patience, shown),
                        clusters,
                        max(self._patience, DELETING),
                        settle=kept_unready(decisions),
                    )
            except PlanChanged:
                # What falls silent is another plan; then the silence is what is to be said.
                for error in unusable(application.project, prepared.stage.clusters).values():
                    raise error from None
                raise
        return True

    def _now(self, values: Mapping[str, Any]) -> Application:
        """The application as its files are now, after the run."""
        application = self._application.reread()
        return application.taken_up(replace(application.run, values=values))

    def _abandon(self, application: Application, stack: StackName) -> None:
        """Delete a stack that no step delivers to any more, with what only it holds."""
        removal = Removal.of(application.project, stack, application)
        removal.check()
        if removal.waits:
            return
        self._teller.planned(stack.stage, removal.plan)
        engine = self._engine(stack.stage)
        removal.run(engine, lambda text: self._teller.progress("", text))

    def _engine(self, stage: str) -> Engine:
        from velapulumi.engine.automation import Engine
        from velapulumi.engine.events import Listener

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
        record = application.abandoned.get(stack.stage)
        objects = record.objects if record else ()
        if application.authority.governs(stack.stage, {entry.cluster for entry in objects}):
            continue
        if not any(rules.treatment_of(entry.manifest).stays for entry in objects):
            yield stack


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
    look = Look(prepared.application.project, prepared.clusters)
    return any(each.operation.goes for each in _decide(prepared, look))


def _decide(prepared: Prepared, look: Look) -> list[Decision]:
    return [decision for _, decision in decide_stage([prepared], look)]
