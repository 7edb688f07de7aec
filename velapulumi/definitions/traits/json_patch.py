"""``json-patch``: operations of RFC 6902 on the workload (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import (
    Context,
    Manifest,
    RenderError,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import JsonPatch, Marker, RetainKeys
from velapulumi.spec import Many


class Operation(BaseParameters):
    """One operation."""

    op: Literal["add", "remove", "replace", "move", "copy", "test"] = Field(
        description="What is done."
    )
    path: str = Field(description="Place in the workload, such as /spec/replicas.")
    from_: str | None = Field(None, alias="from", description="Where move and copy take it from.")
    value: Any = Field(None, description="Value for add, replace and test.")

    def written(self) -> Manifest:
        """The operation with the fields which were given."""
        result: Manifest = {"op": self.op, "path": self.path}
        if self.from_ is not None:
            result["from"] = self.from_
        if "value" in self.model_fields_set:
            result["value"] = self.value
        return result


class Parameters(BaseParameters):
    """Parameters of ``json-patch``."""

    operations: Many[Operation] = Field(description="The operations, in order.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Carry out the operations.

    Raises:
        RenderError: What is left is no Kubernetes object.
        PatchConflict: An operation cannot be done.
    """
    operations = [operation.written() for operation in parameters.operations]
    return TraitResult(patch=still_object(JsonPatch(operations), workload))


def still_object(patch: Marker, workload: Manifest) -> RetainKeys:
    """The workload with a patch of the whole, as a patch.

    Raises:
        RenderError: What is left is no Kubernetes object.
        PatchConflict: The patch cannot be done.
    """
    result = patch.merged(workload, ())
    if not isinstance(result, dict):
        raise RenderError((), "leaves no map of the workload")
    for field in ("apiVersion", "kind"):
        if not isinstance(result.get(field), str):
            raise RenderError((), f"leaves the workload without {field}")
    metadata = result.get("metadata", {})
    if not isinstance(metadata, dict):
        raise RenderError((), "leaves no map of the workload's metadata")
    for field, kind in (
        ("name", str),
        ("namespace", str),
        ("labels", dict),
        ("annotations", dict),
    ):
        if not isinstance(metadata.get(field, kind()), kind):
            raise RenderError((), f"leaves the workload with a wrong metadata.{field}")
    return RetainKeys(result)


DEFINITION = TraitDefinition(
    type="json-patch",
    parameters=Parameters,
    summary="Operations of a JSON Patch (RFC 6902) on the workload.",
    example={"operations": [{"op": "add", "path": "/spec/revisionHistoryLimit", "value": 3}]},
    takes_null=True,
    apply=apply,
)
