"""JSON Schemas (draft 2020-12): of the parameters of a type, and of the Application.

They say what an editor can check while a file is written; ``velapulumi`` itself checks more, such
as references between the parts of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import BeforeValidatorFunctionSchema

from velapulumi.definitions import (
    Catalog,
    ComponentDefinition,
    Definition,
    PolicyDefinition,
    StepDefinition,
    TraitDefinition,
)
from velapulumi.extensions.manifests import CueDefinition
from velapulumi.spec.application import Manifest
from velapulumi.spec.reading import API_VERSION, KIND

Schema: TypeAlias = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
KINDS: dict[str, type[Definition[Any]]] = {
    "component": ComponentDefinition,
    "trait": TraitDefinition,
    "policy": PolicyDefinition,
    "step": StepDefinition,
}
"""The kinds of definition by the word a person uses for them."""

_TYPED = {
    "Component": "component",
    "Trait": "trait",
    "Policy": "policy",
    "Step": "step",
    "SubStep": "step",
}
"""Parts of the Application whose ``type`` decides which ``properties`` they have."""

_REFERENCE = "#/$defs/"
_ONE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_LIST = ("anyOf", "allOf", "oneOf", "prefixItems")
_MAP = ("properties", "$defs", "patternProperties")

DESCRIPTIONS = {
    "Manifest": {
        "apiVersion": "Version of the kind.",
        "kind": "Always Application.",
        "metadata": "Name, namespace, labels and annotations.",
        "spec": "What is delivered, by which rules, in which order.",
        "status": "Taken from files of a cluster, without effect.",
    },
    "Metadata": {
        "name": "Name of the application.",
        "namespace": "Namespace of its objects; default when not given.",
        "labels": "Copied to all its objects.",
        "annotations": "Copied to all its objects.",
    },
    "Spec": {
        "components": "The units of delivery.",
        "policies": "Rules for the whole application.",
        "workflow": "The order of delivery; made up from the policies when not given.",
    },
    "Component": {
        "name": "Name, unique in the application; that of its workload too.",
        "type": "Type of the component; velapulumi show lists all.",
        "properties": "Parameters of the type.",
        "externalRevision": "Name of its revision, in place of a counted one.",
        "dependsOn": "Names of components that have to be healthy first.",
        "inputs": "Values from other components.",
        "outputs": "Values for other components.",
        "traits": "Operations on it, applied in order.",
        "scopes": "Deprecated, without effect.",
    },
    "Trait": {
        "type": "Type of the trait; velapulumi show lists all.",
        "properties": "Parameters of the type.",
    },
    "Input": {
        "from": "Name under which the value is published.",
        "parameterKey": "Place of the parameter it becomes, such as env[0].value.",
    },
    "Output": {
        "name": "Name it is published under.",
        "valueFrom": "Place in the object that was applied, such as output.status.podIP.",
    },
    "Policy": {
        "name": "Name; made up from the type when not given.",
        "type": "Type of the policy; velapulumi show lists all.",
        "properties": "Parameters of the type.",
    },
    "Workflow": {
        "ref": "Name of a Workflow that stands beside the Application; excludes steps.",
        "mode": "How the steps follow each other.",
        "steps": "The steps.",
    },
    "Mode": {
        "steps": "Order of the steps.",
        "subSteps": "Order of the steps inside a group.",
    },
    "Meta": {"alias": "Name for people."},
    "SubStep": {
        "name": "Name, unique in the workflow; made up when not given.",
        "type": "Type of the step; velapulumi show lists all.",
        "meta": "How it is shown.",
        "if": "Condition under which it runs.",
        "timeout": "How long it may take, such as 30s, 5m or 1h.",
        "dependsOn": "Names of steps that have to be done first.",
        "inputs": "Values from other steps.",
        "outputs": "Values for other steps.",
        "properties": "Parameters of the type.",
    },
    "Step": {
        "mode": "Order of the steps inside it, when it is a group.",
        "subSteps": "The steps inside it, when it is a group.",
    },
}
"""Descriptions of the fields of the Application, by part."""


@dataclass(frozen=True)
class Row:
    """One parameter, for people.

    Attributes:
        name: Its place, such as ``ports[].port``.
        type: What it holds.
        required: Whether it has to be given where it may stand.
        default: What it is when it is not given; None when there is nothing to say.
        description: What it means.
    """

    name: str
    type: str
    required: bool
    default: Any
    description: str


def definition_schema(definition: Definition[Any]) -> Schema:
    """The JSON Schema of the parameters of a type.

    Args:
        definition: Any definition.

    Raises:
        ToolMissing: It has a CUE template, and there is no ``cue`` command to be had.
    """
    if isinstance(definition, CueDefinition):
        schema = _rewritten(definition.template.schema(), _cue_comments)
    else:
        schema = _of_model(definition.parameters, definition.takes_null)
    head: Schema = {"$schema": DRAFT, "title": definition.type}
    head["description"] = definition.summary
    if definition.deprecated:
        head["deprecated"] = True
    return {**schema, **head}


def application_schema(catalog: Catalog) -> Schema:
    """The JSON Schema of the Application.

    Args:
        catalog: The definitions an Application may use.

    Raises:
        InvalidDefinition: A definition cannot be used.
        ToolMissing: One has a CUE template, and there is no ``cue`` command to be had.
    """
    root = _of_model(Manifest, takes_null=True)
    parts: dict[str, Schema] = root.pop("$defs")
    for name, part in (("Manifest", root), *parts.items()):
        texts = DESCRIPTIONS["SubStep"] | DESCRIPTIONS["Step"] if name == "Step" else None
        for field, text in (texts or DESCRIPTIONS[name]).items():
            part["properties"][field]["description"] = text
    root["properties"]["apiVersion"]["const"] = API_VERSION
    root["properties"]["kind"]["const"] = KIND
    definitions: dict[str, Schema] = {}
    rules: dict[str, list[Schema]] = {}
    for word, kind in KINDS.items():
        rules[word] = []
        for type_name in catalog.types_of(kind):
            definition = catalog.find(kind, type_name)
            assert definition is not None
            name = f"{word}.{type_name}"
            definitions |= _shared(name, definition_schema(definition))
            rules[word].append(_rule(definition, name, definitions[name]))
    for name, word in _TYPED.items():
        parts[name]["properties"]["type"]["enum"] = list(catalog.types_of(KINDS[word]))
        parts[name]["allOf"] = rules[word]
    head = {"$schema": DRAFT, "title": KIND, "description": "An application, as KubeVela has it."}
    return {**root, **head, "$defs": {**parts, **definitions}}


def parameter_rows(schema: Schema) -> list[Row]:
    """The parameters of a type, nested ones after the one they belong to.

    Args:
        schema: What ``definition_schema`` made.
    """
    return list(_rows(schema, schema, "", ()))


def example_of(schema: Schema) -> dict[str, Any]:
    """Parameters made up from a schema: those required, with something of the right kind."""
    value = _made_up(schema, schema, 0)
    return value if isinstance(value, dict) else {}


def _rule(definition: Definition[Any], name: str, schema: Schema) -> Schema:
    """What holds when a part has the type of a definition."""
    about: Schema = {"description": definition.summary}
    if definition.deprecated:
        about["deprecated"] = True
    then: Schema = {"properties": {"type": about, "properties": {"$ref": _REFERENCE + name}}}
    if schema.get("required"):
        then["required"] = ["properties"]
    condition: Schema = {"properties": {"type": {"const": definition.type}}, "required": ["type"]}
    # What inputs fill in is not known in the file.
    condition["not"] = {"required": ["inputs"]}
    return {"if": condition, "then": then}


def _shared(name: str, schema: Schema) -> dict[str, Schema]:
    """A schema and those it refers to, under names which no other schema has."""

    def renamed(node: Schema) -> Schema:
        if "$ref" in node:
            part = node["$ref"].removeprefix(_REFERENCE)
            node = {**node, "$ref": f"{_REFERENCE}{name}.{part}"}
        return node

    schema = _rewritten(schema, renamed)
    schema.pop("$schema")
    parts = schema.pop("$defs", {})
    return {name: schema, **{f"{name}.{part}": below for part, below in parts.items()}}


class _Generator(GenerateJsonSchema):
    """Knows that null stands for the empty list or map where the model has a validator for it."""

    def function_before_schema(self, schema: BeforeValidatorFunctionSchema) -> Schema:
        made = super().function_before_schema(schema)
        if made.get("type") in ("array", "object"):
            made["type"] = [made["type"], "null"]
        return made


def _of_model(model: type[BaseModel], takes_null: bool) -> Schema:
    """The schema of a model, without what says nothing to a reader.

    Args:
        model: The model.
        takes_null: Whether null may stand for what is left out.
    """

    def plain(node: Schema) -> Schema:
        node = {key: value for key, value in node.items() if key != "title"}
        default = node.get("default")
        if "default" in node and (default is None or isinstance(default, dict)):
            del node["default"]
        if not takes_null and isinstance(node.get("type"), list):
            node["type"] = node["type"][0]
        choices = node.get("anyOf", [])
        others = [choice for choice in choices if choice != {"type": "null"}]
        if len(others) == 1 < len(choices):
            node = {**others[0], **node}
            del node["anyOf"]
            if takes_null and isinstance(node.get("type"), str) and "enum" not in node:
                node["type"] = [node["type"], "null"]
        elif not takes_null and choices:
            node["anyOf"] = others
        return node

    return _rewritten(model.model_json_schema(schema_generator=_Generator), plain)


def _cue_comments(node: Schema) -> Schema:
    """A schema made by CUE, with descriptions instead of KubeVela's markers in comments."""
    text = node.get("description")
    if isinstance(text, str):
        lines = [line.strip() for line in text.split("\n")]
        said = [line.removeprefix("+usage=") for line in lines]
        kept = " ".join(line for line in said if line and not line.startswith("+"))
        node = {**node, "description": kept}
        if not kept:
            del node["description"]
    return node


def _rewritten(schema: Schema, rewrite: Callable[[Schema], Schema]) -> Schema:
    """A schema with all schemas inside it rewritten, inner ones first."""
    result = dict(schema)
    for key in _ONE:
        if isinstance(result.get(key), dict):
            result[key] = _rewritten(result[key], rewrite)
    for key in _LIST:
        if key in result:
            result[key] = [_rewritten(node, rewrite) for node in result[key]]
    for key in _MAP:
        if key in result:
            result[key] = {
                name: _rewritten(node, rewrite) if isinstance(node, dict) else node
                for name, node in result[key].items()
            }
    return rewrite(result)


def _resolved(node: Any, root: Schema) -> Schema:
    """A schema with what it refers to, and all of ``allOf``, put into it."""
    if not isinstance(node, dict):
        return {}
    result = node
    if "$ref" in node:
        name = node["$ref"].removeprefix(_REFERENCE)
        result = _joined(_resolved(root.get("$defs", {}).get(name), root), node)
    for part in node.get("allOf", ()):
        result = _joined(_resolved(part, root), result)
    return result


def _joined(below: Schema, above: Schema) -> Schema:
    properties = {**below.get("properties", {}), **above.get("properties", {})}
    required = [*below.get("required", ()), *above.get("required", ())]
    joined = {**below, **above}
    if properties:
        joined["properties"] = properties
    if required:
        joined["required"] = list(dict.fromkeys(required))
    return joined


def _rows(node: Any, root: Schema, prefix: str, above: tuple[str, ...]) -> Iterator[Row]:
    """The rows of the fields of a schema.

    Args:
        node: The schema.
        root: The schema which it refers into.
        prefix: Place of the schema.
        above: What was referred to on the way here; a type inside itself is not opened again.
    """
    if isinstance(node, dict) and "$ref" in node:
        if node["$ref"] in above:
            return
        above = (*above, node["$ref"])
    schema = _resolved(node, root)
    for name, field in schema.get("properties", {}).items():
        place = f"{prefix}.{name}" if prefix else name
        yield _row(place, field, root, name in schema.get("required", ()))
        yield from _rows(field, root, place, above)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        place = f"{prefix}.*" if prefix else "*"
        if not prefix:
            row = _row(place, others, root, False)
            yield replace(row, description=row.description or "Names are of your choice.")
        yield from _rows(others, root, place, above)
    if "items" in schema:
        yield from _rows(schema["items"], root, f"{prefix}[]", above)
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _rows(choice, root, prefix, above)


def _row(place: str, field: Any, root: Schema, required: bool) -> Row:
    schema = _resolved(field, root)
    text = schema.get("description", "")
    if words := schema.get("enum"):
        shown = ", ".join(str(word) or '""' for word in words)
        text = f"{text} One of: {shown}.".strip()
    kind = _type(field, root)
    if not place.endswith("*"):  # null says no more than leaving it out
        kind = kind.removesuffix(" or null")
    return Row(place, kind, required, schema.get("default"), text)


def _type(node: Any, root: Schema, above: tuple[str, ...] = ()) -> str:
    """What a schema allows, in words; of a type inside itself no more is said."""
    if isinstance(node, dict) and "$ref" in node:
        if node["$ref"] in above:
            return "any"
        above = (*above, node["$ref"])
    schema = _resolved(node, root)
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if choices:
        return " or ".join(dict.fromkeys(_type(choice, root, above) for choice in choices))
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values:
        kinds = {"boolean" if isinstance(v, bool) else type(v).__name__ for v in values}
        names = {"str": "string", "int": "integer", "float": "number", "NoneType": "null"}
        return " or ".join(sorted(names.get(kind, kind) for kind in kinds))
    kind = schema.get("type", "any")
    if "items" in schema:
        return f"list of {_type(schema.get('items'), root, above)}"
    others = schema.get("additionalProperties")
    if isinstance(others, dict) and not schema.get("properties"):
        return f"map of {_type(others, root, above)}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _made_up(node: Any, root: Schema, depth: int) -> Any:
    schema = _resolved(node, root)
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        return _made_up(choice, root, depth)
    if "default" in schema:
        return schema["default"]
    if "const" in schema or schema.get("enum"):
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" and depth < 8:
        fields: Mapping[str, Any] = schema.get("properties", {})
        required = (name for name in schema.get("required", ()) if name in fields)
        return {name: _made_up(fields[name], root, depth + 1) for name in required}
    simple = {"integer": 1, "number": 1, "boolean": True, "array": [], "object": {}, "null": None}
    return simple.get(str(kind), "…")
