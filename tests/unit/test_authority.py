"""What counts of a ledger: by the policy and keys in force, and by what the stacks remember."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.unit.helpers import V1, V2, empty_plan, joined, kubeconfig, parsed
from velapulumi import files, signatures
from velapulumi.clusters.registry import Registry
from velapulumi.delivery.approvals import signer
from velapulumi.delivery.trust import adopt, state_of_trust
from velapulumi.engine.record import RecordedObject, StageRecord
from velapulumi.errors import InvalidFile, LedgerDamaged, NotInForce, UsageProblem
from velapulumi.gate.decision import Subject
from velapulumi.gate.ledger import append
from velapulumi.gate.statement import StatementKind
from velapulumi.plan.document import ClusterPlan, PlanDocument, PlannedObject, StagePlan
from velapulumi.plan.operation import Operation
from velapulumi.program.authority import Authority, read_authority, read_trust
from velapulumi.project import Project

POLICY = """\
apiVersion: velapulumi.dev/v1
kind: GatePolicy
roles: {release: [alice, bob], sre: [carol, dan]}
stages:
- {stages: [prod], approvals: [{role: release}], requesterMayApprove: true}
changes: {role: sre, count: 2}
"""
PLAN = "a" * 64


@dataclass
class Team:
    """A project and the keys of some people."""

    project: Project
    keys: Path

    def key(self, name: str) -> Path:
        path = self.keys / name
        if not path.exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
            subprocess.run(command, check=True)
        return path

    def allow(self, *names: str) -> None:
        lines = [f"{name} {self.key(name).with_suffix('.pub').read_text()}" for name in names]
        self.write("allowed_signers", "".join(lines))

    def write(self, name: str, text: str) -> None:
        self.project.gates.mkdir(exist_ok=True)
        (self.project.gates / name).write_text(text)

    def say(self, kind: StatementKind, by: str, *, signed: bool = True, **fields: Any) -> None:
        said = {"kind": kind, "by": by, "revision": V1, "run": 1, "step": "ask"} | fields
        sign = partial(signatures.sign, self.key(by)) if signed else None
        append(self.ledger, "shop", said, sign, lambda: read_trust(self.project))

    @property
    def ledger(self) -> Path:
        return self.project.ledger_file("shop")

    @property
    def authority(self) -> Authority:
        return self.of(1)

    def of(self, run: int) -> Authority:
        return read_authority(self.project, "shop", run)

    def is_open(self, revision: str = V1, run: int = 1) -> bool:
        subject = Subject("shop", "ask", ("prod",), revision, run)
        return self.of(run).decide(subject, None).open


@pytest.fixture
def team(tmp_path: Path) -> Team:
    (tmp_path / "Pulumi.yaml").write_text("name: test\n")
    keys = tmp_path / "keys"
    keys.mkdir()
    return Team(Project(tmp_path, "test", tmp_path / "stacks"), keys)


def test_without_anything_one_unsigned_approval_opens(team: Team) -> None:
    assert not team.is_open()
    team.say(StatementKind.APPROVE, "anybody", signed=False, plan=PLAN)
    assert team.is_open()
    assert team.authority.digest == ""


def test_with_keys_only_a_signature_of_one_opens(team: Team) -> None:
    team.allow("alice")
    team.say(StatementKind.APPROVE, "alice", plan=PLAN)
    assert team.is_open()
    assert not team.is_open(V2)
    assert not team.is_open(run=2)


def test_what_was_signed_in_other_runs_is_not_looked_at_and_counts_for_nothing(team: Team) -> None:
    team.allow("alice")
    for run in (1, 2, 7):
        team.say(StatementKind.APPROVE, "mallory", plan=PLAN, run=run)
    assert [bool(team.of(run).problems) for run in range(1, 9)] == [
        True, True, True, False, False, False, True, True,
    ]  # fmt: skip
    assert [each.signer for each in team.of(5).statements] == [""] * 4


@pytest.mark.parametrize("signed", [True, False])
def test_a_ledger_with_what_nobody_may_have_written_opens_nothing(team: Team, signed: bool) -> None:
    team.allow("alice")
    team.say(StatementKind.APPROVE, "alice", plan=PLAN)
    team.say(StatementKind.APPROVE, "mallory", signed=signed, plan=PLAN)
    assert not team.is_open()
    with pytest.raises(LedgerDamaged, match="entry 2"):
        team.authority.check()


def test_a_key_that_is_revoked_counts_no_more_but_for_what_has_begun(team: Team) -> None:
    team.allow("alice", "bob")
    team.say(StatementKind.APPROVE, "alice", plan=PLAN)
    pub = team.key("alice").with_suffix(".pub").read_text()
    team.write("revoked_keys", pub)
    assert not team.is_open()
    with pytest.raises(NotInForce):
        team.authority.check()
    adopted = adopt(team.project, "shop", key=team.key("bob"))
    assert (adopted.by, adopted.signed, adopted.in_force) == ("bob", True, True)
    team.authority.check()
    assert not team.is_open()


def test_a_key_that_has_expired_signs_nothing_however_the_line_is_dated(team: Team) -> None:
    team.allow("alice", "bob")
    said = team.project.gates / "allowed_signers"
    alice, bob = said.read_text().splitlines()
    name, rest = alice.split(" ", 1)
    said.write_text(f'{name} valid-before="20260102" {rest}\n{bob}\n')
    at = "2026-01-01T00:00:00Z"
    entry = {"kind": StatementKind.APPROVE, "by": "alice", "revision": V1, "run": 1, "step": "ask"}
    with mock.patch.object(files, "now", return_value=at):
        sign = partial(signatures.sign, team.key("alice"))
        append(team.ledger, "shop", {**entry, "plan": PLAN}, sign, lambda: read_trust(team.project))
    assert team.authority.problems == (), "the signature was good when it was made"
    assert not team.is_open()
    team.say(StatementKind.APPROVE, "bob", plan=PLAN)
    assert team.is_open()


def test_keys_that_nobody_could_go_by_are_refused_before_they_are_in_force(team: Team) -> None:
    team.allow("alice", "bob")
    team.say(StatementKind.APPROVE, "alice", plan=PLAN)
    team.write("revoked_keys", "nonsense\n")
    with pytest.raises(InvalidFile, match=r"revoked_keys: line 1: must be a public key"):
        adopt(team.project, "shop", key=team.key("bob"))
    team.write("revoked_keys", "")
    blob = team.key("alice").with_suffix(".pub").read_text()
    team.write("allowed_signers", f"alice {blob}eve {blob}")
    with pytest.raises(InvalidFile, match=r"allowed_signers: line 2: the key of eve is that of al"):
        adopt(team.project, "shop", key=team.key("alice"))
    team.allow("alice", "bob")
    assert team.is_open()


def test_files_that_nobody_has_adopted_open_nothing_until_they_are_taken_back(team: Team) -> None:
    team.allow("alice")
    team.say(StatementKind.APPROVE, "alice", plan=PLAN)
    before = (team.project.gates / "allowed_signers").read_text()
    team.allow("alice", "mallory")
    assert not team.is_open()
    team.say(StatementKind.APPROVE, "mallory", plan=PLAN)
    team.write("allowed_signers", before)
    assert not team.is_open()  # and what the other key has signed spoils the ledger


def test_a_policy_is_changed_by_those_before_it(team: Team) -> None:
    team.write("policy.yaml", POLICY)
    team.allow("alice", "bob", "carol", "dan")
    team.say(StatementKind.APPROVE, "alice", plan=PLAN)
    assert team.is_open()
    assert team.authority.requirements("prod", ()) == ("1 of role release",)
    team.write("policy.yaml", POLICY.replace("alice, bob", "alice, bob, mallory"))
    team.allow("alice", "bob", "carol", "dan", "mallory")
    with pytest.raises(UsageProblem, match="none of the allowed signers in force"):
        adopt(team.project, "shop", key=team.key("mallory"))
    with pytest.raises(UsageProblem, match="alice may not change the policy"):
        adopt(team.project, "shop", key=team.key("alice"))
    assert not adopt(team.project, "shop", key=team.key("carol")).in_force
    assert not adopt(team.project, "shop", key=team.key("carol")).in_force
    assert state_of_trust(team.project, "shop").differs
    assert adopt(team.project, "shop", key=team.key("dan")).in_force
    assert not state_of_trust(team.project, "shop").differs
    team.authority.check()
    with pytest.raises(UsageProblem, match="in force already"):
        adopt(team.project, "shop", key=team.key("dan"))


def test_a_policy_governs_a_cluster_by_every_name(team: Team) -> None:
    rule = "{clusters: [prod-*], approvals: [{role: release}], requesterMayApprove: true}"
    team.write("policy.yaml", POLICY.replace("stages:\n- {", f"stages:\n- {rule}\n- {{"))
    team.allow("alice", "bob", "carol", "dan")
    registry, credentials = Registry(team.project), parsed(kubeconfig(), team.keys)
    (team.project.stacks).mkdir()
    for name, uid, second in (("east", "1", 0), ("prod-east", "1", 1), ("west", "2", 0)):
        at = f"2026-01-02T03:04:0{second}Z"
        registry.add(joined(name, uid).model_copy(update={"joined": at}), credentials)

    def governed() -> dict[str, bool]:
        authority = team.authority
        found = {}
        for name in ("east", "prod-east", "west", "north", "prod-new"):
            found[name] = authority.governs("any", [name])
            assert bool(authority.requirements("any", (name,))) is found[name]
            subject = Subject("shop", "ask", ("any",), V1, 1, {"any": (name,)})
            (reason,) = authority.decide(subject, None).reasons
            assert ("role release" in reason) is found[name]
        return found

    assert governed() == {
        "east": True, "prod-east": True, "west": False, "north": False, "prod-new": True,
    }  # fmt: skip
    registry.rename("prod-east", "harmless")  # the rule in force still means it
    assert governed() == {
        "east": True, "prod-east": True, "west": False, "north": False, "prod-new": True,
    }  # fmt: skip
    registry.rename("harmless", "north")
    assert governed()["north"]


def test_a_delivery_has_begun_on_a_cluster_whatever_it_is_called_now(team: Team) -> None:
    registry = Registry(team.project)
    (team.project.stacks).mkdir()
    registry.add(joined("east", "1"), parsed(kubeconfig(), team.keys))
    clusters = {"east": "1", "gone": "2"}
    team.say(
        StatementKind.USE, "alice", signed=False, plan=PLAN, stages=("prod",), clusters=clusters
    )
    registry.rename("east", "north")
    assert team.authority.used(PLAN, "prod", V1, 1) == {"north", "gone"}


def test_a_policy_without_keys_or_with_weak_ones_is_refused(team: Team) -> None:
    team.write("policy.yaml", POLICY)
    with pytest.raises(InvalidFile, match="allowed_signers: is missing"):
        team.is_open()
    team.write("allowed_signers", "alice ssh-dss AAAA\n*@x ssh-ed25519 AAAA\n")
    with pytest.raises(InvalidFile) as caught:
        team.is_open()
    assert caught.value.message.count("allowed_signers: line ") >= 2


def test_who_signs_is_told_by_the_key(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VELAPULUMI_SIGNING_KEY", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(team.keys / "none"))
    assert signer(team.authority, None)[1] is None
    team.allow("alice")
    with pytest.raises(UsageProblem, match="there is no key to sign with"):
        signer(team.authority, None)
    by, sign = signer(team.authority, team.key("alice"))
    assert (by, sign is None) == ("alice", False)
    monkeypatch.setenv("VELAPULUMI_SIGNING_KEY", str(team.key("mallory")))
    with pytest.raises(UsageProblem, match="is none of the allowed signers in force"):
        signer(team.authority, None)


def stack(anchor: dict[str, Any] | None = None, *clusters: str) -> StageRecord:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    objects = tuple(RecordedObject(name, manifest, ready=True) for name in clusters)
    return StageRecord({}, objects, interrupted=False, approval=anchor or {})


def test_a_stage_is_governed_by_the_clusters_that_its_stack_holds_objects_on(team: Team) -> None:
    """Who moves a stage away from a governed cluster deletes what it has there."""
    rule = "{clusters: [prod-*], approvals: [{role: release}], requesterMayApprove: true}"
    team.write("policy.yaml", POLICY.replace("stages:\n- {", f"stages:\n- {rule}\n- {{"))
    team.allow("alice", "bob", "carol", "dan")
    moved = team.authority.with_stacks({"any": stack(None, "prod-east"), "new": stack()})
    subject = Subject("shop", "ask", ("any",), V1, 1, {"any": ("dev",)})
    assert moved.governs("any", ["dev"])
    assert moved.governs("any", ()), "nor does a stage that no step delivers to go without a yes"
    assert "role release" in moved.decide(subject, None).reasons[0]
    assert not moved.governs("new", ["dev"])
    assert not team.authority.governs("any", ["dev"])


def test_only_a_stack_tells_that_a_delivery_has_begun(team: Team) -> None:
    team.write("policy.yaml", POLICY.replace("[{role: release}]", "[{role: release, count: 2}]"))
    team.allow("alice", "bob", "carol", "dan")
    team.say(StatementKind.APPROVE, "alice", plan=PLAN)
    approved = team.authority.ledger.head
    team.say(
        StatementKind.USE, "x", signed=False, plan=PLAN, stages=("prod",), approvals=(approved,)
    )
    anchor = team.authority.anchor("prod", [PLAN], V1, 1)
    assert anchor is not None
    subject = Subject("shop", "ask", ("prod",), V1, 1)
    for kept, is_open in (
        (anchor, True),
        (anchor | {"uses": []}, False),
        (anchor | {"uses": 7}, False),
        ({"ledger": anchor["ledger"], "entry": 2, "hash": anchor["hash"]}, False),
        (None, False),
    ):
        found = team.authority.with_stacks({"prod": stack(kept)})
        assert found.decide(subject, None).open is is_open, kept
    other = team.authority.with_stacks({"staging": stack(anchor)})
    assert not other.decide(subject, None).open, "of a stage it does not name"


def test_what_a_stack_remembers_must_be_in_the_ledger(team: Team) -> None:
    team.say(StatementKind.APPROVE, "a", signed=False, plan=PLAN)
    approved = team.authority.ledger.head
    team.say(
        StatementKind.USE, "a", signed=False, plan=PLAN, stages=("prod",), approvals=(approved,)
    )
    head = team.authority.ledger.head
    anchor = team.authority.anchor("prod", [PLAN], V1, 1)
    assert anchor == {
        "ledger": team.authority.ledger.id, "entry": 2, "hash": head, "uses": [head],
    }  # fmt: skip
    assert team.authority.anchor("staging", [PLAN], V1, 1) is None
    assert team.authority.anchor("prod", [PLAN], V2, 1) is None
    assert team.authority.anchor("prod", ["b" * 64], V1, 1) is None
    whole = team.ledger.read_text()
    assert team.authority.with_stacks({"prod": stack(anchor)}).obstacles == ()
    assert team.authority.with_stacks({"prod": stack(None), "x": stack()}).obstacles == ()
    for text in ("", "".join(whole.splitlines(True)[:2])):
        team.ledger.write_text(text)
        assert team.authority.with_stacks({"prod": stack(anchor)}).obstacles == (
            "the ledger was cut or rewritten since stage prod was delivered",
        )
    team.ledger.unlink()
    for _ in range(3):
        team.say(StatementKind.APPROVE, "a", signed=False, plan=PLAN)
    assert team.authority.with_stacks({"prod": stack(anchor)}).obstacles


def a_plan() -> PlanDocument:
    changed = PlannedObject(
        api_version="v1", kind="ConfigMap", name="x", operation=Operation.UPDATE, desired=PLAN
    )
    cluster = ClusterPlan(cluster="east", uid="u", objects=(changed,))
    stage = StagePlan(stage="prod", steps=("deploy-prod",), before=V1, clusters=(cluster,))
    return empty_plan(V2).model_copy(update={"stages": (stage,)})


@pytest.mark.parametrize(
    ("change", "opens"),
    [
        ({}, True),
        ({"reverse": False}, False),
        ({"expires": "2020-01-01T00:00:00Z"}, False),
        ({"unused": True}, False),
        ({"run": 3}, False),
        ({"unkept": True}, False),
        ({"back": V2}, False),
    ],
)
def test_the_way_back_is_open_where_it_was_approved_and_has_begun(
    team: Team, change: dict[str, Any], opens: bool
) -> None:
    plan = a_plan()
    if "unkept" not in change:
        files.write(team.project.plan_file("shop", plan.digest), plan.text.decode())
    fields = {"revision": V2, "run": 2, "plan": plan.digest, "stages": ("prod",)}
    approval = {"reverse": True, "expires": "2999-01-01T00:00:00Z"} | change
    approval = {key: approval[key] for key in ("reverse", "expires")}
    team.say(StatementKind.APPROVE, "a", signed=False, **fields, **approval)
    if "unused" not in change:
        team.say(
            StatementKind.USE, "a", signed=False, approvals=(team.authority.ledger.head,), **fields
        )
    subject = Subject("shop", "ask", ("prod",), change.get("back", V1), change.get("run", 2) + 1)
    decision = team.of(subject.run).decide(subject, None)
    assert (decision.open, decision.way_back) == (opens, opens)
