"""Who may open a gate when: a table of role, time, quorum and reuse, judged four times.

Each row is a ledger with real signatures. Whether a signature counts is told by ``ssh-keygen`` and,
apart from that, by the package sshsig; whether the gate is open by ``decide`` and by an oracle that
tries all ways to fill the places.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import sshsig
from hypothesis import given, settings
from hypothesis import strategies as st
from sshsig.allowed_signers import AllowedSigner, load_allowed_signers_file

from velapulumi import signatures
from velapulumi.gate.decision import Decision, Subject, decide
from velapulumi.gate.ledger import text_of
from velapulumi.gate.policy import Policy, policy_of
from velapulumi.gate.statement import NO_HASH, Entry, Statement, StatementKind

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)  # a Tuesday
V1, V2 = "shop-v1:0123456789abcdef", "shop-v2:fedcba9876543210"
PLAN, OTHER_PLAN = "a" * 64, "b" * 64
SUBJECT = Subject("shop", "ask", ("prod",), V1, 1)
ROLES = {"release": ["ann", "bob", "cy"], "sre": ["bob", "dan"], "early": ["ed"], "late": ["lou"]}
PEOPLE = ("ann", "bob", "cy", "dan", "ed", "lou", "max")


def policy(count: int = 1, **changes: Any) -> Policy:
    rule: dict[str, Any] = {
        "stages": ["prod"],
        "approvals": [{"role": "release", "count": count}],
        "requesterMayApprove": True,
        "expires": "8h",
    }
    document = {
        "apiVersion": "velapulumi.dev/v1",
        "kind": "GatePolicy",
        "roles": ROLES,
        "stages": [rule | changes],
    }
    return policy_of(json.dumps(document))


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class Said:
    """Something that somebody has said: an approval unless told otherwise."""

    by: str = "ann"
    kind: str = "approve"
    signed_by: str = ""  # another's key; "-" for no signature, "~" for one of other bytes
    hours: float = -1  # before now
    fields: tuple[tuple[str, Any], ...] = ()

    def entry(self, number: int) -> Entry:
        at = text(NOON + timedelta(hours=self.hours))
        about = {"step": "ask", "revision": V1, "run": 1, "plan": PLAN} | dict(self.fields)
        return Entry(
            application="shop", ledger="0" * 32, number=number, previous=NO_HASH, at=at,
            by=self.by, kind=StatementKind(self.kind), **about,
        )  # fmt: skip


def said(by: str = "ann", **more: Any) -> Said:
    known = {name: more.pop(name) for name in ("kind", "signed_by", "hours") if name in more}
    return Said(by, fields=tuple(more.items()), **known)


@dataclass(frozen=True)
class Row:
    """A ledger, and whether it opens the gate."""

    name: str
    said: tuple[Said, ...]
    policy: Policy | None
    revoked: frozenset[str] = frozenset()
    now: datetime = NOON
    baked: float | None = None


def rows() -> Iterator[Row]:
    yield from single_rows()
    yield from quorum_rows()
    yield from special_rows()


REUSE: dict[str, tuple[Said, ...]] = {
    "once": (said(),),
    "other run": (said(run=2),),
    "other gate": (said(step="other"),),
    "other revision": (said(revision=V2),),
    "withdrawn": (said(), said("ci", kind="withdraw", signed_by="-", steps=("ask",))),
    "other withdrawn": (said(), said("ci", kind="withdraw", signed_by="-", steps=("other",))),
    "rejected": (said(), said("bob", kind="reject")),
    "rejected before": (said("bob", kind="reject"), said()),
    "rejected by a stranger": (said(), said("max", kind="reject")),
}
SIGNED = {"": "own key", "-": "no signature", "~": "other bytes", "max": "stranger's key"}
HOURS = {-1: "fresh", -9: "too old for the rule", 0.05: "a little ahead", 1: "from the future"}


def single_rows() -> Iterator[Row]:
    """One person, one place: role x key x time x reuse x policy or none."""
    for by, signed, hours, reuse in itertools.product(
        ("ann", "dan", "ed", "max"), SIGNED, HOURS, REUSE
    ):
        if [by, signed, hours, reuse].count("ann") + (signed == "") + (hours == -1) + (
            reuse == "once"
        ) < 2:
            continue
        changed = tuple(
            replace(each, by=by, signed_by=signed, hours=hours) if each.by == "ann" else each
            for each in REUSE[reuse]
        )
        name = f"{by}, {SIGNED[signed]}, {HOURS[hours]}, {reuse}"
        yield Row(name, changed, policy())
        if reuse == "once":
            yield Row(f"{name}, no policy", changed, None)
            yield Row(f"{name}, revoked", changed, policy(), frozenset({by}))


def quorum_rows() -> Iterator[Row]:
    """Several people: who, for which plan, who asks."""
    both = [{"role": "release"}, {"role": "sre"}]
    for people in itertools.chain.from_iterable(
        itertools.combinations(("ann", "bob", "cy", "dan"), size) for size in range(5)
    ):
        given = tuple(map(said, people))
        yield Row(f"{people} for two", given, policy(2))
        yield Row(f"{people} for three", given, policy(3))
        yield Row(f"{people} for both roles", given, policy(approvals=both))
        twice = given + given[:1]
        yield Row(f"{people}, one of them twice, for two", twice, policy(2))
        for asks in ("ann", "dan", "max"):
            ask = said(asks, kind="request", subject="cy")
            careful = policy(2, requesterMayApprove=False)
            yield Row(f"{people} for two, {asks} asks for cy", (ask, *given), careful)
        yield Row(f"{people} for two, nobody asks", given, policy(2, requesterMayApprove=False))
    for first, second in itertools.product((PLAN, OTHER_PLAN), repeat=2):
        given = (said("ann", plan=first), said("bob", plan=second))
        yield Row(f"{first[0]} and {second[0]}", given, policy(2))
        more = (*given, said("cy", plan=second))
        yield Row(f"{first[0]} and {second[0]} twice", more, policy(2))


def special_rows() -> Iterator[Row]:
    """Break-glass, expiry, what has begun, bake and freeze."""
    glass = policy(2, breakGlass={"role": "sre"}, freeze=[{"days": ["Tue"]}], bake="1h")
    for by, reason, signed in itertools.product(("ann", "dan", "bob"), ("", "down"), ("", "-")):
        past = said(by, signed_by=signed, break_glass=True, comment=reason)
        yield Row(f"glass broken by {by} {reason!r} {signed}", (past,), glass)
    for expires in (NOON - timedelta(seconds=1), NOON, NOON + timedelta(seconds=1)):
        yield Row(f"expires {expires}", (said(expires=text(expires)),), policy())
    for run, revision in ((1, V1), (2, V1), (1, V2)):
        for hours in (-1, -9):
            begun = said("ci", kind="use", signed_by="-", run=run, revision=revision, approvals="0")
            yield Row(f"used in {run} {revision} {hours}", (said(hours=hours), begun), policy())
    for baked in (None, 0.0, 3599.0, 3600.0):
        yield Row(f"baked {baked}", (said(),), policy(bake="1h"), baked=baked)
    for days in (["Mon"], ["Tue"], ["Mon", "Wed"]):
        yield Row(f"frozen {days}", (said(),), policy(freeze=[{"days": days}]))
    for hours in ("11:00-12:00", "12:00-13:00", "22:00-12:01", "13:00-11:00"):
        frozen = policy(freeze=[{"days": ["Mon", "Tue"], "hours": hours}])
        yield Row(f"frozen at {hours}", (said(),), frozen)


ROWS = {f"{number} {row.name}": row for number, row in enumerate(rows())}


@dataclass
class Keys:
    """The keys of some people, and the text that allows them."""

    folder: Path
    public: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*PEOPLE, "ci"):
            path = self.folder / name
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
            subprocess.run(command, check=True)
            self.public[name] = path.with_suffix(".pub").read_text()

    @property
    def allowed(self) -> str:
        windows = {"ed": 'valid-before="20290101Z" ', "lou": 'valid-after="20310101Z" '}
        return "".join(
            f"{name} {windows.get(name, '')}{self.public[name]}" for name in PEOPLE if name != "max"
        )


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@cache
def signature_of(folder: Path, name: str, body: bytes) -> str:
    return signatures.sign(folder / name, body)


@dataclass(frozen=True)
class Written:
    entry: Entry
    body: bytes
    signature: str


def written(row: Row, keys: Keys) -> list[Written]:
    found = []
    for number, each in enumerate(row.said):
        if dict(each.fields).get("approvals") == "0":
            fields = dict(each.fields) | {"approvals": ("0" * 63 + "0",)}
            each = replace(each, fields=tuple(fields.items()))
        entry = each.entry(number)
        body = text_of(entry).encode()
        key = each.signed_by if each.signed_by in PEOPLE else each.by
        signed = body + b" " if each.signed_by == "~" else body
        signature = "" if each.signed_by == "-" else signature_of(keys.folder, key, signed)
        found.append(Written(entry, body, signature))
    return found


def by_openssh(each: Written, keys: Keys) -> bool:
    at = datetime.fromisoformat(each.entry.at)
    return not signatures.check(each.body, each.signature, each.entry.by, keys.allowed, "", at)


def by_sshsig(each: Written, keys: Keys) -> bool:
    if not each.signature:
        return False
    try:
        key = sshsig.check_signature(each.body, each.signature, signatures.NAMESPACE)
    except sshsig.InvalidSignature:
        return False
    at = f"{datetime.fromisoformat(each.entry.at):%Y%m%d}"
    signers: list[AllowedSigner] = list(load_allowed_signers_file(StringIO(keys.allowed)))
    return any(
        f"{signer.key_type} {signer.base64_key}" == key.openssh_str()
        and signer.principals == each.entry.by
        and _in_window(signer.options, at)
        for signer in signers
    )


def _in_window(options: Any, day: str) -> bool:
    options = options or {}
    after, before = options.get("valid-after", "0"), options.get("valid-before", "9")
    return str(after)[:8] <= day < str(before)[:8]


def judged(row: Row, keys: Keys, good: Sequence[bool]) -> list[Statement]:
    return [
        Statement(
            f"{number:064x}",
            each.entry,
            each.entry.by if counts else "",
            each.entry.by in row.revoked,
        )
        for number, (each, counts) in enumerate(zip(written(row, keys), good, strict=True))
    ]


def opened(row: Row, statements: list[Statement]) -> Decision:
    confirmed = [s.hash for s in statements if s.entry.kind is StatementKind.USE]
    return decide(row.policy, True, statements, SUBJECT, row.now, row.baked, confirmed=confirmed)


def oracle(row: Row, statements: list[Statement]) -> bool:
    """Whether the gate is open, by trying everything."""
    here = [s for s in statements if (s.entry.revision, s.entry.run) == (V1, 1)]
    used = {h for s in here if s.entry.kind == "use" for h in s.entry.approvals}
    gone = {
        h
        for s in statements
        if s.entry.kind == "use" and s not in here and not s.entry.reverse
        for h in s.entry.approvals
    }
    standing: list[Statement] = []
    allowed = set(ROLES["release"]) | set(ROLES["sre"]) if row.policy else set(PEOPLE)
    if row.policy:
        rule = row.policy.stages[0]
        names = [need.role for need in rule.approvals]
        names += [rule.break_glass.role] if rule.break_glass else []
        allowed = {person for name in names for person in ROLES[name]}
    for s in here:
        kind = s.entry.kind
        if kind == "withdraw" and "ask" in s.entry.steps:
            standing = []
        if kind == "reject" and s.signer in allowed and not s.revoked:
            standing = []
        if kind == "approve" and s.entry.step == "ask":
            standing.append(s)
    counting = []
    for s in standing:
        at = datetime.fromisoformat(s.entry.at)
        ends = [at + timedelta(hours=8)] if row.policy else []
        ends += [datetime.fromisoformat(s.entry.expires)] if s.entry.expires else []
        late = any(row.now >= end for end in ends) and s.hash not in used
        ahead = at > row.now + timedelta(minutes=5)
        if s.signer and not s.revoked and not late and not ahead and s.hash not in gone:
            counting.append(s)
    if row.policy is None:
        return bool(counting)
    rule = row.policy.stages[0]
    asking = {
        name
        for s in here
        if s.entry.kind == "request" and s.signer and not s.revoked
        for name in (s.signer, s.entry.subject)
    }
    for plan in {s.entry.plan for s in counting}:
        mine = [s for s in counting if s.entry.plan == plan]
        if rule.break_glass and any(
            s.entry.break_glass and s.entry.comment and s.signer in ROLES[rule.break_glass.role]
            for s in mine
        ):
            return True
        if used & {s.hash for s in mine}:
            return True
        people = {s.signer for s in mine}
        if not rule.requester_may_approve:
            if not asking:
                continue
            people -= asking
        places = [need.role for need in rule.approvals for _ in range(need.count)]
        filled = any(
            all(person in ROLES[role] for person, role in zip(some, places, strict=True))
            for some in itertools.permutations(sorted(people), len(places))
        )
        frozen = bool(rule.freeze) and rule.frozen(row.now) != ""
        baked = not rule.bake or (row.baked is not None and row.baked >= 3600)
        if filled and not frozen and baked:
            return True
    return False


def test_the_table_is_large_and_has_both_verdicts(keys: Keys) -> None:
    assert len(ROWS) >= 300
    verdicts = [
        opened(row, judged(row, keys, [bool(each.signature) for each in written(row, keys)])).open
        for row in ROWS.values()
    ]
    assert min(verdicts.count(True), verdicts.count(False)) >= 50


@pytest.mark.parametrize("name", ROWS)
def test_a_gate_is_open_for_whom_it_must_be(name: str, keys: Keys) -> None:
    row = ROWS[name]
    entries = written(row, keys)
    good = [by_openssh(each, keys) for each in entries]
    assert good == [by_sshsig(each, keys) for each in entries]
    statements = judged(row, keys, good)
    decision = opened(row, statements)
    assert decision.open is oracle(row, statements), decision
    assert decision.open is not bool(decision.reasons)


@pytest.mark.parametrize("name", ROWS)
def test_lines_that_nobody_signs_open_nothing(name: str, keys: Keys) -> None:
    row = ROWS[name]
    good = [by_openssh(each, keys) for each in written(row, keys)]
    before = judged(row, keys, good)
    auto = Statement("e" * 64, said("ci", kind="auto").entry(98))
    for plan in (PLAN, OTHER_PLAN):
        known = tuple(each.hash for each in (*before, auto))
        use = Statement("f" * 64, said("ci", kind="use", plan=plan, approvals=known).entry(99))
        for forged in ([auto], [use], [auto, use]):
            confirmed = [each.hash for each in before if each.entry.kind is StatementKind.USE]
            decision = decide(
                row.policy, True, [*before, *forged], SUBJECT, row.now, row.baked,
                confirmed=confirmed,
            )  # fmt: skip
            assert not decision.open or opened(row, before).open, forged


RULES = [
    *({"approvals": [{"role": role, "count": n}]} for role in ("release", "sre") for n in (1, 2)),
    {"requesterMayApprove": False},
    {"expires": "1h"},
    {"bake": "1h"},
    {"freeze": [{"days": ["Tue"], "reason": "a Tuesday"}]},
    {"breakGlass": {"role": "sre"}},
    {"auto": {"only": ["image"]}},
    {"stages": ["p*"], "approvals": [{"role": "late"}]},
]


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.policy])
def test_all_rules_that_fit_are_met(name: str, keys: Keys) -> None:
    """A second rule never opens what the first one alone keeps closed, in whatever order."""
    row = ROWS[name]
    assert row.policy is not None
    good = [by_openssh(each, keys) for each in written(row, keys)]
    statements = judged(row, keys, good)
    first = row.policy.stages[0]
    for rule in RULES:
        second = policy(**rule).stages[0]
        alone = [
            opened(
                replace(row, policy=row.policy.model_copy(update={"stages": (each,)})), statements
            )
            for each in (first, second)
        ]
        for pair in ((first, second), (second, first)):
            both = row.policy.model_copy(update={"stages": pair})
            decision = opened(replace(row, policy=both), statements)
            assert not decision.open or all(each.open for each in alone), (rule, decision)


APPROVERS = st.lists(st.sampled_from(["ann", "bob", "cy", "dan", "max"]), max_size=6)


def statements_of(people: Sequence[str]) -> list[Statement]:
    return [
        Statement(f"{number:064x}", said(by).entry(number), by) for number, by in enumerate(people)
    ]


@settings(max_examples=200)
@given(APPROVERS, st.sampled_from(["ann", "bob", "cy", "dan"]), st.integers(1, 3))
def test_one_more_approval_never_closes_a_gate(people: list[str], more: str, count: int) -> None:
    rule = policy(count)
    before = decide(rule, True, statements_of(people), SUBJECT, NOON)
    after = decide(rule, True, statements_of([*people, more]), SUBJECT, NOON)
    assert after.open or not before.open


@settings(max_examples=200)
@given(APPROVERS, st.integers(1, 3))
def test_a_gate_never_opens_for_fewer_people_than_it_asks_for(
    people: list[str], count: int
) -> None:
    decision = decide(policy(count), True, statements_of(people), SUBJECT, NOON)
    assert not decision.open or len(set(decision.by)) >= count
    assert set(decision.by) <= set(ROLES["release"])


@settings(max_examples=100)
@given(st.permutations(["ann", "bob", "dan", "max"]))
def test_it_does_not_matter_who_comes_first(people: list[str]) -> None:
    assert decide(policy(2), True, statements_of(people), SUBJECT, NOON).open
