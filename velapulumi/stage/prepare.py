"""Everything that is known before a stage is touched, and whether it may be.

The command line and the Pulumi program both start here, so both decide alike. Finding
out writes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from velapulumi.clusters.identity import Reached, reach
from velapulumi.engine.handles import handles_of, names_of
from velapulumi.errors import (
    PromotionRefused,
    UsageProblem,
    VelapulumiError,
)
from velapulumi.gate.promotion import missing
from velapulumi.plan.objects import ObjectKey
from velapulumi.program.application import Application
from velapulumi.program.state import Clusters, step_state
from velapulumi.project import StackName
from velapulumi.render import render_environment
from velapulumi.stage.desired import (
    Desired,
    Holding,
    Portion,
    desired_objects,
)
from velapulumi.stage.look import Look
from velapulumi.stage.values import read_values
from velapulumi.workflow.phases import StepPhase
from velapulumi.workflow.rules import waits_for
from velapulumi.workflow.stages import Stage, Workflow
from velapulumi.workflow.steps import WorkflowStep


@dataclass(frozen=True)
class Prepared:
    """One step of a stage, ready to be delivered or refused.

    Attributes:
        application: The application.
        stage: The stage.
        step: The step.
        clusters: The stage's clusters and those of the stages before it, or before the later step
            which the stage has come to already, and of all that its steps wait for.
        only: The clusters that shall have what the step delivers now; None for all of them.
        without: Clusters that are left as they are, as they cannot be used.
        collecting: Whether what the application does not deliver any more is to be deleted.
    """

    application: Application
    stage: Stage
    step: WorkflowStep
    clusters: Clusters
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    collecting: bool = False

    @property
    def stack(self) -> StackName:
        return self.application.stack(self.stage.name)

    @property
    def title(self) -> str:
        """How people call it: as the stage, or as the step where the stage has several."""
        return self.stage.name if len(self.stage.steps) == 1 else self.step.name

    @property
    def first(self) -> bool:
        """Whether no step delivers before this one."""
        return not any(s.stage for s in self.application.workflow.before(self.step.name))

    @cached_property
    def holding(self) -> Holding:
        """What the stage shall hold after the step."""
        application = self.application
        names = application.revision.names
        values = read_values(
            application.loaded, names, application.workflow, self.included, self.clusters
        )
        return desired_objects(
            application.loaded,
            names,
            self.stage,
            Portion(self.included, self.step, self.only, self.without),
            application.records[self.stage.name],
            values,
            self._spared if self.collecting else None,
        )

    @property
    def included(self) -> tuple[WorkflowStep, ...]:
        """The steps whose objects the stage shall hold: this one, and those that have delivered.

        A later step that has once delivered this very revision, and waits for this one again, does
        not count.
        """
        application, steps = self.application, self.stage.steps
        record = application.records[self.stage.name]
        held = record.steps if record else {}
        revision = str(application.revision)
        place = steps.index(self.step)
        after = itertools.takewhile(
            lambda later: held.get(later.name) == revision and held.get(self.step.name) == revision,
            steps[place + 1 :],
        )
        before = (step for step in steps[:place] if held.get(step.name) == revision)
        return (*before, self.step, *(step for step in after if self._is_open(step)))

    def _is_open(self, step: WorkflowStep) -> bool:
        return not step.gate or self.application.approved(step.name)

    @property
    def _spared(self) -> frozenset[ObjectKey]:
        """What the stage goes on holding when it is collected.

        That is what steps have that have not delivered this revision.
        """
        application, names = self.application, self.application.revision.names
        return frozenset(
            ObjectKey.of(entry.cluster, entry.manifest)
            for step in self.stage.steps
            if step not in self.included
            for entry in render_environment(
                application.loaded.application,
                self.stage.environments[step.name],
                names,
                application.loaded.surroundings,
            )
        )

    @property
    def has_inputs(self) -> bool:
        """Whether a component of the stage, as it is after the step, gets values from others."""
        return any(
            component.inputs
            for step in self.included
            for component in self.stage.environments[step.name].components
        )

    @property
    def desired(self) -> tuple[Desired, ...]:
        """The objects the stage shall hold after the step, in the order they are applied."""
        return self.holding.objects

    @property
    def complete(self) -> bool:
        """Whether the step is delivered on all clusters, but those left out, once it is applied."""
        clusters = {p.cluster for p in self.stage.environments[self.step.name].placements}
        reached = clusters if self.only is None else self.only
        return not self.holding.pending and clusters <= reached | self.without

    @property
    def delivered(self) -> dict[str, str]:
        """The revision each step of the stage has delivered once this one is applied, by name.

        A later step that has once delivered this very revision has to do it again.
        """
        record = self.application.records[self.stage.name]
        held = record.steps if record else {}
        revision = str(self.application.revision)
        done = [step for step in self.included if step is not self.step or self.complete]
        return {step.name: revision for step in done} | {
            step.name: held[step.name]
            for step in self.stage.steps
            if step not in self.included and held.get(step.name, revision) != revision
        }

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """What still stands between the stage and the revision, a sentence each."""
        application = self.application
        reasons = missing(
            application.workflow,
            self.step,
            str(application.revision),
            {
                step.name: step_state(
                    application.records[step.stage or ""],
                    step.name,
                    self.clusters,
                    application.catalog,
                    application.lost(step.name),
                )
                for step in _delivering_before(application.workflow, self.step)
            },
            application.approved,
            application.run,
        )
        return (*reasons, *self._skipped, *self._waves)

    @property
    def _is_held(self) -> bool:
        """Whether the stage holds what the step delivers of this revision already."""
        record = self.application.records[self.stage.name]
        held = record.steps.get(self.step.name) if record else None
        return held == str(self.application.revision)

    @property
    def _skipped(self) -> tuple[str, ...]:
        """That the run has skipped the step."""
        skipped = self.application.run.step(self.step.name).phase is StepPhase.SKIPPED
        if not skipped or self._is_held:
            return ()
        return (f"step {self.step.name} is skipped in this run",)

    @property
    def _waves(self) -> tuple[str, ...]:
        """That the step goes over its clusters in waves, where all shall have it at once."""
        waves = self.application.workflow.rollouts[self.step.name].waves
        if self.only is not None or len(waves) < 2 or self._is_held:
            return ()
        return (f"step {self.step.name} goes in waves, `velapulumi up` does that",)

    def check_clusters(self) -> dict[str, Reached]:
        """The clusters of the stage itself, but those left out.

        Raises:
            UnknownCluster, ClusterUnreachable, WrongCluster: The first that cannot be used.
        """
        reached = {}
        for name in self.stage.clusters:
            if name in self.without:
                continue
            cluster = self.clusters[name]
            if isinstance(cluster, VelapulumiError):
                raise cluster
            reached[name] = cluster
        return reached

    def handles(self, objects: Iterable[ObjectKey]) -> dict[str, str]:
        """What the stage's stack calls its clusters once it holds objects, by canonical name."""
        record = self.application.records[self.stage.name]
        return handles_of(record, self._places(objects))

    def cluster_names(self, objects: Iterable[ObjectKey]) -> dict[str, str]:
        """The canonical names of its clusters, by what its stack calls them then."""
        record = self.application.records[self.stage.name]
        return names_of(record, self._places(objects))

    def _places(self, objects: Iterable[ObjectKey]) -> set[str]:
        return {*self.stage.clusters, *(key.cluster for key in objects)}

    def check_promotion(self) -> None:
        """Refuse a stage whose turn has not come.

        Raises:
            PromotionRefused: Something is missing; all of it is named.
        """
        if self.missing:
            reasons = "\n".join(f"  - {reason}" for reason in self.missing)
            raise PromotionRefused(
                f"stage {self.stage.name} may not get {self.application.revision}:\n{reasons}",
                next_step=f"See where it stands with: velapulumi status {self.application.name}",
            )

    def reread(self) -> Prepared:
        """The same stage with the gate file and the stacks as they are now."""
        return replace(self, application=self.application.reread())


def prepare(
    application: Application,
    stage: str,
    known: Clusters | None = None,
    step: WorkflowStep | None = None,
    *,
    only: frozenset[str] | None = None,
    without: frozenset[str] = frozenset(),
    collecting: bool = False,
) -> Prepared:
    """Find out all that decides whether a stage may be delivered, contacting its clusters.

    Args:
        application: The application.
        stage: The stage.
        known: Clusters that were reached already.
        step: The step to deliver; the stage's first that has not delivered the revision yet, or
            its last, when not given. One that the run has skipped is passed over.
        only: The clusters that shall have what the step delivers now; None for all of them.
        without: Clusters that are left as they are.
        collecting: Whether what the application does not deliver any more is to be deleted.

    Raises:
        UsageProblem: The application has no such stage.
    """
    stages = application.workflow.stages
    if stage not in stages:
        raise UsageProblem(
            f"{application.file}: no step of its workflow delivers stage {stage}",
            next_step=f"Its stages are: {', '.join(stages) or 'none'}.",
        )
    step = step or _next_step(application, stages[stage])
    names = set(stages[stage].clusters) - without
    last = stages[stage].steps[-1]
    needed = [
        *(each for each in application.workflow.before(last.name) if each.stage is not None),
        *_delivering_before(application.workflow, *stages[stage].steps),
    ]
    names |= {name for each in needed for name in stages[each.stage or ""].clusters}
    clusters: dict[str, Reached | VelapulumiError] = dict(known or {})
    clusters |= reach(application.project, names - clusters.keys())
    return Prepared(application, stages[stage], step, clusters, only, without, collecting)


def prepared_steps(
    application: Application, name: str, steps: Sequence[WorkflowStep], look: Look
) -> Iterator[Prepared]:
    """Steps of a stage, ready to be planned: with what goes once they have all been delivered.

    Args:
        application: The application.
        name: The stage.
        steps: Its steps.
        look: What the clusters have.
    """
    for step in steps:
        prepared = prepare(application, name, look.clusters, step, collecting=True)
        look.clusters |= prepared.clusters
        yield prepared


def _delivering_before(workflow: Workflow, *steps: WorkflowStep) -> tuple[WorkflowStep, ...]:
    """The delivering steps that some wait for; in the mode DAG the file may have them later."""
    names = frozenset[str]().union(*(waits_for(workflow.steps, step) for step in steps))
    return tuple(each for each in workflow.steps if each.stage and each.name in names)


def _next_step(application: Application, stage: Stage) -> WorkflowStep:
    record = application.records[stage.name]
    held = record.steps if record else {}
    revision = str(application.revision)
    run = application.run
    going = [s for s in stage.steps if run.step(s.name).phase is not StepPhase.SKIPPED]
    pending = (step for step in going if held.get(step.name) != revision)
    return next(pending, (going or stage.steps)[-1])
