"""What a Namespace holds, or a CRD's kind, when that is to be deleted, and what becomes of it.

Both take all of that with them. What the application deletes itself, in whichever of its stages,
may go; it goes before. Anything else stands in the way, and so does what cannot be looked at.

One that is deleted to be created again must be empty: what the application has in it would go
unseen, and come again only with the next delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from velapulumi.errors import AccessDenied, ClusterUnreachable
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Operation
from velapulumi.render.rules import owner_of, project_of
from velapulumi.stage.look import CRD, NAMESPACE, Look
from velapulumi.stage.operations import Decision, decide
from velapulumi.stage.sides import Facts, Live, Other
from velapulumi.stage.situation import Presence

_OURS = "this application"
_UNSEEN = "it may hold objects that cannot be looked at, as no version of their kind is served"

Elsewhere = Callable[[], Mapping[str, Container[ObjectKey]]]
"""Finds out what the other stages of the application delete, by stage."""


def with_guests(
    given_up: Sequence[Facts], look: Look, elsewhere: Elsewhere, *, after_others: bool
) -> list[Facts]:
    """What is known of objects that a stage gives up, with what those hold that are deleted.

    Clusters are asked only where the answer matters.

    Args:
        given_up: What is known of them without that.
        look: What the clusters have.
        elsewhere: Finds out what the other stages delete; called only when it matters.
        after_others: Whether the other stages count as done. Else a holder of what they have still
            to delete is kept until then.
    """
    holders = {
        facts.key for facts in given_up if facts.key.kind in (NAMESPACE, CRD) and _is_deleted(facts)
    }
    going = deleted(given_up) if holders else frozenset[ObjectKey]()
    others = cache(elsewhere)
    return [
        _looked_into(facts, look, going, others, after_others=after_others)
        if facts.key in holders
        else facts
        for facts in given_up
    ]


def with_contents(facts: Facts, look: Look, delivered: Callable[[], Iterable[ObjectKey]]) -> Facts:
    """What is known of an object that a stage wants, with what stands in the way of replacing it.

    The cluster is asked only where the answer matters.

    Args:
        facts: What is known of it without that.
        look: What the clusters have.
        delivered: Gives the objects that the application delivers, in whichever of its stages.
    """
    if facts.key.kind not in (NAMESPACE, CRD) or decide(facts).operation is not Operation.REPLACE:
        return facts
    contents = _contents(facts, look)
    if isinstance(contents, Facts):
        return contents
    inside = {ObjectKey.of(facts.key.cluster, each): _owner(facts, each) for each in contents}
    staying = Counter(f"{key.kind} of {owner}" for key, owner in inside.items())
    coming = {key for key in delivered() if _is_inside(key, facts) and key not in inside}
    return replace(facts, guests=_told(staying, Counter(key.kind for key in coming)))


def deleted(given_up: Iterable[Facts]) -> frozenset[ObjectKey]:
    """Which of the objects that a stage gives up are deleted, whatever they hold.

    What two stages give up is forgotten by the first of them, and deleted by the second.

    Args:
        given_up: What is known of them.
    """
    return frozenset(
        facts.key for facts in given_up if _is_deleted(replace(facts, other=_taker(facts)))
    )


def _taker(facts: Facts) -> Other | None:
    """The stage that goes on with an object; None when it is given up by all that have it."""
    other = facts.other
    return other if other is not None and (other.keeps or other.takes) else None


def awaited(decisions: Iterable[Decision]) -> frozenset[str]:
    """The stages that delete something which must be gone before a stage deletes its own.

    Args:
        decisions: What was decided about the objects of the stage.
    """
    return frozenset[str]().union(*(each.facts.awaits for each in decisions))


def inner_first(waits: Mapping[str, Container[str]]) -> list[str]:
    """Stages in the order in which they delete: as given, but after those that they wait for.

    Of stages that wait for each other, the first one goes first.

    Args:
        waits: The stages that each stage waits for.
    """
    left, found = dict(waits), []
    while left:
        ready = (name for name, before in left.items() if not any(each in before for each in left))
        name = next(ready, next(iter(left)))
        found.append(name)
        del left[name]
    return found


def _is_deleted(facts: Facts) -> bool:
    return decide(facts).operation is Operation.DELETE


def _looked_into(
    facts: Facts,
    look: Look,
    going: Container[ObjectKey],
    elsewhere: Elsewhere,
    *,
    after_others: bool,
) -> Facts:
    """What is known of an object that would be deleted, with what it holds."""
    contents = _contents(facts, look)
    if isinstance(contents, Facts):
        return contents
    staying: Counter[str] = Counter()
    awaits = set()
    for entry in contents:
        key = ObjectKey.of(facts.key.cluster, entry)
        ours = _is_ours(facts, entry)
        if ours and key in going:
            continue
        stages = [stage for stage, keys in elsewhere().items() if key in keys] if ours else []
        awaits.update(stages)
        if not stages:
            staying[f"{entry['kind']} of {_owner(facts, entry)}"] += 1
    return replace(
        facts,
        guests=_told(staying),
        awaits=frozenset(awaits),
        pruned=after_others or not awaits or bool(staying),
    )


def _contents(facts: Facts, look: Look) -> Sequence[Mapping[str, Any]] | Facts:
    """What an object holds; where nobody can tell, what is known of the object then."""
    try:
        found = look.contents(facts.key, facts.live.manifest or {})
    except AccessDenied as error:
        return replace(facts, live=Live(Presence.FORBIDDEN, detail=error.message))
    except ClusterUnreachable as error:
        return replace(facts, live=Live(Presence.UNKNOWN, detail=error.message))
    return replace(facts, guests=_UNSEEN) if found is None else found


def _is_inside(key: ObjectKey, facts: Facts) -> bool:
    """Whether an object is in a Namespace, or of the kind that a CRD defines."""
    if key.cluster != facts.key.cluster:
        return False
    if facts.key.kind == NAMESPACE:
        return key.namespace == facts.key.name
    spec = (facts.live.manifest or {}).get("spec") or {}
    return (key.group, key.kind) == (spec.get("group"), (spec.get("names") or {}).get("kind"))


def _told(staying: Counter[str], coming: Counter[str] | None = None) -> str:
    """What stands in the way, in words; empty for nothing.

    Args:
        staying: What it holds, and how much of it.
        coming: What it does not hold yet, and will when the application is delivered.
    """
    held, put = _counted(staying), _counted(coming or Counter())
    told = (f"it holds {held}" if held else "", f"this delivery puts {put} into it" if put else "")
    return ", and ".join(filter(None, told))


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))


def _is_ours(facts: Facts, entry: Mapping[str, Any]) -> bool:
    project = project_of(entry) or facts.project
    return owner_of(entry) == facts.application and project == facts.project


def _owner(facts: Facts, entry: Mapping[str, Any]) -> str:
    """Whose an object is, in words."""
    if _is_ours(facts, entry):
        return _OURS
    name = owner_of(entry)
    if not name:
        return "nobody"
    foreign = project_of(entry) not in ("", facts.project)
    return f"{name} of another project" if foreign else name
