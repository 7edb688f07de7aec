"""A plan as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from velapulumi.cli.line import Line
from velapulumi.cli.plans.part import Level, Part
from velapulumi.cli.plans.stages import grouped, name_of, plan_parts, stage_parts
from velapulumi.cli.plans.values import printable
from velapulumi.errors import ObjectRefused
from velapulumi.plan.document import PlanDocument, PlannedObject, Refusal, StagePlan

if TYPE_CHECKING:
    from velapulumi.program.evidence import Evidence

_INDENTATION = {
    Level.TITLE: 0,
    Level.NOTE: 2,
    Level.CLUSTER: 2,
    Level.OBJECT: 4,
    Level.DETAIL: 8,
    Level.VALUE: 10,
}


def lines_of(plan: PlanDocument, *, full: bool = False) -> Iterator[Line]:
    """A plan, equal clusters of a stage together.

    Args:
        plan: The plan.
        full: Whether to show all content of what is made, and how many fields that are.
    """
    yield Line(printable(f"Plan {plan.digest[:12]}: {plan.revision}"), bold=True)
    yield Line(f"sha256:{plan.digest}", dim=True)
    for part in plan_parts(plan, full=full):
        if part.level is Level.TITLE and plan.stages:
            yield Line("")
        yield _line(part)


def stage_lines(stage: StagePlan, *, full: bool = False, header: bool = True) -> Iterator[Line]:
    """The plan of one stage.

    Args:
        stage: The plan.
        full: Whether to show all content of what is made.
        header: Whether to say first which stage it is, and how much of it changes.
    """
    parts = stage_parts(stage, full=full)
    if not header:
        next(parts)
    yield from map(_line, parts)


def refusal_lines(plan: PlanDocument) -> Iterator[Line]:
    """Why objects of a plan cannot be delivered, each reason once, and what to do."""
    refusals = [
        refusal
        for stage in plan.stages
        for names, cluster in grouped(stage)
        for each in cluster.objects
        for refusal in _refusals(each, names)
    ]
    for number, refusal in enumerate(refusals):
        if refusal in refusals[:number]:
            continue
        for line in f"Error [{refusal.code}]: {refusal.message}".split("\n"):
            yield Line(printable(line), "red")
        if refusal.next_step:
            yield Line(printable(f"Next: {refusal.next_step}"))


def evidence_lines(evidence: Iterable[Evidence]) -> Iterator[Line]:
    """How the stages before have run."""
    for seen in evidence:
        runs = f"runs {name_of(seen.revision)}" if seen.revision else "has not finished"
        words = [runs, "healthy" if seen.healthy else "NOT HEALTHY"]
        if seen.healthy and seen.revision and seen.seconds is not None:
            words[1] += f" for {_duration(seen.seconds)}"
        words.append(f"seen {seen.samples} time{'s' if seen.samples != 1 else ''}")
        words.append(f"{seen.restarts} restart{'s' if seen.restarts != 1 else ''}")
        yield Line(
            printable(f"Evidence: stage {seen.stage} {', '.join(words)}"),
            "green" if seen.healthy and seen.revision and not seen.restarts else "yellow",
        )
        for image in seen.images:
            yield Line(printable(f"  {image}"), dim=True)


def _line(part: Part) -> Line:
    sign = f"{part.sign} " if part.sign else ""
    text = f"{' ' * _INDENTATION[part.level]}{sign}{printable(part.text)}".rstrip()
    return Line(text, part.colour, bold=part.bold, dim=part.dim)


def _refusals(each: PlannedObject, clusters: Sequence[str]) -> Iterator[Refusal]:
    if each.refusal:
        yield each.refusal
    for said in each.refused_by_cluster:
        yield Refusal(
            code=ObjectRefused.code,
            message=f"{each.title} on {', '.join(clusters)}: {said}",
            next_step=ObjectRefused.next_step,
        )


def _duration(seconds: float) -> str:
    """A duration in its two greatest units, such as ``1h 5m``."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])
