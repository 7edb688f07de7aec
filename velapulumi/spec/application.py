"""The Application kind of KubeVela (``core.oam.dev/v1beta1``) as typed values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from velapulumi.errors import Problem
from velapulumi.spec.document import Document, Path, format_path
from velapulumi.spec.model import Labels, Many, Properties, StrictModel

Order = Literal["StepByStep", "DAG"]


class SpecModel(StrictModel):
    """A part of the Application: snake_case here, camelCase in the file."""

    model_config = ConfigDict(alias_generator=to_camel)


class Input(SpecModel):
    """A value from elsewhere, put at ``parameter_key`` before rendering."""

    from_: str = Field(alias="from")
    parameter_key: str = ""


class Output(SpecModel):
    """A value published after applying."""

    name: str
    value_from: str


class Trait(SpecModel):
    """An operation on one component."""

    type: str
    properties: Properties = Field(default_factory=dict)


class Component(SpecModel):
    """One unit of delivery."""

    name: str
    type: str
    properties: Properties = Field(default_factory=dict)
    external_revision: str = ""
    depends_on: Many[str] = ()
    inputs: Many[Input] = ()
    outputs: Many[Output] = ()
    traits: Many[Trait] = ()
    scopes: Properties = Field(default_factory=dict)

    def needs(self, components: Iterable[Component]) -> tuple[str, ...]:
        """Names of the components it waits for: by ``dependsOn``, and for its inputs.

        Args:
            components: The components beside it.
        """
        wanted = {item.from_ for item in self.inputs}
        makers = (c.name for c in components if wanted & {output.name for output in c.outputs})
        return tuple(dict.fromkeys((*self.depends_on, *makers)))


class Policy(SpecModel):
    """A rule for the whole application. An unnamed one is ``<type>-auto-gen-<index>``."""

    name: str = ""
    type: str
    properties: Properties = Field(default_factory=dict)


class Mode(SpecModel):
    """Order of the steps and of the sub-steps inside a group."""

    steps: Order = "StepByStep"
    sub_steps: Order = "DAG"


class Meta(SpecModel):
    """How a step is shown."""

    alias: str = ""


class SubStep(SpecModel):
    """A step of a group. An unnamed one is ``step-<i>-<j>``."""

    name: str = ""
    type: str
    meta: Meta = Meta()
    if_: str = Field("", alias="if")
    timeout: str = ""
    depends_on: Many[str] = ()
    inputs: Many[Input] = ()
    outputs: Many[Output] = ()
    properties: Properties = Field(default_factory=dict)


class Step(SubStep):
    """One step of the workflow. An unnamed one is ``step-<i>``."""

    mode: Order | None = None
    sub_steps: Many[SubStep] = ()


class Workflow(SpecModel):
    """The order of delivery, written in the Application or (``ref``) standing beside it."""

    ref: str = ""
    mode: Mode | None = None
    steps: Many[Step] = ()


class Metadata(SpecModel):
    """Kubernetes ObjectMeta; what a server sets is taken and not used."""

    name: str
    namespace: str = ""
    labels: Labels = Field(default_factory=dict)
    annotations: Labels = Field(default_factory=dict)
    generate_name: Any = None
    self_link: Any = None
    uid: Any = None
    resource_version: Any = None
    generation: Any = None
    creation_timestamp: Any = None
    deletion_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    owner_references: Any = None
    finalizers: Any = None
    managed_fields: Any = None


class Spec(SpecModel):
    """What is delivered (components), by which rules (policies), in which order (workflow)."""

    components: Many[Component]
    policies: Many[Policy] = ()
    workflow: Workflow | None = None


class Manifest(SpecModel):
    """The file as a whole."""

    api_version: str
    kind: str
    metadata: Metadata
    spec: Spec
    status: Any = None


@dataclass(frozen=True)
class Beside:
    """A place in a document that stands beside the Application in its file.

    Attributes:
        title: Kind and name of the document.
        document: The document.
        path: The place in it.
    """

    title: str
    document: Document
    path: Path


@dataclass(frozen=True)
class Application:
    """One Application as read from a file.

    Attributes:
        file: Name of the file, for messages.
        name: ``metadata.name``.
        namespace: ``metadata.namespace``, ``default`` when none is given.
        labels: Labels of the Application itself.
        annotations: Annotations of the Application itself.
        components: Components in file order.
        policies: Policies in file order, unnamed ones named.
        workflow: The written workflow with all steps named, or None.
        spec: ``spec`` as plain values, with what stands beside the Application and is used by
            it filled in; do not change it.
        document: The YAML document, for the lines of further problems.
        warnings: What a person should know about the file.
        beside: By place in the Application, where it really stands.
    """

    file: str
    name: str
    namespace: str
    labels: dict[str, str]
    annotations: dict[str, str]
    components: tuple[Component, ...]
    policies: tuple[Policy, ...]
    workflow: Workflow | None
    spec: dict[str, Any]
    document: Document = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()
    beside: Mapping[Path, Beside] = field(default_factory=dict, repr=False, compare=False)

    def problem(self, path: Path, message: str) -> Problem:
        """A problem at a place of the document, such as ``("spec", "components", 0, "name")``."""
        for head, beside in self.beside.items():
            if path[: len(head)] == head:
                place = (*beside.path, *path[len(head) :])
                text = f"{beside.title} {format_path(place)}"
                return Problem(beside.document.line(place), text, message)
        return Problem(self.document.line(path), format_path(path), message)
