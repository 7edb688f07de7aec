"""``apply-once``: fields that others may change after they were applied once.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.fieldpath import parse_field_path
from velapulumi.definitions.rules.selector import Selector
from velapulumi.spec import Many

EVERYTHING = "*"
"""The path that stands for the whole object."""


def _checked(text: str) -> str:
    if text != EVERYTHING:
        parse_field_path(text)
    return text


class Strategy(BaseParameters):
    """The fields, and when their live values count."""

    path: Many[Annotated[str, AfterValidator(_checked)]] = Field(
        description="Paths of fields such as spec.replicas, or * for the whole object."
    )
    affect: Literal["", "onUpdate", "onStateKeep", "always"] = Field(
        "",
        description="When live values are kept: on updates, when drift is mended, or always.",
    )

    @property
    def on_update(self) -> bool:
        """Whether an update keeps the live values."""
        return self.affect != "onStateKeep"


class Rule(BaseParameters):
    """Which fields of some objects keep their live values."""

    selector: Selector = Field(Selector(), description="The objects it is for.")
    strategy: Strategy = Field(description="The fields, and when their live values count.")


class Parameters(BaseParameters):
    """Parameters of ``apply-once``."""

    enable: bool = Field(False, description="Whether the policy is in force.")
    rules: Many[Rule] = Field(
        (), description="The first rule that selects an object counts; without any, all drift may."
    )


DEFINITION = PolicyDefinition(
    type="apply-once",
    parameters=Parameters,
    summary="Fields that others may change after they were applied once.",
    example={
        "enable": True,
        "rules": [
            {
                "selector": {"resourceTypes": ["Deployment"]},
                "strategy": {"path": ["spec.replicas"], "affect": "always"},
            }
        ],
    },
)
