"""What can happen to an object, and why, as plans call it."""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What happens to an object; docs/operations.md has the table that decides it."""

    NONE = "none"
    CREATE = "create"
    UPDATE = "update"
    MEND = "mend"
    REPLACE = "replace"
    TAKE_OVER = "take-over"
    HAND_OVER = "hand-over"
    SHARE = "share"
    READ = "read"
    LEAVE = "leave"
    KEEP = "keep"
    DISOWN = "disown"
    FORGET = "forget"
    DELETE = "delete"
    OWED = "owed"
    REFUSE = "refuse"

    @property
    def goes(self) -> bool:
        """Whether the stage no longer holds the object afterwards."""
        return self in (Operation.DELETE, Operation.DISOWN, Operation.FORGET)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is changed; what was not ready may be looked at again."""
        return self in (Operation.NONE, Operation.READ, Operation.LEAVE, Operation.KEEP)


class Cause(StrEnum):
    """Why an operation is done, where it does not go without saying."""

    LOST = "lost"
    INTERRUPTED = "interrupted"
    UNREADY = "unready"
    REVISION = "revision"
    COMPLETED = "completed"
    ABSENT = "absent"
    TAKEN = "taken"
    PRUNE = "prune"
    OTHERS = "others"
    UNREAD = "unread"
    RESTORED = "restored"
    FREED = "freed"
    UNKNOWN = "unknown"
