"""``webhook``: send data, or the Application, to a URL.

Follows KubeVela v1.10, except that a status of 400 and above is an error. Its outputs may take
values from ``response`` and ``body``, as those of ``request``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.network.calls import (
    Confidential,
    answer_values,
    confidential_problems,
    post,
    reveal,
)
from velapulumi.definitions.step import Done, Result, StepContext, StepDefinition, Tools
from velapulumi.spec import Path


class Parameters(BaseParameters):
    """Parameters of ``webhook``."""

    url: Confidential = Field(description="URL to send to.")
    data: dict[str, Any] | None = Field(
        None, description="What is sent as JSON; the Application when absent."
    )


def check(parameters: Parameters) -> Iterator[tuple[Path, str]]:
    """A Secret whose cluster is not named."""
    return confidential_problems(parameters.url, ("url",))


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Send it.

    Raises:
        StepError: The URL cannot be found, or does not accept it.
    """
    url = reveal(parameters.url, context, tools).strip()
    document = context.application if parameters.data is None else parameters.data
    return Done(values=answer_values(post(url, document, context, tools)))


DEFINITION = StepDefinition(
    type="webhook",
    parameters=Parameters,
    summary="Send data, or the Application, to a URL.",
    example={"url": {"variable": "DEPLOY_HOOK_URL"}, "data": {"text": "shop is delivered"}},
    takes_null=True,
    check=check,
    act=act,
)
