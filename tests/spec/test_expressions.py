"""Expressions by which values are published and steps are chosen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from velapulumi.spec import (
    CONDITION_ROOTS,
    STEP_ROOTS,
    InvalidExpression,
    NotThere,
    condition,
    parse_expression,
)
from velapulumi.spec.expressions import (
    MAX_NESTING,
    Comparison,
    Expression,
    Interpolation,
    Junction,
    Literal,
    Negation,
    Reference,
    Sum,
)

SCOPE: dict[str, Any] = {
    "output": {
        "metadata": {"name": "web", "labels": {"a/b": "x"}},
        "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}, "readyReplicas": 3},
        "share": 0.5,
        "list": ["a"],
        "nothing": None,
    },
    "outputs": {"web-service": {"spec": {"clusterIP": "10.1.1.1", "ports": [{"port": 80}]}}},
    "context": {"name": "web", "namespace": "shop"},
}
STATUS: dict[str, Any] = {
    "status": {
        "a": {"phase": "failed", "failed": True, "message": "Timeout after 5m"},
        "b-c": {"phase": "succeeded", "failed": False, "message": ""},
    },
    "inputs": {"count": 3, "comp-output": "green"},
    "context": {"name": "web"},
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
        (r'"\(outputs["web-service"].spec.clusterIP):80"', "10.1.1.1:80"),
        (r'"\("(\(context.name))" + ")")"', "(web))"),
        (r'"\(output.share), \(true), \(null), \(output.list)"', '0.5, true, null, ["a"]'),
        ("1 + output.status.readyReplicas", 4),
        ("1.5 + output.share + 1", 3.0),
        ('("a" + "b") + "c"', "abc"),
        (r'"a \"b\" \u00e4 \U0001F600 \t\/\\"', 'a "b" ä 😀 \t/\\'),
        ("-5", -5),
        ("-0.25", -0.25),
        ("  \n 7 \n ", 7),
        ("true", True),
        ("null", None),
        ('""', ""),
        ("1 == 1.0", True),
        ("1 != 2", True),
        ("1 == true", False),
        ('"1" == 1', False),
        ("output.nothing == null", True),
        ("output.list == null", False),
        ("output.list != 1", True),
        ("2 < 10", True),
        ('"2" < "10"', False),
        ("2 >= 2 && 2 <= 2 && !(2 > 2)", True),
        ('output.metadata.name =~ "^w"', True),
        ('"a1" !~ "[0-9]"', False),
        (r'"٣" =~ "^\\d$"', False),
        ("!false", True),
        ("!!true", True),
        ("!false == true", True),
        ("true || false && false", True),
        ("(true || false) && false", False),
        ("1 + 1 == 2 && 3 > 2", True),
        ("false && output.missing", False),
        ("true || 1", True),
    ],
)
def test_value(text: str, value: Any) -> None:
    found = parse_expression(text).value(SCOPE)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it ends too early"),
        (
            "status.phase",
            '"status" is not known, it must begin with output, outputs, context (at character 1)',
        ),
        ("1 + len(output)", '"len" is not known'),
        ("output.", 'a field is expected after "."'),
        ("output.5", 'a field is expected after "."'),
        ("output[", 'a field is expected after "[" (at character 8)'),
        ("output[-1]", 'a field is expected after "["'),
        (r'output["\(context.name)"]', 'a field is expected after "[" (at character 8)'),
        ("output[0", '"]" is missing'),
        ("(output", '")" is missing (at character 8)'),
        ("output.a output.b", '"output" is not expected there (at character 10)'),
        ("output.a * 2", '"* 2" is not understood'),
        ("output.a-b.c", 'a name with a dash is written in brackets and quotes, such as status["'),
        ("1.2.3", '"1.2.3" is not understood'),
        ("a & b", '"a" is not known'),
        ("true & false", '"& false" is not understood'),
        (") + 1", '")" is not expected there (at character 1)'),
        ('"open', '""open" is not understood: it has no end (at character 1)'),
        (r'"\(output.a"', '")" is missing (at character 12)'),
        (r'"\q"', "is not a string that is understood (at character 2)"),
        (r'"\ud800"', "is not a string that is understood"),
        (r'"\UFFFFFFFF"', "is not a string that is understood"),
        ('"a\nb"', "is not a string that is understood"),
        ("output.a +", "it ends too early"),
        ("1 == 1 == true", "two values are compared at a time, put parentheses around them"),
        ('output.a =~ "("', 'the string "(" is not a regular expression that is understood'),
        ('output.a !~ "[[:alpha:]]"', "is not a regular expression that is understood"),
        ("(" * 5000, "it has too many parentheses inside each other"),
        ("!" * 5000 + "true", "it has too many parentheses inside each other, or too many !"),
        ('"\\(' * 5000, "it has too many parentheses inside each other"),
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
        ('outputs["a/b"].x', 'outputs["a/b"]'),
        ("output.metadata.name.first", "output.metadata.name.first"),
        ("output.metadata.name[0]", "output.metadata.name[0]"),
        ("output.list.a", "output.list.a"),
        ("output[0]", "output[0]"),
        ("!output.missing", "output.missing"),
        ('"" =~ output.missing', "output.missing"),
    ],
)
def test_a_field_that_is_not_there_is_named(text: str, field: str) -> None:
    with pytest.raises(NotThere) as caught:
        parse_expression(text).value(SCOPE)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"a" + 1', "+ joins strings or adds numbers, not a mixture"),
        ("1 + true", "+ joins strings or adds numbers, not a mixture"),
        ("output + output", "+ joins strings or adds numbers, not a mixture"),
        ('1 < "2"', '< compares two numbers or two strings, not the number 1 with the string "2"'),
        ("true >= false", ">= compares two numbers or two strings, not true with false"),
        ("output.list == output.list", "== compares strings, numbers, true, false and null, not a"),
        ('1 =~ "1"', "=~ looks for a pattern in a string, both are strings, not the number 1 and"),
        ('"a" !~ output.metadata', 'both are strings, not the string "a" and a map'),
        ('"a" =~ "(" + ""', 'the string "(" is not a regular expression that is understood'),
        ("!1", "! stands before what is true or false, not the number 1"),
        ('true && "true"', '&& joins what is true or false, not the string "true"'),
        ("null || true", "|| joins what is true or false, not null"),
    ],
)
def test_values_that_do_not_fit_together(text: str, message: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        parse_expression(text).value(SCOPE)
    assert message in str(caught.value)


def test_numbers_beyond_all_measure_are_not_added() -> None:
    scope = {"output": 10**400, "outputs": 0.5}
    with pytest.raises(InvalidExpression, match="too large to be added"):
        parse_expression("output + outputs").value(scope)
    assert parse_expression("output > outputs").value(scope) is True


def test_values_beyond_all_measure_are_not_put_into_strings() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidExpression, match="too large to be put into a string"):
        parse_expression(r'"\(output)"').value({"output": deep})


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("status.a.failed", True),
        ('status["b-c"].failed', False),
        ('status.a.failed && status.a.message =~ "Timeout"', True),
        ('status.a.phase == "succeeded" || status["b-c"].phase == "succeeded"', True),
        ('inputs["comp-output"] == "green" && inputs.count > 2', True),
        ("false", False),
    ],
)
def test_condition(text: str, holds: bool) -> None:
    assert condition(parse_expression(text, CONDITION_ROOTS), STATUS) is holds


@pytest.mark.parametrize(
    ("text", "value"), [("status.a.phase", 'the string "failed"'), ("1", "the number 1")]
)
def test_a_condition_is_true_or_false(text: str, value: str) -> None:
    with pytest.raises(InvalidExpression) as caught:
        condition(parse_expression(text, CONDITION_ROOTS), STATUS)
    assert str(caught.value) == f"a condition is true or false, not {value}"


def test_a_condition_lets_through_that_a_field_is_not_there() -> None:
    with pytest.raises(NotThere):
        condition(parse_expression("inputs.other == 1", CONDITION_ROOTS), STATUS)


def test_each_use_has_its_own_roots() -> None:
    assert parse_expression("response.body", STEP_ROOTS).value({"response": {"body": 1}}) == 1
    with pytest.raises(InvalidExpression, match="must begin with status, inputs, context"):
        parse_expression("output.a", CONDITION_ROOTS)


def test_references_are_listed_in_order() -> None:
    text = r'!status.a.failed && ("\(inputs["b"])" + "c" == context.d[0] || status.a.x =~ "y")'
    assert list(parse_expression(text, CONDITION_ROOTS).references()) == [
        ("status", "a", "failed"),
        ("inputs", "b"),
        ("context", "d", 0),
        ("status", "a", "x"),
    ]


def test_as_deep_as_may_be_is_read_and_evaluated() -> None:
    text = "!(true && 1 + 1 == 2 && " * (MAX_NESTING // 2) + "true" + ")" * (MAX_NESTING // 2)
    assert parse_expression(text).value({}) is True


def test_long_is_not_deep() -> None:
    assert parse_expression(" && ".join(["true"] * 20_000)).value({}) is True
    assert parse_expression(" + ".join(["1"] * 20_000)).value({}) == 20_000


@given(st.text(max_size=40), st.sampled_from([CONDITION_ROOTS, STEP_ROOTS]))
def test_any_text_is_an_expression_or_refused(text: str, roots: tuple[str, ...]) -> None:
    assert_read_or_refused(text, roots)


signs = ["==", "!=", "<", ">=", "=~", "!~", "!", "&&", "||", "+", ".", "[", "]", "(", ")"]
words = ["output", "context", "n", "0", "1.5", "-3", "true", "null", '"a"', '"["', '"*"']
tokens = st.sampled_from([*signs, *words, '"', "\\", "\\("])


@given(st.lists(tokens, max_size=16).map("".join) | st.lists(tokens, max_size=16).map(" ".join))
@example('"a" =~ "(?L)a"')
@example('"a" =~ "(?u)a"')
@example('"a" =~ "a{99999999999999999999}"')
@example('"a" =~ "' + "(" * 5000 + ")" * 5000 + '"')
def test_tokens_in_any_order_are_an_expression_or_refused(text: str) -> None:
    assert_read_or_refused(text, ("output", "context"))


def assert_read_or_refused(text: str, roots: tuple[str, ...]) -> None:
    """Reading and evaluating end with a value or with one of the two errors, told in words."""
    scope = {"output": {"n": ["a"]}, "context": 1}
    try:
        value, problem = parse_expression(text, roots).value(scope), "none"
    except (InvalidExpression, NotThere) as error:
        value, problem = None, str(error)
    assert json.loads(json.dumps(value)) == value
    assert problem


names = st.from_regex(r"[A-Za-z_$][A-Za-z0-9_$]{0,4}", fullmatch=True)
texts = st.text(max_size=6)
literals = st.builds(
    Literal,
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.decimals(-1000, 1000, places=3).map(float).filter(lambda number: "e" not in repr(number))
    | texts,
)
references = st.builds(
    lambda root, fields: Reference((root, *fields)),
    st.sampled_from(STEP_ROOTS),
    st.lists(names | texts | st.integers(0, 10**9 - 1), max_size=3).map(tuple),
)
orders = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


def compound(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    interpolated = st.lists(st.tuples(texts, inner), min_size=1, max_size=2)
    return (
        st.builds(Sum, several)
        | st.builds(Comparison, inner, orders, inner)
        | st.builds(Negation, inner)
        | st.builds(Junction, st.sampled_from(["&&", "||"]), several)
        | st.builds(
            lambda parts, rest: Interpolation(
                (*(p for text, e in parts for p in (Literal(text), e)), Literal(rest))
            ),
            interpolated,
            texts,
        )
    )


expressions: st.SearchStrategy[Expression] = st.recursive(
    literals | references, compound, max_leaves=8
)


def quoted(text: str) -> str:
    return "".join(
        f"\\U{ord(sign):08x}" if sign in '"\\' or ord(sign) < 32 else sign for sign in text
    )


def printed(expression: Expression) -> str:
    """An expression as text, with more parentheses than needed."""
    match expression:
        case Literal(str() as content):
            return f'"{quoted(content)}"'
        case Literal(content):
            return json.dumps(content)
        case Reference((root, *fields)):
            return str(root) + "".join(
                f"[{field}]" if isinstance(field, int) else f'["{quoted(field)}"]'
                for field in fields
            )
        case Interpolation(parts):
            inner = (
                quoted(str(part.content))
                if index % 2 == 0 and isinstance(part, Literal)
                else f"\\({printed(part)})"
                for index, part in enumerate(parts)
            )
            return f'"{"".join(inner)}"'
        case Sum(parts):
            return f"({' + '.join(map(printed, parts))})"
        case Comparison(left, sign, right):
            return f"({printed(left)} {sign} {printed(right)})"
        case Negation(inner):
            return f"(!{printed(inner)})"
        case Junction(sign, parts):
            return f"({f' {sign} '.join(map(printed, parts))})"
    raise AssertionError(expression)


@given(expressions)
def test_what_is_printed_is_read_the_same(expression: Expression) -> None:
    assert repr(parse_expression(printed(expression), STEP_ROOTS)) == repr(expression)


@given(st.text() | st.integers(-(10**9), 10**9), st.text() | st.integers(-(10**9), 10**9), orders)
def test_comparisons_are_those_of_python(left: str | int, right: str | int, sign: str) -> None:
    expression = Comparison(Literal(left), sign, Literal(right))
    assume(type(left) is type(right))
    opposite = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}[sign]
    mirrored = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(sign, sign)
    value = expression.value({})
    assert value == eval(f"left {sign} right")
    assert value != Comparison(Literal(left), opposite, Literal(right)).value({})
    assert value == Comparison(Literal(right), mirrored, Literal(left)).value({})


@given(st.lists(st.booleans(), min_size=1, max_size=5))
def test_junctions_are_dual(values: list[bool]) -> None:
    parts = tuple(Literal(value) for value in values)
    denied = tuple(Negation(part) for part in parts)
    assert Junction("&&", parts).value({}) is all(values)
    assert Junction("||", parts).value({}) is not Junction("&&", denied).value({})
