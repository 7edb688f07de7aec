"""Labels of clusters, which topology policies choose by; the rules are those of Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from velapulumi.errors import UsageProblem

_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def label_problem(labels: Mapping[str, str]) -> str:
    """What is wrong with the first label that Kubernetes would refuse; empty when none is."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not _is_word(name) or (slash and not _is_domain(prefix)):
            return (
                f"label key {key!r} is not of the form NAME or DOMAIN/NAME, where NAME is up to "
                "63 letters, digits, '-', '_' and '.'"
            )
        if value and not _is_word(value):
            return f"label value {value!r} is not up to 63 letters, digits, '-', '_' and '.'"
    return ""


def parse_labels(text: str) -> dict[str, str]:
    """Read ``key=value`` pairs with commas between them.

    Raises:
        UsageProblem: A pair is none, in KubeVela's words, or Kubernetes would refuse it.
    """
    labels = {}
    for pair in map(str.strip, text.split(",")):
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UsageProblem(
                f"invalid label key-value pair {pair}, should use the format LABEL_KEY=LABEL_VAL",
                next_step="Write them as in: region=eu,tier=gold",
            )
        labels[key] = value
    if problem := label_problem(labels):
        raise UsageProblem(problem, next_step="Write them as in: region=eu,tier=gold")
    return labels


def _is_word(text: str) -> bool:
    return len(text) <= 63 and _WORD.fullmatch(text) is not None


def _is_domain(text: str) -> bool:
    return len(text) <= 253 and _DOMAIN.fullmatch(text) is not None
