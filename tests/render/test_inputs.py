"""Values that components get from each other."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from velapulumi.errors import InvalidApplication
from velapulumi.render import Loaded, RevisionNames, Surroundings, parse, render_environment
from velapulumi.render.inputs import with_inputs


def application(*components: dict[str, Any]) -> Loaded:
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "app"},
        "spec": {
            "components": components,
            "policies": [{"name": "t", "type": "topology", "properties": {"clusters": ["east"]}}],
        },
    }
    return parse(yaml.safe_dump(document, sort_keys=False), "app.yaml")


def database(**more: Any) -> dict[str, Any]:
    outputs = [{"name": "host", "valueFrom": "output.metadata.name"}]
    return {
        "name": "db", "type": "worker", "properties": {"image": "db"}, "outputs": outputs, **more
    }  # fmt: skip


def shop(key: str, source: str = "host", **properties: Any) -> dict[str, Any]:
    return {
        "name": "shop",
        "type": "webservice",
        "properties": {"image": "shop", **properties},
        "inputs": [{"from": source, "parameterKey": key}],
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image", "x"),
        ("cpu", "2"),
        ("env[0].value", "x"),
        ("port", 1),
        ("labels", {}),
        ("cmd", ["x"]),
    ],
)
def test_there_is_a_stand_in_of_the_right_kind(key: str, value: Any) -> None:
    env: dict[str, Any] = {"env": [{"name": "HOST"}]} if key.startswith("env") else {}
    loaded = application(database(), shop(key, **env))
    (environment,) = loaded.environments.values()
    objects = render_environment(loaded.application, environment, RevisionNames("app-v1"))
    assert [entry.component for entry in objects] == ["db", "shop"]
    consumer = loaded.application.components[1]
    filled = with_inputs(consumer, {"host": value})
    assert filled.inputs == ()
    place: Any = filled.properties
    for part in key.replace("[0]", ".0").split("."):
        place = place[int(part) if part.isdigit() else part]
    assert place == value
    assert consumer.inputs


@pytest.mark.parametrize(
    ("components", "message"),
    [
        pytest.param(
            (database(), shop("image", "hots")),
            'inputs[0].from: no component publishes "hots", did you mean "host"?',
            id="unknown",
        ),
        pytest.param(
            (database(), shop("env[x]")), "inputs[0].parameterKey: must be the place", id="key"
        ),
        pytest.param(
            (database(), shop("nosuch")), "properties.nosuch: is an unknown field", id="parameter"
        ),
        pytest.param(
            (database(outputs=[{"name": "host", "valueFrom": "len(x)"}]), shop("image")),
            'outputs[0].valueFrom: "len" is not known',
            id="expression",
        ),
        pytest.param(
            (
                database(inputs=[{"from": "url", "parameterKey": "image"}]),
                shop("image") | {"outputs": [{"name": "url", "valueFrom": "output.kind"}]},
            ),
            "spec.components[0].inputs: these components wait for each other: db, shop",
            id="circle",
        ),
        pytest.param(
            (database(), database(name="db2")),
            '"host" is published by component db too',
            id="twice",
        ),
    ],
)
def test_what_cannot_work_is_refused(components: Any, message: str) -> None:
    with pytest.raises(InvalidApplication) as caught:
        application(*components)
    assert message in str(caught.value)


def test_a_component_comes_after_those_whose_values_it_gets() -> None:
    loaded = application(shop("image"), database())
    consumer = loaded.application.components[0]
    assert consumer.needs(loaded.application.components) == ("db",)


APPLY = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: app}
spec:
  components:
  - {name: web, type: webservice, properties: {image: i}}
  workflow:
    steps:
    - name: look
      type: read-object
      properties: {apiVersion: v1, kind: ConfigMap, name: sizes, cluster: east}
      outputs:
      - {name: cpu, valueFrom: output.value.data.cpu}
      - {name: ready, valueFrom: output.value.data.ready}
    - name: apply
      type: apply-component
      inputs: [{from: cpu, parameterKey: cpu}, {from: ready}]
      properties: {component: web, cluster: east}
"""


def test_inputs_of_a_step_that_applies_a_component_are_for_the_component() -> None:
    before = parse(APPLY, "app.yaml")
    assert (before.obstacles, before.warnings) == ((), ())
    (component,) = before.environments["apply"].components
    assert [item.from_ for item in component.inputs] == ["cpu"]
    assert before.application.components[0].inputs == ()

    after = parse(APPLY, "app.yaml", Surroundings(values={"cpu": "0.5", "ready": "yes"}))
    (component,) = after.environments["apply"].components
    assert (component.inputs, component.properties) == ((), {"image": "i", "cpu": "0.5"})
    (deployment,) = render_environment(
        after.application, after.environments["apply"], RevisionNames("app-v1")
    )
    (container,) = deployment.manifest["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "0.5"}


def test_an_input_that_the_component_does_not_know_is_refused() -> None:
    with pytest.raises(InvalidApplication) as caught:
        parse(APPLY.replace("parameterKey: cpu", "parameterKey: nosuch"), "app.yaml")
    (problem,) = caught.value.problems
    assert problem.path == "spec.components[0].properties.nosuch"
    assert problem.message.startswith("is an unknown field")
