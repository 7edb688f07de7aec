"""KubeVela's own definitions in files of a project: YAML, or CUE as ``vela def`` has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from velapulumi.definitions import (
    ComponentDefinition,
    Definition,
    FreeParameters,
    TraitDefinition,
)
from velapulumi.errors import InvalidDefinition
from velapulumi.extensions.cue import CueError, Engine
from velapulumi.extensions.cuetext import head, labels
from velapulumi.extensions.template import TEMPLATE, StatusRule, Template
from velapulumi.spec import Many, Path, Properties, StrictModel, explain, format_path
from velapulumi.spec.document import Document, DocumentRefused, read_document
from velapulumi.spec.external import split_documents

API_VERSION = "core.oam.dev/v1beta1"
_SUFFIXES = (".yaml", ".yml", ".cue")
_DESCRIPTION = "definition.oam.dev/description"
_DEPRECATED = "deprecated"

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_ONLY_IN_KUBEVELA = re.compile(r'"((?:vela|kube)(?:/[^"]*)?)"')
_KINDS = {
    "cronjobs.batch": "CronJob",
    "daemonsets.apps": "DaemonSet",
    "deployments.apps": "Deployment",
    "jobs.batch": "Job",
    "pods": "Pod",
    "replicasets.apps": "ReplicaSet",
    "statefulsets.apps": "StatefulSet",
}

Entry: TypeAlias = tuple[FilePath, type[Definition[Any]], Definition[Any]]
"""A file, and the kind and the definition it holds."""
M = TypeVar("M", bound=BaseModel)


class WorkloadKind(StrictModel):
    """API version and kind."""

    apiVersion: str
    kind: str


class Workload(StrictModel):
    """The workload of a component."""

    type: str = ""
    definition: WorkloadKind | None = None


class Status(StrictModel):
    """How the state of an object is told; details are not shown here."""

    customStatus: str = ""
    healthPolicy: str = ""
    details: Any = None


class ComponentAttributes(StrictModel):
    """What a component definition says beside its template; what has no default has no effect."""

    workload: Workload = Workload()
    status: Status | None = None
    childResourceKinds: Any = None
    extension: Any = None
    podSpecPath: Any = None
    revisionLabel: Any = None
    version: Any = None


class TraitAttributes(StrictModel):
    """What a trait definition says beside its template; the rest of KubeVela's has no effect."""

    appliesToWorkloads: Many[str] = ()
    conflictsWith: Many[str] = ()
    stage: Literal["", "PreDispatch", "PostDispatch"] = ""
    workloadRefPath: str = ""
    status: Status | None = None
    controlPlaneOnly: Any = None
    definitionRef: Any = None
    extension: Any = None
    manageWorkload: Any = None
    podDisruptive: Any = None
    revisionEnabled: Any = None
    version: Any = None


class Metadata(StrictModel):
    """Name and marks of a definition; what else Kubernetes has there does not matter."""

    model_config = ConfigDict(extra="ignore")

    name: str
    annotations: Properties = Field(default_factory=dict)
    labels: Properties = Field(default_factory=dict)


class CueFile(StrictModel):
    """The first struct of a definition written in CUE."""

    type: str
    alias: str = ""
    annotations: Properties = Field(default_factory=dict)
    attributes: Properties = Field(default_factory=dict)
    description: str = ""
    labels: Properties = Field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A definition as it was read, in whichever form.

    Attributes:
        file: Its file.
        kind: ``component``, ``trait``, or what else KubeVela has.
        name: The type it defines.
        summary: What it is for; may be empty.
        deprecated: Whether it is only there for old files.
        attributes: What it says beside its template.
        text: CUE text whose field ``template`` is the template.
        document: The document it stands in; None for a file written in CUE.
    """

    file: FilePath
    kind: str
    name: str
    summary: str
    deprecated: bool
    attributes: Mapping[str, Any]
    text: str
    document: Document | None = None


@dataclass(frozen=True, kw_only=True)
class CueDefinition(Definition[FreeParameters]):
    """A definition whose template says which parameters it takes."""

    template: Template
    takes_null: bool = True

    def read(
        self, properties: Mapping[str, Any]
    ) -> tuple[FreeParameters | None, list[tuple[Path, str]]]:
        """Have CUE validate ``properties``."""
        problems = self.template.read(properties)
        return (None if problems else FreeParameters.model_validate(properties)), problems


@dataclass(frozen=True, kw_only=True)
class CueComponentDefinition(CueDefinition, ComponentDefinition[FreeParameters]):
    """A ComponentDefinition of KubeVela."""


@dataclass(frozen=True, kw_only=True)
class CueTraitDefinition(CueDefinition, TraitDefinition[FreeParameters]):
    """A TraitDefinition of KubeVela."""


def read_manifests(folder: FilePath, engine: Engine) -> Iterator[Entry]:
    """Read the definitions in the files of a project's folder and the folders below it.

    Args:
        folder: The folder ``definitions``.
        engine: Evaluates templates when they are used, and files written in CUE at once.

    Raises:
        InvalidDefinition: A file does not hold definitions that can be used here.
        ToolMissing: There is a file written in CUE, and no ``cue`` command to be had.
    """
    for file in sorted(folder.rglob("*")):
        if file.suffix in _SUFFIXES and file.is_file():
            text = _text(file)
            if file.suffix == ".cue":
                yield _from_cue(file, text, engine)
            else:
                yield from _from_yaml(file, text, engine)


def _text(file: FilePath) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise InvalidDefinition(f"{file}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise InvalidDefinition(f"{file}: is not UTF-8 text") from None


def _from_yaml(file: FilePath, text: str, engine: Engine) -> Iterator[Entry]:
    for part in split_documents(text):
        try:
            document = read_document(part)
        except DocumentRefused as refused:
            problem = refused.problems[0]
            raise InvalidDefinition(f"{file}:{problem.line}: {problem.message}") from None
        yield _entry(_source(file, document), engine)


def _source(file: FilePath, document: Document) -> Source:
    value = document.value if isinstance(document.value, dict) else {}
    kind, spec = value.get("kind"), value.get("spec")
    if value.get("apiVersion") != API_VERSION or not str(kind).endswith("Definition"):
        raise InvalidDefinition(
            f"{file}:{document.line(())}: is no definition of KubeVela ({API_VERSION})"
        )
    metadata = _checked(Metadata, value.get("metadata"), file, document, ("metadata",))
    attributes = dict(spec) if isinstance(spec, dict) else {}
    template = attributes.pop("schematic", None)
    for key in ("cue", "template"):
        template = template.get(key) if isinstance(template, dict) else None
    if not isinstance(template, str):
        raise InvalidDefinition(
            f"{file}:{document.line(('spec', 'schematic'))}: {metadata.name} must have a template "
            "at spec.schematic.cue.template, others are not supported"
        )
    _check_imports(file, metadata.name, template)
    start = head(template)
    return Source(
        file=file,
        kind=str(kind).removesuffix("Definition").lower(),
        name=metadata.name,
        summary=str(metadata.annotations.get(_DESCRIPTION) or ""),
        deprecated=metadata.labels.get(_DEPRECATED) == "true",
        attributes=attributes,
        text=f"{start}\n{TEMPLATE}: {{\n{template[len(start) :]}\n}}",
        document=document,
    )


def _from_cue(file: FilePath, text: str, engine: Engine) -> Entry:
    found = labels(text)
    name = next((label for label in found if label not in (TEMPLATE, "context")), "")
    if TEMPLATE not in found or not name:
        raise InvalidDefinition(
            f'{file}: must hold the definition ("name": {{type: …}}) and its template: {{…}}'
        )
    _check_imports(file, name, text)
    try:
        # CUE refers to a quoted name by another one.
        reference = f"HEAD={json.dumps(name)}: _\n_head: HEAD\n"
        said = engine.export(f"{text}\n{reference}context: {{...}}\n", "_head")
    except CueError as error:
        raise InvalidDefinition(f"{file}: {error}") from None
    said_of = _checked(CueFile, json.loads(said), file, None, (name,))
    return _entry(
        Source(
            file=file,
            kind=said_of.type,
            name=name,
            summary=said_of.description,
            deprecated=said_of.labels.get(_DEPRECATED) == "true",
            attributes=said_of.attributes,
            text=text,
        ),
        engine,
    )


def _entry(source: Source, engine: Engine) -> Entry:
    """The definition that was read.

    Raises:
        InvalidDefinition: It has a name that no object of Kubernetes may have, or is of a kind
            that only KubeVela can evaluate.
    """
    file = source.file
    if not _NAME.fullmatch(source.name):
        raise InvalidDefinition(
            f"{file}: {source.name!r} is no name of a type: lower-case letters, digits, '-' and "
            "'.' only"
        )
    if source.kind not in ("component", "trait"):
        raise InvalidDefinition(
            f"{file}: {source.name} is a {source.kind} definition: with a CUE template there can "
            "be components and traits, write others in Python"
        )
    shared: dict[str, Any] = {
        "type": source.name,
        "parameters": FreeParameters,
        "summary": source.summary or f"Defined in {file.name}.",
        "example": {},
        "deprecated": "another type" if source.deprecated else "",
    }
    if source.kind == "component":
        component = _attributes(ComponentAttributes, source)
        kind = component.workload.definition
        workload = (kind.apiVersion, kind.kind) if kind else None
        template = Template(engine, file, source.text, workload)
        status = component.status or Status()
        return (
            file,
            ComponentDefinition,
            CueComponentDefinition(
                template=template,
                workload=workload,
                render=template.render,
                health=StatusRule(engine, status.healthPolicy, status.customStatus).judge,
                **shared,
            ),
        )
    trait = _attributes(TraitAttributes, source)
    template = Template(engine, file, source.text, reference=trait.workloadRefPath)
    return (
        file,
        TraitDefinition,
        CueTraitDefinition(
            template=template,
            apply=template.apply,
            applies_to=_workload_kinds(trait.appliesToWorkloads),
            conflicts_with=trait.conflictsWith,
            after_workload=trait.stage == "PostDispatch",
            **shared,
        ),
    )


def _check_imports(file: FilePath, name: str, text: str) -> None:
    if found := _ONLY_IN_KUBEVELA.search(head(text)):
        raise InvalidDefinition(
            f"{file}: {name} imports {found[1]}, which only KubeVela's controller has: "
            "use the packages of the CUE standard library"
        )


def _attributes(model: type[M], source: Source) -> M:
    place = ("spec",) if source.document else (source.name, "attributes")
    return _checked(model, source.attributes, source.file, source.document, place)


def _checked(
    model: type[M], value: Any, file: FilePath, document: Document | None, place: Path
) -> M:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        lines = []
        for path, message in explain(model, error):
            path = (*place, *path)
            where = f"{file}:{document.line(path)}" if document else str(file)
            lines.append(f"{where}: {format_path(path)}: {message}")
        raise InvalidDefinition("\n".join(lines)) from None


def _workload_kinds(workloads: Iterable[str]) -> tuple[str, ...]:
    """The kinds that ``appliesToWorkloads`` stands for; none (all) when one cannot be told.

    As in KubeVela it may also hold ``*``, other resources, and types of components.
    """
    kinds = [_KINDS.get(workload, "") for workload in workloads]
    return tuple(kinds) if all(kinds) else ()
