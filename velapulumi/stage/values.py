"""Reading what components publish (``outputs``) from their live objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from velapulumi.clusters.identity import Reached
from velapulumi.errors import InvalidApplication, VelapulumiError
from velapulumi.render import Environment, Loaded, Placement, RevisionNames, render_placed
from velapulumi.spec import (
    COMPONENTS,
    Application,
    Component,
    InvalidExpression,
    NotThere,
    Output,
    Path,
    parse_expression,
)
from velapulumi.stage.desired import Values
from velapulumi.workflow.stages import Stage, Workflow
from velapulumi.workflow.steps import WorkflowStep


def read_values(
    loaded: Loaded,
    names: RevisionNames,
    workflow: Workflow,
    included: Sequence[WorkflowStep],
    clusters: Mapping[str, Reached | VelapulumiError],
) -> Values:
    """The values published so far that some steps of a stage want.

    Args:
        loaded: The application.
        names: Names of its revisions.
        workflow: Its workflow.
        included: The steps, in order; values of earlier ones count too.
        clusters: The clusters by name; what is on one that does not answer has no value.

    Raises:
        ClusterUnreachable: A cluster stopped answering.
        InvalidApplication: What an expression puts together does not go together.
    """
    last = included[-1]
    steps = [each for each in (*workflow.before(last.name), last) if each.stage is not None]
    wanted = {
        item.from_
        for each in included
        for component in _environment(workflow, each).components
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
                "cluster": place.rendered_name,
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
            except InvalidExpression as error:
                raise _no_value(loaded.application, component, output, error) from error
    return values


def _no_value(
    application: Application, component: Component, output: Output, error: InvalidExpression
) -> InvalidApplication:
    """What is wrong, told at the component as far as the file lists it."""
    path: Path = COMPONENTS
    for index, written in enumerate(application.components):
        if written.name == component.name:
            path = (*COMPONENTS, index, "outputs")
    message = f"component {component.name} cannot publish {output.name}: {error}"
    return InvalidApplication(application.file, [application.problem(path, message)])
