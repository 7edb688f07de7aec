"""Reading what components publish (``outputs``) from their live objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from velapulumi.clusters.identity import Reached
from velapulumi.errors import VelapulumiError
from velapulumi.program.desired import Values
from velapulumi.render import Environment, Loaded, Placement, RevisionNames, render_placed
from velapulumi.spec import NotThere, parse_expression
from velapulumi.workflow.stages import Stage, Workflow, WorkflowStep


def read_values(
    loaded: Loaded,
    names: RevisionNames,
    workflow: Workflow,
    step: WorkflowStep,
    clusters: Mapping[str, Reached | VelapulumiError],
) -> Values:
    """The values published so far, as far as they are wanted.

    Args:
        loaded: The application.
        names: Names of its revisions.
        workflow: Its workflow.
        step: The step that is to be delivered; values of earlier steps count too.
        clusters: The clusters by name; what is on one that does not answer has no value.

    Raises:
        ClusterUnreachable: A cluster stopped answering.
    """
    steps = [each for each in (*workflow.before(step.name), step) if each.stage is not None]
    wanted = {
        item.from_
        for component in _environment(workflow, step).components
        for item in component.inputs
    }
    values: dict[tuple[Placement, str], Any] = {}
    for each in steps if wanted else ():
        environment = _environment(workflow, each)
        for place in environment.placements:
            reached = clusters.get(place.cluster)
            if isinstance(reached, Reached):
                found = _published(loaded, names, environment, place, wanted, reached)
                values |= {(place, name): value for name, value in found.items()}
    return values


def _environment(workflow: Workflow, step: WorkflowStep) -> Environment:
    stage: Stage = workflow.stages[step.stage or ""]
    return stage.environments[step.name]


def _published(
    loaded: Loaded,
    names: RevisionNames,
    environment: Environment,
    place: Placement,
    wanted: set[str],
    reached: Reached,
) -> dict[str, Any]:
    values = {}
    for resolved in environment.resolved:
        component = resolved.component
        outputs = [output for output in component.outputs if output.name in wanted]
        if not outputs:
            continue
        scope: dict[str, Any] = {
            "outputs": {},
            "context": {
                "name": component.name,
                "namespace": place.namespace,
                "cluster": place.cluster,
                "appName": loaded.application.name,
                "appRevision": names.application,
                "replicaKey": resolved.replica_key,
            },
        }
        for entry in render_placed(loaded.application, resolved, place, names, loaded.surroundings):
            live = reached.client.read(entry.manifest)
            if live is not None and entry.role == "WORKLOAD":
                scope["output"] = live
            elif live is not None:
                scope["outputs"][entry.key] = live
        for output in outputs:
            try:
                values[output.name] = parse_expression(output.value_from).value(scope)
            except NotThere:
                continue
    return values
