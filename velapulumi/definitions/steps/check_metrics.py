"""``check-metrics``: a Prometheus query whose result must stay good for a while.

Follows KubeVela v1.10. The server is asked by the machine that runs the workflow, so
``metricEndpoint`` must be reachable from there; its default only is inside of a cluster. Its
outputs may take a value from ``value``, the last result.
"""

from __future__ import annotations

import json
import math
import operator
import re
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.durations import Duration
from velapulumi.definitions.network.calls import public_url
from velapulumi.definitions.objects import Word
from velapulumi.definitions.step import (
    Done,
    Failed,
    Result,
    StepContext,
    StepDefinition,
    StepError,
    Tools,
    Waiting,
)
from velapulumi.spec import format_duration, parse_duration

_CONDITION = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
_SIGNS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def _condition(text: str) -> str:
    if not _CONDITION.fullmatch(text):
        raise ValueError('must be a comparison with a number, such as ">=0.99"')
    return text


class Parameters(BaseParameters):
    """Parameters of ``check-metrics``."""

    query: Word = Field(description="Query of Prometheus that gives one number.")
    metricEndpoint: Word = Field(
        "http://prometheus-server.o11y-system.svc:9090",
        description="URL of the Prometheus server.",
    )
    condition: Annotated[str, AfterValidator(_condition)] = Field(
        description='What the result must be, such as ">=0.99".'
    )
    duration: Duration = Field("5m", description="How long it must be so.")
    failDuration: Duration = Field(
        "2m", description="How long it may not be so until the step has failed."
    )


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Ask once; what it remembers is since when the answers are good, or are not.

    Raises:
        StepError: There is no answer, or it is not one number.
    """
    number = _ask(parameters, tools)
    now = tools.now()
    good = _holds(parameters.condition, number)
    state = "good" if good else "bad"
    limit = parse_duration(parameters.duration if good else parameters.failDuration)
    since = context.memory.get(state, now)
    lasted = max(now - since, 0)
    wanted = f"the result is {number:g} and should be {parameters.condition}"
    if lasted < limit:
        told = f"{wanted}, for {format_duration(lasted)} of {format_duration(limit)}"
        return Waiting(told, {state: since})
    told = f"{wanted}, for {format_duration(lasted)}"
    return Done(told, {"value": number}) if good else Failed(told)


def _ask(parameters: Parameters, tools: Tools) -> float:
    endpoint = parameters.metricEndpoint.rstrip("/")
    title = f"Prometheus at {public_url(endpoint)}"
    query = urlencode({"query": parameters.query})
    answer = tools.send("GET", f"{endpoint}/api/v1/query?{query}")
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("status") != "success":
        said = document.get("error") if isinstance(document, dict) else None
        reason = f": {said}" if isinstance(said, str) else ""
        raise StepError(f"{title} cannot answer the query: status {answer.status}{reason}")
    try:
        return _number(document["data"])
    except (KeyError, TypeError, IndexError, ValueError):
        raise StepError(f"{title} does not answer as Prometheus does") from None


def _number(data: Any) -> float:
    """The number a query gives.

    Raises:
        StepError: It gives none, or several.
        KeyError, TypeError, IndexError, ValueError: This is no result of a query.
    """
    result = data["result"]
    if data["resultType"] == "scalar":
        return float(result[1])
    if data["resultType"] != "vector" or len(result) != 1:
        count = f"{len(result)} results" if data["resultType"] == "vector" else data["resultType"]
        raise StepError(f"the query gives {count}, it must give one number")
    return float(result[0]["value"][1])


def _holds(condition: str, number: float) -> bool:
    """Whether a condition holds, which it never does for what is no number (NaN)."""
    match = _CONDITION.fullmatch(condition)
    assert match is not None
    sign, limit = match.groups()
    return not math.isnan(number) and bool(_SIGNS[sign](number, float(limit)))


DEFINITION = StepDefinition(
    type="check-metrics",
    parameters=Parameters,
    summary="Wait until the result of a Prometheus query has been good for a while.",
    example={
        "query": 'avg(up{namespace="shop"})',
        "metricEndpoint": "https://prometheus.example.com",
        "condition": ">=0.99",
        "duration": "2m",
    },
    act=act,
)
