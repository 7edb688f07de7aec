"""A Kubernetes object as a Pulumi resource, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


class Manifest(pulumi.CustomResource):
    """One object, given as its manifest.

    Args:
        name: The resource's name, unique in the stack.
        manifest: The object; its keys go to the provider as they are. An object that is only read,
            because ``opts`` has its ``id``, gives nothing but its kind.
        opts: Resource options; ``provider`` decides the cluster.
    """

    def __init__(
        self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions
    ) -> None:
        api_version = manifest["apiVersion"]
        group = api_version if "/" in api_version else f"core/{api_version}"
        if opts.id is None:
            properties = {**manifest, "status": None}
        else:
            properties = dict.fromkeys(("metadata", "spec", "status"))
        super().__init__(f"kubernetes:{group}:{manifest['kind']}", name, properties, opts)

    @property
    def live(self) -> pulumi.Output[dict[str, Any]]:
        """The object as the cluster has it once it is up; unknown in a preview."""
        fields = {key: self.__dict__[key] for key in ("metadata", "spec", "status")}
        return pulumi.Output.all(**{k: v for k, v in fields.items() if v is not None})
