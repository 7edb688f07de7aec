"""Expressions by which components publish values."""

from __future__ import annotations

from typing import Any

import pytest

from velapulumi.spec import InvalidExpression, NotThere, parse_expression

SCOPE: dict[str, Any] = {
    "output": {
        "metadata": {"name": "web", "labels": {"a/b": "x"}},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}, "readyReplicas": 3},
    },
    "outputs": {"web-service": {"spec": {"clusterIP": "10.1.1.1", "ports": [{"port": 80}]}}},
    "context": {"name": "web", "namespace": "shop"},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("output.metadata.name", "web"),
        ("output.status.readyReplicas", 3),
        ("output.status.loadBalancer.ingress[0].ip", "10.0.0.1"),
        ('output.metadata.labels["a/b"]', "x"),
        ('outputs."web-service".spec.clusterIP', "10.1.1.1"),
        ('outputs["web-service"].spec.ports[0]', {"port": 80}),
        ('"http://" + outputs["web-service"].spec.clusterIP', "http://10.1.1.1"),
        (r'"\(context.name).\(context.namespace).svc"', "web.shop.svc"),
        (r'"\(output.status.readyReplicas) of 3"', "3 of 3"),
        ("1 + output.status.readyReplicas", 4),
        ('("a" + "b") + "c"', "abc"),
        (r'"a \"b\" \u00e4"', 'a "b" ä'),
        ("-5", -5),
    ],
)
def test_value(text: str, value: Any) -> None:
    assert parse_expression(text).value(SCOPE) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it ends too early"),
        ("status.phase", '"status" is not known, it must begin with output, outputs, context'),
        ("output.", 'a field is expected after "."'),
        ("output[", 'a field is expected after "["'),
        ("output[0", '"]" is missing'),
        ("(output", '")" is missing'),
        ("output.a output.b", '"output" is not expected there'),
        ("output.a * 2", '"* 2" is not understood'),
        ('"open', '""open" is not understood'),
        (r'"\q"', "is not a string that is understood"),
        ("output.a +", "it ends too early"),
        ("(" * 5000, "it has too many parentheses inside each other"),
        ("9" * 5000, "is not understood"),
    ],
)
def test_invalid(text: str, message: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        parse_expression(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("output.status.phase", "output.status.phase"),
        ("output.status.loadBalancer.ingress[1].ip", "output.status.loadBalancer.ingress[1]"),
        ("outputs.other.x", "outputs.other"),
        ("output.metadata.name.first", "output.metadata.name.first"),
    ],
)
def test_a_field_that_is_not_there_is_named(text: str, field: str) -> None:
    with pytest.raises(NotThere) as caught:
        parse_expression(text).value(SCOPE)
    assert caught.value.field == field


def test_strings_and_numbers_do_not_add_up() -> None:
    with pytest.raises(InvalidExpression, match="not a mixture"):
        parse_expression('"a" + 1').value(SCOPE)
