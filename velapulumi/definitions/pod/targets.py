"""Traits which change one container by its name, or several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, Parameters, RenderError, TraitResult
from velapulumi.definitions.patch import ByKey
from velapulumi.definitions.pod.template import container, pod_patch
from velapulumi.spec import Path

NAME_MISSING = "containerName must be set for containers"


class Target(Parameters):
    """Base of the parameters which say what to do to one container."""

    containerName: str = Field(
        "", description="Name of the container; the one named as the component when absent."
    )


T = TypeVar("T", bound=Target)


def change_containers(
    single: T,
    several: Sequence[T] | None,
    context: Context,
    workload: Manifest,
    change: Callable[[T, Mapping[str, Any]], Manifest],
    field: str = "containers",
    name_missing: str = NAME_MISSING,
) -> TraitResult:
    """Patch the containers which the parameters of a trait name.

    Args:
        single: The parameters of the trait, which name one container when ``several`` is None.
        several: What to do to each of several containers.
        context: The context of the trait.
        workload: The workload.
        change: Makes the patch of a container (without its name) from what to do and the
            container as it is; a RenderError's path is taken below the target.
        field: Name of the parameter ``several`` stems from.
        name_missing: Message about one of several targets without a name.

    Raises:
        RenderError: A container is not there, is named twice or not at all, or other parameters
            stand beside ``several``.
    """
    targets: list[tuple[Path, str, T]]
    if several is None:
        targets = [((), single.containerName or context.name, single)]
    else:
        _check_alone(single, field)
        targets = list(_named(several, field, name_missing))
    patches = []
    for place, name, target in targets:
        try:
            patches.append({"name": name, **change(target, container(workload, name))})
        except RenderError as error:
            raise RenderError((*place, *error.path), error.message) from None
    return TraitResult(patch=pod_patch(workload, {"containers": ByKey("name", patches)}))


def entries(parent: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    """The maps in a list field of a container; none when the field is no list."""
    value = parent.get(field)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _check_alone(parameters: Target, field: str) -> None:
    for other in sorted(parameters.model_fields_set - {field}):
        raise RenderError((other,), f"cannot stand beside {field}: set it for each of them")


def _named(several: Sequence[T], field: str, name_missing: str) -> Iterator[tuple[Path, str, T]]:
    seen: set[str] = set()
    for index, target in enumerate(several):
        name = target.containerName
        if not name:
            raise RenderError((field, index), name_missing)
        if name in seen:
            raise RenderError((field, index, "containerName"), f"container {name} is named twice")
        seen.add(name)
        yield (field, index), name, target
