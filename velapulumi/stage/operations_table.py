"""The decision table: what happens to an object, by what is known of it.

The rows are read from above, and the first one that fits counts. ``docs/operations.md`` is printed
from here.
"""

from __future__ import annotations

from typing import Any

from velapulumi.plan.operation import Cause, Operation
from velapulumi.stage.row import NoRow, Row, refuse, row
from velapulumi.stage.situation import (
    Back,
    Difference,
    Drift,
    Holder,
    Job,
    Owner,
    Place,
    Presence,
    Reason,
    Recorded,
    Situation,
    Wanted,
)

_MADE: dict[str, Any] = {"wanted": Wanted.WRITTEN, "recorded": (Recorded.NO, Recorded.READ)}
_HELD: dict[str, Any] = {"wanted": Wanted.WRITTEN, "recorded": Recorded.HELD}
_GOING: dict[str, Any] = {"wanted": Wanted.NO, "recorded": Recorded.HELD}
_UNDONE: dict[str, Any] = {
    "wanted": Wanted.NO,
    "recorded": Recorded.NO,
    "begun": True,
    "owner": Owner.OURS,
    "presence": Presence.PRESENT,
}
_ELSEWHERE = (Owner.SIBLING, Owner.FOREIGN)
_HERE: dict[str, Any] = {"presence": Presence.PRESENT}
_BEGUN: dict[str, Any] = {
    "wanted": Wanted.WRITTEN,
    "recorded": Recorded.NO,
    "begun": True,
    "owner": Owner.OURS,
    "presence": Presence.PRESENT,
}
_AWAY: dict[str, Any] = {"presence": Presence.ABSENT}

TABLE: tuple[Row, ...] = (
    refuse(Reason.CONTRADICTION, wanted=Wanted.WRITTEN, contradicts=True),
    row(
        Operation.OWED,
        note="the cluster does not answer",
        presence=Presence.UNKNOWN,
    ),
    refuse(Reason.FORBIDDEN, presence=Presence.FORBIDDEN),
    # Wanted, only to be read.
    row(Operation.READ, note="only read", wanted=Wanted.READ_ONLY, **_HERE),
    refuse(Reason.MISSING, wanted=Wanted.READ_ONLY, **_AWAY),
    row(
        Operation.OWED,
        Cause.TAKEN,
        "it is waited for until it has gone",
        wanted=(Wanted.WRITTEN, Wanted.READ_ONLY),
        presence=Presence.DELETING,
    ),
    # Wanted, and the stack does not hold it.
    refuse(Reason.TWO_STAGES, holder=Holder.KEEPS, **_MADE, **_AWAY),
    refuse(Reason.NO_KIND, place=Place.NO_KIND, **_MADE, **_AWAY),
    refuse(Reason.NO_NAMESPACE, place=Place.NO_NAMESPACE, **_MADE, **_AWAY),
    row(Operation.CREATE, note="created, with its content", **_MADE, **_AWAY),
    row(
        Operation.HAND_OVER,
        note="from the stage that gives it up",
        owner=Owner.OURS,
        holder=Holder.GIVES,
        **_MADE,
        **_HERE,
    ),
    refuse(Reason.TWO_STAGES, owner=Owner.OURS, holder=Holder.KEEPS, **_MADE, **_HERE),
    refuse(Reason.FIXED, difference=Difference.FIXED, **_BEGUN),
    refuse(Reason.GUESTS, difference=Difference.REPLACED, guests=True, **_BEGUN),
    row(
        Operation.REPLACE,
        Cause.INTERRUPTED,
        "what an interrupted run has made is deleted, and created again",
        difference=Difference.REPLACED,
        once=False,
        **_BEGUN,
    ),
    row(
        Operation.TAKE_OVER,
        Cause.INTERRUPTED,
        "goes on with what an interrupted run has made",
        owner=Owner.OURS,
        begun=True,
        **_MADE,
        **_HERE,
    ),
    row(
        Operation.TAKE_OVER,
        Cause.OTHERS,
        "inherited from the application that shared it",
        wanted=Wanted.WRITTEN,
        recorded=Recorded.READ,
        owner=Owner.OURS,
        **_HERE,
    ),
    row(
        Operation.READ,
        note="shared with its owner",
        wanted=Wanted.WRITTEN,
        recorded=Recorded.READ,
        owner=Owner.SIBLING,
        shared=True,
        listed=True,
        **_HERE,
    ),
    row(
        Operation.READ,
        note="shared with its owner, as before the stack forgot it",
        wanted=Wanted.WRITTEN,
        recorded=Recorded.NO,
        owner=Owner.SIBLING,
        shared=True,
        listed=True,
        **_HERE,
    ),
    row(
        Operation.SHARE,
        note="shared with its owner from now on",
        owner=Owner.SIBLING,
        shared=True,
        listed=False,
        **_MADE,
        **_HERE,
    ),
    row(
        Operation.TAKE_OVER,
        note="live fields become what is wanted; the way back restores them",
        take_over=True,
        **_MADE,
        **_HERE,
    ),
    refuse(Reason.UNHELD, owner=Owner.OURS, **_MADE, **_HERE),
    refuse(Reason.NOT_OURS, **_MADE, **_HERE),
    # Wanted, and the stack holds it, but the cluster does not.
    row(
        Operation.NONE,
        Cause.COMPLETED,
        "done",
        job=Job.COMPLETED,
        difference=Difference.EQUAL,
        **_HELD,
        **_AWAY,
    ),
    row(
        Operation.LEAVE,
        Cause.ABSENT,
        "deleted in the cluster, and a policy leaves that",
        absent_is_fine=True,
        difference=Difference.EQUAL,
        **_HELD,
        **_AWAY,
    ),
    refuse(Reason.NO_KIND, place=Place.NO_KIND, **_HELD, **_AWAY),
    refuse(Reason.NO_NAMESPACE, place=Place.NO_NAMESPACE, **_HELD, **_AWAY),
    row(Operation.CREATE, Cause.LOST, "deleted in the cluster by others", **_HELD, **_AWAY),
    # Wanted, held and there.
    row(
        Operation.SHARE,
        note="shared with the one who owns it now",
        owner=Owner.SIBLING,
        shared=True,
        **_HELD,
        **_HERE,
    ),
    row(Operation.TAKE_OVER, owner=_ELSEWHERE, take_over=True, **_HELD, **_HERE),
    refuse(Reason.TAKEN, owner=_ELSEWHERE, **_HELD, **_HERE),
    row(Operation.TAKE_OVER, owner=Owner.NOBODY, same=False, take_over=True, **_HELD, **_HERE),
    refuse(Reason.NOT_OURS, owner=Owner.NOBODY, same=False, **_HELD, **_HERE),
    row(
        Operation.LEAVE,
        note="a policy leaves it as it is",
        once=True,
        **_HELD,
        **_HERE,
    ),
    refuse(Reason.JOB_FAILED, job=Job.FAILED, difference=Difference.EQUAL, **_HELD, **_HERE),
    refuse(Reason.FIXED, difference=Difference.FIXED, **_HELD, **_HERE),
    refuse(Reason.GUESTS, difference=Difference.REPLACED, guests=True, **_HELD, **_HERE),
    row(
        Operation.REPLACE,
        note="deleted and created again",
        difference=Difference.REPLACED,
        **_HELD,
        **_HERE,
    ),
    refuse(Reason.CONFLICT, difference=Difference.CONFLICT, **_HELD, **_HERE),
    row(
        Operation.UPDATE,
        note="fields before and after; what has drifted is put back with it",
        difference=Difference.CHANGED,
        **_HELD,
        **_HERE,
    ),
    row(
        Operation.MEND,
        note="exactly the fields that others have changed are put back",
        drift=Drift.DRIFTED,
        **_HELD,
        **_HERE,
    ),
    row(
        Operation.NONE,
        Cause.UNREADY,
        "why it did not get ready",
        unready=True,
        **_HELD,
        **_HERE,
    ),
    row(Operation.LEAVE, note="value and owner", drift=Drift.LEFT, **_HELD, **_HERE),
    row(Operation.NONE, **_HELD, **_HERE),
    # Not rendered, and a policy or another step keeps it.
    row(
        Operation.FORGET,
        Cause.UNREAD,
        "only read, and gone",
        wanted=(Wanted.KEPT, Wanted.NO),
        recorded=Recorded.READ,
        **_AWAY,
    ),
    row(Operation.READ, wanted=Wanted.KEPT, recorded=Recorded.READ),
    row(Operation.KEEP, note="stays as it is", wanted=Wanted.KEPT, recorded=Recorded.HELD),
    # No longer wanted.
    row(
        Operation.KEEP,
        Cause.PRUNE,
        "deleted when the workflow has succeeded",
        pruned=False,
        **_GOING,
    ),
    row(Operation.READ, pruned=False, wanted=Wanted.NO, recorded=Recorded.READ),
    row(
        Operation.HAND_OVER,
        note="to the stage that takes it; kept until then",
        holder=Holder.TAKES,
        **_GOING,
    ),
    row(
        Operation.FORGET,
        Cause.TAKEN,
        "another stage of the application holds it",
        holder=(Holder.GIVES, Holder.KEEPS),
        **_GOING,
    ),
    row(Operation.FORGET, note="nothing to delete", **_GOING, **_AWAY),
    row(
        Operation.DISOWN,
        Cause.OTHERS,
        "the application no longer shares it",
        owner=Owner.SIBLING,
        shared=True,
        **_GOING,
        **_HERE,
    ),
    row(Operation.FORGET, Cause.OTHERS, "it is somebody else's now", owner=_ELSEWHERE, **_GOING),
    row(
        Operation.FORGET,
        Cause.OTHERS,
        "it is not the object that was delivered",
        owner=Owner.NOBODY,
        same=False,
        **_GOING,
    ),
    row(
        Operation.DISOWN,
        Cause.FREED,
        "was taken over and is let go already; left in the cluster",
        back=Back.FREED,
        **_GOING,
    ),
    row(
        Operation.DISOWN,
        Cause.RESTORED,
        "gets back what it was before it was taken over",
        back=Back.KNOWN,
        others=False,
        **_GOING,
    ),
    row(
        Operation.DISOWN,
        Cause.OTHERS,
        "handed to the next application that shares it",
        others=True,
        **_GOING,
    ),
    row(
        Operation.DISOWN,
        Cause.UNKNOWN,
        "was taken over, and what it was is not known; no longer managed, left in the cluster",
        back=Back.UNKNOWN,
        **_GOING,
    ),
    row(
        Operation.DISOWN,
        note="no longer managed; left in the cluster",
        never_deleted=True,
        **_GOING,
    ),
    refuse(Reason.GUESTS, guests=True, **_GOING),
    row(Operation.DELETE, note="deleted", **_GOING),
    row(
        Operation.FORGET,
        Cause.UNREAD,
        "no longer read; another stage has it",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
        holder=(Holder.GIVES, Holder.KEEPS, Holder.TAKES),
        **_HERE,
    ),
    row(
        Operation.DISOWN,
        note="inherited; no longer managed, and left in the cluster",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
        owner=Owner.OURS,
        shared=True,
        others=False,
        never_deleted=True,
        **_HERE,
    ),
    row(
        Operation.DELETE,
        note="inherited from the applications that shared it, and deleted by the last one",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
        owner=Owner.OURS,
        shared=True,
        others=False,
        guests=False,
        **_HERE,
    ),
    row(
        Operation.DISOWN,
        Cause.OTHERS,
        "the application no longer shares it",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
        owner=(Owner.OURS, Owner.SIBLING, Owner.NOBODY),
        shared=True,
        **_HERE,
    ),
    row(
        Operation.FORGET,
        Cause.UNREAD,
        "no longer read",
        wanted=Wanted.NO,
        recorded=Recorded.READ,
    ),
    # Not wanted, and an interrupted run had made it. Only its stack's open operations tell.
    row(
        Operation.DISOWN,
        Cause.RESTORED,
        "gets back what it was before an interrupted run took it over",
        back=Back.KNOWN,
        **_UNDONE,
    ),
    row(
        Operation.DISOWN,
        Cause.UNKNOWN,
        "an interrupted run took it over, and what it was is not known; left in the cluster",
        back=(Back.UNKNOWN, Back.FREED),
        **_UNDONE,
    ),
    row(Operation.DISOWN, Cause.OTHERS, "others share it by now", others=True, **_UNDONE),
    row(
        Operation.DISOWN,
        note="an interrupted run made it, and it is never deleted; left in the cluster",
        never_deleted=True,
        **_UNDONE,
    ),
    refuse(Reason.GUESTS, guests=True, **_UNDONE),
    row(Operation.DELETE, Cause.INTERRUPTED, "an interrupted run made it; deleted", **_UNDONE),
)


def row_for(situation: Situation) -> Row:
    """The row that decides.

    Args:
        situation: What is known of an object that is wanted, or that the stack has.

    Raises:
        NoRow: The object is neither wanted nor held.
    """
    for each in TABLE:
        if each.fits(situation):
            return each
    raise NoRow(situation)
