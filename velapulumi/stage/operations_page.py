"""The decision table as the page that people read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from velapulumi.plan.operation import Cause, Operation
from velapulumi.stage.operations_table import TABLE

_OPERATIONS: Mapping[Operation, str] = {
    Operation.CREATE: "it is made",
    Operation.UPDATE: "fields that the application has changed are written",
    Operation.MEND: "exactly the fields that others have changed are put back",
    Operation.REPLACE: "it is deleted and made again",
    Operation.TAKE_OVER: "it is there already, and becomes what is wanted and the stage's",
    Operation.HAND_OVER: "it goes from one stage of the application to another",
    Operation.SHARE: "somebody else's object is used, and its annotation says so",
    Operation.READ: "it is only read",
    Operation.LEAVE: "it is left as others have made it",
    Operation.KEEP: "it is no longer wanted, and stays for now",
    Operation.DISOWN: "the stack forgets it; its labels say that it is no longer managed",
    Operation.FORGET: "the stack forgets it; nothing is written",
    Operation.DELETE: "it is deleted",
    Operation.NONE: "nothing",
    Operation.OWED: "it is left to a later run",
    Operation.REFUSE: "nothing of the stage is written, and the run ends with the reason",
}


_CAUSES: Mapping[Cause, str] = {
    Cause.LOST: "the stack holds it, and somebody has deleted it in the cluster",
    Cause.INTERRUPTED: "a run that was stopped has made it, or had begun to",
    Cause.UNREADY: "it did not get ready when it was last delivered",
    Cause.REVISION: "only the labels that name the revision change",
    Cause.COMPLETED: "it is a Job that has done its work",
    Cause.ABSENT: "a policy leaves it away when somebody has deleted it",
    Cause.TAKEN: "it is being deleted, or another stage has it or takes it",
    Cause.PRUNE: "it goes when the workflow has succeeded",
    Cause.OTHERS: "other applications or people have it",
    Cause.UNREAD: "the stage no longer reads it",
    Cause.RESTORED: "what it was before it was taken over comes back",
    Cause.FREED: "it was let go before",
    Cause.UNKNOWN: "what it was before it was taken over is not known",
}


_FURTHER: Mapping[tuple[str, Any], str] = {
    ("same", False): "others have recreated it",
    ("begun", True): "an interrupted run had begun to make it",
    ("shared", True): "its applications share it",
    ("take_over", True): "a policy takes it over",
    ("once", True): "a policy leaves it as it is once it is there",
    ("once", False): "no policy leaves it as it is once it is there",
    ("absent_is_fine", True): "a policy leaves it away",
    ("unready", True): "it was not seen to get ready",
    ("never_deleted", True): "a policy never deletes it",
    ("listed", True): "it names the application among them",
    ("listed", False): "it does not name the application among them",
    ("others", True): "other applications share it, too",
    ("others", False): "no other application shares it",
    ("guests", True): "it is a Namespace or a CRD with objects that would be lost with it",
    ("guests", False): "it holds no objects that would be lost with it",
    ("contradicts", True): "one policy replaces it, and another never deletes it",
    ("pruned", False): "the workflow has not succeeded yet",
}
"""What a row says of the columns that are true or false."""


_NAMES: Mapping[str, str] = {
    "owner": "it belongs to", "holder": "", "place": "", "back": "", "difference": "difference:",
    "drift": "drift:", "job": "the Job has",
}  # fmt: skip
"""What stands before the values of the other columns."""


def page() -> Iterator[str]:
    """The table as a page of Markdown."""
    yield "# What happens to an object"
    yield ""
    yield (
        "Of each object three things are known: what the application wants, as its file is "
        "rendered and its policies say; what the stage's stack has recorded of the last delivery; "
        "and what the cluster has. The first row of the table that fits decides what happens. What "
        "a row does not name may be anything. Plans, digests, screens and the engine follow from "
        "it, so all of them say the same."
    )
    yield ""
    yield (
        "For example: somebody has deleted a Deployment with kubectl. The file wants it "
        "(*written*), the stack holds it (*held*), the cluster does not have it (*absent*). The"
        " first row that fits says *create (lost)*, and the plan shows `+ Deployment …/web "
        "(create again: deleted in the cluster by others)`. If somebody has scaled it instead, "
        "the cluster has it (*present*), and its *drift* is a field that others have changed: "
        "*mend*. If the file also has a new image, an earlier row fits: *update*, which puts "
        "back the scale as well."
    )
    yield ""
    yield (
        "*Difference* is how what is wanted differs from what is recorded, *drift* how what is in "
        "the cluster differs from what was last written, both in the fields that the application "
        "names."
    )
    yield ""
    yield (
        "An object is the same one by the cluster's identity, its group and kind, its namespace and"
        " its name. It belongs to this application when its labels name the application and the "
        "project *and* a stack of the project holds it: the labels alone make nobody the owner. "
        "One without the project's label, from an earlier version, belongs to it where the stack "
        "holds it."
    )
    yield ""
    yield "| wanted | in the stack | in the cluster | further | operation | what people see |"
    yield "|---|---|---|---|---|---|"
    for row in TABLE:
        first = (_values(row.when.get(name)) for name in _FIRST)
        further = "; ".join(
            _further(name, value) for name, value in row.when.items() if name not in _FIRST
        )
        because = f" ({row.cause})" if row.cause else ""
        yield f"| {' | '.join(first)} | {further} | {row.operation}{because} | {row.note} |"
    yield ""
    yield "The operations:"
    yield ""
    yield from (f"- **{operation}**: {text}." for operation, text in _OPERATIONS.items())
    yield ""
    yield "The words in brackets say why:"
    yield ""
    yield from (f"- *{cause}*: {text}." for cause, text in _CAUSES.items())


_FIRST = ("wanted", "recorded", "presence")


def _further(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return _FURTHER[name, value]
    return f"{_NAMES[name]} {_values(value)}".strip()


def _values(value: Any) -> str:
    if value is None:
        return ""
    return " or ".join(map(str, value)) if isinstance(value, tuple) else str(value)
