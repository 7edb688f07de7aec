"""A run as the fold of its journal's entries: what each kind of entry changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.helpers import V1, V2
from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.run import (
    ClusterRun,
    Run,
    StepRun,
    advance,
    interrupted,
    run_of,
    unfinished,
)

FRESH = Run(V1, 1)


def entry(kind: Kind, at: float = 1, **fields: Any) -> Entry:
    return Entry(at=at, kind=kind, **fields)


def after(*entries: Entry, run: Run = FRESH) -> Run:
    for each in entries:
        run = advance(run, each)
    return run


def step_after(*entries: Entry, before: StepRun | None = None) -> StepRun:
    """What has become of step ``a``."""
    run = FRESH if before is None else FRESH.with_step("a", before)
    return after(*entries, run=run).step("a")


BUSY = StepRun(
    StepPhase.RUNNING,
    started=1,
    errors=2,
    again=True,
    message="old",
    clusters={
        "east": ClusterRun(ClusterPhase.SUCCEEDED, 1, 2, proven=True),
        "west": ClusterRun(ClusterPhase.PROGRESSING, 1),
    },
    memory={"since": 1},
)


def test_a_run_begins_anew() -> None:
    begin = entry(Kind.BEGIN, 5, revision=V2, run=3)
    old = replace(FRESH, values={"x": 1}, finished=True).with_step("a", BUSY)
    assert after(begin, run=old) == Run(V2, 3, 5)


def test_a_step_begins_anew_but_for_clusters_that_have_proven_themselves() -> None:
    step = step_after(entry(Kind.START, 7, step="a"), before=BUSY)
    assert step == StepRun(StepPhase.RUNNING, started=7, clusters={"east": ClusterRun(proven=True)})


def test_a_step_may_begin_by_waiting() -> None:
    fields = {"phase": StepPhase.SUSPENDING, "reason": Reason.SUSPEND, "message": "look"}
    step = step_after(entry(Kind.START, 7, step="a", **fields))
    assert step == StepRun(StepPhase.SUSPENDING, Reason.SUSPEND, "look", started=7)


@pytest.mark.parametrize("kind", [Kind.APPLY, Kind.ACT])
def test_an_intent_changes_nothing(kind: Kind) -> None:
    assert step_after(entry(kind, 9, step="a", clusters=("west",)), before=BUSY) == BUSY


def test_what_is_applied_is_on_its_way_and_what_failed_is_lost() -> None:
    applied = entry(
        Kind.APPLIED,
        9,
        step="a",
        clusters=("east", "west", "north"),
        failed={"west": "no answer"},
    )
    step = step_after(applied, before=BUSY)
    assert step.clusters == {
        "east": ClusterRun(ClusterPhase.PROGRESSING, 9, 2, proven=True),
        "west": ClusterRun(ClusterPhase.FAILED, 9, message="no answer"),
        "north": ClusterRun(ClusterPhase.PROGRESSING, 9),
    }
    assert not step.again
    assert (step.phase, step.started, step.errors) == (StepPhase.RUNNING, 1, 2)
    assert step_after(applied.model_copy(update={"again": True})).again


def test_a_cluster_moves_from_phase_to_phase() -> None:
    moved = entry(Kind.CLUSTER, 9, step="a", clusters=("west",), healthy=8)
    west = step_after(moved, before=BUSY).clusters["west"]
    assert west == ClusterRun(ClusterPhase.PROGRESSING, 1, 8)
    proven = moved.model_copy(update={"cluster": ClusterPhase.SUCCEEDED})
    step = step_after(moved, proven, before=BUSY)
    assert step.clusters["west"] == ClusterRun(ClusterPhase.SUCCEEDED, 1, 8, proven=True)
    assert step.clusters["east"] == BUSY.clusters["east"]
    late = entry(
        Kind.CLUSTER, step="a", clusters=("west",), cluster=ClusterPhase.TIMED_OUT, message="late"
    )
    west = step_after(late, before=BUSY).clusters["west"]
    assert west == ClusterRun(ClusterPhase.TIMED_OUT, 1, message="late")


@pytest.mark.parametrize(
    ("ends", "left"),
    [
        ((), {"a"}),
        ((entry(Kind.APPLIED, step="a"),), set()),
        ((entry(Kind.APPLIED, step="a", failed={"west": "gone"}),), {"a"}),
        ((entry(Kind.APPLIED, step="b"),), {"a"}),
        ((entry(Kind.END, step="a", phase=StepPhase.FAILED), entry(Kind.BEGIN)), {"a"}),
        ((entry(Kind.APPLIED, step="a"), entry(Kind.APPLY, step="a")), {"a"}),
    ],
)
def test_an_apply_that_did_not_end_well_is_unfinished_in_later_runs_too(
    ends: tuple[Entry, ...], left: set[str]
) -> None:
    assert unfinished((entry(Kind.APPLY, step="a"), *ends)) == left


def test_errors_are_counted_and_the_last_one_is_kept() -> None:
    first, second = (entry(Kind.ERROR, step="a", message=text) for text in ("one", "two"))
    step = step_after(first, second)
    assert (step.errors, step.message) == (2, "two")


def test_what_waits_remembers_the_last_thing() -> None:
    step = step_after(entry(Kind.WAIT, step="a", message="soon", memory={"n": 2}), before=BUSY)
    assert (step.memory, step.message, step.phase) == ({"n": 2}, "soon", StepPhase.RUNNING)


@pytest.mark.parametrize("phase", [StepPhase.SUCCEEDED, StepPhase.FAILED, StepPhase.SKIPPED])
@pytest.mark.parametrize(("before", "started"), [(BUSY, 1), (None, 9)])
def test_a_step_ends(phase: StepPhase, before: StepRun | None, started: float) -> None:
    end = entry(
        Kind.END, 9, step="a", phase=phase, reason=Reason.OUTPUT, message="m", values={"x": 1}
    )
    run = after(end, run=FRESH if before is None else FRESH.with_step("a", before))
    step = run.step("a")
    assert (step.phase, step.reason, step.message) == (phase, Reason.OUTPUT, "m")
    assert (step.started, step.ended) == (started, 9)
    assert run.values == {"x": 1}
    assert run.failed == (("a",) if phase is StepPhase.FAILED else ())


def test_an_end_without_a_phase_is_a_failure() -> None:
    assert step_after(entry(Kind.END, step="a")).phase is StepPhase.FAILED


def test_published_values_add_up_and_the_last_one_counts() -> None:
    ends = [
        entry(Kind.END, step=name, phase=StepPhase.SUCCEEDED, values=values)
        for name, values in (("a", {"x": 1, "y": 1}), ("b", {"y": 2}), ("c", {}))
    ]
    assert after(*ends).values == {"x": 1, "y": 2}


def test_somebody_holds_the_run_and_lets_it_go_on() -> None:
    held = after(entry(Kind.SUSPEND))
    assert held == replace(FRESH, suspended=True)
    assert after(entry(Kind.RESUME), run=held) == FRESH


DONE = StepRun(StepPhase.SUCCEEDED, started=1, ended=2)


def test_ending_a_run_ends_what_has_begun_in_it() -> None:
    waits = StepRun(StepPhase.SUSPENDING, message="look", started=2)
    run = replace(FRESH, suspended=True, steps={"a": DONE, "b": BUSY, "c": waits})
    ended = after(entry(Kind.TERMINATE, 9), run=run)
    assert (ended.terminated, ended.suspended, ended.ended) == (True, False, 9)
    assert ended.step("a") == DONE
    for name, before in (("b", BUSY), ("c", waits)):
        assert ended.step(name) == replace(
            before, phase=StepPhase.FAILED, reason=Reason.TERMINATE, ended=9
        )
    assert ended.failed == ("b", "c")
    assert ended.step("d").phase is StepPhase.PENDING


def test_a_run_starts_over_from_some_of_its_steps() -> None:
    failed = replace(BUSY, phase=StepPhase.FAILED, ended=3)
    run = replace(
        FRESH,
        steps={"a": DONE, "b": failed, "c": failed},
        terminated=True,
        suspended=True,
        finished=True,
        ended=4,
        values={"x": 1},
    )
    again = after(entry(Kind.RESTART, 9, steps=("b", "d")), run=run)
    assert (again.terminated, again.suspended, again.finished) == (False, False, False)
    assert again.ended is None
    assert again.step("a") == DONE
    assert again.step("b") == StepRun(clusters={"east": ClusterRun(proven=True)})
    assert again.step("c") == failed
    assert again.values == {"x": 1}


@pytest.mark.parametrize("phase", list(StepPhase))
def test_only_a_success_finishes_a_run_but_any_ends_it(phase: StepPhase) -> None:
    run = after(entry(Kind.FINISH, 9, phase=phase))
    assert (run.finished, run.ended) == (phase is StepPhase.SUCCEEDED, 9)


@pytest.mark.parametrize("kind", [Kind.COLLECT, Kind.COLLECTED, Kind.STOP])
def test_what_is_about_no_step_changes_none(kind: Kind) -> None:
    assert after(entry(kind, step="a")) == FRESH


def test_every_kind_of_entry_is_known() -> None:
    for kind in Kind:
        assert isinstance(after(entry(kind, step="a")), Run)


def test_a_run_is_what_its_own_part_of_the_journal_tells() -> None:
    entries = [
        entry(Kind.END, 0, step="before", phase=StepPhase.FAILED),
        entry(Kind.BEGIN, 1, revision=V1, run=1),
        entry(Kind.END, 2, step="a", phase=StepPhase.SUCCEEDED),
        entry(Kind.BEGIN, 3, revision=V2, run=2),
        entry(Kind.END, 4, step="b", phase=StepPhase.FAILED),
        entry(Kind.BEGIN, 5, revision=V1, run=3),
    ]
    first = run_of(entries, V1, 1)
    assert (first.began, list(first.steps), first.failed) == (1, ["a"], ())
    second = run_of(entries, V2, 2)
    assert (second.began, list(second.steps), second.failed) == (3, ["b"], ("b",))
    assert run_of(entries, V1, 3) == Run(V1, 3, 5)
    assert run_of(entries, V1, 2) == Run(V1, 2)
    assert run_of([], V1, 1).began is None


def test_a_taken_up_run_has_nothing_under_way() -> None:
    waits = StepRun(StepPhase.SUSPENDING, started=2)
    run = replace(FRESH, steps={"a": DONE, "b": BUSY, "c": waits})
    found = interrupted(run)
    assert (found.step("a"), found.step("c")) == (DONE, waits)
    assert found.step("b") == replace(BUSY, again=False, clusters={"east": ClusterRun(proven=True)})


entries = st.builds(
    Entry,
    at=st.floats(0, 100),
    kind=st.sampled_from([kind for kind in Kind if kind is not Kind.BEGIN]),
    step=st.sampled_from(["a", "b"]),
    steps=st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
    clusters=st.lists(st.sampled_from(["east", "west"]), max_size=2, unique=True).map(tuple),
    failed=st.dictionaries(st.sampled_from(["east", "west"]), st.just("no"), max_size=1),
    again=st.booleans(),
    cluster=st.sampled_from([None, *ClusterPhase]),
    phase=st.sampled_from([None, *StepPhase]),
    values=st.dictionaries(st.sampled_from(["x", "y"]), st.integers(), max_size=1),
)


@given(st.lists(entries, max_size=12), st.integers(0, 12))
def test_a_run_is_told_alike_however_its_journal_is_cut(found: list[Entry], cut: int) -> None:
    begin = entry(Kind.BEGIN, 0, revision=V1, run=1)
    whole = run_of([begin, *found], V1, 1)
    assert after(*found[cut:], run=run_of([begin, *found[:cut]], V1, 1)) == whole
    assert interrupted(interrupted(whole)) == interrupted(whole)
