"""``request``: send an HTTP request and use its answer (follows KubeVela v1.10).

Its outputs may take values from ``response`` (``body`` as text, ``header``, ``statusCode``, and
the fields of a JSON map, which go first) and from ``body``, which is what the answer means as JSON.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.network.calls import KEY_HEADER, answer_values, public_url
from velapulumi.definitions.objects import Word
from velapulumi.definitions.step import Done, Result, StepContext, StepDefinition, StepError, Tools
from velapulumi.spec import Labels


class Parameters(BaseParameters):
    """Parameters of ``request``."""

    url: Word = Field(description="URL that is asked.")
    method: Literal["GET", "POST", "PUT", "DELETE"] = Field("GET", description="HTTP method.")
    body: dict[str, Any] | None = Field(None, description="What is sent as JSON.")
    header: Labels = Field({}, description="HTTP headers.")


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Send the request.

    Raises:
        StepError: There is no answer, or its status is over 400.
    """
    body = parameters.body
    headers = {KEY_HEADER: context.id}
    if body is not None:
        headers["Content-Type"] = "application/json"
    given = {name.lower() for name in parameters.header}
    headers = {name: value for name, value in headers.items() if name.lower() not in given}
    answer = tools.send(
        parameters.method,
        parameters.url,
        headers={**headers, **parameters.header},
        body=None if body is None else json.dumps(body, ensure_ascii=False),
    )
    if answer.status > 400:
        raise StepError(f"request of {public_url(parameters.url)} is fail: {answer.status}")
    return Done(values=answer_values(answer))


DEFINITION = StepDefinition(
    type="request",
    parameters=Parameters,
    summary="Send an HTTP request and use its answer.",
    example={
        "url": "https://releases.example.com/api/v1/releases",
        "method": "POST",
        "body": {"name": "shop"},
        "header": {"Accept": "application/json"},
    },
    takes_null=True,
    act=act,
)
