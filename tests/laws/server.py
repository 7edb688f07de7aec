"""A model of an API server with one object: server-side apply, managed fields, other writers.

An object is flat here: the value of each field that holds no further ones, by its path. Elements of
lists with names are told by their name, as a server keeps them, which is no field then; other lists
are one value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from velapulumi.plan.fields import by_name

ENGINE = "pulumi-kubernetes-1a2b"


@dataclass(frozen=True)
class Named:
    """An element of a list, told by its name."""

    name: str


Path = tuple["str | Named", ...]
Flat = dict[Path, Any]


@dataclass(frozen=True)
class Writer:
    """Who writes, and how."""

    name: str
    operation: str = "Update"
    subresource: str = ""


class Conflict(Exception):
    """Somebody else owns fields with other values."""


def flat(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The fields of a value that hold no further ones; an empty map is none."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from flat(below, (*path, key))
    elif isinstance(value, list) and value and by_name(value) is not None:
        for element in value:
            rest = {key: below for key, below in element.items() if key != "name"}
            yield from flat(rest, (*path, Named(element["name"])))
    else:
        yield path, value


def named(path: Iterable[str | int], value: Any) -> Path:
    """A path with positions as one with names; up to a list whose elements have none."""
    found: list[str | Named] = []
    for part in path:
        if isinstance(part, int):
            if not isinstance(value, list) or by_name(value) is None or part >= len(value):
                break
            value = value[part]
            found.append(Named(value["name"]))
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
            found.append(part)
    return tuple(found)


def below(path: Path, tops: Iterable[Path]) -> bool:
    return any(path[: len(top)] == top for top in tops)


@dataclass(frozen=True)
class Served:
    """The object as the server has it.

    Attributes:
        fields: Its fields.
        order: The names of each list's elements, in their order.
        owners: Who owns each field.
        uid: Its UID.
        defaults: What the server sets of what nobody names.
        first: Whether elements that somebody adds come before the others.
    """

    fields: Flat = field(default_factory=dict)
    order: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)
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
            owners[path].discard(writer)
            if not owners[path]:
                del owners[path]
                fields.pop(path, None)
        return self._with(fields, owners, manifest)

    def update(self, changes: Flat, gone: Iterable[Path], writer: Writer) -> Served:
        """Any other write: fields get other values, some go; who changes a field owns it alone."""
        owners = {path: {*found} for path, found in self.owners.items()}
        fields = dict(self.fields)
        for path, value in changes.items():
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
        for path, value in self.fields.items():
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
        order: dict[Path, tuple[str, ...]] = {}
        for path in fields:
            for index, part in enumerate(path):
                if isinstance(part, Named):
                    order.setdefault(path[:index], ())
        for path in order:
            there = (each[len(path)] for each in fields if each[: len(path)] == path)
            names = dict.fromkeys(part.name for part in there if isinstance(part, Named))
            before = _merged(self.order.get(path, ()), _names_at(applied, path))
            added = [each for each in names if each not in before]
            known = [*added, *before] if self.first else [*before, *added]
            order[path] = tuple(dict.fromkeys(each for each in known if each in names))
        held = {path: frozenset(found) for path, found in owners.items() if found}
        return replace(self, fields=fields, order=order, owners=held)

    def _put(self, found: Any, path: Path, value: Any) -> None:
        part, rest = path[0], path[1:]
        if isinstance(part, Named):
            element = next((each for each in found if each["name"] == part.name), None)
            if element is None:
                element = {"name": part.name}
                found.append(element)
            self._put(element, rest, value)
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
            value.sort(key=lambda each: names.index(each["name"]))
            for each in value:
                self._sort(each, (*path, Named(each["name"])))

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
                key = f"k:{json.dumps({'name': part.name})}"
                node = node.setdefault(key, {".": {}})
            else:
                node = node.setdefault(f"f:{part}", {})
    return tree


def _merged(live: Iterable[str], applied: list[str]) -> list[str]:
    """The order of elements after an apply: those applied keep the order they have in it."""
    left = list(applied)
    found = [left.pop(0) if name in applied and left else name for name in live]
    return [*found, *left]


def _names_at(value: Any, path: Path) -> list[str]:
    """The names of the elements of a manifest's list."""
    for part in path:
        if isinstance(part, Named):
            value = next((each for each in value or () if each["name"] == part.name), None)
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return [each["name"] for each in value or ()]
