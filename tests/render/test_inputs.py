"""Values that components get from each other."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from velapulumi.errors import InvalidApplication
from velapulumi.render import Loaded, RevisionNames, parse, render_environment
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
    [("image", "x"), ("env[0].value", "x"), ("port", 1), ("labels", {}), ("cmd", ["x"])],
)
def test_there_is_a_stand_in_of_the_right_kind(key: str, value: Any) -> None:
    env = [{"name": "HOST"}] if key.startswith("env") else None
    loaded = application(database(), shop(key, **({"env": env} if env else {})))
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
