"""Why an object cannot be delivered, in words, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from velapulumi.errors import (
    AccessDenied,
    NotSupported,
    ObjectMissing,
    ObjectNotOurs,
    ObjectRefused,
    VelapulumiError,
)
from velapulumi.plan.document import Refusal
from velapulumi.plan.fields import FieldChange, written
from velapulumi.plan.operation import Operation
from velapulumi.stage.operations import Decision
from velapulumi.stage.secrets import hidden
from velapulumi.stage.sides import Live
from velapulumi.stage.situation import Owner, Presence, Reason

_TAKE_OVER = "take it over with a policy of type take-over"
_OTHER_BACKEND = f"Use the backend that it was delivered with; if that is lost, {_TAKE_OVER}."


def refusal_of(decision: Decision) -> Refusal | None:
    """Why an object is refused; None when it is not.

    Args:
        decision: What was decided about it.
    """
    if decision.reason is None:
        return None
    error, words = _WORDS[decision.reason]
    message, next_step = words(decision)
    return Refusal(code=error.code, message=message, next_step=next_step or error.next_step)


def refuse(decisions: Sequence[Decision]) -> None:
    """Raise what is refused, all of it in one error.

    Args:
        decisions: What was decided about the objects of a stage.

    Raises:
        VelapulumiError: Of the class of the first refusal, with the words of all.
    """
    refusals = [refusal for decision in decisions if (refusal := refusal_of(decision))]
    raise_refusals(refusals)


def check_going(decisions: Sequence[Decision]) -> None:
    """Refuse to write objects that are still being deleted.

    Args:
        decisions: What was decided about the objects of a stage.

    Raises:
        ObjectRefused: Some are; each is named with what it waits for.
    """
    if error := still_going((each, each.facts.live) for each in decisions if is_going(each)):
        raise error


def still_going(objects: Iterable[tuple[Decision, Live]]) -> ObjectRefused | None:
    """An error that names the objects which are being deleted; None when none is.

    Args:
        objects: What was decided about each, and what its cluster has of it now.
    """
    lines = [
        f"{_where(each)} {being_deleted(live.manifest or {})}"
        for each, live in objects
        if live.presence is Presence.DELETING
    ]
    if not lines:
        return None
    return ObjectRefused(
        "\n".join(lines),
        next_step="Have what it waits for end, or take its finalizers away, then run the command "
        "again.",
    )


def is_going(decision: Decision) -> bool:
    """Whether an object that is to be written is still being deleted."""
    going = decision.facts.live.presence is Presence.DELETING
    return going and decision.operation is Operation.OWED


def being_deleted(live: Mapping[str, Any]) -> str:
    """Since when an object is being deleted, and what that waits for."""
    metadata = live.get("metadata") or {}
    holds = ", ".join(metadata.get("finalizers") or ()) or "what depends on it"
    return f"is being deleted since {metadata.get('deletionTimestamp')}; it waits for {holds}"


def raise_refusals(refusals: Sequence[Refusal]) -> None:
    """Raise refusals, all of them in one error; nothing when there are none.

    Args:
        refusals: The refusals.

    Raises:
        VelapulumiError: Of the class of the first refusal, with the words of all.
    """
    if not refusals:
        return
    messages = dict.fromkeys(refusal.message for refusal in refusals)
    steps = dict.fromkeys(refusal.next_step for refusal in refusals if refusal.next_step)
    raise _ERRORS[refusals[0].code]("\n".join(messages), next_step=" ".join(steps))


def _where(decision: Decision) -> str:
    """Kind, namespace and name, as KubeVela writes them, and the cluster."""
    return f"{decision.key} on {decision.key.cluster}"


def _contradiction(decision: Decision) -> tuple[str, str]:
    if decision.facts.treatment.recreated:
        return (
            f"{decision.key}: resource-update wants to make it anew, and "
            "another policy that it is never deleted",
            "Take it out of the recreateFields, or out of the shared-resource or garbage-collect "
            "rule.",
        )
    fields = ", ".join(map(written, decision.fixed))
    return (
        f"{_where(decision)}: {fields} cannot be changed in place, and a policy or another "
        "application wants the object to stay",
        "Deliver it under another name, or undo the change; or deliver it once without the "
        "shared-resource or garbage-collect rule, and then the change.",
    )


def _forbidden(decision: Decision) -> tuple[str, str]:
    return decision.facts.live.detail, ""


def _missing(decision: Decision) -> tuple[str, str]:
    key = decision.key
    return (
        f"{key.kind} ({key.name}) is marked as read-only but does not exist on {key.cluster}. "
        "You should check the existence of the resource or remove the read-only policy"
    ), ""


def _no_kind(decision: Decision) -> tuple[str, str]:
    key, version = decision.key, decision.facts.object["apiVersion"]
    return (
        f"{_where(decision)}: the cluster serves no kind {key.kind} in {version}, and no "
        "CustomResourceDefinition of this delivery brings it",
        "Install what defines the kind on the cluster, add its CustomResourceDefinition to the "
        "application, or correct apiVersion and kind.",
    )


def _no_namespace(decision: Decision) -> tuple[str, str]:
    key = decision.key
    return (
        f"namespace {key.namespace} does not exist on {key.cluster}",
        f"Create it there: kubectl create namespace {key.namespace}",
    )


def _two_stages(decision: Decision) -> tuple[str, str]:
    stage = decision.facts.other.stage if decision.facts.other else ""
    return (
        f"{_where(decision)} is delivered by stage {stage} too, and only one stage can own it",
        "Leave it out of one of the two stages, with an override policy or another component name.",
    )


def _unheld(decision: Decision) -> tuple[str, str]:
    return (
        f"{_where(decision)} belongs to this application and project, but no stack of this "
        "backend holds it",
        _OTHER_BACKEND,
    )


def _not_ours(decision: Decision) -> tuple[str, str]:
    owner = decision.owner
    if owner is Owner.NOBODY:
        return (
            f"{_where_exists(decision)} but not managed by any application now",
            f"Delete or rename it, or {_TAKE_OVER}.",
        )
    if decision.facts.treatment.shared and owner is Owner.SIBLING:
        return (
            f"{_where(decision)}: application is controlled by {decision.owner_name} but is not "
            "sharable",
            "Give the other application a shared-resource policy for the object, too, or rename "
            "it.",
        )
    alone = (
        " (objects are shared within one project only)" if decision.facts.treatment.shared else ""
    )
    return (
        f"existing object {_where(decision)} is managed by other application "
        f"{decision.owner_name}{_of_project(decision)}{alone}",
        f"{_backend_if_ours(decision)}Rename the object, deliver into another namespace, or "
        f"{_TAKE_OVER}.",
    )


def _backend_if_ours(decision: Decision) -> str:
    """What to do where it may be this project that delivered it: no stack says who that is."""
    facts = decision.facts
    if decision.owner is not Owner.FOREIGN or facts.project:
        return ""
    if decision.owner_name != facts.application:
        return ""
    return "If this project delivered it, use the backend that has its stacks. Else: "


def _where_exists(decision: Decision) -> str:
    return f"{decision.key} exists on {decision.key.cluster}"


def _of_project(decision: Decision) -> str:
    return " of another project" if decision.owner is Owner.FOREIGN else ""


def _taken(decision: Decision) -> tuple[str, str]:
    return (
        f"{_where(decision)} was taken over by application "
        f"{decision.owner_name}{_of_project(decision)}",
        f"Remove it from one of the two applications, or {_TAKE_OVER}. Where only its labels were "
        "changed by hand, put them back.",
    )


def _job_failed(decision: Decision) -> tuple[str, str]:
    said = _failure(decision.facts.live.manifest or {})
    return (
        f"{_where(decision)} has failed{f': {said}' if said else ''}",
        "Correct the Job, so that it is run again, or delete it in the cluster to run it once more "
        "as it is.",
    )


def _failure(live: Mapping[str, object]) -> str:
    status = live.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    for condition in conditions or ():
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            parts = (condition.get("reason"), condition.get("message"))
            return ": ".join(part for part in parts if part)
    return ""


def _fixed(decision: Decision) -> tuple[str, str]:
    fields = ", ".join(map(written, decision.fixed))
    return (
        f"{_where(decision)}: {fields} cannot be changed in place, and deleting the object to "
        "create it again would lose what it holds",
        "Take the change back, or allow it with a policy of type resource-update that names the "
        "field in recreateFields.",
    )


def _conflict(decision: Decision) -> tuple[str, str]:
    lines = []
    for conflict in decision.conflicts:
        names = ", ".join(manager.describe() for manager in conflict.managers)
        found = FieldChange(conflict.path, conflict.live, conflict.desired)
        (shown,) = hidden(decision.key.kind, [found])
        lines.append(
            f"{written(shown.path)} is {shown.before!r} and held by {names}; the application "
            f"wants {shown.after!r}"
        )
    return (
        f"{_where(decision)}: {'; '.join(lines)}",
        "Take exactly these fields with --take-fields, or leave them out of the application.",
    )


def _guests(decision: Decision) -> tuple[str, str]:
    facts = decision.facts
    if facts.wanted is not None:
        fields = ", ".join(map(written, decision.fixed))
        return (
            f"{_where(decision)} cannot be deleted and created again because of {fields}: "
            f"{facts.guests}",
            "Take those out of it in a delivery before, leave the field as it is, or deliver it "
            "under another name.",
        )
    return (
        f"{_where(decision)} cannot be deleted: {facts.guests}",
        "Delete or move those first, or keep it with a garbage-collect rule of strategy never.",
    )


_WORDS: Mapping[Reason, tuple[type[VelapulumiError], Callable[[Decision], tuple[str, str]]]] = {
    Reason.CONTRADICTION: (NotSupported, _contradiction),
    Reason.FORBIDDEN: (AccessDenied, _forbidden),
    Reason.MISSING: (ObjectMissing, _missing),
    Reason.NO_KIND: (ObjectMissing, _no_kind),
    Reason.NO_NAMESPACE: (ObjectMissing, _no_namespace),
    Reason.TWO_STAGES: (ObjectNotOurs, _two_stages),
    Reason.UNHELD: (ObjectNotOurs, _unheld),
    Reason.NOT_OURS: (ObjectNotOurs, _not_ours),
    Reason.TAKEN: (ObjectNotOurs, _taken),
    Reason.JOB_FAILED: (ObjectRefused, _job_failed),
    Reason.FIXED: (ObjectRefused, _fixed),
    Reason.CONFLICT: (ObjectRefused, _conflict),
    Reason.GUESTS: (ObjectRefused, _guests),
}

_ERRORS: Mapping[str, type[VelapulumiError]] = {
    error.code: error
    for error in (AccessDenied, NotSupported, ObjectMissing, ObjectNotOurs, ObjectRefused)
}
