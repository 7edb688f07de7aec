"""From a file or text to an Application, with every problem of the file at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path as FilePath
from typing import Any

from velapulumi.errors import InvalidApplication, Problem
from velapulumi.spec.application import Application, Manifest, Policy
from velapulumi.spec.checks import check_application
from velapulumi.spec.document import Document, DocumentRefused, format_path, read_document
from velapulumi.spec.external import (
    complete,
    named_steps,
    pick_application,
    read_external,
    split_documents,
)
from velapulumi.spec.model import describe
from velapulumi.spec.salvage import validate_what_can_be

API_VERSION = "core.oam.dev/v1beta1"
KIND = "Application"


def load_application(path: FilePath) -> Application:
    """Read the Application in a file.

    Checks the kind itself; whether types and parameters exist is known to the layers above.

    Args:
        path: A YAML file in UTF-8.

    Raises:
        InvalidApplication: The file cannot be read or has problems; holds all of them.
    """
    return parse_application(read_text(path), str(path))


def parse_application(text: str, file: str) -> Application:
    """Read the Application in a text.

    Args:
        text: YAML text with one Application and, at choice, the Policy and Workflow documents
            it uses.
        file: Name of the file, for messages.

    Raises:
        InvalidApplication: The text has problems; holds all of them.
    """
    application, problems = inspect_application(text, file)
    if problems:
        raise InvalidApplication(file, problems)
    return application


def read_text(path: FilePath) -> str:
    """Content of a UTF-8 file.

    Raises:
        InvalidApplication: There is no such file, or it cannot be read, or it is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        message = "is not UTF-8 text"
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
    except ValueError:
        message = "cannot be read: the name holds a null character"
    raise InvalidApplication(str(path), [Problem(1, "", message)])


def inspect_application(text: str, file: str) -> tuple[Application, list[Problem]]:
    """Read as much of an Application as can be used, for further checks, and its problems.

    Returns:
        The application with unusable parts replaced by empty ones, and all problems found.

    Raises:
        InvalidApplication: Nothing can be used, such as text which is not YAML.
    """
    try:
        documents = [read_document(part) for part in split_documents(text)]
    except DocumentRefused as refused:
        raise InvalidApplication(file, refused.problems) from None
    document, beside = pick_application(documents)
    problems = list(document.problems)
    problems += _check_kind(document)
    if problems and not _is_application(document.value):
        raise InvalidApplication(file, problems)
    manifest, errors = validate_what_can_be(Manifest, document.value)
    problems += (
        Problem(document.line(path), format_path(path), message) for path, message in errors
    )
    if manifest is None:
        raise InvalidApplication(file, problems)
    external = read_external(beside)
    problems += external.problems
    written = Application(
        file=file,
        name=manifest.metadata.name,
        namespace=manifest.metadata.namespace or "default",
        labels=manifest.metadata.labels,
        annotations=manifest.metadata.annotations,
        components=manifest.spec.components,
        policies=_named_policies(manifest.spec.policies),
        workflow=named_steps(manifest.spec.workflow),
        spec=document.value["spec"] if isinstance(document.value.get("spec"), dict) else {},
        document=document,
    )
    application, findings = complete(written, external)
    problems += (application.problem(path, message) for path, message in findings)
    seen = {path for path, _ in errors}
    problems += (
        application.problem(path, message)
        for path, message in check_application(application)
        if not any(path[: len(known)] == known for known in seen)
    )
    return application, problems


def _is_application(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.get("kind") == KIND
        and value.get("apiVersion") == API_VERSION
    )


def _check_kind(document: Document) -> Iterable[Problem]:
    value = document.value
    if not isinstance(value, dict):
        message = f"must be an Application (a map with apiVersion and kind), is {describe(value)}"
        yield Problem(document.line(()), "", message)
        return
    for key, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if key not in value:
            yield Problem(document.line((key,)), key, f'is missing, must be "{wanted}"')
        elif value[key] != wanted:
            message = f'must be "{wanted}", is {describe(value[key])}'
            yield Problem(document.line((key,)), key, message)


def _named_policies(policies: tuple[Policy, ...]) -> tuple[Policy, ...]:
    return tuple(
        policy
        if policy.name
        else policy.model_copy(update={"name": f"{policy.type}-auto-gen-{index}"})
        for index, policy in enumerate(policies)
    )
