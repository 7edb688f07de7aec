"""A Kubernetes object as a Pulumi resource, whatever its kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi


class Manifest(pulumi.CustomResource):
    """One object, given as its manifest.

    Args:
        name: The resource's name, unique in the stack.
        manifest: The object; its keys go to the provider as they are. Of an object that is only
            read, because ``opts`` has its ``id``, nothing goes there but its kind.
        opts: Resource options; ``provider`` decides the cluster.
    """

    def __init__(
        self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions
    ) -> None:
        properties = {**manifest, "status": None}
        if opts.id is not None:
            properties = dict.fromkeys(properties)
        self._fields = tuple(properties)
        kind = resource_type(manifest["apiVersion"], manifest["kind"])
        super().__init__(kind, name, properties, opts)

    @property
    def live(self) -> pulumi.Output[dict[str, Any]]:
        """The object as the cluster has it once it is up; unknown in a preview."""
        return pulumi.Output.all(**{key: self.__dict__[key] for key in self._fields}).apply(_held)


def resource_type(api_version: str, kind: str) -> str:
    """The type of an object's resource."""
    group = api_version if "/" in api_version else f"core/{api_version}"
    return f"kubernetes:{group}:{kind}"


def _held(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}
