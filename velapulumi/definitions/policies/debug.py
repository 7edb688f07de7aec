"""``debug``: keeps what workflow steps knew, for ``vela workflow debug``; not supported here."""

from __future__ import annotations

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition


class Parameters(BaseParameters):
    """``debug`` has no parameters."""


DEFINITION = PolicyDefinition(
    type="debug",
    parameters=Parameters,
    summary="Keeps what workflow steps knew, for vela workflow debug; not supported here.",
    example={},
)
