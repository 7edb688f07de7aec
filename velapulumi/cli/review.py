"""A plan document as people read it: on a terminal, and as Markdown for a pull request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from velapulumi.cli.progress.output import Line
from velapulumi.plan.document import (
    ClusterPlan,
    Operation,
    PlanDocument,
    PlannedField,
    PlannedObject,
    StagePlan,
)
from velapulumi.program.evidence import Evidence

_SIGNS = {
    Operation.CREATE: ("+", "green"),
    Operation.UPDATE: ("~", "yellow"),
    Operation.REPLACE: ("±", "red"),
    Operation.DELETE: ("-", "red"),
    Operation.LEAVE: ("=", "cyan"),
}
_NOTES = {
    Operation.REPLACE: " (is deleted and made anew)",
    Operation.LEAVE: " (is given up and stays in the cluster)",
}
_SHOWN_FIELDS = 12
_SHOWN_LETTERS = 60


def lines_of(plan: PlanDocument) -> Iterator[Line]:
    """A plan as lines for a terminal, equal clusters of a stage together."""
    yield Line(f"Plan {plan.digest[:12]}: {plan.revision}", bold=True)
    for stage in plan.stages:
        yield Line("")
        yield from _stage_lines(stage)
    if not plan.stages:
        yield Line("It delivers nothing.")


def _stage_lines(stage: StagePlan) -> Iterator[Line]:
    before = f"it holds {_name(stage.before)}" if stage.before else "it holds nothing yet"
    yield Line(f"Stage {stage.stage}: {summary(stage)}; {before}", bold=True)
    for phrase in stage.requires:
        yield Line(f"  requires {phrase}", dim=True)
    for names, cluster in grouped(stage):
        yield Line(f"  {', '.join(names)}")
        if not cluster.reached:
            yield Line("    does not answer; compared with what its stack holds", "yellow")
        for each in cluster.changed:
            yield from _object_lines(each)
        if not cluster.changed:
            yield Line("    no change", dim=True)
    for text in (*_late(stage), *stage.pending):
        yield Line(f"  not known yet: {text}", "yellow")
    for text in stage.irreversible:
        yield Line(f"  ! cannot be taken back: {text}", "red", bold=True)
    if back := way_back(stage):
        yield Line(f"  way back: {back}", dim=True)


def _late(stage: StagePlan) -> Iterator[str]:
    for name in stage.late:
        yield f"component {name} gets values that the delivery itself brings"


def _object_lines(each: PlannedObject) -> Iterator[Line]:
    sign, colour = _SIGNS[each.operation]
    note = _NOTES.get(each.operation, "")
    if each.operation is Operation.UPDATE and not each.fields:
        note = " (revision labels only)"
    yield Line(f"    {sign} {each.title}{note}", colour)
    for field in each.fields[:_SHOWN_FIELDS]:
        yield Line(f"        {_field(field)}")
    if len(each.fields) > _SHOWN_FIELDS:
        yield Line(f"        … and {len(each.fields) - _SHOWN_FIELDS} more")


def evidence_lines(evidence: Iterable[Evidence]) -> Iterator[Line]:
    """How the stages before have run, as lines for a terminal."""
    for seen in evidence:
        runs = f"runs {_name(seen.revision)}" if seen.revision else "has not finished"
        words = [runs, "healthy" if seen.healthy else "NOT HEALTHY"]
        if seen.healthy and seen.revision and seen.seconds is not None:
            words[1] += f" for {_duration(seen.seconds)}"
        words.append(f"seen {seen.samples} time{'s' if seen.samples != 1 else ''}")
        words.append(f"{seen.restarts} restart{'s' if seen.restarts != 1 else ''}")
        yield Line(
            f"Evidence: stage {seen.stage} {', '.join(words)}",
            "green" if seen.healthy and seen.revision and not seen.restarts else "yellow",
        )
        for image in seen.images:
            yield Line(f"  {image}", dim=True)


def _duration(seconds: float) -> str:
    """A duration in its two greatest units, such as ``1h 5m``."""
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def markdown(plan: PlanDocument) -> Iterator[str]:
    """A plan as lines of Markdown."""
    yield f"### Plan for {plan.application}: `{_name(plan.revision)}`"
    yield ""
    yield f"`sha256:{plan.digest}`"
    for stage in plan.stages:
        yield ""
        yield f"#### Stage {stage.stage}: {summary(stage)}"
        for phrase in stage.requires:
            yield f"- requires {phrase}"
        for text in (*_late(stage), *stage.pending):
            yield f"- not known yet: {text}"
        for text in stage.irreversible:
            yield f"- **cannot be taken back**: {text}"
        if back := way_back(stage):
            yield f"- way back: {back}"
        for names, cluster in grouped(stage):
            yield ""
            state = "" if cluster.reached else " (does not answer)"
            yield f"**{', '.join(names)}**{state}"
            yield ""
            if not cluster.changed:
                yield "no change"
                continue
            lines = [line for each in cluster.changed for line in _diff(each)]
            fence = "```" if not any("```" in line for line in lines) else "`" * 70
            yield f"{fence}diff"
            yield from lines
            yield fence


def _diff(each: PlannedObject) -> Iterator[str]:
    sign = {Operation.CREATE: "+", Operation.UPDATE: "!", Operation.LEAVE: "#"}.get(
        each.operation, "-"
    )
    yield f"{sign} {each.title}{_NOTES.get(each.operation, '')}"
    for field in each.fields:
        if field.before is not None:
            yield f"-   {printable(field.path)}: {_value(field.before)}"
        if field.after is not None:
            yield f"+   {printable(field.path)}: {_value(field.after)}"


def summary(stage: StagePlan) -> str:
    """How much a stage changes, in words."""
    counts = {
        operation: sum(
            each.operation is operation for cluster in stage.clusters for each in cluster.objects
        )
        for operation in _SIGNS
    }
    words = {
        Operation.CREATE: "created", Operation.UPDATE: "updated", Operation.REPLACE: "replaced",
        Operation.DELETE: "deleted", Operation.LEAVE: "given up",
    }  # fmt: skip
    parts = [f"{count} {words[operation]}" for operation, count in counts.items() if count]
    number = len(stage.clusters)
    places = f"{number} cluster{'s' if number != 1 else ''}"
    return f"{', '.join(parts) or 'no change'} on {places}"


def grouped(stage: StagePlan) -> list[tuple[list[str], ClusterPlan]]:
    """The clusters of a stage, those with equal changes together: their names, and one of them."""
    groups: list[tuple[list[str], ClusterPlan]] = []
    for cluster in stage.clusters:
        for names, first in groups:
            if _shown(first) == _shown(cluster):
                names.append(cluster.cluster)
                break
        else:
            groups.append(([cluster.cluster], cluster))
    return groups


def _shown(cluster: ClusterPlan) -> tuple[object, ...]:
    return cluster.reached, [
        (each.title, each.operation, each.fields, each.irreversible) for each in cluster.changed
    ]


def way_back(stage: StagePlan) -> str:
    """What brings a stage back, in words; empty when nothing changes."""
    steps = [step for cluster in stage.clusters for step in cluster.reverse]
    if not steps:
        return ""
    to = f"to {_name(stage.before)} by " if stage.before else ""
    text = f"{to}{len(steps)} change{'s' if len(steps) != 1 else ''}"
    lost = list(dict.fromkeys(phrase for step in steps for phrase in step.irreversible))
    return f"{text}, of which not all comes back: {'; '.join(lost)}" if lost else text


def _name(revision: str) -> str:
    return revision.partition(":")[0]


def _field(field: PlannedField) -> str:
    return f"{printable(field.path)}: {_value(field.before)} → {_value(field.after)}"


def _value(value: object) -> str:
    """A field's value in a few words."""
    if value is None:
        return "(none)"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = printable(text)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}…"


def printable(text: str) -> str:
    """Text in which nothing moves the cursor of a terminal or turns the direction of letters."""
    return "".join(
        "⏎" if letter == "\n" else letter if letter.isprintable() else f"\\u{ord(letter):04x}"
        for letter in text
    )
