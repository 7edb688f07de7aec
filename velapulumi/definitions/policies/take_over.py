"""``take-over``: objects that exist already and belong to nobody or to somebody else.

KubeVela v1.10 takes over objects of no application only.
"""

from __future__ import annotations

from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.selector import SelectingParameters


class Parameters(SelectingParameters):
    """Parameters of ``take-over``."""


DEFINITION = PolicyDefinition(
    type="take-over",
    parameters=Parameters,
    summary="Objects that exist already, whoever they belong to, and become this application's.",
    example={"rules": [{"selector": {"resourceTypes": ["Deployment"]}}]},
)
