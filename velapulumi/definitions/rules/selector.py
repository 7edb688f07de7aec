"""Which objects a rule of a policy is for (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import Parameters
from velapulumi.spec import Many

MAIN_OBJECT = "COMPONENT"
"""How KubeVela's pages call the objects whose label says ``WORKLOAD``."""


class Selector(Parameters):
    """Objects that meet all conditions, of each condition one of its values; without any, none."""

    componentNames: Many[str] = Field((), description="Names of components.")
    componentTypes: Many[str] = Field(
        (), description="Types of components; matches their main objects."
    )
    oamTypes: Many[Literal["WORKLOAD", "TRAIT", "COMPONENT"]] = Field(
        (),
        description="WORKLOAD (or COMPONENT) for main objects of components, TRAIT for all others.",
    )
    traitTypes: Many[str] = Field((), description="Types of traits; matches the objects they make.")
    resourceTypes: Many[str] = Field((), description="Kinds, such as ConfigMap.")
    resourceNames: Many[str] = Field((), description="Names of objects.")

    @property
    def selects_nothing(self) -> bool:
        """Whether it has no condition."""
        return not any(wanted for wanted, _ in self._conditions({}, "", ""))

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        """Whether a rendered object is selected, told from its labels, kind and name."""
        metadata = manifest["metadata"]
        conditions = [
            value in wanted
            for wanted, value in self._conditions(
                metadata.get("labels") or {}, manifest["kind"], metadata["name"]
            )
            if wanted
        ]
        return bool(conditions) and all(conditions)

    def _conditions(
        self, labels: Mapping[str, str], kind: str, name: str
    ) -> tuple[tuple[tuple[str, ...], str | None], ...]:
        """Each condition's values, and what an object has to be compared with them."""
        roles = tuple("WORKLOAD" if role == MAIN_OBJECT else role for role in self.oamTypes)
        return (
            (self.componentNames, labels.get("app.oam.dev/component")),
            (self.componentTypes, labels.get("workload.oam.dev/type")),
            (roles, labels.get("app.oam.dev/resourceType")),
            (self.traitTypes, labels.get("trait.oam.dev/type")),
            (self.resourceTypes, kind),
            (self.resourceNames, name),
        )


class Rule(Parameters):
    """A rule which says no more than what it is for."""

    selector: Selector = Field(description="The objects it is for.")


class SelectingParameters(Parameters):
    """Parameters of a policy which only selects objects."""

    rules: Many[Rule] = Field((), description="What any of the rules selects counts.")
