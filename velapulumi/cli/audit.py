"""``velapulumi audit``: the ledger of decisions, and whether it says only what was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from velapulumi.cli.output import output_option, print_document, print_table

if TYPE_CHECKING:
    from velapulumi.gate.ledger import Ledger, Line

COLUMNS = ("ENTRY", "TIME", "KIND", "BY", "WHAT")


@click.group()
def audit() -> None:
    """Read and check the ledger of approvals."""


@audit.command()
@click.argument("application", metavar="APP")
@output_option()
def log(application: str, output: str) -> None:
    """List what was decided about an application, the oldest first."""
    ledger = _ledger(application)
    if output != "table":
        print_document([_document(line) for line in ledger.lines], output)
        return
    print_table(COLUMNS, [_row(line) for line in ledger.lines])
    click.echo(f"head {ledger.head}", err=True)


@audit.command()
@click.argument("application", metavar="APP")
@click.option("--head", metavar="SHA256", help="What the last line must be.")
def verify(application: str, head: str | None) -> None:
    """Check the chain of the ledger, its signatures, and who may have signed what.

    Without --head nothing tells that lines are missing at its end, but for the stacks, which `up`
    compares it with. The exit code is 5 when something is wrong.
    """
    from velapulumi.errors import LedgerDamaged
    from velapulumi.gate.verification import verify as problems_of
    from velapulumi.program.authority import check_line

    ledger = _ledger(application)
    problems = problems_of(ledger, check_line, head=head)
    if problems:
        raise LedgerDamaged("\n".join(problems))
    click.echo(f"ok: {len(ledger.lines)} entries, head {ledger.head}")


def _ledger(application: str) -> Ledger:
    from velapulumi.errors import UnknownApplication
    from velapulumi.gate.ledger import read_ledger
    from velapulumi.project import find_project

    ledger = read_ledger(find_project().ledger_file(application), application)
    if not ledger.lines:
        raise UnknownApplication(
            f"nothing has been decided about an application {application} here",
            next_step="See what waits with: velapulumi status APP",
        )
    return ledger


def _document(line: Line) -> dict[str, Any]:
    entry = line.entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {"hash": line.hash, "signed": bool(line.signature), **entry}


def _row(line: Line) -> tuple[str, str, str, str, str]:
    from velapulumi.cli.plans.values import printable

    entry = line.entry
    by = printable(entry.by if line.signature else f"{entry.by} (unsigned)")
    return str(entry.number), entry.at, str(entry.kind), by, _what(line)


def _what(line: Line) -> str:
    """What an entry is about, in a few words."""
    from velapulumi.cli.plans.values import printable

    entry = line.entry
    parts = [", ".join(entry.steps) or entry.step]
    if entry.revision:
        parts.append(f"{entry.revision.partition(':')[0]} run {entry.run}")
    if entry.plan:
        parts.append(f"plan {entry.plan[:12]}")
    if entry.kind == "use":
        parts.append(f"on {', '.join(entry.clusters)}")
    if entry.kind == "trust":
        held = [name for name in ("policy", "signers", "revoked") if getattr(entry, name)]
        parts.append(", ".join(held) or "no policy and no keys")
    parts += ["PAST THE POLICY"] if entry.break_glass else []
    parts += ["the way back"] if entry.reverse else []
    parts += [f"for {entry.subject}"] if entry.subject else []
    parts += [f'"{entry.comment}"'] if entry.comment else []
    return printable(", ".join(part for part in parts if part))
