"""``read-only``: objects that must exist and are never written.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.selector import Selector
from velapulumi.spec import Many


class Rule(BaseParameters):
    """Some objects which are only read."""

    selector: Selector = Field(description="The objects it is for.")


class Parameters(BaseParameters):
    """Parameters of ``read-only``."""

    rules: Many[Rule] = Field((), description="What any of the rules selects counts.")


DEFINITION = PolicyDefinition(
    type="read-only",
    parameters=Parameters,
    summary="Objects that must exist and are never written.",
    example={"rules": [{"selector": {"resourceTypes": ["ConfigMap"]}}]},
)
