"""What CUE templates make, by KubeVela's rules."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.definitions import (
    BUILTIN,
    ComponentDefinition,
    Context,
    Manifest,
    PatchConflict,
    RenderError,
    TraitDefinition,
    TraitResult,
    unify,
)
from velapulumi.definitions.base import ClusterVersion

from .conftest import Project, manifest

CONTEXT = Context(
    app_name="shop",
    app_namespace="default",
    app_revision="shop-v7",
    name="web",
    revision="web-v2",
    cluster="prod",
    namespace="shop-prod",
    app_labels={"team": "a"},
    cluster_version=ClusterVersion(1, 31, "v1.31.2", "linux/amd64"),
    workflow_name="flow",
    replica_key="north",
)
WORKLOAD: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web-x"},
    "spec": {
        "replicas": 1,
        "template": {
            "spec": {
                "containers": [
                    {"name": "web", "image": "a", "env": [{"name": "A", "value": "1"}]},
                    {"name": "log", "image": "b"},
                ]
            }
        },
    },
}


def trait(project: Project, template: str, **spec: Any) -> TraitDefinition[Any]:
    catalog = project({"own.yaml": manifest("TraitDefinition", "own", template, **spec)})
    definition = catalog.find(TraitDefinition, "own")
    assert definition is not None
    return definition


def component(project: Project, template: str, **spec: Any) -> ComponentDefinition[Any]:
    catalog = project({"own.yaml": manifest("ComponentDefinition", "own", template, **spec)})
    definition = catalog.find(ComponentDefinition, "own")
    assert definition is not None
    return definition


def applied(definition: TraitDefinition[Any], **properties: Any) -> TraitResult:
    parameters, problems = definition.read(properties)
    assert problems == []
    return definition.apply(parameters, CONTEXT, WORKLOAD)


def patched(definition: TraitDefinition[Any], **properties: Any) -> Any:
    return unify(WORKLOAD, applied(definition, **properties).patch)


def containers(workload: Manifest) -> Any:
    return workload["spec"]["template"]["spec"]["containers"]


def test_a_patch_without_strategy_is_unified(project: Project) -> None:
    definition = trait(project, "patch: spec: paused: parameter.paused\nparameter: paused: bool")
    assert patched(definition, paused=True)["spec"] == {**WORKLOAD["spec"], "paused": True}


def test_a_different_value_conflicts(project: Project) -> None:
    with pytest.raises(PatchConflict, match=r"spec\.replicas: conflicting values 1 and 3"):
        patched(trait(project, "patch: spec: replicas: 3\nparameter: {}"))


def test_retain_keys_of_a_short_field(project: Project) -> None:
    template = "// +patchStrategy=retainKeys\npatch: spec: replicas: 3\nparameter: {}"
    assert patched(trait(project, template))["spec"]["replicas"] == 3


def test_a_strategy_is_found_through_references_and_conditions(project: Project) -> None:
    template = """
        #Change: {
          name: string
          _given: [string]: string
          if len(_given) > 0 {
            // +patchStrategy=replace
            env: [for k, v in _given {name: k, value: v}]
          }
        }
        patch: spec: template: spec: {
          if parameter.on {
            // +patchKey=name
            containers: [#Change & {name: context.name, _given: parameter.env}, {
              name: "extra", image: "c"
            }]
          }
        }
        parameter: {
          on: *true | bool
          env: [string]: string
        }
    """
    definition = trait(project, template)
    assert containers(patched(definition, env={"B": "2"})) == [
        {"name": "web", "image": "a", "env": [{"name": "B", "value": "2"}]},
        {"name": "log", "image": "b"},
        {"name": "extra", "image": "c"},
    ]
    assert patched(definition, on=False, env={}) == WORKLOAD


def test_json_merge_patch_takes_null(project: Project) -> None:
    template = """
        // Says what is taken away.
        // +patchStrategy=jsonMergePatch
        // Further words.
        patch: {
          metadata: labels: parameter
          spec: replicas: null
        }
        parameter: [string]: string | null
    """
    result = patched(trait(project, template), tier="fe", old=None)
    assert result["metadata"] == {"name": "web-x", "labels": {"tier": "fe"}}
    assert "replicas" not in result["spec"]


def test_json_patch_carries_out_operations(project: Project) -> None:
    template = "// +patchStrategy=jsonPatch\npatch: parameter\nparameter: operations: [...{...}]"
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 5}]
    assert patched(trait(project, template), operations=operations)["spec"]["replicas"] == 5


def test_outputs_and_their_patches(project: Project) -> None:
    template = """
        outputs: {
          if parameter.on {
            account: {apiVersion: "v1", kind: "ServiceAccount", metadata: name: context.name}
          }
        }
        patchOutputs: {
          // +patchKey=port
          service: spec: ports: [{port: 80, name: "web"}]
        }
        parameter: on: bool
    """
    definition = trait(project, template)
    result = applied(definition, on=True)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}
    assert (result.patch, result.outputs) == ({}, {"account": account})
    service = {"spec": {"ports": [{"port": 80, "nodePort": 1}, {"port": 81}]}}
    assert unify(service, result.patch_outputs["service"])["spec"]["ports"] == [
        {"port": 80, "nodePort": 1, "name": "web"},
        {"port": 81},
    ]
    assert applied(definition, on=False).outputs == {}


def test_errs_are_the_message(project: Project) -> None:
    template = """
        names: [for c in context.output.spec.template.spec.containers {c.name}]
        errs: [if len([for n in names if n == parameter.container {n}]) == 0 {
          "container \\(parameter.container) not found"
        }]
        parameter: container: *context.name | string
    """
    definition = trait(project, template)
    assert applied(definition) == TraitResult()
    with pytest.raises(RenderError, match=r"^container db not found$"):
        applied(definition, container="db")


def test_the_context_is_that_of_kubevela(project: Project) -> None:
    definition = trait(project, "patch: context\nparameter: {}")
    patch = applied(definition).patch
    assert patch == {
        "appName": "shop",
        "appRevision": "shop-v7",
        "appRevisionNum": 7,
        "appLabels": {"team": "a"},
        "appAnnotations": {},
        "name": "web",
        "namespace": "shop-prod",
        "revision": "web-v2",
        "cluster": "prod",
        "clusterVersion": {
            "major": "1",
            "minor": 31,
            "gitVersion": "v1.31.2",
            "platform": "linux/amd64",
        },
        "workflowName": "flow",
        "publishVersion": "",
        "replicaKey": "north",
        "output": WORKLOAD,
        "outputs": {},
    }


def test_what_a_definition_says_beside_its_template(project: Project) -> None:
    template = """
        outputs: scaler: {apiVersion: "own.example/v1", kind: "Scaler", spec: min: 1}
        parameter: {}
    """
    definition = trait(
        project,
        template,
        appliesToWorkloads=["deployments.apps", "cronjobs.batch"],
        conflictsWith=["scaler"],
        stage="PostDispatch",
        workloadRefPath="spec.target.ref",
        podDisruptive=True,
    )
    assert definition.applies_to == ("Deployment", "CronJob")
    assert definition.conflicts_with == ("scaler",)
    assert definition.after_workload
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-x"}
    assert applied(definition).outputs["scaler"]["spec"] == {"min": 1, "target": {"ref": target}}


@pytest.mark.parametrize("workloads", [[], ["*"], ["deployments.apps", "webservice"]])
def test_workloads_that_cannot_be_told_are_all(project: Project, workloads: list[str]) -> None:
    definition = trait(project, "parameter: {}", appliesToWorkloads=workloads)
    assert definition.applies_to == ()
    assert not definition.after_workload


CLOSED = """
    parameter: close({
      image: string
      size: *"s" | "m"
      ports?: [...{port: int & >0}]
    })
    output: {apiVersion: "v1", kind: "Pod", spec: image: parameter.image}
"""


@pytest.mark.parametrize(
    ("properties", "problems"),
    [
        ({"image": "x"}, []),
        ({"image": "x", "ports": [{"port": 1}]}, []),
        ({}, [(("image",), "is missing (incomplete value string)")]),
        (
            {"image": 1},
            [(("image",), "conflicting values 1 and string (mismatched types int and string)")],
        ),
        ({"image": "x", "imag": 1}, [(("imag",), "is an unknown field (field not allowed)")]),
        (
            {"image": "x", "ports": [{"port": 1}, {"port": 0}]},
            [(("ports", 1, "port"), "invalid value 0 (out of bound >0)")],
        ),
        (
            {"image": "x", "size": "l"},
            [
                (
                    ("size",),
                    'conflicting values "m" and "l"; conflicting values "s" and "l"',
                )
            ],
        ),
    ],
)
def test_cue_validates_the_parameters(
    project: Project, properties: dict[str, Any], problems: list[Any]
) -> None:
    parameters, found = component(project, CLOSED).read(properties)
    assert [(path, "; ".join(sorted(text.split("; ")))) for path, text in found] == problems
    assert (parameters is None) == bool(problems)


def test_an_open_struct_takes_unknown_parameters(project: Project) -> None:
    definition = component(project, CLOSED.replace("close({", "{").replace("})", "}"))
    assert definition.read({"image": "x", "imag": 1})[1] == []


def test_a_component_makes_output_and_outputs(project: Project) -> None:
    template = """
        import "strings"

        output: spec: hosts: strings.Split(parameter.hosts, ",")
        outputs: {
          for index, name in output.spec.hosts {
            "host-\\(index)": {apiVersion: "v1", kind: "ConfigMap", metadata: "name": name}
          }
        }
        parameter: hosts: string
    """
    kind = {"definition": {"apiVersion": "own.example/v1", "kind": "Hosts"}}
    definition = component(project, template, workload=kind)
    parameters, _ = definition.read({"hosts": "a,b"})
    assert parameters is not None
    rendered = definition.render(parameters, CONTEXT)
    assert definition.workload == ("own.example/v1", "Hosts")
    assert rendered.workload == {
        "apiVersion": "own.example/v1",
        "kind": "Hosts",
        "spec": {"hosts": ["a", "b"]},
    }
    assert {key: value["metadata"]["name"] for key, value in rendered.outputs.items()} == {
        "host-0": "a",
        "host-1": "b",
    }


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param("parameter: {}", "the template makes no output", id="nothing"),
        pytest.param('output: {kind: "Pod"}', "output.apiVersion: is missing", id="no-object"),
        pytest.param("output: 3", "output: must be a map, is the number 3", id="scalar"),
        pytest.param(
            'output: {apiVersion: "v1", kind: "Pod"}\noutputs: x: {}',
            "outputs.x.apiVersion: is missing",
            id="no-objects",
        ),
        pytest.param(
            'output: {apiVersion: "v1", kind: "Pod", spec: x: context.nowhere}',
            "output.spec.x: undefined field: nowhere",
            id="no-such-context",
        ),
        pytest.param(
            'if context.nowhere == 1 {output: {apiVersion: "v1", kind: "Pod"}}',
            "undefined field: nowhere",
            id="condition",
        ),
        pytest.param(
            'output: {apiVersion: "v1", kind: "Pod", spec: {a: 1} & {a: 2}}',
            "output.spec.a: conflicting values 2 and 1",
            id="conflict",
        ),
        pytest.param("output: {", "expected '}', found 'EOF'", id="syntax"),
    ],
)
def test_a_template_that_does_not_work_is_named(
    project: Project, template: str, message: str
) -> None:
    definition = component(project, template)
    parameters, problems = definition.read({})
    assert problems == []
    assert parameters is not None
    with pytest.raises(RenderError) as caught:
        definition.render(parameters, CONTEXT)
    assert caught.value.path == ()
    assert message in caught.value.message
    assert "own.yaml: " in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("processing: http: url: string", "processing) is not supported"),
        ("patch: [1]", "patch must be a struct"),
        ("outputs: [1]", "outputs must be a struct"),
        ("patchOutputs: 1", "patchOutputs must be a struct"),
    ],
)
def test_a_trait_that_makes_something_else(project: Project, template: str, message: str) -> None:
    with pytest.raises(RenderError) as caught:
        applied(trait(project, template))
    assert message in caught.value.message


def test_health_and_message(project: Project) -> None:
    status = {
        "healthPolicy": """
            ready: *0 | int
            if context.output.status.readyReplicas != _|_ {
              ready: context.output.status.readyReplicas
            }
            isHealth: ready == context.output.spec.replicas
        """,
        "customStatus": 'message: context.name + " " + context.output.status.text',
        "details": "x: 1",
    }
    definition = component(project, CLOSED, status=status)
    live: Manifest = {
        "metadata": {"labels": {"app.oam.dev/component": "web"}, "resourceVersion": "5"},
        "spec": {"replicas": 2},
    }
    state = definition.health(live)
    assert (state.healthy, state.message) == (False, "")
    live["status"] = {"readyReplicas": 2, "text": "is up"}
    state = definition.health(live)
    assert (state.healthy, state.message) == (True, "web is up")


def test_without_a_rule_it_is_healthy(project: Project) -> None:
    state = component(project, CLOSED).health({"metadata": {}})
    assert (state.healthy, state.message) == (True, "")


def test_built_in_types_stay(project: Project) -> None:
    catalog = project({"own.yaml": manifest("TraitDefinition", "own", "parameter: {}")})
    assert catalog.find(TraitDefinition, "scaler") is BUILTIN.find(TraitDefinition, "scaler")
