"""A model of an API server with one object: server-side apply, managed fields, other writers.

An object is flat here: the value of each field that holds no further ones, by its path. Elements of
lists are told by their key fields, as a server keeps them, which are no fields then: a Service's
ports by number and protocol, others by their name. Lists of elements without one are one value.
An element is a field of its own without a value. When its last holder lets go, the element and
everything in it are removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from velapulumi.clusters.managed import positions_of
from velapulumi.plan.places import by_name

ENGINE = "pulumi-kubernetes-1a2b"


@dataclass(frozen=True)
class Named:
    """An element of a list, told by its name, or by its keys where it has a number.

    Attributes:
        name: Its name, or its protocol.
        number: The number of a port.
    """

    name: str
    number: int = 0

    @property
    def keys(self) -> dict[str, Any]:
        """Its key fields."""
        if self.number:
            return {"port": self.number, "protocol": self.name}
        return {"name": self.name}


Path = tuple["str | Named", ...]
Flat = dict[Path, Any]

PORTS: Path = ("spec", "ports")
"""The list whose elements have other key fields than a name, of a Service."""


def elements(value: Any, path: Path) -> dict[Named, dict[str, Any]] | None:
    """The elements of a list; None where the server does not tell them apart."""
    if not isinstance(value, list) or not value:
        return None
    if path == PORTS:
        return {Named(each.get("protocol", "TCP"), each["port"]): each for each in value}
    told = by_name(value)
    return {Named(name): each for name, each in told.items()} if told is not None else None


@dataclass(frozen=True)
class Writer:
    """Who writes, and how."""

    name: str
    operation: str = "Update"
    subresource: str = ""


class Conflict(Exception):
    """Somebody else owns fields with other values."""


def flat(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The elements of a value, and its fields without further ones; an empty map is none."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from flat(below, (*path, key))
    elif (told := elements(value, path)) is not None:
        for name, element in told.items():
            rest = {key: below for key, below in element.items() if key not in name.keys}
            yield (*path, name), None
            yield from flat(rest, (*path, name))
    else:
        yield path, value


def named(path: Iterable[str | int], value: Any) -> Path:
    """A path with positions as one with names; up to a list whose elements have none.

    With a key field goes the element.
    """
    found: list[str | Named] = []
    for part in path:
        if isinstance(part, int):
            told = elements(value, tuple(found))
            if told is None or part >= len(told):
                break
            value = value[part]
            found.append([*told][part])
        elif found and isinstance(found[-1], Named) and part in found[-1].keys:
            break
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
            found.append(part)
    return tuple(found)


def elements_of(path: Path) -> list[Path]:
    """The elements on the way to a field."""
    return [path[: at + 1] for at, part in enumerate(path) if isinstance(part, Named)]


def below(path: Path, tops: Iterable[Path]) -> bool:
    return any(path[: len(top)] == top for top in tops)


@dataclass(frozen=True)
class Served:
    """The object as the server has it.

    Attributes:
        fields: Its fields.
        order: Each list's elements, in their order.
        owners: Who owns each field.
        uid: Its UID.
        defaults: What the server sets of what nobody names.
        first: Whether elements that somebody adds come before the others.
    """

    fields: Flat = field(default_factory=dict)
    order: Mapping[Path, tuple[Named, ...]] = field(default_factory=dict)
    owners: Mapping[Path, frozenset[Writer]] = field(default_factory=dict)
    uid: str = "u-1"
    defaults: Mapping[Path, Any] = field(default_factory=dict)
    first: bool = False

    def apply(self, manifest: Mapping[str, Any], writer: Writer, *, force: bool = False) -> Served:
        """Server-side apply.

        Raises:
            Conflict: Somebody else owns fields with other values.
        """
        wanted = dict(flat(manifest))
        others = [
            path
            for path, value in wanted.items()
            if self.owners.get(path, frozenset()) - {writer} and self.fields.get(path) != value
        ]
        if others and not force:
            raise Conflict(others)
        owners = {path: {*found} for path, found in self.owners.items()}
        fields = dict(self.fields)
        for path, value in wanted.items():
            before = owners.setdefault(path, set())
            owners[path] = {writer} if path in others else before | {writer}
            fields[path] = value
        for path in [p for p, found in owners.items() if writer in found and p not in wanted]:
            if path not in owners:
                continue  # it went with its element
            owners[path].discard(writer)
            if not owners[path]:
                for each in [e for e in fields if below(e, [path])]:
                    fields.pop(each)
                    owners.pop(each, None)
        return self._with(fields, owners, manifest)

    def update(self, changes: Flat, gone: Iterable[Path], writer: Writer) -> Served:
        """Any other write: fields get other values, some go; who changes a field owns it alone."""
        owners = {path: {*found} for path, found in self.owners.items()}
        fields = dict(self.fields)
        for path, value in changes.items():
            for element in elements_of(path):
                if element not in fields:
                    fields[element], owners[element] = None, {writer}
            if fields.get(path, "-") != value:
                fields[path], owners[path] = value, {writer}
        for path in [each for each in fields if below(each, gone)]:
            del fields[path]
            owners.pop(path, None)
        return self._with(fields, owners, {})

    def freed(self, paths: Iterable[Path]) -> Served:
        """The object whose fields nobody else than the engine owns any more."""
        paths = tuple(paths)
        owners = {
            path: found & {ENGINE_WRITER} if below(path, paths) else found
            for path, found in self.owners.items()
        }
        return replace(self, owners={path: found for path, found in owners.items() if found})

    @property
    def object(self) -> dict[str, Any]:
        """It as the server answers with it."""
        found: dict[str, Any] = {}
        for path, value in sorted(self.fields.items(), key=lambda each: len(each[0])):
            self._put(found, path, value)
        self._sort(found, ())
        metadata = found.setdefault("metadata", {})
        metadata |= {"uid": self.uid, "resourceVersion": "1", "managedFields": self._managed()}
        return found

    def _with(
        self, fields: Flat, owners: Mapping[Path, set[Writer]], applied: Mapping[str, Any]
    ) -> Served:
        for path, value in self.defaults.items():
            if all(path[: len(each)] != each and each[: len(path)] != path for each in fields):
                fields[path] = value
        order: dict[Path, tuple[Named, ...]] = {}
        for path in fields:
            for index, part in enumerate(path):
                if isinstance(part, Named):
                    order.setdefault(path[:index], ())
        for path in order:
            there = (each[len(path)] for each in fields if each[: len(path)] == path)
            names = dict.fromkeys(part for part in there if isinstance(part, Named))
            before = _merged(self.order.get(path, ()), _names_at(applied, path))
            added = [each for each in names if each not in before]
            known = [*added, *before] if self.first else [*before, *added]
            order[path] = tuple(dict.fromkeys(each for each in known if each in names))
        held = {path: frozenset(found) for path, found in owners.items() if found}
        return replace(self, fields=fields, order=order, owners=held)

    def _put(self, found: Any, path: Path, value: Any) -> None:
        part, rest = path[0], path[1:]
        if isinstance(part, Named):
            if not positions_of(part.keys, found):
                found.append(dict(part.keys))
            if rest:
                self._put(found[positions_of(part.keys, found)[0]], rest, value)
        elif not rest:
            found[part] = value
        else:
            empty: Any = [] if isinstance(rest[0], Named) else {}
            self._put(found.setdefault(part, empty), rest, value)

    def _sort(self, value: Any, path: Path) -> None:
        if isinstance(value, dict):
            for key, below_it in value.items():
                self._sort(below_it, (*path, key))
        elif isinstance(value, list) and path in self.order:
            names = self.order[path]
            told = {name: value[positions_of(name.keys, value)[0]] for name in names}
            value[:] = told.values()
            for name, each in told.items():
                self._sort(each, (*path, name))

    def _managed(self) -> list[dict[str, Any]]:
        writers = dict.fromkeys(
            writer for path in sorted(self.owners, key=str) for writer in self.owners[path]
        )
        return [
            {
                "manager": writer.name,
                "operation": writer.operation,
                "apiVersion": self.fields[("apiVersion",)],
                **({"subresource": writer.subresource} if writer.subresource else {}),
                "fieldsV1": _tree(p for p, found in self.owners.items() if writer in found),
            }
            for writer in sorted(writers, key=str)
        ]


ENGINE_WRITER = Writer(ENGINE, "Apply")


def _tree(paths: Iterable[Path]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for part in path:
            if isinstance(part, Named):
                node = node.setdefault(f"k:{json.dumps(part.keys)}", {})
            else:
                node = node.setdefault(f"f:{part}", {})
        if isinstance(path[-1], Named):
            # Nobody applies the protocol, so it is in the key but in nobody's fields.
            node |= {".": {}, **{f"f:{key}": {} for key in path[-1].keys if key != "protocol"}}
    return tree


def _merged(live: Iterable[Named], applied: list[Named]) -> list[Named]:
    """The order of elements after an apply: those applied keep the order they have in it."""
    left = list(applied)
    found = [left.pop(0) if name in applied and left else name for name in live]
    return [*found, *left]


def _names_at(value: Any, path: Path) -> list[Named]:
    """The elements of a manifest's list, by what they are told by."""
    for index, part in enumerate(path):
        if isinstance(part, Named):
            value = (elements(value, path[:index]) or {}).get(part)
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return [*(elements(value, path) or ())]
