"""``velapulumi approve`` and ``reject``: decide about exactly the plan that is shown."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from velapulumi.cli.confirmation import confirmed
from velapulumi.cli.output import take_fields_option
from velapulumi.errors import UsageProblem

if TYPE_CHECKING:
    from velapulumi.cli.line import Line
    from velapulumi.delivery.approvals import Decided, Proposal

SHORTEST = 8
"""How many digits of a plan's digest are enough to name it."""


def _deciding(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that approving and rejecting have in common."""
    for option in (
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
        click.option(
            "--plan",
            "digest",
            metavar="SHA256",
            help="Decide only if the plan has this digest, or begins with it.",
        ),
        click.option(
            "--key",
            type=click.Path(dir_okay=False, path_type=Path),
            help="SSH key to sign with; a .pub file when an agent holds the other half.",
        ),
        click.option("-s", "--step", metavar="STEP", help="Only the gate of this name."),
        click.option("--stage", metavar="STAGE", help="Only what opens this stage."),
        click.argument("application", metavar="APP"),
    ):
        command = option(command)
    return command


@click.command()
@_deciding
@click.option("-m", "--comment", default="", help="Why you approve.")
@click.option(
    "--with-rollback",
    "reverse",
    is_flag=True,
    help="Approve the way back, too: when the delivery fails, `up` goes it.",
)
@click.option(
    "--break-glass",
    is_flag=True,
    help="Go past the gate policy, which must allow you to; needs a reason (-m).",
)
@take_fields_option
def approve(
    application: str,
    stage: str | None,
    step: str | None,
    key: Path | None,
    digest: str | None,
    yes: bool,
    comment: str,
    reverse: bool,
    break_glass: bool,
    takes_fields: bool,
) -> None:
    """Look at what waits, and approve exactly that.

    An approval counts once, for some time, for this plan of this run: when anything of it is
    another by the time it is delivered, that is refused and named.
    """
    from velapulumi.delivery import approvals

    def decide(proposal: Proposal) -> Decided:
        return approvals.approve(
            proposal, comment=comment, key=key, break_glass=break_glass, reverse=reverse
        )

    question = "PAST THE GATE POLICY: approve this plan?" if break_glass else "Approve this plan?"
    asked = None if yes else (question, "approve", "approved")
    for decided in _decided(
        application, stage, step, digest, asked, decide, takes_fields=takes_fields
    ):
        _tell_approved(decided)


@click.command()
@_deciding
@click.option("-m", "--reason", required=True, help="Why not.")
def reject(
    application: str,
    stage: str | None,
    step: str | None,
    key: Path | None,
    digest: str | None,
    yes: bool,
    reason: str,
) -> None:
    """Say no to what waits: what was approved of it before counts no more."""
    from velapulumi.delivery import approvals

    for decided in _decided(
        application,
        stage,
        step,
        digest,
        None if yes else ("Reject this plan?", "reject", "rejected"),
        lambda proposal: approvals.reject(proposal, reason, key=key),
        approved=True,
    ):
        proposal = decided.proposal
        click.echo(
            f"Rejected {proposal.gate.name} for {proposal.application.revision.name}, "
            f"plan {proposal.plan.digest[:12]}, by {_by(decided)}"
        )


def _decided(
    application: str,
    stage: str | None,
    step: str | None,
    digest: str | None,
    question: tuple[str, str, str] | None,
    decide: Callable[[Proposal], Decided],
    *,
    approved: bool = False,
    takes_fields: bool = False,
) -> tuple[Decided, ...]:
    """Show each plan that waits, ask, and decide."""
    from velapulumi.delivery.approvals import one_by_one, propose
    from velapulumi.project import find_project

    if digest is not None:
        digest = digest.removeprefix("sha256:").lower()
        if len(digest) < SHORTEST:
            raise UsageProblem(
                f"{digest} is too short to name a plan",
                next_step=f"Give {SHORTEST} digits of its digest at least.",
            )
    proposals = propose(
        find_project(), application, stage, step, approved=approved, takes_fields=takes_fields
    )
    if not proposals:
        what = stage or step
        raise UsageProblem(
            f"nothing of {application}{f' for {what}' if what else ''} waits for a decision",
            next_step=f"See where it stands with: velapulumi status {application}",
        )

    def ask(proposal: Proposal) -> Decided | None:
        _show(proposal, paged=question is not None)
        if digest is not None and not proposal.plan.digest.startswith(digest):
            raise UsageProblem(
                f"the plan is {proposal.plan.digest[:12]} now, not {digest[:12]}",
                next_step="Look at what has changed, and decide about that.",
            )
        return decide(proposal) if question is None or confirmed(*question) else None

    return one_by_one(proposals, ask)


def _show(proposal: Proposal, *, paged: bool) -> None:
    """Show all of a plan, and what speaks for going on."""
    from velapulumi.cli.line import styled, write_line

    lines = list(_lines(proposal))
    if not (paged and sys.stdout.isatty() and _is_longer_than_screen(lines)):
        for line in lines:
            write_line(line)
        return
    click.echo_via_pager("".join(f"{styled(line)}\n" for line in lines))
    for line in lines[:2]:  # what the pager showed may be gone from the screen
        write_line(line)


def _lines(proposal: Proposal) -> Iterator[Line]:
    from velapulumi.cli.line import Line
    from velapulumi.cli.plans import evidence_lines, lines_of
    from velapulumi.program.evidence import evidence_before

    yield from lines_of(proposal.plan, full=True)
    application, clusters = proposal.application, proposal.standing.clusters
    yield from evidence_lines(evidence_before(application, proposal.gate, clusters))
    if application.authority.policy:
        for reason in proposal.decision.reasons:
            yield Line(f"Missing: {reason}", dim=True)


def _is_longer_than_screen(lines: Sequence[Line]) -> bool:
    """Whether lines and the question after them need more rows than the terminal has."""
    width, height = shutil.get_terminal_size()
    return sum(max(1, -(-len(line.text) // width)) for line in lines) >= height


def _tell_approved(decided: Decided) -> None:
    from velapulumi.cli.workflow.words import up_command
    from velapulumi.delivery.source import source_of

    proposal = decided.proposal
    application = proposal.application
    click.echo(
        f"Approved {proposal.gate.name} for {application.revision.name}, "
        f"plan {proposal.plan.digest[:12]}, by {_by(decided)}"
    )
    if decided.decision.open:
        if decided.decision.expires:
            until = f"{decided.decision.expires:%Y-%m-%d %H:%M:%S} UTC"
            click.echo(f"It counts until {until}.", err=True)
        source = source_of(application.project, proposal.standing)
        click.echo(f"Next: {up_command(application.project, source)}", err=True)
    for reason in decided.decision.reasons:
        click.secho(f"Still missing: {reason}", fg="yellow", err=True)


def _by(decided: Decided) -> str:
    return decided.by if decided.signed else f"{decided.by} (unsigned, local)"
