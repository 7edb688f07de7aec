"""``read-only``: objects that must exist and are never written.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.selector import SelectingParameters


class Parameters(SelectingParameters):
    """Parameters of ``read-only``."""


DEFINITION = PolicyDefinition(
    type="read-only",
    parameters=Parameters,
    summary="Objects that must exist and are never written.",
    example={"rules": [{"selector": {"resourceTypes": ["ConfigMap"]}}]},
)
