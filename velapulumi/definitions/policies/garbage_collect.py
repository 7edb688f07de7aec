"""``garbage-collect``: when objects go away that the application no longer has.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.rules.selector import Selector
from velapulumi.spec import Many

Lifetime = Literal["onAppUpdate", "onAppDelete", "never"]


class Rule(BaseParameters):
    """When some objects go away, and what becomes of what hangs on them."""

    selector: Selector = Field(description="The objects it is for.")
    strategy: Lifetime = Field(
        "onAppUpdate",
        description="With the update that no longer has them, only with the application, or never.",
    )
    propagation: Literal["orphan", "cascading"] | None = Field(
        None, description="Whether objects that hang on them, such as pods, stay (orphan) or go."
    )


class Parameters(BaseParameters):
    """Parameters of ``garbage-collect``."""

    applicationRevisionLimit: int | None = Field(
        None, description="Revisions KubeVela keeps; of no effect here.", ge=0
    )
    keepLegacyResource: bool = Field(
        False, description="Whether all objects stay until the application is deleted."
    )
    continueOnFailure: bool = Field(
        False, description="Whether objects go although the update failed; of no effect here."
    )
    order: Literal["dependency"] | None = Field(
        None, description="Delete in reverse order of dependsOn; it is always so here."
    )
    rules: Many[Rule] = Field((), description="The first rule that selects an object counts.")


DEFINITION = PolicyDefinition(
    type="garbage-collect",
    parameters=Parameters,
    summary="When objects go away that the application no longer has.",
    example={"rules": [{"selector": {"resourceTypes": ["Namespace"]}, "strategy": "never"}]},
)
