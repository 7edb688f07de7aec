"""What decides about one object: the columns of the decision table, and their values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Wanted(StrEnum):
    """What the application wants of an object."""

    WRITTEN = "written"
    READ_ONLY = "read-only"
    KEPT = "kept as it is"
    NO = "no"


class Recorded(StrEnum):
    """What the stage's stack has of it."""

    HELD = "held"
    READ = "only read"
    NO = "no"


class Presence(StrEnum):
    """What its cluster has of it."""

    PRESENT = "present"
    ABSENT = "absent"
    DELETING = "being deleted"
    UNKNOWN = "unknown"
    FORBIDDEN = "not permitted to read"


class Owner(StrEnum):
    """Whose the live object is."""

    OURS = "this application"
    SIBLING = "another application"
    FOREIGN = "another project"
    NOBODY = "nobody"


class Holder(StrEnum):
    """What another stage of the application does with it."""

    NONE = "no other stage holds it"
    GIVES = "another stage gives it up"
    KEEPS = "another stage keeps it, or wants it too"
    TAKES = "another stage takes it in this delivery"


class Place(StrEnum):
    """Whether its cluster can take it."""

    READY = "ready"
    NO_KIND = "kind not served"
    NO_NAMESPACE = "namespace missing"


class Difference(StrEnum):
    """How what is wanted differs from what is recorded."""

    EQUAL = "equal"
    CHANGED = "changed"
    FIXED = "changed in a field that never changes, which no policy names"
    REPLACED = "changed in a field that never changes"
    CONFLICT = "a new field is held by somebody else with another value"


class Drift(StrEnum):
    """How what is live differs from what was last written."""

    NONE = "none"
    LEFT = "only in fields that are left to others"
    DRIFTED = "drifted"


class Job(StrEnum):
    """What became of a Job."""

    NO = "not a Job, or not ended"
    COMPLETED = "completed"
    FAILED = "failed"


class Back(StrEnum):
    """What the way back does with an object that was taken over."""

    NO = "it was not taken over, or that is not taken back"
    KNOWN = "the delivery that has taken it over is taken back"
    UNKNOWN = "a delivery that has taken it over is taken back, and what it was is not known"
    FREED = "the delivery that has taken it over is taken back, and it is let go already"


@dataclass(frozen=True)
class Situation:
    """All that the decision about one object depends on.

    Attributes:
        wanted: What the application wants.
        recorded: What the stage's stack has.
        presence: What the cluster has.
        owner: Whose the live object is.
        same: Whether the live object is the one that was last written, by its UID.
        holder: What another stage does with it.
        place: Whether the cluster can take it.
        difference: How what is wanted differs from what is recorded.
        drift: How what is live differs from what was last written.
        job: What became of a Job.
        begun: Whether a run had begun to make it and did not finish.
        shared: Whether the policies of all its applications share it.
        take_over: Whether a policy takes it over.
        once: Whether a policy leaves it as it is once it is there.
        absent_is_fine: Whether a policy leaves it away when others have deleted it.
        unready: Whether the engine has not seen it come up.
        never_deleted: Whether a policy leaves it behind for good.
        listed: Whether it names the application among those that share it.
        others: Whether other applications share it, too.
        guests: Whether it is a Namespace or a CRD that holds what would be lost with it.
        back: Whether a way back is gone, and it had been taken over on the way there.
        contradicts: Whether one policy replaces it and another never deletes it.
        pruned: Whether what is no longer wanted goes now.
    """

    wanted: Wanted = Wanted.WRITTEN
    recorded: Recorded = Recorded.NO
    presence: Presence = Presence.ABSENT
    owner: Owner = Owner.OURS
    same: bool = True
    holder: Holder = Holder.NONE
    place: Place = Place.READY
    difference: Difference = Difference.EQUAL
    drift: Drift = Drift.NONE
    job: Job = Job.NO
    begun: bool = False
    shared: bool = False
    take_over: bool = False
    once: bool = False
    absent_is_fine: bool = False
    unready: bool = False
    never_deleted: bool = False
    listed: bool = False
    others: bool = False
    guests: bool = False
    back: Back = Back.NO
    contradicts: bool = False
    pruned: bool = False


class Reason(StrEnum):
    """Why an object is refused."""

    CONTRADICTION = "two policies contradict each other"
    FORBIDDEN = "not permitted to read"
    MISSING = "an object that is only read does not exist"
    NO_KIND = "the cluster does not serve its kind"
    NO_NAMESPACE = "its namespace does not exist"
    TWO_STAGES = "two stages would own it"
    UNHELD = "it is this application's, and no stack holds it"
    NOT_OURS = "it is somebody else's"
    TAKEN = "somebody else has taken it over"
    JOB_FAILED = "the Job has failed"
    FIXED = "a field cannot be changed, and what it holds would be lost"
    CONFLICT = "somebody else holds a field"
    GUESTS = "it holds objects that would be lost with it"
