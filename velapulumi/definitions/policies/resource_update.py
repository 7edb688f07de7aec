"""``resource-update``: how objects are brought to what they shall be.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.fieldpath import FieldPath
from velapulumi.definitions.rules.selector import Selector
from velapulumi.spec import Many


class Strategy(BaseParameters):
    """How an object is updated."""

    op: Literal["patch", "replace"] = Field(
        "patch", description="Whether fields that others have set stay (patch) or go (replace)."
    )
    recreateFields: Many[FieldPath] = Field(
        (), description="Paths of fields; when one changes, the object is deleted and made anew."
    )


class Rule(BaseParameters):
    """How some objects are updated."""

    selector: Selector = Field(description="The objects it is for.")
    strategy: Strategy = Field(description="How they are updated.")


class Parameters(BaseParameters):
    """Parameters of ``resource-update``."""

    rules: Many[Rule] = Field((), description="The first rule that selects an object counts.")


DEFINITION = PolicyDefinition(
    type="resource-update",
    parameters=Parameters,
    summary="How objects are updated: patched, replaced, or deleted and made anew.",
    example={
        "rules": [
            {
                "selector": {"resourceTypes": ["Secret"]},
                "strategy": {"recreateFields": ["data.key"]},
            }
        ]
    },
)
