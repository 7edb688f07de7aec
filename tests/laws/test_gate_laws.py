"""Laws of the gate: what opens it, and that nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from velapulumi.errors import InvalidFile
from velapulumi.gate.file import Gate, read_gate, update_gate
from velapulumi.gate.promotion import missing
from velapulumi.render.targets import DEPLOY
from velapulumi.workflow.phases import Phase, StepPhase
from velapulumi.workflow.progress import StageState, progress
from velapulumi.workflow.revision import Revision
from velapulumi.workflow.run import Run
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

NOW, OTHER = "shop-v2:0123456789abcdef", "shop-v1:fedcba9876543210"


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    kinds = draw(st.lists(st.sampled_from([DEPLOY, SUSPEND]), max_size=6))
    steps = [
        WorkflowStep(name=f"s{index}", type=kind, stage=f"e{index}" if kind == DEPLOY else None)
        for index, kind in enumerate([*kinds, DEPLOY])
    ]
    return Workflow(tuple(steps), {})


states = st.builds(StageState, revision=st.sampled_from([NOW, OTHER, None]), healthy=st.booleans())


@given(workflows(), st.data())
def test_a_stage_may_go_exactly_when_all_before_it_is_done(
    workflow: Workflow, data: st.DataObject
) -> None:
    last = workflow.steps[-1]
    before = workflow.before(last.name)
    stages = {step.name: data.draw(states) for step in before if step.stage is not None}
    approved = {step.name for step in before if step.type == SUSPEND and data.draw(st.booleans())}
    reasons = missing(workflow, last, NOW, stages, approved.__contains__, Run())
    unmet = [
        step
        for step in before
        if (step.type == SUSPEND and step.name not in approved)
        or (step.stage is not None and not stages[step.name].done(NOW))
    ]
    assert len(reasons) == len(unmet)
    for step, reason in zip(unmet, reasons, strict=True):
        assert (step.stage or step.name) in reason


@given(workflows(), st.data())
def test_progress_stops_at_the_first_step_that_is_not_done(
    workflow: Workflow, data: st.DataObject
) -> None:
    stages = {step.name: data.draw(states) for step in workflow.steps if step.stage is not None}
    approved = {
        step.name for step in workflow.steps if step.type == SUSPEND and data.draw(st.booleans())
    }
    found = progress(workflow.steps, Run(NOW, 1), stages, approved.__contains__)
    reached = [state.step for state in found.steps]
    assert reached == list(workflow.steps[: len(reached)])
    for step in reached[:-1]:
        assert step.name in approved or stages[step.name].revision == NOW
    last = found.steps[-1]
    waits = last.phase is StepPhase.SUSPENDING
    assert found.waiting == ((last.step,) if waits else ())
    assert waits == (found.phase is Phase.SUSPENDING)
    if len(reached) < len(workflow.steps):
        assert found.phase not in (Phase.RUNNING, Phase.UNHEALTHY)
    if found.phase is Phase.RUNNING:
        assert all(state.done(NOW) for state in stages.values())


revisions = st.builds(
    Revision,
    name=st.from_regex(r"[a-z]{1,8}-v[1-9]", fullmatch=True),
    hash=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
)


@given(st.lists(revisions, max_size=4), st.integers(0, 4))
def test_a_gate_file_reads_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Revision],
    restarts: int,
) -> None:
    path = tmp_path_factory.mktemp("gate") / "shop.gate.yaml"
    steps = (WorkflowStep(name="wait", type=SUSPEND, message="a: b"),)
    gate = Gate(application="shop")
    for revision in history:
        gate = gate.begin(revision, steps)
    for _ in range(restarts):
        gate = gate.restart()
    update_gate(path, "shop", lambda _: gate)
    assert read_gate(path, "shop") == gate


@given(st.lists(revisions, min_size=2, max_size=2, unique_by=str))
def test_each_change_of_revision_is_a_run_of_its_own(pair: list[Revision]) -> None:
    first, second = pair
    gate = Gate(application="shop").begin(first, ())
    assert gate.begin(first, ()) == gate
    back = gate.begin(second, ()).begin(first, ())
    assert (back.current, back.run, len(back.revisions)) == (str(first), 3, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: is empty"),
        ("[1]\n", ":1: must be a map"),
        ("kind: Gate\napplication: other\n", ": application: is other, expected shop"),
        ("kind: Gate\napplication: shop\nrun: soon\n", ":3: run: must be an integer, is the str"),
        ("kind: Gate\napplication: shop\nrun: 1\nrun: 2\n", ":4: run: is given twice"),
        (
            "kind: Gate\napplication: shop\nrevisions:\n- steps: []\n",
            ":4: revisions[0].revision: is",
        ),
        ("kind: Gate\napplication: [\n", "is not valid YAML"),
    ],
)
def test_a_damaged_gate_file_is_named_with_its_place(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "shop.gate.yaml"
    path.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        read_gate(path, "shop")
    assert f"{path}{message}" in str(caught.value) or message in str(caught.value)
    assert path.read_text() == text


def test_concurrent_changes_lose_nothing(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "shop.gate.yaml"
    revision = Revision(name="shop-v1", hash="0" * 16)
    update_gate(path, "shop", lambda gate: gate.begin(revision, ()))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: update_gate(path, "shop", Gate.restart), range(24)))
    assert read_gate(path, "shop").run == 25


def test_a_full_disk_leaves_the_old_gate(tmp_path: Path) -> None:
    """The kernel refuses the write; the old file stays whole and nothing lies beside it."""
    import subprocess
    import sys

    path = tmp_path / "shop.gate.yaml"
    revision = Revision(name="shop-v1", hash="0" * 16)
    update_gate(path, "shop", lambda gate: gate.begin(revision, ()))
    before = path.read_bytes()
    script = f"""
import resource, signal
from pathlib import Path
from velapulumi.errors import VelapulumiError
from velapulumi.gate.file import update_gate
from velapulumi.workflow.revision import Revision
from velapulumi.workflow.steps import WorkflowStep
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
try:
    long = Revision(name="shop-v2", hash="1" * 16)
    steps = (WorkflowStep(name="x" * 999, type="suspend"),)
    update_gate(Path({str(path)!r}), "shop", lambda gate: gate.begin(long, steps))
except VelapulumiError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert f"cannot write {path}: File too large" in done.stdout, done.stderr
    assert path.read_bytes() == before
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {"shop.gate.yaml", ".shop.gate.yaml.lock"}
