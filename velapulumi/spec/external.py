"""Policies and workflows that stand beside the Application (``core.oam.dev/v1alpha1``).

They are documents of the same file. The Application uses a workflow by ``workflow.ref`` and a
policy by a ``deploy`` step that names it; a policy of its own goes before one of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import Field

from velapulumi.errors import Problem
from velapulumi.spec.application import (
    Application,
    Beside,
    Metadata,
    Mode,
    Policy,
    SpecModel,
    Step,
    Workflow,
)
from velapulumi.spec.checks import POLICIES, WORKFLOW, Finding
from velapulumi.spec.document import Document, format_path
from velapulumi.spec.model import Many, Properties, describe, did_you_mean
from velapulumi.spec.salvage import validate_what_can_be

API_VERSION = "core.oam.dev/v1alpha1"
_DOCUMENT_START = re.compile(r"^---(?=\s|$)", re.MULTILINE)


class ExternalPolicy(SpecModel):
    """A policy as a document of its own."""

    api_version: str
    kind: str
    metadata: Metadata
    type: str
    properties: Properties = Field(default_factory=dict)
    status: Any = None


class ExternalWorkflow(SpecModel):
    """A workflow as a document of its own."""

    api_version: str
    kind: str
    metadata: Metadata
    mode: Mode | None = None
    steps: Many[Step] = ()
    status: Any = None


@dataclass
class External:
    """What stands beside an Application, by name, and what is wrong with it."""

    policies: dict[str, tuple[ExternalPolicy, Document]] = field(default_factory=dict)
    workflows: dict[str, tuple[ExternalWorkflow, Document]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def split_documents(text: str) -> list[str]:
    """The documents of a text that are not empty, each on its own lines of the file.

    A text with nothing but one document is given back as it is, directives (``%YAML``) included.
    """
    if "---" not in text:
        return [text]
    starts = [match.start() for match in _DOCUMENT_START.finditer(text)]
    if not starts:
        return [text]
    ends = [*starts, len(text)]
    parts = []
    for start, end in zip([0, *starts], ends, strict=True):
        part = text[start:end]
        lines = part.removeprefix("---").splitlines()
        if any(line.strip() and not line.lstrip().startswith(("#", "%")) for line in lines):
            parts.append("\n" * text.count("\n", 0, start) + part)
    return parts if len(parts) > 1 else [text]


def pick_application(documents: Sequence[Document]) -> tuple[Document, list[Document]]:
    """The document that is the Application, and the others.

    Of several Applications the first is taken, and the others are left to be refused; without
    one the first document stands for it.
    """
    kinds = [
        document.value.get("kind") if isinstance(document.value, dict) else None
        for document in documents
    ]
    index = kinds.index("Application") if "Application" in kinds else 0
    return documents[index], [*documents[:index], *documents[index + 1 :]]


def read_external(documents: Sequence[Document]) -> External:
    """Read the documents beside the Application."""
    external = External()
    for document in documents:
        external.problems += document.problems
        value = document.value
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind == "Policy":
            _read(external, document, ExternalPolicy, external.policies)
        elif kind == "Workflow":
            _read(external, document, ExternalWorkflow, external.workflows)
        elif kind == "Application":
            message = "more than one applications provided: put each into a file of its own"
            external.problems.append(Problem(document.line(()), "", message))
        else:
            found = f"is {describe(kind)}" if kind is not None else "has none"
            message = (
                f"a document of this file must be of kind Application, Policy or Workflow, {found}"
            )
            external.problems.append(Problem(document.line(("kind",)), "kind", message))
    return external


def complete(application: Application, external: External) -> tuple[Application, list[Finding]]:
    """Fill in what the Application uses of what stands beside it.

    Returns:
        The application, and the findings as path and message.
    """
    spec, beside = dict(application.spec), dict(application.beside)
    findings: list[Finding] = []
    workflow = application.workflow
    unused = [f"workflow {name}" for name in external.workflows]
    if workflow is not None and workflow.ref:
        if workflow.steps:
            message = "cannot set steps and ref in workflow at the same time"
            findings.append(((*WORKFLOW, "ref"), message))
        elif workflow.ref in external.workflows:
            written, document = external.workflows[workflow.ref]
            unused.remove(f"workflow {workflow.ref}")
            workflow = named_steps(
                workflow.model_copy(update={"mode": written.mode, "steps": written.steps})
            )
            spec["workflow"] = {
                "ref": written.metadata.name,
                **{k: document.value[k] for k in ("mode", "steps") if k in document.value},
            }
            title = f"Workflow {written.metadata.name}:"
            beside[WORKFLOW] = Beside(title, document, ())
        else:
            hint = did_you_mean(workflow.ref, external.workflows)
            message = f'workflow "{workflow.ref}" not found: put it into this file{hint}'
            findings.append(((*WORKFLOW, "ref"), message))
    policies = list(application.policies)
    listed = spec.get("policies")
    plain = list(listed) if isinstance(listed, list) else []
    own = {policy.name for policy in policies}
    used = set(_named_by_steps(workflow))
    for name, (policy, document) in external.policies.items():
        if name in own or name not in used:
            unused.append(f"policy {name}")
            continue
        beside[*POLICIES, len(policies)] = Beside(f"Policy {name}:", document, ())
        policies.append(
            Policy.model_construct(name=name, type=policy.type, properties=policy.properties)
        )
        plain.append({"name": name, "type": policy.type, "properties": policy.properties})
        spec["policies"] = plain
    completed = replace(
        application,
        policies=tuple(policies),
        workflow=workflow,
        spec=spec,
        beside=beside,
        warnings=tuple(f"{what} is not referenced by the application" for what in unused),
    )
    return completed, findings


def _read(external: External, document: Document, model: type[Any], found: dict[str, Any]) -> None:
    value, errors = validate_what_can_be(model, document.value)
    kind = document.value["kind"]
    problems = [
        Problem(document.line(path), f"{kind} {format_path(path)}", message)
        for path, message in errors
    ]
    if value is not None:
        if value.api_version != API_VERSION:
            message = f'must be "{API_VERSION}", is {describe(value.api_version)}'
            place = ("apiVersion",)
            problems.append(Problem(document.line(place), f"{kind} apiVersion", message))
        if value.metadata.name in found:
            message = f'"{value.metadata.name}" is the name of an earlier {kind}'
            name = ("metadata", "name")
            problems.append(Problem(document.line(name), f"{kind} metadata.name", message))
        found[value.metadata.name] = (value, document)
    external.problems += problems


def _named_by_steps(workflow: Workflow | None) -> Iterator[str]:
    """Names in the ``policies`` of all steps and sub-steps."""
    for step in workflow.steps if workflow else ():
        for each in (step, *step.sub_steps):
            policies = each.properties.get("policies")
            if isinstance(policies, list):
                yield from (name for name in policies if isinstance(name, str))


def named_steps(workflow: Workflow | None) -> Workflow | None:
    """The workflow with a name on every step, as KubeVela names unnamed ones."""
    if workflow is None:
        return None
    steps = tuple(_named_step(step, index) for index, step in enumerate(workflow.steps))
    return workflow.model_copy(update={"steps": steps})


def _named_step(step: Step, index: int) -> Step:
    if step.name and not step.sub_steps:
        return step
    sub_steps = tuple(
        sub if sub.name else sub.model_copy(update={"name": f"step-{index}-{inner}"})
        for inner, sub in enumerate(step.sub_steps)
    )
    return step.model_copy(update={"name": step.name or f"step-{index}", "sub_steps": sub_steps})
