"""How clusters differ from what was delivered: what others have changed or deleted there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from velapulumi.engine.record import RecordedObject, words
from velapulumi.plan.objects import ObjectKey
from velapulumi.plan.operation import Cause, Operation
from velapulumi.program.identity import project_id
from velapulumi.program.standing import Standing
from velapulumi.project import Project
from velapulumi.render.rules import owner_of, sharers_of
from velapulumi.stage.look import Look
from velapulumi.stage.operations import decide
from velapulumi.stage.sides import DriftedField, Facts
from velapulumi.stage.situation import Presence, Reason


@dataclass(frozen=True)
class Drifted:
    """An object that is not as it was delivered.

    Attributes:
        stage: The stage that holds it.
        key: What identifies it.
        fields: The fields that others have changed.
        absent: Whether others have deleted it.
        taken_by: The application that has taken it over, ``<namespace>/<name>``; empty for none.
        is_another: Whether another object is in its place, which is nobody's.
        errors: Why it did not come up when it was last delivered, in the cluster's words.
    """

    stage: str
    key: ObjectKey
    fields: tuple[DriftedField, ...] = ()
    absent: bool = False
    taken_by: str = ""
    is_another: bool = False
    errors: tuple[str, ...] = ()


def read_drift(project: Project, standing: Standing) -> tuple[Drifted, ...]:
    """Compare what the stacks hold with what the clusters have.

    Objects on clusters that do not answer are left out: nothing is known of them.

    Args:
        project: The project.
        standing: Where the application stands.
    """
    look = Look(project, standing.clusters)
    identity = project_id(project, standing.records.values())
    held = [
        (stage, entry) for stage, record in standing.records.items() for entry in record.objects
    ]
    look.read({entry.key: entry.manifest for _, entry in held})
    return tuple(
        drifted for stage, entry in held for drifted in _drift(stage, entry, look, identity)
    )


def _drift(stage: str, entry: RecordedObject, look: Look, identity: str) -> Iterator[Drifted]:
    live = look.live(entry.key, entry.manifest)
    if live.presence not in (Presence.PRESENT, Presence.ABSENT):
        return
    application = owner_of(entry.manifest)
    decision = decide(Facts(entry.key, application, identity, live, entry.manifest, recorded=entry))
    lost = decision.operation is Operation.CREATE and decision.cause is Cause.LOST
    shares = live.manifest is not None and application in sharers_of(live.manifest)
    taken_by = "" if shares else decision.owner_name
    another = decision.reason is Reason.NOT_OURS and not taken_by
    if lost or taken_by or another or decision.drift or entry.errors:
        yield Drifted(stage, entry.key, decision.drift, lost, taken_by, another, words(entry))
