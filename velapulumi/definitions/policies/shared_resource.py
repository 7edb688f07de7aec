"""``shared-resource``: objects that several applications may hold.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.selector import SelectingParameters


class Parameters(SelectingParameters):
    """Parameters of ``shared-resource``."""


DEFINITION = PolicyDefinition(
    type="shared-resource",
    parameters=Parameters,
    summary="Objects that several applications may hold; the first one writes them.",
    example={"rules": [{"selector": {"resourceTypes": ["Namespace"]}}]},
)
