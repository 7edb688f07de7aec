"""``velapulumi simulate``: play a workflow on virtual clusters and in virtual time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from velapulumi.errors import UnknownCluster, UsageProblem, WaitingForApproval

if TYPE_CHECKING:
    from velapulumi.errors import VelapulumiError
    from velapulumi.render import Loaded
    from velapulumi.workflow.entries import Entry
    from velapulumi.workflow.phases import WorkflowPhase
    from velapulumi.workflow.rollout import Rollout
    from velapulumi.workflow.simulation import Played, Scenario
    from velapulumi.workflow.stages import Workflow
    from velapulumi.workflow.steps import WorkflowStep


@click.command()
@click.option(
    "-f",
    "--file",
    required=True,
    type=click.Path(path_type=Path),
    help="File with the Application.",
)
@click.option(
    "--fail",
    "failures",
    multiple=True,
    metavar="[CLUSTER@]STEP",
    help="This step never gets healthy on this cluster; without a cluster, this acting step fails.",
)
@click.option(
    "--unreachable", multiple=True, metavar="CLUSTER", help="This cluster does not answer."
)
@click.option("--reject", multiple=True, metavar="STEP", help="Nobody approves this step.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
@click.option(
    "--allow-unknown-parameters",
    "allow_unknown",
    is_flag=True,
    help="Ignore parameters no definition knows, with a warning, as KubeVela does.",
)
def simulate(
    file: Path,
    failures: tuple[str, ...],
    unreachable: tuple[str, ...],
    reject: tuple[str, ...],
    output: str,
    allow_unknown: bool,
) -> int:
    """Play the workflow of an application on virtual clusters and in virtual time.

    Nothing is contacted and nothing is changed. It is run by what runs it for real: the same steps
    wait, fail and are skipped. Applying takes two virtual seconds, getting healthy five. Approvals
    are given at once and listed; what steps publish are placeholders. Inside a project its clusters
    and definitions are known; elsewhere the clusters are those that the file names. Ends with the
    exit code that `up` would end with.
    """
    from velapulumi.cli.dry_run import surroundings_of
    from velapulumi.delivery.deliver import context_of, failure_of, limits_of
    from velapulumi.errors import InvalidApplication
    from velapulumi.render import load
    from velapulumi.workflow.revision import revision_of
    from velapulumi.workflow.simulation import play
    from velapulumi.workflow.stages import workflow_of

    loaded = load(file, surroundings_of(file, allow_unknown))
    for warning in loaded.warnings:
        click.echo(f"Warning: {warning}", err=True)
    if loaded.obstacles:
        raise InvalidApplication(str(file), loaded.obstacles)
    workflow = workflow_of(loaded)
    _check_places(file, loaded, workflow)
    revision = revision_of(loaded, ())
    played = play(
        workflow,
        str(revision),
        _scenario(loaded, workflow, failures, unreachable, reject),
        limits_of(loaded),
        context_of(loaded, revision.name),
    )
    failure = failure_of(loaded.application.name, str(revision), played.conclusion)
    waiting = played.conclusion.waiting
    code = failure.exit_code if failure else WaitingForApproval.exit_code if waiting else 0
    if output == "json":
        _print_json(workflow, played, code)
    else:
        _print_table(workflow, played, failure)
    return code


def _check_places(file: Path, loaded: Loaded, workflow: Workflow) -> None:
    """Refuse what `up` would refuse, and clusters which labels choose where none is known.

    Raises:
        UsageProblem: There is no cluster to play on.
        UnknownCluster: The project has joined clusters, and one that is named is none of them.
    """
    from velapulumi.render.placement import ANY, LOCAL

    if not workflow.stages:
        raise UsageProblem(
            f"{file}: no step delivers to a cluster, so there is nothing to play",
            next_step="Add a topology policy that names clusters, or an env-binding policy.",
        )
    joined = loaded.surroundings.clusters
    for step, rollout in workflow.rollouts.items():
        if ANY in rollout.clusters or (joined is None and _groups_by_labels(loaded, step)):
            raise UsageProblem(
                f"{file}: step {step} chooses clusters by their labels, and no labelled cluster is "
                "known here",
                next_step="Run it in a project that has joined clusters, or name the clusters.",
            )
        if LOCAL in rollout.clusters:
            raise UsageProblem(
                f"{file}: step {step} delivers to the control plane's own cluster, and there is no "
                "control plane here",
                next_step="Name a cluster in its topology policy or env placement.",
            )
        for name in rollout.clusters:
            if joined is not None and name not in joined:
                raise UnknownCluster(f"no such cluster: {name}")


def _groups_by_labels(loaded: Loaded, name: str) -> bool:
    """Whether a step tells by labels which of its clusters come first."""
    from velapulumi.definitions.steps.deploy import Parameters
    from velapulumi.render.steps import every_step, parameters_of

    step = next(each for each in every_step(loaded.steps) if each.name == name)
    parameters = parameters_of(loaded, step)
    groups = parameters.decisionGroups if isinstance(parameters, Parameters) else ()
    return any(group.clusterLabelSelector for group in groups)


def _scenario(
    loaded: Loaded,
    workflow: Workflow,
    failures: Sequence[str],
    unreachable: Sequence[str],
    reject: Sequence[str],
) -> Scenario:
    """What goes wrong, as asked for.

    Raises:
        UsageProblem: A cluster or step is not there, or cannot go wrong in that way.
    """
    from velapulumi.render.placement import canonical
    from velapulumi.workflow.simulation import Scenario

    joined = loaded.surroundings.clusters
    unreachable = [canonical(name, joined) for name in unreachable]
    clusters = {name for stage in workflow.stages.values() for name in stage.clusters}
    acting = [step.name for step in workflow.steps if step.acts]
    timed = [step.name for step in workflow.steps if step.gate and step.duration is not None]
    gates = [step.name for step in workflow.steps if step.gate and step.duration is None]
    sick, broken = set(), set()
    for text in failures:
        cluster, at, step = text.rpartition("@")
        if at:
            cluster = canonical(cluster, joined)
            _known("delivering step", step, workflow.rollouts)
            _known(f"cluster of step {step}", cluster, workflow.rollouts[step].clusters)
            sick.add((cluster, step))
        elif step in workflow.rollouts:
            places = ", ".join(f"{name}@{step}" for name in workflow.rollouts[step].clusters)
            raise UsageProblem(
                f"step {step} delivers, so it fails on a cluster",
                next_step=f"Write one of: {places}",
            )
        else:
            _known("acting step", step, acting)
            broken.add(step)
    for cluster in unreachable:
        _known("cluster", cluster, clusters)
    for step in reject:
        if step in timed:
            raise UsageProblem(
                f"step {step} goes on by itself when its duration is over, so it needs no approval",
                next_step=f"Steps that need one: {', '.join(gates) or 'none'}.",
            )
        _known("step that waits for approval", step, gates)
    return Scenario(frozenset(sick), frozenset(broken), frozenset(unreachable), frozenset(reject))


def _known(what: str, name: str, names: Iterable[str]) -> None:
    from velapulumi.spec import did_you_mean

    if name not in names:
        raise UsageProblem(f'there is no {what} "{name}"{did_you_mean(name, names)}')


def _print_table(workflow: Workflow, played: Played, failure: VelapulumiError | None) -> None:
    from velapulumi.cli.output import print_table
    from velapulumi.spec.durations import format_duration

    rows = [(format_duration(at), *texts) for at, *texts in _rows(workflow, played)]
    print_table(("TIME", "STEP", "CLUSTER", "EVENT"), rows)
    click.echo()
    places = [
        (
            name,
            "yes" if _is_reached(steps) else "no",
            _listed(f"{step} {state}" for step, state in steps.items()),
        )
        for name, steps in _clusters(workflow, played).items()
    ]
    print_table(("CLUSTER", "REACHED", "STEPS"), places)
    click.echo()
    click.echo(f"Phase: {_phase(played)}, after {format_duration(played.seconds)}.")
    given = [name for name in played.approvals if name not in _waiting(played)]
    if given:
        click.echo(f"Needs approval, taken as given: {', '.join(given)}.")
    if names := _waiting(played):
        click.echo(f"Waits for approval: {', '.join(names)}.")
    if failure is not None:
        click.echo(f"`up` would end with exit code {failure.exit_code}: {failure.message}")


def _rows(workflow: Workflow, played: Played) -> Iterator[tuple[float, str, str, str]]:
    """What happens: seconds since the start, step, clusters and words."""
    from velapulumi.cli.workflow.story import story_of
    from velapulumi.workflow.phases import StepPhase
    from velapulumi.workflow.simulation import START

    by_name = {step.name: step for step in workflow.steps}
    named = [step.model_copy(update={"stage": None}) for step in workflow.steps]  # not by stages
    for told in story_of(named, played.entries):
        at, entry = told.entry.at - START, told.entry
        step = by_name.get(entry.step)
        found = _events(workflow, played, step, entry, told.text) if step else [("", told.text)]
        yield from ((at, entry.step, clusters, text) for clusters, text in found)
    for step in workflow.steps:
        if played.conclusion.run.step(step.name).phase is StepPhase.PENDING:
            text = f"has not begun: waits for {_listed(_waits_for(workflow, step))}"
            yield played.seconds, step.name, "", text


def _events(
    workflow: Workflow, played: Played, step: WorkflowStep, entry: Entry, text: str
) -> Iterator[tuple[str, str]]:
    """An entry of a step in words that say what it waited for, which wave it is, what it halts.

    Args:
        workflow: The workflow.
        played: The simulation.
        step: The step.
        entry: The entry.
        text: What it says by itself.
    """
    from velapulumi.workflow.entries import Kind
    from velapulumi.workflow.phases import StepPhase

    rollout = workflow.rollouts.get(step.name)
    match entry.kind:
        case Kind.START if entry.phase is not StepPhase.SUSPENDING:
            names = [name for name in _waits_for(workflow, step) if name != step.group]
            given = "; its approval is taken as given" if step.name in played.approvals else ""
            yield "", "begins" + (f", after {_listed(names)}" if names else "") + given
        case Kind.APPLY | Kind.APPLIED | Kind.CLUSTER if rollout:
            yield from _delivery(rollout, entry)
        case Kind.END if rollout:
            states = played.conclusion.run.step(step.name).clusters
            tried = {name for name, delivered in played.world.held if delivered == step.name}
            left = [name for name in rollout.clusters if name not in tried | states.keys()]
            lost = [name for name, each in states.items() if each.phase.lost]
            if entry.phase is StepPhase.FAILED and left and len(rollout.waves) > 1:
                text += f"; halts, so nothing goes to {_listed(left)}"
            elif entry.phase is StepPhase.SUCCEEDED and lost:
                text += f", but on {_listed(lost)}, within what may fail"
            yield "", text
        case _:
            yield "", text


def _delivery(rollout: Rollout, entry: Entry) -> Iterator[tuple[str, str]]:
    """What happens on clusters in one wave of a rollout."""
    from velapulumi.spec.durations import format_duration
    from velapulumi.workflow.entries import ClusterPhase, Kind

    bake = f" for {format_duration(rollout.bake)}" if rollout.bake else ""
    well = ", ".join(name for name in entry.clusters if name not in entry.failed)
    for name, message in entry.failed.items():
        yield name, f"failed: {message}"
    if not well:
        return
    if entry.kind is Kind.APPLY:
        waves = [wave.clusters for wave in rollout.waves]
        number = next(i for i, names in enumerate(waves, 1) if set(entry.clusters) <= set(names))
        yield well, "applies" + (f", wave {number} of {len(waves)}" if len(waves) > 1 else "")
    elif entry.kind is Kind.APPLIED:
        yield well, "applied"
    elif entry.cluster is ClusterPhase.SUCCEEDED:
        yield well, f"healthy{bake}"
    elif entry.healthy:
        yield well, f"healthy, has to stay so{bake}"
    else:
        yield well, entry.message or "not healthy any more"


def _waits_for(workflow: Workflow, step: WorkflowStep) -> list[str]:
    """The steps whose ends a step waits for, those only that come right before it."""
    makers = {output.name: each.name for each in workflow.steps for output in each.outputs}
    level = [each.name for each in workflow.before(step.name) if each.group == step.group]
    names = [
        *(level[-1:] if step.ordered else ()),
        *step.depends_on,
        *(makers[item.from_] for item in step.inputs if item.from_ in makers),
    ]
    return list(dict.fromkeys(names)) or [step.group]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _print_json(workflow: Workflow, played: Played, code: int) -> None:
    from velapulumi.cli.output import print_document
    from velapulumi.workflow.simulation import START

    events = [
        entry.model_dump(mode="json", exclude_defaults=True, exclude={"at", "healthy"})
        | {"seconds": round(entry.at - START, 3)}
        for entry in played.entries
    ]
    waiting = _waiting(played)
    document = {
        "events": events,
        "phase": str(_phase(played)),
        "seconds": round(played.seconds, 3),
        "approvals": [
            {"step": name, "message": workflow.step(name).message, "given": name not in waiting}
            for name in played.approvals
        ],
        "clusters": {
            name: {"reached": _is_reached(steps), "steps": steps}
            for name, steps in _clusters(workflow, played).items()
        },
        "exit": code,
    }
    print_document(document, "json")


def _clusters(workflow: Workflow, played: Played) -> dict[str, dict[str, str]]:
    """What has become of each delivering step on each cluster, or ``skipped`` where it was."""
    from velapulumi.workflow.entries import ClusterPhase
    from velapulumi.workflow.phases import StepPhase

    found: dict[str, dict[str, str]] = {
        name: {} for stage in workflow.stages.values() for name in stage.clusters
    }
    for step, rollout in workflow.rollouts.items():
        run = played.conclusion.run.step(step)
        for name in rollout.clusters:
            if run.phase is StepPhase.SKIPPED:
                found[name][step] = str(StepPhase.SKIPPED)
            elif name in run.clusters:
                found[name][step] = str(run.clusters[name].phase)
            else:  # of an apply that has failed as a whole the journal tells no more
                tried = (name, step) in played.world.held
                found[name][step] = str(ClusterPhase.FAILED if tried else ClusterPhase.TO_APPLY)
    return found


def _is_reached(steps: dict[str, str]) -> bool:
    """Whether a cluster has all that is to be delivered there and is not skipped."""
    from velapulumi.workflow.entries import ClusterPhase
    from velapulumi.workflow.phases import StepPhase

    return set(steps.values()) - {StepPhase.SKIPPED} == {ClusterPhase.SUCCEEDED}


def _phase(played: Played) -> WorkflowPhase:
    from velapulumi.workflow.phases import WorkflowPhase

    if played.conclusion.waiting:
        return WorkflowPhase.SUSPENDING
    finished = played.conclusion.run.finished
    return WorkflowPhase.SUCCEEDED if finished else WorkflowPhase.FAILED


def _waiting(played: Played) -> list[str]:
    return [step.name for step in played.conclusion.waiting]
