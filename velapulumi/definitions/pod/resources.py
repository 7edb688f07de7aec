"""CPU and memory of a container."""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters


class Limit(Parameters):
    """Upper limits, effective together with the request of the same name."""

    cpu: str | None = Field(None, description="CPU limit; the request when absent.")
    memory: str | None = Field(None, description="Memory limit; the request when absent.")


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
