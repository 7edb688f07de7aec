"""Bringing one step's objects to clusters, and looking at them there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from velapulumi.clusters.health import Completed, read_services
from velapulumi.clusters.identity import Reached, unusable
from velapulumi.definitions import Done
from velapulumi.delivery.failures import FailedRun, describe, stuck, unread
from velapulumi.delivery.settled import kept_unready, silent
from velapulumi.engine.creation import StackCreation
from velapulumi.engine.interrupts import Interrupts
from velapulumi.engine.record import StageRecord, completed
from velapulumi.engine.stacks import read_record
from velapulumi.errors import (
    ClusterProblem,
    EngineFailed,
    ObjectRefused,
    VelapulumiError,
)
from velapulumi.plan.document import StagePlan
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Cause, Operation
from velapulumi.program.application import Application
from velapulumi.render import RenderedObject
from velapulumi.stage.approval import authorize
from velapulumi.stage.asking import needs_changes
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look, SharedLook
from velapulumi.stage.operations import Decision
from velapulumi.stage.plan import PlanWriter
from velapulumi.stage.prepare import Prepared, prepare
from velapulumi.stage.refusals import check_going, is_going, refuse
from velapulumi.stage.shown import shown_of
from velapulumi.stage.taking import owed
from velapulumi.workflow.edge import Applied
from velapulumi.workflow.rollout import Observation
from velapulumi.workflow.run import Run
from velapulumi.workflow.steps import WorkflowStep

_RELOAD = 1.0
"""Seconds that an API server may take to know a kind as its changed definition has it."""
_POLL = 0.5
"""Seconds after which an object that is being deleted is looked at again."""

if TYPE_CHECKING:
    from velapulumi.engine.events import Listener


class Teller(Protocol):
    """Is told what a delivery does."""

    def warning(self, text: str) -> None: ...

    def planned(self, title: str, plan: StagePlan) -> None: ...

    def progress(self, title: str, text: str) -> None: ...


@dataclass(frozen=True)
class Errand:
    """What is to be applied.

    Attributes:
        step: The step.
        clusters: The clusters that shall have its objects then.
        lost: The clusters it has failed on, which are left as they are.
        tolerant: Whether it may fail on some.
        patience: Seconds an object may take to get ready.
    """

    step: WorkflowStep
    clusters: tuple[str, ...]
    lost: frozenset[str]
    tolerant: bool
    patience: float


class Applier:
    """Applies the steps of one application.

    Args:
        application: The application.
        teller: Is told what is done.
        interrupts: Tell whether to stop.
        look: What the clusters have.
    """

    def __init__(
        self,
        application: Application,
        teller: Teller,
        interrupts: Interrupts,
        look: SharedLook,
    ) -> None:
        self._application = application
        self._look = look
        self._teller = teller
        self._interrupts = interrupts
        self._clusters: dict[str, Reached | VelapulumiError] = {}
        self._warned: set[str] = set()
        self._entries: dict[str, Sequence[RenderedObject]] = {}

    def apply(self, errand: Errand, run: Run, intent: Callable[[], None]) -> Applied:
        """Bring a step's objects to clusters.

        Args:
            errand: Which, and where.
            run: The run so far.
            intent: Is called before anything is changed.

        Raises:
            VelapulumiError: It could not be done at all, or not where it must not fail.
        """
        prepared = self._prepare(errand, run, errand.lost)
        failed = dict(self._unusable(prepared, errand))
        if failed:
            prepared = self._prepare(errand, run, errand.lost | failed.keys())
        self._warn(prepared)
        prepared.check_promotion()
        changed, broken = self._round(prepared, errand, intent)
        while broken:
            failed |= broken
            left_out = self._prepare(errand, run, errand.lost | failed.keys())
            _, broken = self._round(left_out, errand, intent)
        pending = prepared.holding.pending
        self._entries[errand.step.name] = [
            desired.entry for desired in prepared.desired if desired.is_rendered
        ]
        return Applied(
            errand.step.name,
            changed=changed,
            failed=failed,
            again=bool(pending) or (changed and prepared.has_inputs),
            message="; ".join(pending),
        )

    def observe(self, step: str, clusters: Iterable[str]) -> dict[str, Observation]:
        """See how a step's objects are on clusters, by name."""
        seen = {}
        for name in clusters:
            objects = [(e.cluster, e.manifest) for e in self._entries[step] if e.cluster == name]
            services = read_services(
                objects, self._clusters, self._application.catalog, self._completed(step)
            )
            healthy = all(service.healthy for service in services)
            told = services if healthy else [each for each in services if not each.healthy]
            silence = next((each.unread for each in services if each.unread), None)
            message = silence.message if silence else "; ".join(map(describe, told))
            seen[name] = Observation(healthy, message, silence)
        return seen

    def _completed(self, step: str) -> Completed:
        """Tells the Jobs of a step's stage that have completed, though they may be gone by now."""
        stage = self._application.workflow.step(step).stage or ""
        has_jobs = any(entry.manifest["kind"] == "Job" for entry in self._entries[step])
        stack = self._application.stack(stage)
        return completed(read_record(self._application.project, stack) if has_jobs else None)

    def made(self, step: str) -> Done:
        """What a step has made, as it is now on its first cluster: ``output`` and ``outputs``."""
        values: dict[str, Any] = {"outputs": {}}
        secret = False
        entries = self._entries[step]
        for entry in entries:
            reached = self._clusters.get(entry.cluster)
            if entry.cluster != entries[0].cluster or not isinstance(reached, Reached):
                continue
            live = reached.client.read(entry.manifest) or {}
            secret = secret or entry.manifest["kind"] == "Secret"
            if entry.role == "WORKLOAD":
                values["output"] = live
            else:
                values["outputs"][entry.key] = live
        return Done(values=values, secret=secret)

    def delivered(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """What has been applied so far, as cluster and manifest."""
        for entries in tuple(self._entries.values()):
            for entry in entries:
                yield entry.cluster, entry.manifest

    def reached(self, cluster: str) -> Reached | VelapulumiError | None:
        """A cluster that a step was applied to."""
        return self._clusters.get(cluster)

    def _prepare(self, errand: Errand, run: Run, without: Iterable[str]) -> Prepared:
        step = errand.step
        prepared = prepare(
            self._application.reread().taken_up(run),
            step.stage or "",
            {**self._look.reached(), **self._clusters},
            step,
            only=frozenset(errand.clusters),
            without=frozenset(without),
        )
        self._clusters |= {
            name: cluster
            for name, cluster in prepared.clusters.items()
            if isinstance(cluster, Reached)
        }
        return prepared

    def _unusable(
        self, prepared: Prepared, errand: Errand
    ) -> Iterator[tuple[str, VelapulumiError]]:
        """The clusters that cannot be used and that the step may fail on.

        Raises:
            VelapulumiError: Why one cannot be used, where none may fail.
        """
        for name in prepared.stage.clusters:
            cluster = prepared.clusters.get(name)
            if isinstance(cluster, VelapulumiError) and name not in errand.lost:
                if not errand.tolerant:
                    raise cluster
                yield name, cluster

    def _warn(self, prepared: Prepared) -> None:
        for reached in prepared.check_clusters().values():
            if reached.warning and reached.warning not in self._warned:
                self._warned.add(reached.warning)
                self._teller.warning(reached.warning)

    def _round(
        self,
        prepared: Prepared,
        errand: Errand,
        intent: Callable[[], None],
        *,
        once_more: bool = False,
    ) -> tuple[bool, dict[str, VelapulumiError]]:
        """Bring a stage to what can be told now: whether it was changed, and where that failed."""
        application = prepared.application
        record = application.records[prepared.stage.name]
        look, decisions = self._decide(prepared, errand)
        if lost := unread(prepared, decisions) | stuck(decisions):
            if not errand.tolerant:
                raise next(iter(lost.values()))
            return False, lost
        complete = record is not None and (
            record.steps.get(prepared.step.name) == str(application.revision)
        )
        due = prepared.complete and not complete
        quiet = (each.operation.is_quiet or each.operation is Operation.OWED for each in decisions)
        writes = not all(quiet)
        unready = any(each.cause is Cause.UNREADY for each in decisions)
        if not (writes or due or unready):
            self._configure(prepared)
            return False, {}
        # Here so that no engine is started for what would be refused. Nothing is written before its
        # program, which notes what it uses: until then the approval is of what is there now.
        authorize(prepared, look)
        intent()
        self._configure(prepared)
        plan = PlanWriter(application, look).stage(prepared.stage.name, [prepared.step], decisions)
        self._teller.planned(prepared.title, plan)
        from velapulumi.engine.events import Listener

        listener = Listener(
            lambda text: self._teller.progress(prepared.title, text),
            prepared.cluster_names(each.key for each in decisions),
            (each.key for each in decisions if each.operation in _PRESENT),
            (each.facts.wanted for each in decisions),
        )
        try:
            self._run_engine(prepared, record, errand, listener, decisions)
            self._take_from_others(application, decisions, listener)
        except EngineFailed as error:
            failed = FailedRun(
                prepared, decisions, listener, self._clusters, errand.patience, errand.tolerant
            )
            try:
                return True, failed.places(error)
            except ObjectRefused:
                # The server takes a moment to know a kind as its new definition has it.
                if once_more or not needs_changes(decisions):
                    raise
            time.sleep(_RELOAD)
            self._look.renew()
            return self._round(prepared.reread(), errand, intent, once_more=True)
        except ClusterProblem as error:  # what was written beside the engine
            if gone := self._gone(prepared, errand):
                return True, gone
            if errand.tolerant and error.cluster in prepared.stage.clusters:
                return True, {error.cluster: error}
            raise
        finally:
            self._look.renew()
        return True, {}

    def _decide(self, prepared: Prepared, errand: Errand) -> tuple[Look, list[Decision]]:
        """What happens to each object, once nothing that is to be written is being deleted.

        Where a step may fail on clusters, what is still being deleted after all is among it.

        Raises:
            VelapulumiError: Something is refused, or has not gone; nothing was changed.
        """
        until = time.monotonic() + errand.patience
        while True:
            look = self._look.get()
            decided = decide_stage([prepared], look)
            decisions = [decision for _, decision in decided]
            refuse(decisions)
            going = [each for each in decisions if is_going(each)]
            late = time.monotonic() > until
            if self._interrupts.stopping or (late and not errand.tolerant):
                check_going(going)
            if late or not going:
                return look, decisions
            self._teller.progress(prepared.title, f"{going[0].key} is being deleted")
            time.sleep(_POLL)
            self._look.renew()

    def _take_from_others(
        self, application: Application, decisions: Iterable[Decision], listener: Listener
    ) -> None:
        """Take what was handed over out of the stacks of the stages that gave it.

        Until then both stacks hold it, and neither deletes it: should this be interrupted, the next
        run ends it.
        """
        taken: dict[str, set[ObjectKey]] = {}
        for each in decisions:
            if each.operation is Operation.HAND_OVER and each.facts.wanted and each.facts.other:
                taken.setdefault(each.facts.other.stage, set()).add(each.key)
        if not taken:
            return
        from velapulumi.engine.automation import Engine

        engine = Engine(application.project, listener, self._interrupts)
        for stage, keys in taken.items():
            engine.forget(application.stack(stage), keys)

    def _gone(self, prepared: Prepared, errand: Errand) -> dict[str, VelapulumiError]:
        """The clusters that have gone while the engine worked, and that the step may fail on."""
        names = prepared.check_clusters() if errand.tolerant else ()
        return unusable(prepared.application.project, names)

    def _configure(self, prepared: Prepared) -> None:
        """Write what the stage's stack configuration must say."""
        application = prepared.application
        application.project.configure(
            prepared.stack,
            application.file,
            allow_unknown=application.loaded.surroundings.allow_unknown,
        )

    def _run_engine(
        self,
        prepared: Prepared,
        record: StageRecord | None,
        errand: Errand,
        listener: Listener,
        decisions: Sequence[Decision],
    ) -> None:
        application = prepared.application
        project, delivered = application.project, application.delivered_keys(prepared.stage.name)
        creation = StackCreation(project, prepared.stack) if record is None else None
        from velapulumi.engine.automation import Engine
        from velapulumi.stage.program import deliver_stage

        if creation:
            creation.finish()
        Engine(project, listener, self._interrupts).up(
            prepared.stack,
            lambda: deliver_stage(prepared.reread(), errand.patience, shown_of(decisions)),
            tuple(prepared.check_clusters().values()),
            errand.patience,
            listed=record is not None and record.listed,
            owed=owed(decisions, record, delivered),
            parallel=prepared.step.parallelism,
            tolerant=len(errand.clusters) > 1,
            silent=silent(prepared, record),
            settle=kept_unready(decisions),
        )


_PRESENT = (Operation.TAKE_OVER, Operation.HAND_OVER)
