"""``replication``: a ``deploy`` step delivers components once for each of some keys.

Follows KubeVela v1.10. The definition of a replicated component must use ``context.replicaKey``
in the names of its objects.
"""

from __future__ import annotations

from pydantic import Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.base import PolicyDefinition
from velapulumi.spec import Many


class Parameters(BaseParameters):
    """Parameters of ``replication``."""

    keys: Many[str] = Field(description="One replica for each.")
    selector: Many[str] = Field((), description="Names of components; all when empty.")


DEFINITION = PolicyDefinition(
    type="replication",
    parameters=Parameters,
    summary="Deliver components once for each of some keys.",
    example={"keys": ["beijing", "hangzhou"], "selector": ["hello-rep"]},
)
