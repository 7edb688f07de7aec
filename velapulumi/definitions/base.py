"""What a definition is: the contract of every component, trait, policy and step type.

A type is one module in ``components/``, ``traits/``, ``policies/`` or ``steps/``, named as the
type with ``_`` for ``-``, which holds the definition under the name ``DEFINITION``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import ConfigDict, ValidationError

from velapulumi.definitions.patch import Marker
from velapulumi.spec import Path, StrictModel, explain, validate_what_can_be

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes object as plain values."""


class Parameters(StrictModel):
    """Base of the parameters of a definition, spelled as in the file."""


class FreeParameters(Parameters):
    """Parameters with names of the user's choice; subclasses may type their values.

    For a map of strings: ``__pydantic_extra__: dict[str, str] = Field(init=False)``.
    """

    model_config = ConfigDict(extra="allow")


P = TypeVar("P", bound=Parameters)


class RenderError(Exception):
    """Parameters which are valid one by one and cannot be rendered together.

    Args:
        path: Place below ``properties``.
        message: What is wrong.
    """

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


@dataclass(frozen=True)
class ClusterVersion:
    """Kubernetes version of a target cluster; decides between API versions of a kind.

    The default stands for a current cluster.
    """

    major: int = 1
    minor: int = 30
    git_version: str = ""
    platform: str = ""


@dataclass(frozen=True)
class Reference:
    """Names objects of a joined cluster which an application refers to.

    Attributes:
        cluster: Name of the cluster.
        namespace: Their namespace.
        group: API group; empty for the core one.
        resource: Kind or resource name, such as ``Deployment`` or ``deployment``.
        name: Name of the one object; empty when labels choose.
        labels: Labels the objects have, sorted.
    """

    cluster: str
    namespace: str
    group: str
    resource: str
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Context:
    """What a definition knows beside its parameters (KubeVela's ``context``).

    Attributes:
        app_name: Name of the Application.
        app_namespace: Namespace of the Application.
        app_revision: Name of the Application's revision, such as ``example-app-v1``.
        app_labels: Labels of the Application.
        app_annotations: Annotations of the Application.
        name: Name of the component.
        revision: Name of the component's revision, such as ``hello-world-server-v1``.
        cluster: Target cluster, ``local`` for the one of the Application.
        namespace: Target namespace.
        cluster_version: Kubernetes version of the target cluster.
        workflow_name: Name of the workflow; empty unless an annotation gives it.
        publish_version: Version the application is published as; empty likewise.
        replica_key: Which of the replicas a policy makes of the component; empty without one.
        outputs: For a trait, the further objects which the component and the traits before it
            make, by key.
        referred: Objects of a cluster which the application refers to, by reference.
    """

    app_name: str
    app_namespace: str
    app_revision: str
    name: str
    revision: str
    cluster: str
    namespace: str
    app_labels: Mapping[str, str] = field(default_factory=dict)
    app_annotations: Mapping[str, str] = field(default_factory=dict)
    cluster_version: ClusterVersion = ClusterVersion()
    workflow_name: str = ""
    publish_version: str = ""
    replica_key: str = ""
    outputs: Mapping[str, Manifest] = field(default_factory=dict)
    referred: Mapping[Reference, Sequence[Manifest]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rendered:
    """Objects of one component: the workload, and further objects by key."""

    workload: Manifest
    outputs: Mapping[str, Manifest] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """Whether a live object is healthy, and the message shown beside it."""

    healthy: bool
    message: str


@dataclass(frozen=True)
class TraitResult:
    """What a trait does to its component.

    Attributes:
        patch: Unified into the workload; see ``velapulumi.definitions.patch``.
        outputs: Further objects by key.
        patch_outputs: Patches of the further objects made before, by key.
    """

    patch: Mapping[str, Any] | Marker = field(default_factory=dict)
    outputs: Mapping[str, Manifest] = field(default_factory=dict)
    patch_outputs: Mapping[str, Mapping[str, Any] | Marker] = field(default_factory=dict)


ModelOf: TypeAlias = type[P]


@dataclass(frozen=True, kw_only=True)
class Definition(Generic[P]):
    """What all definitions have.

    Attributes:
        type: Name used in the file.
        parameters: Model of ``properties``.
        summary: What it is for, one line.
        example: Parameters as a person would write them, valid and worth copying.
        deprecated: What to use instead, when it is only there for old files.
        takes_null: Whether null may stand in ``properties``; else it is a wrong type everywhere.
    """

    type: str
    parameters: ModelOf[P]
    summary: str
    example: Mapping[str, Any]
    deprecated: str = ""
    takes_null: bool = False

    def read(self, properties: Mapping[str, Any]) -> tuple[P | None, list[tuple[Path, str]]]:
        """Validate ``properties``.

        Returns:
            The parameters (None when invalid), and the problems as path below ``properties``
            and message.
        """
        problems: list[tuple[Path, str]] = []
        if not self.takes_null and _has_null(properties):
            problems = list(_nulls(properties, ()))
        try:
            parameters = self.parameters.model_validate(properties)
        except ValidationError as error:
            known = {path for path, _ in problems}
            found = explain(self.parameters, error)
            return None, [*problems, *(item for item in found if item[0] not in known)]
        return (None if problems else parameters), problems


_SCALARS = (str, int, float)


def _has_null(value: Any) -> bool:
    """Whether ``_nulls`` finds any, told much faster."""
    values = [value]
    for item in values:  # grows on the way
        if item is None:
            return True
        if isinstance(item, _SCALARS):
            continue
        if isinstance(item, list):
            values += item
        elif isinstance(item, Mapping):
            values += item.values()
    return False


def _nulls(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if value is None:
        yield path, "must not be null: give a value or leave it out"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _nulls(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nulls(item, (*path, index))


@dataclass(frozen=True, kw_only=True)
class ComponentDefinition(Definition[P]):
    """A component type.

    Attributes:
        workload: API version and kind of the workload; None when its parameters decide.
        render: Makes the objects; may raise RenderError.
        health: Judges the live workload.
    """

    workload: tuple[str, str] | None
    render: Callable[[P, Context], Rendered]
    health: Callable[[Mapping[str, Any]], Health]


@dataclass(frozen=True, kw_only=True)
class TraitDefinition(Definition[P]):
    """A trait type.

    Attributes:
        apply: Makes the change from the parameters, the context and the workload as the traits
            before left it (not to be changed); may raise RenderError.
        applies_to: Kinds of workload the trait is meant for; empty for all.
        conflicts_with: Trait types not meant to stand beside it on one component.
        after_workload: Whether its objects wait until the workload is healthy.
    """

    apply: Callable[[P, Context, Manifest], TraitResult]
    applies_to: tuple[str, ...] = ()
    conflicts_with: tuple[str, ...] = ()
    after_workload: bool = False


@dataclass(frozen=True, kw_only=True)
class PolicyDefinition(Definition[P]):
    """A policy type; what it does is done where the policy is used."""

    takes_null: bool = True

    def read(self, properties: Mapping[str, Any]) -> tuple[P | None, list[tuple[Path, str]]]:
        """Validate ``properties``; on problems the parameters hold what is right."""
        return validate_what_can_be(self.parameters, properties)
