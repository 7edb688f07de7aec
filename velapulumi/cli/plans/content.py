"""What an object that is created consists of: all of it, or what fits on the first screen."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from velapulumi.cli.plans.part import Level, Part
from velapulumi.cli.plans.values import difference, short, yaml_lines
from velapulumi.clusters.secrecy import is_secret_value
from velapulumi.definitions.rules.fieldpath import Parts, value_at
from velapulumi.plan.document import PlannedObject
from velapulumi.plan.fields import written

_FIRST = 8
_POD_SPECS: tuple[Parts, ...] = (
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
    ("spec",),
)
_BESIDE = frozenset({"replicas", "schedule"})
_TELLING = frozenset(
    {
        "type", "host", "hosts", "hostnames", "port", "targetPort", "nodePort", "minReplicas",
        "maxReplicas", "storage", "storageClassName", "resources", "verbs",
    }
)  # fmt: skip


def content_parts(each: PlannedObject, *, full: bool) -> Iterator[Part]:
    """The content of an object.

    Args:
        each: The object.
        full: Whether all of it is to be seen.
    """
    body, count = _body(each.content), content_fields(each)
    if full:
        yield Part(Level.DETAIL, f"apiVersion: {each.api_version}", fields=count)
        for line in yaml_lines(body) if body else ():
            yield Part(Level.DETAIL, line)
        return
    shown = 0
    pod = _pod_spec(body)
    for part in _workload(body, pod, each.images) if pod else _first(each.kind, body):
        shown += part.fields
        yield part
    if left := count - shown:
        more = "more " if shown else ""
        yield Part(Level.DETAIL, f"… {left} {more}field{_s(left)}, all with plan --full", dim=True)


def content_fields(each: PlannedObject) -> int:
    """How many fields the content of an object has."""
    return _count(_body(each.content))


def _count(value: Any) -> int:
    return sum(1 for _ in _fields(value))


def _body(content: Any) -> Mapping[str, Any]:
    """A manifest without what identifies its object."""
    if not isinstance(content, Mapping):
        return {}
    metadata = {
        key: value
        for key, value in (content.get("metadata") or {}).items()
        if key not in ("name", "namespace")
    }
    known = ("apiVersion", "kind", "metadata")
    rest = {key: value for key, value in content.items() if key not in known}
    return {**rest, "metadata": metadata} if metadata else rest


def _pod_spec(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for path in _POD_SPECS:
        found = value_at(path, body)
        if isinstance(found, Mapping) and _maps(found.get("containers")):
            return found
    return None


def _workload(
    body: Mapping[str, Any], pod: Mapping[str, Any], images: Sequence[str]
) -> Iterator[Part]:
    """Images, replicas, ports and environment of what runs containers."""
    containers = [("", each) for each in _maps(pod.get("containers"))]
    containers = [("init ", each) for each in _maps(pod.get("initContainers"))] + containers
    for role, container in containers:
        name = str(container.get("name") or "")
        yield from _container(f"{role}{name} " if len(containers) > 1 else "", container, images)
    for name in sorted(_BESIDE & (body.get("spec") or {}).keys()):
        yield from _leaf(name, body["spec"][name])


def _container(prefix: str, container: Mapping[str, Any], images: Sequence[str]) -> Iterator[Part]:
    image = container.get("image")
    if image is not None:
        pinned = next((each for each in images if each.partition("@")[0] == image), image)
        yield Part(Level.DETAIL, f"{prefix}image: {pinned}", fields=1)
    if ports := container.get("ports"):
        text = ", ".join(map(_port, ports)) if isinstance(ports, list) else str(ports)
        yield Part(Level.DETAIL, f"{prefix}ports: {text}", fields=_count(ports))
    for variable in _maps(container.get("env")):
        yield from _variable(f"{prefix}env {variable.get('name')}", variable)
    for source in _maps(container.get("envFrom")):
        yield Part(Level.DETAIL, f"{prefix}env {_from(source)}", fields=_count(source))


def _variable(name: str, variable: Mapping[str, Any]) -> Iterator[Part]:
    """A variable with its value, or with where that comes from."""
    rest = {key: value for key, value in variable.items() if key != "name"}
    if rest.keys() == {"valueFrom"}:
        text = f"{name} {_from(rest['valueFrom'])}"
        yield Part(Level.DETAIL, text, fields=_count(variable))
    else:
        value = rest["value"] if rest.keys() == {"value"} else rest
        yield from _leaf(name, value, _count(variable))


def _from(source: Any) -> str:
    if isinstance(source, Mapping) and len(source) == 1:
        ((kind, where),) = source.items()
        if isinstance(where, Mapping):
            return f"from {kind} ({', '.join(f'{key}: {where[key]}' for key in sorted(where))})"
    return f"from {_json(source)}"


def _port(port: Any) -> str:
    if not isinstance(port, Mapping) or port.keys() - {"name", "containerPort", "protocol"}:
        return _json(port)
    protocol = f"/{port['protocol']}" if "protocol" in port else ""
    name = f" ({port['name']})" if "name" in port else ""
    return f"{port.get('containerPort')}{protocol}{name}"


def _first(kind: str, body: Mapping[str, Any]) -> Iterator[Part]:
    """The fields of any other object that tell most; long values are left for later."""
    main = {key: value for key, value in body.items() if key != "metadata"}
    found = sorted(_fields(main), key=lambda field: not _TELLING.intersection(map(str, field[0])))
    for path, value in found[:_FIRST]:
        name = written(path)
        text = short(value)
        if is_secret_value(kind, path):
            yield Part(Level.DETAIL, f"{name}: (secret)")
        elif text is not None:
            yield Part(Level.DETAIL, f"{name}: {text}", fields=1)
        else:
            lines = str(value).removesuffix("\n").count("\n") + 1
            size = f"{lines} lines" if lines > 1 else f"{len(str(value))} letters"
            yield Part(Level.DETAIL, f"{name}: ({size})", dim=True)


def _fields(value: Any, path: Parts = ()) -> Iterator[tuple[Parts, Any]]:
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _fields(value[key], (*path, key))
    elif isinstance(value, list) and value:
        for index, entry in enumerate(value):
            yield from _fields(entry, (*path, index))
    elif path:
        yield path, value


def _leaf(name: str, value: Any, fields: int = 1) -> Iterator[Part]:
    """A name with its value, whole."""
    text = short(value)
    if text is not None:
        yield Part(Level.DETAIL, f"{name}: {text}", fields=fields)
    else:
        yield Part(Level.DETAIL, f"{name}:", fields=fields)
        yield from difference(None, value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _s(count: int) -> str:
    return "" if count == 1 else "s"
