"""What a CUE template makes of parameters and context, as KubeVela v1.10 evaluates it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from velapulumi.definitions import (
    Context,
    FreeParameters,
    Health,
    Manifest,
    Marker,
    Rendered,
    RenderError,
    TraitResult,
)
from velapulumi.definitions.objects import KubernetesObject
from velapulumi.extensions.cue import CueError, Engine, Finding, literal
from velapulumi.extensions.markers import marked, read_patches
from velapulumi.spec import MISSING, UNKNOWN_FIELD, Path, explain

TEMPLATE = "template"
_PARAMETER: Path = (TEMPLATE, "parameter")

_USES_CONTEXT = re.compile(r"\bcontext\b(?!\s*:)(?:\.(\w+))?")
_HAS_STRATEGY = re.compile(r"//\s*\+\s*patch(Key|Strategy)\s*=")
_WHOLE_STRATEGY = re.compile(
    r"""^[ \t]*//\s*\+\s*patchStrategy\s*=\s*(\w+)[ \t]*\n
        (?:[ \t]*//.*\n)*
        [ \t]*patch[ \t]*:(?![ \t]*[\w"\#$-]+[ \t]*:)""",
    re.MULTILINE | re.VERBOSE,
)
_NUMBERED = re.compile(r"-v(\d+)$")
_STAND_IN = Context(
    app_name="app",
    app_namespace="default",
    app_revision="app-v1",
    name="component",
    revision="component-v1",
    cluster="local",
    namespace="default",
)


@dataclass(frozen=True)
class Template:
    """A template, with what its definition says of the objects.

    Attributes:
        engine: Evaluates it.
        file: The definition's file, for messages.
        text: CUE text whose field ``template`` is the template.
        workload: API version and kind of the workload, for a template which leaves them out.
        reference: Field of a trait's objects, with dots, that gets a reference to the workload.
    """

    engine: Engine
    file: FilePath
    text: str
    workload: tuple[str, str] | None = None
    reference: str = ""

    def read(self, properties: Mapping[str, Any]) -> list[Finding]:
        """Problems of parameters, as CUE finds them, with their place below ``properties``."""
        text = self._completed(properties, _context_values(_STAND_IN, None))
        try:
            self.engine.export(text, ".".join(map(str, _PARAMETER)))
        except CueError as error:
            return list(_parameter_problems(error.findings))
        return []

    def render(self, parameters: FreeParameters, context: Context) -> Rendered:
        """The objects of a component.

        Raises:
            RenderError: The template cannot be evaluated, or makes something else.
        """
        text = self._completed(parameters.model_extra or {}, _context_values(context, None))
        output = self._part(text, "output")
        if output is None:
            raise self._error("the template makes no output")
        if isinstance(output, dict) and self.workload:
            output = dict(zip(("apiVersion", "kind"), self.workload, strict=True)) | output
        return Rendered(self._object(output, "output"), self._outputs(text))

    def apply(
        self, parameters: FreeParameters, context: Context, workload: Manifest
    ) -> TraitResult:
        """The change that a trait makes.

        Raises:
            RenderError: The template cannot be evaluated, says so itself (``errs``), or makes
                something else.
        """
        text = self._completed(parameters.model_extra or {}, _context_values(context, workload))
        if self._asks_a_server(text):
            raise self._error("a template that asks a server (processing) is not supported")
        errors = self._part(text, "errs")
        for message in errors if isinstance(errors, list) else ():
            if message:
                raise RenderError((), str(message))
        outputs = self._outputs(text)
        if self.reference:
            target = {key: workload[key] for key in ("apiVersion", "kind")}
            target["name"] = workload.get("metadata", {}).get("name") or context.name
            for output in outputs.values():
                _put(output, self.reference.split("."), target)
        patch = self._part(text, "patch") or {}
        if not isinstance(patch, dict | Marker):
            raise self._error("patch must be a struct")
        patches = self._part(text, "patchOutputs") or {}
        if not isinstance(patches, dict):
            raise self._error("patchOutputs must be a struct of patches")
        return TraitResult(patch, outputs, patches)

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the parameters, as far as CUE can tell it."""
        text = self._completed({}, _context_values(_STAND_IN, None))
        place = ".".join(map(str, _PARAMETER))
        try:
            schema: dict[str, Any] = json.loads(self.engine.schema(text, place))
        except CueError:
            return {"type": "object"}
        known = f'{{for k, v in {place} if "\\(v)" != _|_ {{(k): v}}}}'
        try:
            # Without a context only those defaults are known which do not depend on it.
            defaults = json.loads(self.engine.export(f"{self.text}\ncontext: _\n", known))
        except CueError:
            defaults = {}
        for name, field in schema.get("properties", {}).items():
            if name in defaults and isinstance(field, dict):
                field["default"] = defaults[name]
        return schema

    def _completed(self, parameters: Mapping[str, Any], context: Mapping[str, Any]) -> str:
        """The text with parameters, and of the context what it uses: so answers are kept long."""
        used = set(_USES_CONTEXT.findall(self.text))
        known = context if "" in used else {k: v for k, v in context.items() if k in used}
        given = f"{TEMPLATE}: parameter: {literal(parameters)}\ncontext: {literal(known)}\n"
        return f"{self.text}\n{given}"

    def _part(self, text: str, name: str) -> Any:
        """A field of the template; None when it is not there."""
        if not re.search(rf"\b{name}\b", self.text):
            return None
        marks = name.startswith("patch") and _HAS_STRATEGY.search(self.text)
        whole = _WHOLE_STRATEGY.search(self.text) if name == "patch" else None
        form = "cue" if marks and not whole else "json"
        try:
            value = self.engine.export(text, f"{TEMPLATE}.{name}", form)
            if form == "cue":
                return read_patches(value)
            return marked(json.loads(value), whole[1]) if whole else json.loads(value)
        except CueError as error:
            if error.findings == (((), f"undefined field: {name}"),):
                return None
            raise self._unfit(error) from None

    def _asks_a_server(self, text: str) -> bool:
        try:
            return self._part(text, "processing") is not None
        except RenderError as error:  # it asks, and the answer is not there
            return error.message.startswith(f"{self.file}: processing")

    def _unfit(self, error: CueError) -> RenderError:
        problems = list(_parameter_problems(error.findings))
        if problems:
            return RenderError(*problems[0])
        texts = []
        for place, message in error.findings:
            below = ".".join(map(str, place[1:] if place[:1] == (TEMPLATE,) else place))
            texts.append(f"{below}: {message}" if below else message)
        return self._error("; ".join(texts))

    def _error(self, message: str) -> RenderError:
        return RenderError((), f"{self.file}: {message}")

    def _outputs(self, text: str) -> dict[str, Manifest]:
        outputs = self._part(text, "outputs") or {}
        if not isinstance(outputs, dict):
            raise self._error("outputs must be a struct of Kubernetes objects")
        return {key: self._object(value, f"outputs.{key}") for key, value in outputs.items()}

    def _object(self, value: Any, place: str) -> Manifest:
        try:
            return KubernetesObject.model_validate(value).manifest()
        except ValidationError as error:
            path, message = explain(KubernetesObject, error)[0]
            where = ".".join(map(str, (place, *path)))
            raise self._error(f"{where}: {message}") from None


@dataclass(frozen=True)
class StatusRule:
    """How a definition tells the health of a live workload.

    Attributes:
        engine: Evaluates it.
        policy: CUE text with ``isHealth``; empty for always healthy.
        status: CUE text with ``message``; empty for none.
    """

    engine: Engine
    policy: str
    status: str

    def judge(self, live: Mapping[str, Any]) -> Health:
        """Judge a live workload; what cannot be told (yet) is not healthy, or has no message."""
        metadata = dict(live.get("metadata") or {})
        for noise in ("managedFields", "resourceVersion"):
            metadata.pop(noise, None)
        labels = metadata.get("labels") or {}
        context = {
            "name": labels.get("app.oam.dev/component", ""),
            "appName": labels.get("app.oam.dev/name", ""),
            "appRevision": labels.get("app.oam.dev/appRevision", ""),
            "cluster": labels.get("app.oam.dev/cluster", "local"),
            "namespace": metadata.get("namespace", ""),
            "output": {**live, "metadata": metadata},
        }
        healthy = not self.policy or self._value(self.policy, "isHealth", context) is True
        message = self._value(self.status, "message", context) if self.status else ""
        return Health(healthy, message if isinstance(message, str) else "")

    def _value(self, text: str, name: str, context: Mapping[str, Any]) -> Any:
        given = f"{text}\nparameter: {{...}}\ncontext: {literal(context)}\n"
        try:
            return json.loads(self.engine.export(given, name))
        except CueError:
            return None


def _context_values(context: Context, workload: Manifest | None) -> dict[str, Any]:
    """KubeVela's ``context``; with the workload, for a trait."""
    version = context.cluster_version
    numbered = _NUMBERED.search(context.app_revision)
    values: dict[str, Any] = {
        "appName": context.app_name,
        "appRevision": context.app_revision,
        "appRevisionNum": int(numbered[1]) if numbered else 0,
        "appLabels": dict(context.app_labels),
        "appAnnotations": dict(context.app_annotations),
        "name": context.name,
        "namespace": context.namespace,
        "revision": context.revision,
        "cluster": context.cluster,
        "clusterVersion": {
            "major": str(version.major),
            "minor": version.minor,
            "gitVersion": version.git_version,
            "platform": version.platform,
        },
        "workflowName": context.workflow_name,
        "publishVersion": context.publish_version,
        "replicaKey": context.replica_key,
    }
    if workload is None:
        return values
    return {**values, "output": workload, "outputs": dict(context.outputs)}


def _parameter_problems(findings: Iterable[Finding]) -> Iterable[Finding]:
    """What CUE finds wrong with parameters, with the place below ``properties``."""
    for place, message in findings:
        if place[:2] == _PARAMETER:
            if message == "field not allowed":
                message = f"{UNKNOWN_FIELD} ({message})"
            elif message.startswith("incomplete value"):
                message = f"{MISSING} ({message})"
            yield place[2:], message


def _put(target: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        below = target.setdefault(part, {})
        if not isinstance(below, dict):
            return
        target = below
    target[path[-1]] = value
