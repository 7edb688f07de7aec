"""Whether a gate is open: a pure function of the ledger, the policy in force and the time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from velapulumi.gate.policy import Policy, StageRule
from velapulumi.gate.statement import Entry, Statement, StatementKind
from velapulumi.spec.durations import format_duration

_AHEAD = timedelta(minutes=5)
"""How far the clock of another machine may be ahead of this one."""

_SHOWN = 12
_GIVING = (StatementKind.APPROVE, StatementKind.AUTO)


@dataclass(frozen=True)
class Subject:
    """What is to be decided.

    Attributes:
        application: The application.
        step: The gate.
        stages: The stages it opens.
        revision: For which revision.
        run: In which run of it.
        clusters: The clusters of each stage, by its name.
    """

    application: str
    step: str
    stages: tuple[str, ...]
    revision: str
    run: int
    clusters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """How a gate stands.

    Attributes:
        open: Whether it is open.
        plan: SHA-256 of the plan that is approved.
        approvals: Hashes of the entries this is founded on.
        by: By whom it was approved.
        reasons: What is missing, a sentence each; nothing when it is open.
        rejected: By whom and why it is rejected; empty when it is not.
        expires: From when on it is closed again if it has not been used; None for never.
        break_glass: Whether it was opened past the policy.
        signed: Whether what it is founded on is signed.
        reverse: Whether the way back is approved, too.
        way_back: Whether it is open as the way back of a delivery that was approved so.
    """

    open: bool
    plan: str = ""
    approvals: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    rejected: str = ""
    expires: datetime | None = None
    break_glass: bool = False
    signed: bool = False
    reverse: bool = False
    way_back: bool = False


def decide(
    policy: Policy | None,
    signers: bool,
    statements: Sequence[Statement],
    subject: Subject,
    now: datetime,
    baked: float | None = None,
    qualifies: Callable[[str, StageRule], bool] = lambda plan, rule: False,
    confirmed: Collection[str] = (),
) -> Decision:
    """Decide whether a gate is open.

    What has been used in its run stays approved: a delivery that has begun goes on. That it has
    begun is what its stack says: anybody can write such a line, as nobody signs it.

    Args:
        policy: The gate policy in force; None for none.
        signers: Whether there are allowed signers.
        statements: What the ledger states, in order.
        subject: What is to be decided.
        now: The time, with a zone.
        baked: For how many seconds the stages before have run it well; None when they do not.
        qualifies: Tells whether a plan needs nobody's approval under a rule.
        confirmed: Hashes of the uses that the stacks confirm.
    """
    rules = tuple(
        rule
        for rule in (policy.stages if policy else ())
        if any(
            rule.fits(subject.application, stage, subject.clusters.get(stage, ()))
            for stage in subject.stages
        )
    )
    judge = _Judge(policy, rules, signers, statements, subject, now, frozenset(confirmed))
    given, rejected = judge.given()
    if rejected:
        return Decision(False, reasons=(rejected,), rejected=rejected)
    plans = list(dict.fromkeys(each.entry.plan for each in reversed(given)))
    decisions = [
        judge.decide([g for g in given if g.entry.plan == plan], plan, baked, qualifies)
        for plan in plans
    ]
    opened = next((decision for decision in decisions if decision.open), None)
    if opened or decisions:
        return opened or decisions[0]
    return judge.decide([], "", baked, qualifies)


def requesters(statements: Iterable[Statement], subject: Subject) -> tuple[str, ...]:
    """Who asks for a run, with a signature, and for whom."""
    found: dict[str, None] = {}
    for each in statements:
        entry = each.entry
        if (
            entry.kind is StatementKind.REQUEST
            and (entry.revision, entry.run) == (subject.revision, subject.run)
            and each.signer
            and not each.revoked
        ):
            found |= dict.fromkeys(filter(None, (each.signer, entry.subject)))
    return tuple(found)


@dataclass(frozen=True)
class _Judge:
    policy: Policy | None
    rules: tuple[StageRule, ...]
    signers: bool
    statements: Sequence[Statement]
    subject: Subject
    now: datetime
    confirmed: frozenset[str]

    def given(self) -> tuple[list[Statement], str]:
        """The approvals that nobody has taken back, and who has rejected last, if so."""
        found: list[Statement] = []
        rejected = ""
        for each in self.statements:
            entry = each.entry
            if not self._is_here(entry):
                continue
            if entry.kind is StatementKind.WITHDRAW and self.subject.step in entry.steps:
                found, rejected = [], ""
            elif entry.step != self.subject.step:
                continue
            elif entry.kind is StatementKind.REJECT and self._may_reject(each):
                found, rejected = [], f"rejected by {_word(entry.by)}: {_word(entry.comment)}"
            elif entry.kind in _GIVING and self._counts_at_all(each):
                found.append(each)
                rejected = ""
        return found, rejected

    def _counts_at_all(self, each: Statement) -> bool:
        if each.entry.kind is StatementKind.AUTO:
            return bool(self.rules)
        if datetime.fromisoformat(each.entry.at) > self.now + _AHEAD or each.hash in self._gone:
            return False
        if not self.rules and not self.signers:
            return True
        # Who signs with a key that has expired can date the line into its life.
        is_over = (each.revoked or each.lapsed) and each.hash not in self._used
        return bool(each.signer) and not is_over

    def _may_reject(self, each: Statement) -> bool:
        if not self.signers:
            return True
        if not each.signer or each.revoked:
            return False
        if self.policy is None or not self.rules:
            return True
        names = {need.role for rule in self.rules for need in rule.approvals}
        names |= {rule.break_glass.role for rule in self.rules if rule.break_glass}
        return any(each.signer in self.policy.people(name) for name in names)

    @property
    def _used(self) -> frozenset[str]:
        """The approvals that the delivery of their plan has begun on, in this run."""
        plans = {each.hash: each.entry.plan for each in self.statements}
        return frozenset(
            approval
            for each in self.statements
            if each.hash in self.confirmed
            and each.entry.kind is StatementKind.USE
            and self._is_here(each.entry)
            for approval in each.entry.approvals
            if plans.get(approval) == each.entry.plan
        )

    @property
    def _gone(self) -> frozenset[str]:
        """The approvals that were used for something else; a way back is part of the same."""
        elsewhere = (use for use in self._uses if not self._is_here(use) and not use.reverse)
        return frozenset(approval for use in elsewhere for approval in use.approvals)

    @property
    def _uses(self) -> Iterator[Entry]:
        entries = (each.entry for each in self.statements)
        return (entry for entry in entries if entry.kind is StatementKind.USE)

    def _is_here(self, entry: Entry) -> bool:
        return (entry.revision, entry.run) == (self.subject.revision, self.subject.run)

    def decide(
        self,
        given: Sequence[Statement],
        plan: str,
        baked: float | None,
        qualifies: Callable[[str, StageRule], bool],
    ) -> Decision:
        """How the gate stands by what was given for one plan."""
        approved = [each for each in given if each.entry.kind is StatementKind.APPROVE]
        auto = any(each.entry.kind is StatementKind.AUTO for each in given)
        counting = [each for each in approved if not self._expired(each)]
        reasons: list[str] = []
        past = False
        if not self.rules and not counting:
            reasons.append(self._nobody(approved))
        for rule in self.rules:
            glass = self._past(counting, rule)
            past = past or glass
            if glass or self._begun(given):
                continue
            if not (auto and rule.auto and qualifies(plan, rule)):
                reasons += self._missing(counting, approved, rule)
            reasons += self._not_now(rule, baked)
        counting = [each for each in counting if past or self._is_somebody(each)]
        founded = counting or [each for each in given if each.entry.kind is StatementKind.AUTO]
        if reasons:
            return Decision(False, plan=plan, reasons=tuple(dict.fromkeys(reasons)))
        return Decision(
            True,
            plan=plan,
            approvals=tuple(each.hash for each in founded),
            by=tuple(dict.fromkeys(each.entry.by for each in counting)),
            expires=min((e for each in counting if (e := self._expires(each))), default=None),
            break_glass=past,
            signed=bool(counting) and all(each.signer for each in counting),
            reverse=bool(counting) and all(each.entry.reverse for each in counting),
        )

    def _is_somebody(self, each: Statement) -> bool:
        """Whether an approval is one of those that some rule asks for."""
        if self.policy is None or not self.rules:
            return True
        return any(
            each.signer in self.policy.people(need.role)
            for rule in self.rules
            for need in rule.approvals
        )

    def _nobody(self, approved: Sequence[Statement]) -> str:
        if approved:
            return f"the approval by {approved[-1].entry.by} has expired"
        how = "with a signature" if self.signers else "yet"
        return f"nobody has approved {self.subject.step} {how}"

    def _begun(self, given: Sequence[Statement]) -> bool:
        """Whether the delivery has begun on what was given: it was enough then."""
        return any(each.hash in self._used for each in given)

    def _expires(self, each: Statement) -> datetime | None:
        ends = [datetime.fromisoformat(each.entry.expires)] if each.entry.expires else []
        ends += [datetime.fromisoformat(each.entry.at) + rule.lifetime for rule in self.rules]
        return min(ends, default=None)

    def _expired(self, each: Statement) -> bool:
        if each.hash in self._used:
            return False
        ends = self._expires(each)
        return ends is not None and self.now >= ends

    def _past(self, counting: Sequence[Statement], rule: StageRule) -> bool:
        if self.policy is None or rule.break_glass is None:
            return False
        people = self.policy.people(rule.break_glass.role)
        return any(
            each.entry.break_glass and each.entry.comment and each.signer in people
            for each in counting
        )

    def _missing(
        self, counting: Sequence[Statement], approved: Sequence[Statement], rule: StageRule
    ) -> Iterator[str]:
        """Which people are missing under a rule."""
        assert self.policy is not None
        asking: tuple[str, ...] = ()
        if not rule.requester_may_approve:
            asking = requesters(self.statements, self.subject)
            if not asking:
                yield (
                    "nobody has asked for it with a signature, so nobody knows who may not approve "
                    f"it: velapulumi request {self.subject.application}"
                )
        people = {each.signer for each in counting} - set(asking)
        needed = sum(need.count for need in rule.approvals)
        if len(self.policy.assign(sorted(people), rule.approvals)) == needed:
            return
        for need in rule.approvals:
            able = self.policy.people(need.role)
            have = sorted(people & able)
            if len(have) < need.count or len(rule.approvals) > 1:
                others = sorted(able - people - set(asking))
                plan = counting[-1].entry.plan[:_SHOWN] if counting else ""
                yield (
                    f"{len(have)} of {need.count} approvals by role {need.role}"
                    f"{f' for plan {plan}' if plan else ''}"
                    f"{f': {chr(44).join(have)}' if have else ''}"
                    f"; still needed: {_one_of(others)}"
                )
        for each in approved:
            if self._expired(each):
                yield f"the approval by {each.entry.by} has expired"

    def _not_now(self, rule: StageRule, baked: float | None) -> Iterator[str]:
        if window := rule.frozen(self.now):
            yield f"nothing goes now: {window}"
        if rule.bake_seconds and baked is None:
            yield f"the stages before have to run it well for {rule.bake}, and do not"
        elif rule.bake_seconds and (baked or 0) < rule.bake_seconds:
            left = format_duration(float(round(rule.bake_seconds - (baked or 0))))
            yield f"the stages before have to run it well for {rule.bake}, {left} more"


def _word(text: str) -> str:
    """Text in one line, with nothing in it that a terminal would obey."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _one_of(people: Sequence[str]) -> str:
    return f"one of {', '.join(people)}" if len(people) > 1 else "".join(people) or "nobody is left"
