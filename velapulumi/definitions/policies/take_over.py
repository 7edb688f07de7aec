"""``take-over``: objects that exist already and belong to no application.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.selector import Selector
from velapulumi.spec import Many


class Rule(BaseParameters):
    """Some objects which may be taken over."""

    selector: Selector = Field(description="The objects it is for.")


class Parameters(BaseParameters):
    """Parameters of ``take-over``."""

    rules: Many[Rule] = Field((), description="What any of the rules selects counts.")


DEFINITION = PolicyDefinition(
    type="take-over",
    parameters=Parameters,
    summary="Objects that exist already, of no application, and become this one's.",
    example={"rules": [{"selector": {"resourceTypes": ["Deployment"]}}]},
)
