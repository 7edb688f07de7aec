"""``take-over``: objects that exist already and belong to no application.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.selector import SelectingParameters


class Parameters(SelectingParameters):
    """Parameters of ``take-over``."""


DEFINITION = PolicyDefinition(
    type="take-over",
    parameters=Parameters,
    summary="Objects that exist already, of no application, and become this one's.",
    example={"rules": [{"selector": {"resourceTypes": ["Deployment"]}}]},
)
