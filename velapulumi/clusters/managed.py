"""Who manages which fields of a live object: its ``metadata.managedFields``, read and written.

Kubernetes writes the fields of a manager as a tree (``FieldsV1``). ``f:NAME`` is a key of a map.
``k:{...}`` is the element of a list that has these values in its key fields, ``v:...`` the element
that is this value, ``i:N`` the one at a position. ``.`` says that the manager owns the node itself,
beside what it owns below. A node with nothing below is owned as a whole; so are atomic lists, and
the tree cannot tell these from fields whose content others may own.

A manager's tree is written in the API version it has used. Only the API server can translate one
that names fields the version of the live object does not have: such a manager is not found here,
and meets an apply without force as a conflict.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from velapulumi.definitions.rules.fieldpath import Parts, value_at

ENGINE = "pulumi-kubernetes"
"""Begins the names of the engine's field managers; each object has one of its own."""
OWN = "velapulumi"
"""Name of the field manager under which velapulumi itself writes."""

UNFINISHED = "a run that did not finish"
"""How people call the manager of an engine, where its fields are not what its stack says."""

KEPT = "kept-for/"
"""What is put before the name of a manager whose fields the engine must leave alone."""

Fields = Mapping[str, Any]
"""Fields of a manager, or a part of them: a tree as above."""


@dataclass(frozen=True)
class Manager:
    """One entry of an object's managed fields.

    Attributes:
        name: Name of the field manager; empty when the entry has none.
        operation: ``Apply`` for server-side apply, ``Update`` for every other write.
        subresource: Such as ``scale`` or ``status``; empty for the object itself.
        time: When it last wrote, in RFC 3339; empty when that is not known.
        foreign: Whether it is the engine of somebody else, whatever its name says.
    """

    name: str
    operation: str
    subresource: str = ""
    time: str = ""
    foreign: bool = False

    @property
    def is_engine(self) -> bool:
        """Whether it is the field manager of our engine, as far as is known."""
        return self.name.startswith(ENGINE) and not self.foreign

    @property
    def is_ours(self) -> bool:
        """Whether it is our engine, or velapulumi beside it."""
        return self.is_engine or self.name == OWN

    @property
    def is_controller(self) -> bool:
        """Whether it keeps its fields as it wants them, so that taking them would start a fight.

        That is who writes through ``scale`` or ``status``, unless a person does it with kubectl,
        and who applies, unless it is the engine or velapulumi.
        """
        if self.subresource in ("scale", "status") and not self.name.startswith("kubectl"):
            return True
        return self.operation == "Apply" and not self.is_ours

    def describe(self) -> str:
        """Name, way and time for people, such as ``kubectl (scale) at 2026-01-02T03:04:05Z``."""
        way = f" ({self.subresource})" if self.subresource else ""
        when = f" at {self.time}" if self.time else ""
        return f"{self.name or 'an unnamed manager'}{way}{when}"


def described(managers: Sequence[Manager]) -> tuple[str, ...]:
    """Who has changed a field, for people.

    Where it is the engine, and its stack does not know, a run of it did not end.

    Args:
        managers: The managers of the field; none are not known.
    """
    others = tuple(each.describe() for each in managers if not each.is_engine)
    return others or ((UNFINISHED,) if managers else ())


def is_only(manager: str) -> Callable[[Manager], bool]:
    """Tells the entry of a manager that applies from all others.

    To the server, what a manager has updated is another manager's than what it has applied.
    """
    return lambda each: each.name == manager and each.operation == "Apply" and not each.subresource


def managers_of(
    live: Mapping[str, Any], path: Parts, *, itself: bool = False
) -> tuple[Manager, ...]:
    """Find the managers of a field.

    Args:
        live: The object as it is in the cluster, with its managed fields.
        path: Path of the field; numbers are positions in the object's lists.
        itself: Whether owning only something below the field does not count.

    Returns:
        Those who own the field, anything below it, or the whole that it is a part of; in the
        order of the managed fields.
    """
    found = (
        manager_of_entry(entry)
        for entry in managed_fields(live)
        if (fields := entry.get("fieldsV1")) and _owns(fields, live, path, itself=itself)
    )
    return tuple(dict.fromkeys(found))


def keys_of_engine(answer: Mapping[str, Any], field: str) -> frozenset[str]:
    """The keys of a map that the engine manages, whatever their values are.

    Args:
        answer: The object as a server has answered with it, with its managed fields.
        field: Name of the map, at the top of the object.
    """
    return frozenset(
        key.removeprefix("f:")
        for entry in managed_fields(answer)
        if manager_of_entry(entry).is_engine
        for key in (entry.get("fieldsV1") or {}).get(f"f:{field}") or {}
        if key.startswith("f:")
    )


def without_fields(
    live: Mapping[str, Any], paths: Iterable[Parts], keep: Callable[[Manager], bool]
) -> list[dict[str, Any]]:
    """Make managed fields in which some managers no longer own some fields.

    Args:
        live: The object as it is in the cluster, with its managed fields; not changed.
        paths: Paths of the fields; numbers are positions in the object's lists. What is below
            them goes too, and where a field is a part of what is owned as a whole, the whole.
        keep: Whether a manager keeps what it owns.

    Returns:
        The entries of all managers, without those that have lost all they owned.
    """
    paths = tuple(paths)
    entries = []
    for entry in managed_fields(live):
        fields = entry.get("fieldsV1")
        if not fields or keep(manager_of_entry(entry)):
            entries.append(entry)
            continue
        for path in paths:
            fields = _without(fields, live, path) if fields else None
        if fields:
            entries.append({**entry, "fieldsV1": fields})
    return entries


def kept_from_engine(entries: Iterable[dict[str, Any]], manager: str) -> list[dict[str, Any]]:
    """Managed fields with which the engine leaves alone what people have set with kubectl.

    Before each update Pulumi's provider makes the fields of some managers its own, by the beginning
    of their names; what the manifest does not name of them would go. So those get another name.

    Args:
        entries: The managed fields of an object.
        manager: The engine's own field manager.
    """
    return [
        {**entry, "manager": f"{KEPT}{entry['manager']}"} if _is_absorbed(entry, manager) else entry
        for entry in entries
    ]


def _is_absorbed(entry: Mapping[str, Any], manager: str) -> bool:
    """Whether the provider makes the fields of a manager its own (pulumi-kubernetes 4.25)."""
    name, operation = str(entry.get("manager") or ""), entry.get("operation")
    if entry.get("subresource") or (name == manager and operation == "Apply"):
        return False
    if name.startswith("kubectl"):
        return True
    return operation == "Update" and name.startswith(("before-first-apply", ENGINE))


def managed_fields(live: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The managed fields of an object as the server gave them; none without any."""
    return live["metadata"].get("managedFields") or []


def manager_of_entry(entry: Mapping[str, Any]) -> Manager:
    """The manager of one entry of an object's managed fields."""
    return Manager(
        _name(entry),
        str(entry.get("operation") or ""),
        str(entry.get("subresource") or ""),
        str(entry.get("time") or ""),
    )


def _owns(fields: Fields, value: Any, path: Parts, *, itself: bool = False) -> bool:
    """Whether a tree has a path, a part of what is there, or a whole that the path leads into.

    Args:
        fields: The tree.
        value: What the object has where the tree is.
        path: The path from there on.
        itself: Whether a part of what is there does not count.
    """
    if not path or is_whole(fields):
        return not itself or is_held(fields)
    below = value_at(path[:1], value)
    return any(
        _owns(node, below, path[1:], itself=itself)
        for key, node in fields.items()
        if leads(key, path[0], value)
    )


def _without(fields: Fields, value: Any, path: Parts) -> Fields | None:
    """A tree without what `_owns` finds; None when nothing is left but the way there."""
    if not path or is_whole(fields):
        return None
    below = value_at(path[:1], value)
    rest = {}
    for key, node in fields.items():
        left = _without(node, below, path[1:]) if leads(key, path[0], value) else node
        if left is not None:
            rest[key] = left
    return None if is_whole(rest) else rest


def is_whole(fields: Fields) -> bool:
    """Whether a node of a tree is owned as a whole."""
    return not fields.keys() - {"."}


def is_held(fields: Fields) -> bool:
    """Whether a node of a tree is owned itself, not only something below it."""
    return "." in fields or is_whole(fields)


def leads(key: str, part: str | int, value: Any) -> bool:
    """Whether a key of a tree leads where a part of a path does.

    Args:
        key: The key, such as ``f:spec`` or ``k:{"name":"web"}``.
        part: The part.
        value: What the object has where the tree is.
    """
    sort, _, text = key.partition(":")
    if isinstance(part, str):
        return sort == "f" and text == part
    if sort == "i":
        return int(text) == part
    if sort not in ("k", "v") or not isinstance(value, list):
        return False
    named = json.loads(text)
    if sort == "v":
        return part < len(value) and bool(value[part] == named)
    return part in positions_of(named, value)


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("manager") or "").removeprefix(KEPT)


def positions_of(named: Mapping[str, Any], elements: list[Any]) -> list[int]:
    """Positions of the elements of a list that key fields name.

    A key always has all key fields. An element may lack one that is at its default, as when the
    default is empty and the server leaves it out: then the others decide, unless another element
    has all of them.
    """
    maps = [(at, each) for at, each in enumerate(elements) if isinstance(each, Mapping)]
    exact = [at for at, each in maps if named.items() <= each.items()]
    return exact or [
        at for at, each in maps if all(each.get(key, named[key]) == named[key] for key in named)
    ]
