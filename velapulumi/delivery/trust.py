"""Changing who may approve: policy and keys come into force by those before them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from velapulumi.delivery.approvals import signer
from velapulumi.errors import UsageProblem
from velapulumi.gate.approver import who
from velapulumi.gate.ledger import Trust, append
from velapulumi.gate.statement import StatementKind
from velapulumi.program.authority import Authority, read_authority, read_trust
from velapulumi.project import Project


@dataclass(frozen=True)
class StateOfTrust:
    """What is in force, and whether the project's files say something else."""

    in_force: Trust
    differs: bool


@dataclass(frozen=True)
class Adopted:
    """That somebody has adopted the project's files.

    Attributes:
        by: Who.
        signed: Whether that is signed.
        in_force: Whether they are in force now.
    """

    by: str
    signed: bool
    in_force: bool


def state_of_trust(project: Project, application: str) -> StateOfTrust:
    """What is in force for an application.

    Raises:
        InvalidFile: The ledger, the policy or the keys are damaged.
    """
    in_force = read_authority(project, application, 0).trust
    return StateOfTrust(in_force, read_trust(project) != in_force)


def adopt(
    project: Project, application: str, *, comment: str = "", key: Path | None = None
) -> Adopted:
    """Put the files of the project in force, or sign that they shall be.

    Args:
        project: The project.
        application: The application.
        comment: Why.
        key: What to sign with, instead of the key that is found.

    Raises:
        UsageProblem: They are in force, or whoever signs may not change them.
        SigningFailed: It could not be signed.
        VelapulumiError: Somebody else has decided meanwhile; nothing was written.
    """
    authority, wanted = read_authority(project, application, 0), read_trust(project)
    ledger = authority.ledger
    if ledger.lines and wanted == ledger.trust:
        raise UsageProblem(f"the policy and the signers of {application} are in force already")
    if ledger.lines:
        by, sign = signer(authority, key)
        _check_may_change(authority, by)
    else:
        by, sign = who(), None
    fields = {
        "kind": StatementKind.TRUST,
        "by": by,
        "comment": comment,
        "policy": wanted.policy,
        "signers": wanted.signers,
        "revoked": wanted.revoked,
    }
    path = project.ledger_file(application)
    after = append(path, application, fields, sign, lambda: wanted, ledger.head)
    return Adopted(by, sign is not None, after.trust == wanted)


def _check_may_change(authority: Authority, by: str) -> None:
    policy = authority.policy
    if policy is None:
        return
    if policy.changes is None:
        raise UsageProblem(
            "the policy in force lets nobody change it, as it says nothing of changes",
            next_step="Take the files back; else only another ledger, begun by hand, can help.",
        )
    if by not in policy.people(policy.changes.role):
        raise UsageProblem(
            f"{by} may not change the policy",
            next_step=f"That may: {', '.join(sorted(policy.people(policy.changes.role)))}.",
        )
