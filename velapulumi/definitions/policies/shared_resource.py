"""``shared-resource``: objects that several applications may hold.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.selector import Selector
from velapulumi.spec import Many


class Rule(BaseParameters):
    """Some objects which are shared."""

    selector: Selector = Field(description="The objects it is for.")


class Parameters(BaseParameters):
    """Parameters of ``shared-resource``."""

    rules: Many[Rule] = Field((), description="What any of the rules selects counts.")


DEFINITION = PolicyDefinition(
    type="shared-resource",
    parameters=Parameters,
    summary="Objects that several applications may hold; the first one writes them.",
    example={"rules": [{"selector": {"resourceTypes": ["Namespace"]}}]},
)
