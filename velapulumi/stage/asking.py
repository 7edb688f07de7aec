"""Asking the clusters what only they can tell: one dry run for each object that will be written.

The answers stand beside the plan and are no part of what is approved, since they depend on the
rights of who asks. Nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from velapulumi.clusters.client import Cluster, DryRun
from velapulumi.clusters.elements import list_keys
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.managed import OWN, Manager
from velapulumi.clusters.secrecy import SECRET
from velapulumi.definitions.rules.fieldpath import Parts, value_at
from velapulumi.errors import AccessDenied, ClusterUnreachable, ObjectRefused, VelapulumiError
from velapulumi.plan.document import REFUSED
from velapulumi.plan.fields import owned, written
from velapulumi.plan.normal import changed_fields
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Cause, Operation
from velapulumi.plan.places import all_located, is_below
from velapulumi.stage.look import CRD, Look
from velapulumi.stage.losses import elements_removed
from velapulumi.stage.operations import Decision
from velapulumi.stage.sides import as_before
from velapulumi.stage.situation import Place

_ACCOUNT = "ServiceAccount"
_AT_ONCE = 8
_ASKED = (
    Operation.CREATE,
    Operation.UPDATE,
    Operation.MEND,
    Operation.TAKE_OVER,
    Operation.HAND_OVER,
)
_BY_FORCE = (Operation.TAKE_OVER, Operation.HAND_OVER)


@dataclass(frozen=True)
class Answer:
    """What a cluster says of an object that is to be written.

    Attributes:
        remarks: What people should know, a line each.
        error: Why the write would fail; None when it would not.
    """

    remarks: tuple[str, ...] = ()
    error: VelapulumiError | None = None


_TOO_EARLY = Answer(("not asked: this delivery changes what it needs first",))

_TWICE = Answer(
    ("not asked: others hold an element of a list that goes, or that gets another key",)
)
"""What is written to take those away cannot be tried out in one request."""

Answers = Mapping[ObjectKey, Answer]
"""What clusters say, by object."""


def ask(decisions: Sequence[Decision], look: Look, before: Iterable[Decision] = ()) -> Answers:
    """Ask the clusters about every object that will be written, side by side.

    What needs something that the delivery itself brings or changes cannot be asked yet: a
    namespace, a kind, a Pod's service account. Nor can an object that is to be replaced: the old
    one is in the way.

    Args:
        decisions: What was decided about the objects.
        look: What the clusters have.
        before: What was decided about the objects of the stages before.
    """
    changes = (*before, *decisions)
    asked = [each for each in decisions if _is_asked(each) and _can_ask(each, look)]
    early = {each.key for each in _early(asked, changes)}

    def answer(each: Decision) -> Answer:
        if each.key in early:
            return _TOO_EARLY
        return _TWICE if _changes_keys(each) else _ask(each, look)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(answer, asked)
        return {each.key: answer for each, answer in zip(asked, found, strict=True)}


def _is_asked(each: Decision) -> bool:
    """Whether it is written; of what goes to another stage, that one asks."""
    written = each.operation in _ASKED and each.facts.wanted is not None
    return written or each.cause is Cause.RESTORED


def needs_changes(decisions: Sequence[Decision]) -> bool:
    """Whether something that is written needs what the same delivery brings or changes first.

    Args:
        decisions: What was decided about the objects of a stage.
    """
    return any(_early(filter(_is_asked, decisions), decisions))


def _early(written: Iterable[Decision], changes: Iterable[Decision]) -> Iterator[Decision]:
    brought = {thing for each in changes for thing in _brings(each)}
    return (each for each in written if not brought.isdisjoint(_needs(each)))


def _changes_keys(each: Decision) -> bool:
    live = each.facts.live.manifest
    if live is None or each.facts.wanted is None:
        return False
    return bool(elements_removed(each.facts, live, each.manifest, each.taken))


def _brings(each: Decision) -> Iterator[tuple[str, ...]]:
    """What others need and the delivery of an object brings: a kind, or a service account."""
    key, manifest = each.key, each.facts.wanted
    if manifest is None or each.operation.is_quiet or each.cause is Cause.REVISION:
        return
    if key.kind == CRD:
        spec = manifest.get("spec") or {}
        yield key.cluster, str(spec.get("group")), str((spec.get("names") or {}).get("kind"))
    if key.kind == _ACCOUNT:
        yield key.cluster, _ACCOUNT, key.namespace, key.name


def _needs(each: Decision) -> Iterator[tuple[str, ...]]:
    """What an object needs before its cluster takes it."""
    key = each.key
    yield key.cluster, key.group, key.kind
    if key.kind == "Pod":
        spec = each.facts.object.get("spec") or {}
        yield key.cluster, _ACCOUNT, key.namespace, str(spec.get("serviceAccountName") or "default")


def _can_ask(each: Decision, look: Look) -> bool:
    reached = isinstance(look.clusters.get(each.key.cluster), Reached)
    return reached and look.place(each.key, each.facts.object) is Place.READY


def _ask(each: Decision, look: Look) -> Answer:
    cluster = look.clusters[each.key.cluster]
    assert isinstance(cluster, Reached)
    where = f"{each.key} on {each.key.cluster}"
    ask = _dry_run_of_way_back if each.cause is Cause.RESTORED else _dry_run
    try:
        found = ask(each, cluster.client)
    except ObjectRefused as error:
        if error.dry_run_unsupported:
            return Answer((f"not asked: {_words(error)}",))
        refusal = ObjectRefused(
            f"{where}: {_words(error)}",
            status=error.status,
            reason=error.reason,
            causes=error.causes,
        )
        return Answer((f"{REFUSED}{_words(error)}",), refusal)
    except AccessDenied as error:
        return Answer((f"not asked: {error.message}",), error)
    except ClusterUnreachable as error:
        return Answer((f"not asked: {error.message}",))
    return Answer((*(f"warning: {text}" for text in found.warnings), *_set_otherwise(each, found)))


def _dry_run(each: Decision, client: Cluster) -> DryRun:
    """Ask as the engine will ask: with its field manager, and without force.

    Fields that are taken from others before conflict only now, so those are asked for by force. So
    are those that only the engine holds: it updates a CustomResourceDefinition by another request,
    and to the server who has updated is another one than who has applied.
    """
    manager = each.facts.recorded.manager if each.facts.recorded else ""
    force = each.operation in _BY_FORCE
    try:
        return client.dry_run(each.manifest, manager or OWN, force=force)
    except ObjectRefused as error:
        live = each.facts.live.manifest or {}
        foreign = [field for field, said in error.causes if not _is_with_ourselves(said)]
        if error.reason != "Conflict" or not error.causes:
            raise
        taken = all_located(each.taken, live)
        if not all(_is_taken(field_path(field, live), taken) for field in foreign):
            raise
        return client.dry_run(each.manifest, manager or OWN, force=True)


def _dry_run_of_way_back(each: Decision, client: Cluster) -> DryRun:
    """Ask whether an object can get back what it was, in the state that it was seen in."""
    try:
        client.replace(as_before(each.facts), OWN, dry_run=True)
    except ObjectRefused as error:
        if error.status != 409:
            raise
    return DryRun(None)


def _is_with_ourselves(said: str) -> bool:
    """Whether a field conflicts with what the engine itself has written, in the server's words."""
    found = _CONFLICT.search(said)
    return found is not None and Manager(found["name"], "").is_ours


def _is_taken(path: Parts, taken: Iterable[Parts]) -> bool:
    """Whether a field is taken: an atomic list or map is named, and taken, as a whole."""
    return any(is_below(path, [each]) or is_below(each, [path]) for each in taken)


def _set_otherwise(each: Decision, found: DryRun) -> Iterator[str]:
    """The fields that the cluster would set to something else than what is wanted."""
    if found.result is None or each.key.kind == SECRET:
        return
    wanted = each.manifest
    keys = list_keys(found.result)
    there = owned(found.result, wanted, keys)
    for change in changed_fields(there, wanted, found.result, keys):
        path = written(change.path)
        yield f"the cluster would set {path} to {change.after!r} instead of {change.before!r}"


def _words(error: VelapulumiError) -> str:
    """What the server says, without the name of the cluster in front."""
    _, _, text = error.message.partition(" refuses a change: ")
    return text or error.message


_CONFLICT = re.compile(r'conflict with "(?P<name>[^"]*)"')
_STEP = re.compile(r"\[(?P<key>[^\]]*)\]|\.?(?P<rest>[^\[]+)")


def field_path(text: str, live: Any) -> Parts:
    """The path of a field that a server names, such as ``.spec.containers[name="web"].image``.

    Keys of maps may hold dots, so the object tells where one ends.

    Args:
        text: The field.
        live: The object.
    """
    path: tuple[str | int, ...] = ()
    for step in _STEP.finditer(text):
        if step["key"] is not None:
            path = (*path, _position(step["key"], value_at(path, live)))
            continue
        rest = step["rest"]
        while rest:
            key = _key(rest, value_at(path, live))
            path, rest = (*path, key), rest[len(key) + 1 :]
    return path


def _key(text: str, below: Any) -> str:
    """The key that a text begins with: the longest one that is there, else up to the next dot."""
    keys = [key for key in below if _begins(text, key)] if isinstance(below, Mapping) else []
    return max(keys, key=len, default=text.partition(".")[0])


def _begins(text: str, key: str) -> bool:
    return text == key or text.startswith(f"{key}.")


def _position(selector: str, elements: Any) -> int:
    """The position of the element that a selector such as ``name="web"`` means; -1 for none."""
    if selector.isdecimal():
        return int(selector)
    wanted = dict(re.findall(r'([^=,]*)="?([^",]*)"?', selector))
    for index, element in enumerate(elements if isinstance(elements, list) else ()):
        if isinstance(element, Mapping):
            if all(str(element.get(key)) == value for key, value in wanted.items()):
                return index
        elif {"": str(element)} == wanted:
            return index
    return -1


def refused_by(answers: Answers) -> Iterator[VelapulumiError]:
    """Why writes would fail: one error of each class, with the words of all.

    Args:
        answers: What the clusters say.
    """
    by_class: dict[type[VelapulumiError], dict[str, VelapulumiError]] = {}
    for answer in answers.values():
        if answer.error is not None:
            by_class.setdefault(type(answer.error), {})[answer.error.message] = answer.error
    for errors in by_class.values():
        first = next(iter(errors.values()))
        yield type(first)("\n".join(errors), next_step=first.next_step)
