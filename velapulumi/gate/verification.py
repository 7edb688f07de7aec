"""Whether a ledger says only what those have signed who may."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from velapulumi.gate.ledger import Ledger, Line, Trust, changes
from velapulumi.gate.statement import Statement, StatementKind

SignatureCheck = Callable[[Line, Trust], str]
"""Why a line's signature is not good under some keys; empty when it is."""

_SIGNED = (
    StatementKind.APPROVE,
    StatementKind.REJECT,
    StatementKind.REQUEST,
    StatementKind.TRUST,
)


def verify(ledger: Ledger, check: SignatureCheck, *, head: str | None = None) -> tuple[str, ...]:
    """Everything that is wrong with a ledger whose chain is whole, a sentence each.

    Args:
        ledger: The ledger.
        check: Judges signatures.
        head: The hash its last line must have; None for any.
    """
    found = [
        f"entry {line.number}: {text}"
        for line in ledger.lines
        for text in _problems(ledger, line, check)
    ]
    if head is not None and head != ledger.head:
        found.append(f"the ledger ends at {ledger.head}, not at {head}: it was cut or rewritten")
    return tuple(found)


def _problems(ledger: Ledger, line: Line, check: SignatureCheck) -> Iterator[str]:
    trust, entry = ledger.trust_at(line.number), line.entry
    if trust.signers and line.signature:
        if text := check(line, trust):
            yield text
    elif trust.signers and entry.kind in _SIGNED:
        yield f"is not signed, which an entry of kind {entry.kind} must be"
    if entry.kind is StatementKind.TRUST and line.number and trust.policy:
        people, count = changes(trust)
        if not count:
            yield "nobody may change the policy, as it has no changes; begin another ledger by hand"
        elif entry.by not in people:
            yield f"{entry.by} may not change policy and signers"
    if entry.kind is StatementKind.USE:
        known = {
            each.hash
            for each in ledger.lines[: line.number]
            if each.entry.kind in (StatementKind.APPROVE, StatementKind.AUTO)
            and (
                (each.entry.revision, each.entry.run) == (entry.revision, entry.run)
                or (entry.reverse and each.entry.reverse and each.entry.run == entry.run - 1)
            )
        }
        if not known.issuperset(entry.approvals):
            yield "uses what is no approval of its revision and run"


def statements(
    ledger: Ledger,
    check: SignatureCheck,
    revoked: Callable[[Line], bool],
    lapsed: Callable[[Line], bool] = lambda line: False,
) -> tuple[Statement, ...]:
    """What a ledger states, with who has signed it.

    Args:
        ledger: The ledger.
        check: Judges signatures.
        revoked: Tells whether a line's key counts no more now.
        lapsed: Tells whether it is not valid any more now.
    """
    return tuple(
        Statement(
            line.hash,
            line.entry,
            line.entry.by
            if line.signature and not check(line, ledger.trust_at(line.number))
            else "",
            bool(line.signature) and revoked(line),
            bool(line.signature) and lapsed(line),
        )
        for line in ledger.lines
    )
