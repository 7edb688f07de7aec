"""Who may say yes to a delivery, and who has: the ledger, and the policy and keys in force.

What is in force is what the ledger says, not what the files of the project say now: whoever changes
those cannot approve that change with them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from velapulumi import signatures
from velapulumi.clusters.names import ClusterNames
from velapulumi.clusters.registry import Registry
from velapulumi.engine.record import StageRecord
from velapulumi.errors import ApprovalStale, InvalidFile, LedgerDamaged, NotInForce
from velapulumi.gate.decision import Decision, Subject, decide
from velapulumi.gate.ledger import Ledger, Line, Trust, read_ledger
from velapulumi.gate.policy import Policy, StageRule, policy_json, policy_of, read_policy
from velapulumi.gate.statement import Statement, StatementKind
from velapulumi.gate.verification import statements, verify
from velapulumi.plan.document import PlanDocument, read_plan
from velapulumi.plan.properties import changes_only
from velapulumi.project import Project


@dataclass(frozen=True)
class Authority:
    """The approvals of an application and the policy they are judged by.

    Attributes:
        ledger: Its ledger.
        trust: Policy and keys in force.
        statements: What the ledger states, with who has signed it.
        problems: Why nothing is approved whatever the ledger states, a sentence each.
        differs: Whether the files of the project are not what is in force; then nothing is
            approved either.
        plans: Gives the plan document of a digest, as far as it is kept.
        names: The names of the joined clusters. Patterns of the policy are compared with every name
            of a cluster.
        held: The clusters on which the stack of each stage holds objects, by the stage's name. A
            stage is governed by these as by those it delivers to: moving it is a write to both.
        confirmed: Hashes of the ledger's lines about deliveries that the stacks confirm.
    """

    ledger: Ledger
    trust: Trust
    statements: tuple[Statement, ...] = ()
    problems: tuple[str, ...] = ()
    differs: bool = False
    plans: Callable[[str], PlanDocument | None] = field(default=lambda digest: None, compare=False)
    names: ClusterNames = field(default_factory=ClusterNames, compare=False)
    held: Mapping[str, frozenset[str]] = field(default_factory=dict, compare=False)
    confirmed: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """Names policy and keys in force; empty when there are none."""
        return "" if self.trust.empty else self.trust.digest

    @cached_property
    def policy(self) -> Policy | None:
        """The gate policy in force."""
        return policy_of(self.trust.policy) if self.trust.policy else None

    @property
    def obstacles(self) -> tuple[str, ...]:
        """Why nothing is approved whatever the ledger states, a sentence each."""
        if self.differs:
            return (*self.problems, "policy or keys in the folder gates are not those in force")
        return self.problems

    def check(self) -> None:
        """Refuse to go by a ledger that is not in order, or by files that are not in force.

        Raises:
            LedgerDamaged: The ledger says what nobody has signed, or was cut or rewritten.
            NotInForce: Policy or keys of the project are not those in force.
        """
        if self.problems:
            raise LedgerDamaged("\n".join(self.problems))
        if self.differs:
            name = self.ledger.application
            raise NotInForce(
                self.obstacles[0],
                next_step="Take the files back, or have those adopt them who may: "
                f"velapulumi trust adopt {name}",
            )

    def rules(self, stage: str, clusters: Collection[str]) -> tuple[StageRule, ...]:
        """All rules of the policy that a stage on some clusters has to meet.

        Args:
            stage: The stage's name.
            clusters: A name of each cluster that it delivers to. A pattern that fits any name of
                one of them, or of one that its stack holds objects on, counts.
        """
        if self.policy is None:
            return ()
        names = self._names(stage, clusters)
        return self.policy.rules_for(self.ledger.application, stage, names)

    def _names(self, stage: str, clusters: Collection[str]) -> tuple[str, ...]:
        """Every name of the clusters that a delivery of a stage writes to."""
        return tuple(self.names.every_name({*clusters, *self.held.get(stage, ())}))

    def governs(self, stage: str, clusters: Collection[str]) -> bool:
        """Tell whether the policy has a rule for a stage on some clusters, see `rules`."""
        return bool(self.rules(stage, clusters))

    def requirements(self, stage: str, clusters: Collection[str]) -> tuple[str, ...]:
        """The demands of the policy before a stage may go, a phrase each; see `rules`."""
        found = (text for rule in self.rules(stage, clusters) for text in _requirements(rule))
        return tuple(dict.fromkeys(found))

    def decide(self, subject: Subject, healthy_since: float | None) -> Decision:
        """Whether a gate is open now.

        Args:
            subject: The gate, and what it is to be open for.
            healthy_since: Since when the stages before run it well, in seconds since 1970; None
                when they do not.
        """
        if self.obstacles:
            return Decision(open=False, reasons=self.obstacles)
        decision = self._decided(subject, healthy_since)
        return decision if decision.open else self._way_back(subject) or decision

    def _decided(self, subject: Subject, healthy_since: float | None) -> Decision:
        now = datetime.now(UTC)
        names = {stage: self._names(stage, on) for stage, on in subject.clusters.items()}
        return decide(
            self.policy,
            bool(self.trust.signers),
            self.statements,
            replace(subject, clusters=names),
            now,
            None if healthy_since is None else now.timestamp() - healthy_since,
            self._qualifies,
            self.confirmed,
        )

    def may_go_back(self, decision: Decision, revision: str, run: int) -> bool:
        """Whether the way back was approved with a delivery that has begun, and still counts.

        Args:
            decision: How the gate of the delivery stands.
            revision: The revision that was delivered.
            run: The run of it.
        """
        begun = any(
            entry.kind is StatementKind.USE
            and (entry.plan, entry.revision, entry.run) == (decision.plan, revision, run)
            for entry in (statement.entry for statement in self.statements)
        )
        ends = decision.expires
        late = ends is not None and datetime.now(UTC) >= ends
        return decision.open and decision.reverse and begun and not late

    def _way_back(self, subject: Subject) -> Decision | None:
        """The approval of what a gate opens as the way back of the run before; None for none."""
        for statement in reversed(self.statements):
            entry = statement.entry
            if (
                entry.kind is not StatementKind.APPROVE
                or (entry.step, entry.run) != (subject.step, subject.run - 1)
                or not entry.reverse
            ):
                continue
            forward = self._decided(replace(subject, revision=entry.revision, run=entry.run), None)
            plan = self.plans(forward.plan)
            back = plan is not None and all(s.before == subject.revision for s in plan.stages)
            if back and self.may_go_back(forward, entry.revision, entry.run):
                return replace(forward, way_back=True)
        return None

    def _qualifies(self, digest: str, rule: StageRule) -> bool:
        """Whether a plan needs nobody's approval under a rule."""
        plan = self.plans(digest) if rule.auto else None
        return plan is not None and self.needs_nobody(plan, rule)

    def needs_nobody(self, plan: PlanDocument, rule: StageRule) -> bool:
        """Whether a plan changes only what a rule leaves to nobody's approval."""
        only = rule.auto.only if rule.auto else ()
        return bool(only) and all(changes_only(stage, only) for stage in plan.stages)

    def used(self, plan: str, stage: str, revision: str, run: int) -> frozenset[str]:
        """The clusters on which the delivery of an approved plan to a stage has begun."""
        return frozenset(
            self.names.name_of(uid) or name
            for statement in self.uses(stage)
            for name, uid in statement.entry.clusters.items()
            if (statement.entry.plan, statement.entry.revision, statement.entry.run)
            == (plan, revision, run)
        )

    def uses(self, stage: str) -> Iterator[Statement]:
        """What states that a stage is being delivered under an approval, oldest first."""
        for statement in self.statements:
            entry = statement.entry
            if entry.kind is StatementKind.USE and stage in entry.stages:
                yield statement

    def anchor(
        self, stage: str, plans: Collection[str], revision: str, run: int
    ) -> dict[str, Any] | None:
        """What a stack keeps of the approvals its stage is delivered under; None for none.

        Args:
            stage: The stage.
            plans: The plans that are delivered.
            revision: The revision.
            run: The run of it.
        """
        uses = [
            each
            for each in self.uses(stage)
            if each.entry.plan in plans and (each.entry.revision, each.entry.run) == (revision, run)
        ]
        if not uses:
            return None
        last = uses[-1]
        return {
            "ledger": self.ledger.id,
            "entry": last.entry.number,
            "hash": last.hash,
            "uses": [each.hash for each in uses],
        }

    def with_stacks(self, records: Mapping[str, StageRecord]) -> Authority:
        """The authority with what the stacks tell; it counts for nothing if one knows other lines.

        Args:
            records: What the stacks hold, by stage.
        """
        anchors = {stage: record.approval for stage, record in records.items() if record.approval}
        found = tuple(
            f"the ledger was cut or rewritten since stage {stage} was delivered"
            for stage, anchor in anchors.items()
            if not self._has(anchor)
        )
        held = {
            stage: frozenset(entry.cluster for entry in record.made)
            for stage, record in records.items()
        }
        confirmed = frozenset(
            each.hash
            for stage, anchor in anchors.items()
            for each in self.uses(stage)
            if isinstance(known := anchor.get("uses"), list) and each.hash in known
        )
        return replace(self, problems=(*self.problems, *found), held=held, confirmed=confirmed)

    def _has(self, anchor: Mapping[str, Any]) -> bool:
        number, lines = anchor.get("entry"), self.ledger.lines
        return (
            anchor.get("ledger") == self.ledger.id
            and isinstance(number, int | float)
            and 0 <= number < len(lines)
            and lines[int(number)].hash == anchor.get("hash")
        )


def read_authority(project: Project, application: str, run: int) -> Authority:
    """Read the ledger of an application, and judge the signatures that matter for a run.

    Those are the ones of the run, of the one before, whose way back it may be, and of all changes
    of policy and keys; who has signed other entries is left open.

    Args:
        project: The project.
        application: The application.
        run: The run.

    Raises:
        InvalidFile: The ledger, the policy, the keys or the registry of clusters are damaged.
        ToolMissing: There are signatures and no ``ssh-keygen``.
    """
    ledger = read_ledger(project.ledger_file(application), application)
    names = Registry(project).names()

    def plans(digest: str) -> PlanDocument | None:
        try:
            return kept_plan(project, application, digest)
        except ApprovalStale:
            return None

    written = read_trust(project)
    if not ledger.lines:
        return Authority(ledger, written, plans=plans, names=names)

    def matters(line: Line) -> bool:
        return line.entry.kind is StatementKind.TRUST or run - 1 <= line.entry.run <= run

    found = verify(ledger, lambda line, trust: check_line(line, trust) if matters(line) else "")
    problems = tuple(f"the ledger is not in order: {text}" for text in found)
    stated = statements(
        ledger,
        lambda line, trust: check_line(line, trust) if matters(line) else "is not looked at",
        lambda line: matters(line) and is_revoked(line, ledger.trust),
        lambda line: matters(line) and has_lapsed(line, ledger.trust),
    )
    differs = written != ledger.trust
    return Authority(ledger, ledger.trust, stated, problems, differs, plans, names)


def read_trust(project: Project) -> Trust:
    """Policy and keys as the files of the project say.

    Raises:
        InvalidFile: One of them is damaged; all of its problems are named.
    """
    policy = read_policy(project.gates / "policy.yaml")
    signers = _text(project.gates / "allowed_signers")
    revoked = _text(project.gates / "revoked_keys")
    found = [f"{project.gates / 'allowed_signers'}: {e}" for e in signatures.check_signers(signers)]
    found += [f"{project.gates / 'revoked_keys'}: {e}" for e in signatures.check_revoked(revoked)]
    if found:
        raise InvalidFile("\n".join(found))
    if policy is not None and not signers:
        raise InvalidFile(
            f"{project.gates / 'allowed_signers'}: is missing, and the policy names people"
        )
    return Trust(policy_json(policy) if policy else "", signers, revoked)


def kept_plan(project: Project, application: str, digest: str) -> PlanDocument:
    """The plan document that was approved.

    Raises:
        ApprovalStale: It is not kept, or is not the one that was approved.
    """
    path = project.plan_file(application, digest)
    again = f"Approve what it is now: velapulumi approve {application}"
    try:
        plan = read_plan(path.read_bytes(), str(path))
    except OSError as error:
        raise ApprovalStale(
            f"the approved plan is not kept at {path}",
            next_step=f"Restore it from version control. {again}",
        ) from error
    except InvalidFile as error:
        raise ApprovalStale(f"the approved plan is damaged: {error}", next_step=again) from error
    if plan.digest != digest:
        raise ApprovalStale(f"{path} is not the plan that was approved", next_step=again)
    return plan


def check_line(line: Line, trust: Trust, at: datetime | None = None) -> str:
    """Why the signature of a line does not count under some keys; empty when it does.

    Args:
        line: The line.
        trust: The keys.
        at: When the key has to be valid; when the line says that it was written if not given.
    """
    entry = line.entry
    return signatures.check(
        line.body.encode(),
        line.signature,
        entry.by,
        trust.signers,
        trust.revoked,
        at or datetime.fromisoformat(entry.at),
    )


def is_revoked(line: Line, trust: Trust) -> bool:
    """Whether the key that has signed a line counts no more."""
    return bool(line.signature) and signatures.is_revoked(line.signature, trust.revoked)


def has_lapsed(line: Line, trust: Trust) -> bool:
    """Whether the key that has signed a line is not valid any more, or not one in force."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return bool(line.signature) and bool(check_line(line, trust, now))


def _requirements(rule: StageRule) -> Iterator[str]:
    for needed in rule.approvals:
        yield f"{needed.count} of role {needed.role}"
    if rule.bake:
        yield f"{rule.bake} of good health before"
    if rule.auto:
        yield f"nobody, when only this changes: {', '.join(rule.auto.only)}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path}: cannot be read: {error}") from error
