"""What people and runs state about the delivery of an application: the lines of its ledger."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import ConfigDict, Field

from velapulumi.spec.model import Many, StrictModel

NO_HASH = "0" * 64
"""What the first entry of a ledger names as the one before."""


class StatementKind(StrEnum):
    """What an entry states."""

    TRUST = "trust"
    REQUEST = "request"
    APPROVE = "approve"
    REJECT = "reject"
    AUTO = "auto"
    USE = "use"
    WITHDRAW = "withdraw"


class Entry(StrictModel):
    """One entry of a ledger: the bytes that are signed and chained.

    Every entry names its application, its ledger and its place in it, so that it says nothing
    anywhere else.

    Attributes:
        application: The application.
        ledger: Identity of the ledger, drawn when it was begun.
        number: Its place, counted from 0.
        previous: SHA-256 of the line before, in hexadecimal.
        at: When, RFC 3339 in UTC.
        by: Who: a principal of the allowed signers where it is signed, else user and host.
        kind: What it states.
        step: The gate it is about: a suspend step, or a delivering step that waits for approval.
        stages: The stages that the gate opens.
        clusters: Their clusters: the identity of each by its name.
        revision: The revision, ``<application>-v<N>:<hash>``.
        run: The run of it.
        plan: SHA-256 of the plan document, in hexadecimal.
        expires: From when on an approval counts no more, RFC 3339; empty for never.
        comment: Why, in their words.
        break_glass: Whether an approval goes past the policy.
        reverse: Whether an approval is one of the way back, too.
        subject: For whom a request is made, when that is not who signs it.
        steps: The gates whose approvals are withdrawn.
        approvals: The entries that a use is founded on, as SHA-256 of their lines.
        policy: Of a trust entry the gate policy, as JSON; empty for none.
        signers: Of a trust entry the text of the allowed signers.
        revoked: Of a trust entry the public keys that count no more, one a line.
    """

    model_config = ConfigDict(populate_by_name=True)

    application: str
    ledger: str
    number: int
    previous: str
    at: str
    by: str
    kind: StatementKind
    step: str = ""
    stages: Many[str] = ()
    clusters: dict[str, str] = {}  # noqa: RUF012
    revision: str = ""
    run: int = 0
    plan: str = ""
    expires: str = ""
    comment: str = ""
    break_glass: bool = Field(False, alias="breakGlass")
    reverse: bool = False
    subject: str = ""
    steps: Many[str] = ()
    approvals: Many[str] = ()
    policy: str = ""
    signers: str = ""
    revoked: str = ""


@dataclass(frozen=True)
class Statement:
    """An entry with who has signed it.

    Attributes:
        hash: SHA-256 of its line, in hexadecimal.
        entry: The entry.
        signer: The principal whose key has signed it, valid when it was written; empty when it is
            not signed, or not by ``entry.by``.
        revoked: Whether that key counts no more now.
        lapsed: Whether that key is not valid any more now, by its time or as it is none in force.
    """

    hash: str
    entry: Entry
    signer: str = ""
    revoked: bool = False
    lapsed: bool = False
