"""``override``: differences that a ``deploy`` step applies to the components.

Follows KubeVela v1.10; the patch is that of ``env-binding``.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.definitions.policies.env_binding import ComponentPatch
from velapulumi.spec import Many


class Parameters(BaseParameters):
    """Parameters of ``override``."""

    components: Many[ComponentPatch] = Field((), description="Changes, applied in order.")
    selector: Many[str] | None = Field(
        None, description="Names of the components to deliver, after the changes; all when absent."
    )


DEFINITION = PolicyDefinition(
    type="override",
    parameters=Parameters,
    summary="Differences that a deploy step applies to the components.",
    example={
        "components": [
            {
                "name": "hello-world-server",
                "traits": [{"type": "scaler", "properties": {"replicas": 3}}],
            }
        ]
    },
)
