"""``env-binding``: the environments of an application, each a place and its differences.

Follows KubeVela v1.9 and later.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.spec import Many


class Selector(BaseParameters):
    """A cluster or namespace, chosen by its name."""

    name: str = Field("", description="Name; the Application's own when empty.")
    labels: dict[str, str] | None = Field(None, description="Choice by labels, not supported.")


class Placement(BaseParameters):
    """Where an environment is."""

    clusterSelector: Selector | None = Field(None, description="Its cluster.")
    namespaceSelector: Selector | None = Field(None, description="Its namespace.")


class ComponentSelector(BaseParameters):
    """Which components an environment gets, after patching."""

    components: Many[str] = Field((), description="Names of components.")


class TraitPatch(BaseParameters):
    """A change to the trait of the same type, or a further trait."""

    type: str = Field(description="Type of the trait.")
    properties: dict[str, Any] | None = Field(None, description="Merged into the parameters.")
    disable: bool = Field(False, description="Whether the trait is taken away.")


class ComponentPatch(BaseParameters):
    """A change to the components it matches, or a further component."""

    name: str = Field("", description="Name, with * for any characters; all when empty.")
    type: str = Field("", description="Type; another than the component's replaces it.")
    properties: dict[str, Any] | None = Field(None, description="Merged into the parameters.")
    externalRevision: str = Field("", description="Name of the component's revision.")
    traits: Many[TraitPatch] = Field((), description="Changes to traits.")


class Patch(BaseParameters):
    """The differences of an environment."""

    components: Many[ComponentPatch] = Field((), description="Applied in order.")


class Env(BaseParameters):
    """One environment."""

    name: str = Field(description="Name, unique in the application.")
    placement: Placement = Field(Placement(), description="Where it is.")
    selector: ComponentSelector | None = Field(None, description="All components when absent.")
    patch: Patch = Field(Patch(), description="Its differences.")


class Parameters(BaseParameters):
    """Parameters of ``env-binding``."""

    envs: Many[Env] = Field(description="The environments.")
    clusterManagementEngine: Literal["cluster-gateway"] = Field(
        "cluster-gateway", description="Taken for files of KubeVela v1.1, without effect."
    )


DEFINITION = PolicyDefinition(
    type="env-binding",
    parameters=Parameters,
    summary="The environments of an application, each a place and its differences.",
    example={
        "envs": [
            {
                "name": "staging",
                "placement": {"clusterSelector": {"name": "cluster-staging"}},
                "selector": {"components": ["hello-world-server"]},
            },
            {
                "name": "prod",
                "placement": {"clusterSelector": {"name": "cluster-prod"}},
                "patch": {
                    "components": [
                        {
                            "name": "hello-world-server",
                            "traits": [{"type": "scaler", "properties": {"replicas": 3}}],
                        }
                    ]
                },
            },
        ]
    },
)
