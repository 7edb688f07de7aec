"""CPU and memory of a container."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import Parameters

_QUANTITY = re.compile(
    r"\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?", re.ASCII
)


def quantity(value: str) -> str:
    """The amount as it is; an empty one passes, as in KubeVela.

    Raises:
        ValueError: Kubernetes does not take it.
    """
    if value and not _QUANTITY.fullmatch(value.strip()):
        raise ValueError(f'must be an amount, such as "0.5", "500m" or "256Mi", is "{value}"')
    return value


Quantity = Annotated[str, AfterValidator(quantity)]
"""An amount of CPU or memory."""


class Limit(Parameters):
    """Upper limits, effective together with the request of the same name."""

    cpu: Quantity | None = Field(None, description="CPU limit; the request when absent.")
    memory: Quantity | None = Field(None, description="Memory limit; the request when absent.")


def resource_requirements(
    cpu: str | None, memory: str | None, limit: Limit | None = None
) -> dict[str, dict[str, str]]:
    """Requests and limits; a limit not given equals the request; empty without requests."""
    given = {"cpu": cpu, "memory": memory}
    requests = {name: value for name, value in given.items() if value is not None}
    if not requests:
        return {}
    own = limit.model_dump(exclude_none=True) if limit else {}
    limits = {name: own.get(name, value) for name, value in requests.items()}
    return {"limits": limits, "requests": requests}
