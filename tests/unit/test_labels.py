"""Labels of clusters, as they are written and as Kubernetes takes them."""

from __future__ import annotations

import pytest

from velapulumi.clusters.labels import label_problem, parse_labels
from velapulumi.errors import UsageProblem


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("region=eu", {"region": "eu"}),
        ("region=eu, tier=gold", {"region": "eu", "tier": "gold"}),
        ("empty=", {"empty": ""}),
        ("a=b,a=c", {"a": "c"}),
        ("example.com/Tier_1.x=A-1", {"example.com/Tier_1.x": "A-1"}),
    ],
)
def test_labels_are_read(text: str, labels: dict[str, str]) -> None:
    assert parse_labels(text) == labels


@pytest.mark.parametrize(
    ("text", "pair"), [("", ""), ("region", "region"), ("a=b,", ""), ("=eu", "=eu")]
)
def test_what_is_no_pair_is_told_in_kubevelas_words(text: str, pair: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        parse_labels(text)
    assert caught.value.message == (
        f"invalid label key-value pair {pair}, should use the format LABEL_KEY=LABEL_VAL"
    )


@pytest.mark.parametrize(
    "key", ["-a", "a-", "a b", "a/b/c", "/a", "a/", "Upper.com/a", "x" * 64, "d" * 254 + "/a", "ü"]
)
def test_a_key_kubernetes_refuses(key: str) -> None:
    assert label_problem({key: "x"}).startswith(f"label key {key!r} is not of the form")


@pytest.mark.parametrize("value", ["-a", "a.", "a b", "a=b", "x" * 64, "a\n"])
def test_a_value_kubernetes_refuses(value: str) -> None:
    assert label_problem({"a": value}).startswith(f"label value {value!r} is not up to 63")


def test_the_longest_there_may_be() -> None:
    assert label_problem({"d" * 253 + "/" + "x" * 63: "x" * 63}) == ""
