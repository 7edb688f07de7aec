"""Deleting what an application does not deliver any more, once its workflow has succeeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from velapulumi.clusters.identity import unusable
from velapulumi.delivery.apply import Teller
from velapulumi.delivery.failures import named_by_finalizers
from velapulumi.delivery.remove import Removal
from velapulumi.delivery.settled import kept_unready
from velapulumi.engine.handles import names_of
from velapulumi.engine.interrupts import Interrupts
from velapulumi.errors import PlanChanged
from velapulumi.program.application import Application
from velapulumi.program.leaving import abandoned
from velapulumi.project import StackName
from velapulumi.stage.approval import authorize, note
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.guests import awaited, inner_first
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

        What lies in a namespace, or is of a kind by its definition, goes before that.

        Args:
            values: What the steps have published.
        """
        application = self._now(values)
        waits = {}
        for stage in application.workflow.stages:
            prepared = _collecting(application, stage)
            if prepared is not None:
                decisions = _at_last(prepared)
                if any(each.operation.goes for each in decisions):
                    waits[stage] = awaited(decisions)
        for stack in abandoned(application):
            removal = Removal.of(application.project, stack, application)
            if not removal.waits:
                waits[stack.stage] = awaited(removal.decisions)
        return inner_first(waits)

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
        if all(each.operation.is_quiet for each in decisions):
            return False  # it waits for a stage that has not come so far
        uses = authorize(prepared, look)
        intent()
        names = prepared.cluster_names(each.key for each in decisions)
        engine = self._engine(stage, names)
        writer = PlanWriter(application, look)
        self._teller.planned(prepared.title, writer.stage(stage, [prepared.step], decisions))
        beside = [each for each in decisions if is_taken_out(each)]
        forget = partial(engine.forget, prepared.stack)
        if beside:
            note(application, uses)  # what goes is no part of what is looked at after that
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
        removal = Removal.of(application.project, stack, application, after_others=False)
        removal.check()
        if removal.waits:
            return
        self._teller.planned(stack.stage, removal.plan)
        engine = self._engine(stack.stage, names_of(removal.record))
        removal.run(engine, lambda text: self._teller.progress("", text))

    def _engine(self, stage: str, names: Mapping[str, str]) -> Engine:
        from velapulumi.engine.automation import Engine
        from velapulumi.engine.events import Listener

        listener = Listener(lambda text: self._teller.progress(stage, text), names)
        return Engine(self._application.project, listener, self._interrupts)


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


def _at_last(prepared: Prepared) -> list[Decision]:
    """What happens to the objects of a stage when it is collected after all it waits for."""
    look = Look(prepared.application.project, prepared.clusters)
    return [decision for _, decision in decide_stage([prepared], look, after_others=True)]


def _decide(prepared: Prepared, look: Look) -> list[Decision]:
    return [decision for _, decision in decide_stage([prepared], look)]
