"""The plan document of an application: what its file, stacks and clusters say now.

Whatever happens to an object is decided in ``operations``; here that is written down, with the
digests that an approval binds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from velapulumi import __version__
from velapulumi.clusters.registry import Registry
from velapulumi.engine.record import StageRecord
from velapulumi.plan.document import (
    PlanDocument,
    StagePlan,
    Tools,
)
from velapulumi.playground.tools import PROVIDER_VERSION, PULUMI_VERSION
from velapulumi.program.application import Application
from velapulumi.project import Project
from velapulumi.stage.asking import ask
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look
from velapulumi.stage.operations import Decision
from velapulumi.stage.planned import ObjectWriter
from velapulumi.stage.prepare import prepared_steps
from velapulumi.workflow.gates import guards
from velapulumi.workflow.rules import waits_for
from velapulumi.workflow.steps import WorkflowStep


def plan_document(
    application: Application,
    stages: Mapping[str, Sequence[WorkflowStep]],
    look: Look,
    *,
    asks: bool = False,
) -> PlanDocument:
    """Make the plan of some stages; reads what their clusters have, and writes nothing.

    Args:
        application: The application.
        stages: The steps that deliver each stage, in the order of delivery.
        look: What the clusters have; each object is read once.
        asks: Whether to ask the clusters in dry runs what they would refuse.

    Raises:
        InvalidApplication: A published value does not fit the parameter it is for.
        UnknownCluster: No cluster is joined under a name that a stage delivers to.
    """
    writer = PlanWriter(application, look, asks=asks)
    planned = []
    for name, steps in stages.items():
        prepared = list(prepared_steps(application, name, steps, look))
        decided = decide_stage(prepared, look, after_others=True)
        pending = dict.fromkeys(text for each in prepared for text in each.holding.pending)
        plan = writer.stage(name, steps, [decision for _, decision in decided])
        planned.append(plan.model_copy(update={"pending": tuple(pending)}))
    return PlanDocument(
        application=application.name,
        namespace=application.loaded.application.namespace,
        project=application.project_id,
        revision=str(application.revision),
        tools=Tools(velapulumi=__version__, engine=PULUMI_VERSION, provider=PROVIDER_VERSION),
        trust=application.authority.digest,
        key=writer.key,
        stages=tuple(planned),
    )


def removal_plan(
    project: Project, stage: str, decisions: Sequence[Decision], look: Look
) -> StagePlan:
    """What deleting a stack with all it holds does.

    Args:
        project: The project.
        stage: The stage.
        decisions: What happens to its objects.
        look: What the clusters have.
    """
    places = sorted({each.key.cluster for each in decisions})
    joined = {entry.name for entry in Registry(project).all()}
    known = [name for name in places if name in joined]
    return StagePlan(
        stage=stage, steps=(), clusters=ObjectWriter(project, look).clusters(known, decisions)
    )


class PlanWriter:
    """Writes down what was decided about the stages of an application.

    Args:
        application: The application.
        look: What the clusters have.
        asks: Whether to ask the clusters in dry runs what they would refuse.
    """

    def __init__(self, application: Application, look: Look, *, asks: bool = False) -> None:
        policy = application.authority.policy
        registries = policy.registries if policy else ()
        self._objects = ObjectWriter(application.project, look, registries)
        self._application = application
        self._look = look
        self._asks = asks
        self._before: list[Decision] = []

    @property
    def key(self) -> str:
        """Names the key that secret values are hidden with; empty when there are none."""
        return self._objects.mask.name

    def stage(
        self, name: str, steps: Sequence[WorkflowStep], decisions: Sequence[Decision]
    ) -> StagePlan:
        """The plan of one stage.

        Args:
            name: Its name.
            steps: The steps that deliver it.
            decisions: What happens to its objects.
        """
        application = self._application
        answers = ask(decisions, self._look, self._before) if self._asks else {}
        self._before.extend(decisions)
        record = application.all_records.get(name)
        revisions = {record.steps.get(step.name, "") for step in steps} if record else {""}
        stage = application.workflow.stages.get(name)
        places = stage.clusters if stage else ()
        before = revisions.pop() if len(revisions) == 1 else ""
        return StagePlan(
            stage=name,
            steps=tuple(step.name for step in steps),
            before=before,
            broken=() if before or record is None else broken(record),
            requires=application.authority.requirements(name, places),
            late=self._late(name, steps),
            clusters=self._objects.clusters(places, decisions, answers),
        )

    def _late(self, name: str, steps: Sequence[WorkflowStep]) -> tuple[str, ...]:
        """The components of a stage with values that are published after its gates have opened."""
        environments = self._application.workflow.stages[name].environments
        found = {
            component.name
            for step in steps
            for published in (frozenset(self._published(name, step)),)
            for component in environments[step.name].components
            if any(item.from_ in published for item in component.inputs)
        }
        return tuple(sorted(found))

    def _published(self, name: str, step: WorkflowStep) -> Iterator[str]:
        """Names of the values that its own stage and all steps between its gates and it publish."""
        workflow = self._application.workflow
        gates = {gate.name for gate in guards(workflow.steps, step)}
        before = waits_for(workflow.steps, step)
        for each in workflow.steps:
            since = each.name in before and gates & {each.name, *waits_for(workflow.steps, each)}
            if since:
                yield from (output.name for output in each.outputs)
            if each.stage is not None and (since or each.stage == name):
                environment = workflow.stages[each.stage].environments[each.name]
                for component in environment.components:
                    yield from (output.name for output in component.outputs)


def broken(record: StageRecord) -> tuple[str, ...]:
    """The revisions whose objects a stack holds, where the last delivery did not finish.

    Args:
        record: What the stack holds.
    """
    if record.steps:
        return ()
    return tuple(sorted({entry.revision for entry in record.objects if entry.revision}))
