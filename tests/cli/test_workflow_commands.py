"""The verbs of ``velapulumi workflow``: each text, each entry, each approval."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from tests.unit.helpers import (
    PROJECT_ID,
    V1,
    V2,
    FakeCluster,
    approvals,
    deploy,
    deployment,
    empty_plan,
    give,
    joined,
    kubeconfig,
    marked,
    parsed,
    propose,
    reached,
    resource,
    revision,
    store,
    suspend,
)
from velapulumi.cli import cli
from velapulumi.cli.workflow.story import story_of
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.registry import Registry
from velapulumi.delivery.deliver import Outcome
from velapulumi.delivery.runlock import holder, running
from velapulumi.engine.stacks import read_record
from velapulumi.errors import ToolMissing, VelapulumiError
from velapulumi.gate.file import read_gate, update_gate
from velapulumi.gate.journal import Journal, told
from velapulumi.plan.objects import ObjectKey
from velapulumi.program.application import read_application
from velapulumi.program.standing import read_standing
from velapulumi.project import Project, StackName
from velapulumi.render import load, render_environment
from velapulumi.workflow.edge import Conclusion, Limits
from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.run import Run, run_of
from velapulumi.workflow.simulation import Scenario, play
from velapulumi.workflow.stages import workflow_of
from velapulumi.workflow.steps import WorkflowStep

NOON = 1893499200.0  # 2030-01-01T12:00:00Z
STEPS = (deploy("staging"), suspend("ask"), deploy("prod"))
PLAN = {text: empty_plan(text).digest[:12] for text in (V1, V2)}


@dataclass(frozen=True)
class Answer:
    """What a command has answered."""

    code: int
    out: str
    err: str


def run(*args: str, answer: str = "") -> Answer:
    """Run a command; an error is told as the command line tells it."""
    result = CliRunner().invoke(cli, args, standalone_mode=False, input=answer)
    error = result.exception
    if error is None:
        code = result.return_value if isinstance(result.return_value, int) else 0
        return Answer(code, result.stdout, result.stderr)
    assert isinstance(error, VelapulumiError), result.exc_info
    text = f"{result.stderr}Error [{error.code}]: {error.message}\nNext: {error.next_step}\n"
    return Answer(error.exit_code, result.stdout, text)


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> None:
        raise ToolMissing("no engine in these tests")

    for key in [key for key in os.environ if key.startswith("PULUMI_")]:
        monkeypatch.delenv(key)
    monkeypatch.setattr("velapulumi.engine.environment.find_engine", nothing)
    for module in ("commands", "approvals", "gatekeeper"):
        monkeypatch.setattr(f"velapulumi.delivery.{module}.who", lambda: "alice@laptop")
    monkeypatch.setattr("velapulumi.delivery.commands.propose", propose)
    monkeypatch.setattr("velapulumi.delivery.commands.time.time", lambda: NOON + 60)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with an application whose first stage is delivered, and which waits then."""
    (tmp_path / "Pulumi.yaml").write_text("name: test\nstackConfigDir: stacks\n")
    monkeypatch.chdir(tmp_path)
    found = Project(tmp_path, "test", tmp_path / "stacks")
    begin(found)
    store(found, StackName("shop", "staging"), deployment())
    return found


def begin(project: Project, text: str = V1, steps: tuple[WorkflowStep, ...] = STEPS) -> None:
    update_gate(project.gate_file("shop"), "shop", lambda gate: gate.begin(revision(text), steps))


def note(project: Project, *entries: Entry) -> None:
    journal = Journal(project.journal_file("shop"))
    for each in entries:
        journal.append(each)


def entry(kind: Kind, step: str = "", at: float = 0, **fields: Any) -> Entry:
    return Entry(at=NOON + at, kind=kind, step=step, **fields)


def start(text: str = V1, number: int = 1, at: float = 0) -> Entry:
    return entry(Kind.BEGIN, at=at, revision=text, run=number, by="bob@desk")


def end(step: str, phase: StepPhase = StepPhase.SUCCEEDED, **fields: Any) -> Entry:
    return entry(Kind.END, step, phase=phase, **fields)


def asks(step: str = "ask") -> Entry:
    phase, reason = StepPhase.SUSPENDING, Reason.SUSPEND
    return entry(Kind.START, step, phase=phase, reason=reason, message="Suspended by field suspend")


def finish(phase: StepPhase = StepPhase.SUCCEEDED, at: float = 0) -> Entry:
    return entry(Kind.FINISH, at=at, phase=phase)


def succeeded(project: Project) -> None:
    """Let the application come to its end."""
    for stage in ("staging", "prod"):
        store(project, StackName("shop", stage), deployment())
    ends = [end(step.name) for step in STEPS]
    note(project, start(), *ends, finish())


def failed(project: Project) -> None:
    """Let the last step of the application fail, after the approval."""
    give(project, "ask", by="bob@desk")
    wrong = end("deploy-prod", StepPhase.FAILED, reason=Reason.TIMEOUT, message="too late")
    note(project, start(), end("deploy-staging"), end("ask"), wrong, finish(StepPhase.FAILED))


def kinds(project: Project) -> list[Kind]:
    return [each.kind for each in told(project.journal_file("shop"))]


def is_open(project: Project, gate: str) -> bool:
    return read_standing(project, "shop", contact=False).decision(gate).open


def current(project: Project) -> Run:
    gate = read_gate(project.gate_file("shop"), "shop")
    return run_of(told(project.journal_file("shop")), gate.current, gate.run)


@contextmanager
def held(project: Project) -> Iterator[str]:
    """An ``up`` of this machine that is at work; gives what is said of it."""
    with running(project, "shop", "up"):
        text = holder(project, "shop")
        assert f"(process {os.getpid()}, up)" in text
        yield text


UNKNOWN = (
    "Error [VP106]: no application shop has been delivered here\n"
    "Next: Deliver it first with: velapulumi up -f FILE\n"
)
NOT_BEGUN = (
    "Error [VP106]: the workflow in application is not running\n"
    "Next: Deliver it first with: velapulumi up -f FILE\n"
)
VERBS = ("suspend", "resume", "terminate", "restart", "rollback", "logs")


@pytest.mark.parametrize("verb", VERBS)
def test_an_application_that_was_never_delivered_is_unknown(project: Project, verb: str) -> None:
    project.gate_file("shop").unlink()
    project.config_file(StackName("shop", "staging")).unlink()
    assert run("workflow", verb, "shop") == Answer(2, "", UNKNOWN)


@pytest.mark.parametrize("verb", ["suspend", "resume", "terminate", "restart"])
def test_an_application_with_stacks_alone_is_not_running(project: Project, verb: str) -> None:
    project.gate_file("shop").unlink()
    assert run("workflow", verb, "shop") == Answer(2, "", NOT_BEGUN)
    assert not project.journal_file("shop").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_a_damaged_journal_is_named(project: Project, verb: str) -> None:
    project.journal_file("shop").write_text("{}\n")
    found = run("workflow", verb, "shop")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(f"Error [VP103]: {project.journal_file('shop')}:1: ")


# suspend


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ((), "Successfully suspend workflow: shop\n"),
        (("--step", "ask"), "Successfully suspend workflow shop from step ask \n"),
    ],
)
def test_suspend_holds_the_run(project: Project, option: tuple[str, ...], text: str) -> None:
    note(project, start(), end("deploy-staging"), asks())
    assert run("workflow", "suspend", "shop", *option) == Answer(0, text, "")
    last = told(project.journal_file("shop"))[-1]
    assert last == Entry(at=NOON + 60, kind=Kind.SUSPEND, by="alice@laptop")
    assert current(project).suspended
    before = project.journal_file("shop").read_bytes()
    assert run("workflow", "suspend", "shop", *option).out == text
    assert project.journal_file("shop").read_bytes() == before


def test_a_run_without_a_journal_begins_by_being_held(project: Project) -> None:
    assert run("workflow", "suspend", "shop").code == 0
    assert kinds(project) == [Kind.BEGIN, Kind.SUSPEND]
    found = current(project)
    assert (found.revision, found.number, found.suspended) == (V1, 1, True)


def test_an_up_that_is_at_work_follows_what_is_written(project: Project) -> None:
    note(project, start())
    follower = Journal(project.journal_file("shop"))
    follower.read()
    with held(project):
        run("workflow", "suspend", "shop")
        run("workflow", "resume", "shop")
        run("workflow", "terminate", "shop")
    assert [each.kind for each in follower.follow()] == [
        Kind.SUSPEND,
        Kind.RESUME,
        Kind.TERMINATE,
    ]


LISTED = "Next: The steps of the workflow are: deploy-staging, ask, deploy-prod.\n"


@pytest.mark.parametrize("verb", ["suspend", "resume"])
@pytest.mark.parametrize(
    ("step", "text"),
    [("gone", "can not find step gone"), ("", "step can not be empty")],
)
def test_a_step_that_is_not_there_is_refused(
    project: Project, verb: str, step: str, text: str
) -> None:
    found = run("workflow", verb, "shop", "--step", step)
    assert found == Answer(2, "", f"Error [VP100]: {text}\n{LISTED}")
    assert kinds(project) == []


@pytest.mark.parametrize("verb", ["suspend", "terminate"])
def test_what_has_succeeded_can_not_be_held_or_ended(project: Project, verb: str) -> None:
    succeeded(project)
    before = kinds(project)
    assert run("workflow", verb, "shop") == Answer(
        1,
        "",
        f"Error [VP307]: {verb} workflow not allowed because application shop is running\n"
        "Next: See where it stands with: velapulumi status shop\n",
    )
    assert kinds(project) == before


@pytest.mark.parametrize("verb", ["suspend", "resume"])
def test_what_is_terminated_can_not_be_held_or_resumed(project: Project, verb: str) -> None:
    note(project, start(), entry(Kind.TERMINATE))
    assert run("workflow", verb, "shop") == Answer(
        1,
        "",
        f"Error [VP307]: can not {verb} a terminated workflow\n"
        "Next: Begin anew with: velapulumi workflow restart shop\n",
    )
    assert kinds(project) == [Kind.BEGIN, Kind.TERMINATE]


# resume


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ((), "Successfully resume workflow: shop\n"),
        (("--step", "ask"), "Successfully resume workflow shop from step ask \n"),
    ],
)
def test_resume_approves(project: Project, option: tuple[str, ...], text: str) -> None:
    assert run("workflow", "resume", "shop", "-m", "fine", *option) == Answer(
        0, text, f"Approved ask for {V1}, plan {PLAN[V1]} (unsigned, local).\n"
    )
    assert approvals(project) == [("ask", V1, 1, "alice@laptop", "fine")]
    again = run("workflow", "resume", "shop", *option)
    assert again == Answer(0, "workflow shop is not suspended.\n", "")
    assert len(approvals(project)) == 1
    assert kinds(project) == []


PARALLEL = (
    WorkflowStep(name="one", type="suspend", ordered=False),
    WorkflowStep(name="two", type="suspend", ordered=False),
    WorkflowStep(name="last", type="suspend", ordered=False, depends_on=("one", "two")),
)


def test_all_that_waits_is_approved_and_named(project: Project) -> None:
    begin(project, V2, PARALLEL)
    found = run("workflow", "resume", "shop")
    assert found.out == "Successfully resume workflow: shop\n"
    assert found.err == (
        f"Approved one for {V2}, plan {PLAN[V2]} (unsigned, local).\n"
        f"Approved two for {V2}, plan {PLAN[V2]} (unsigned, local).\n"
    )
    assert [each[:3] for each in approvals(project)] == [("one", V2, 2), ("two", V2, 2)]


def test_only_the_named_one_of_several_is_approved(project: Project) -> None:
    begin(project, V2, PARALLEL)
    found = run("workflow", "resume", "shop", "--step", "two")
    assert found.out == "Successfully resume workflow shop from step two \n"
    assert [each[0] for each in approvals(project)] == ["two"]


def test_a_step_that_does_not_wait_is_not_approved(project: Project) -> None:
    found = run("workflow", "resume", "shop", "--step", "deploy-prod")
    assert found == Answer(
        2,
        "",
        "Error [VP100]: step deploy-prod of shop does not wait for approval\n"
        "Next: What waits is: ask.\n",
    )
    assert approvals(project) == []


def test_resume_lifts_a_suspension_and_approves_only_what_had_asked(project: Project) -> None:
    note(project, start(), end("deploy-staging"), entry(Kind.SUSPEND, by="bob@desk"))
    lifted = "The workflow is not suspended any more.\n"
    first = run("workflow", "resume", "shop")
    assert first == Answer(0, "Successfully resume workflow: shop\n", lifted)
    assert approvals(project) == []
    assert not current(project).suspended
    note(project, asks(), entry(Kind.SUSPEND))
    assert run("workflow", "resume", "shop") == Answer(
        0,
        "Successfully resume workflow: shop\n",
        f"Approved ask for {V1}, plan {PLAN[V1]} (unsigned, local).\n{lifted}",
    )
    assert [each[0] for each in approvals(project)] == ["ask"]
    assert kinds(project)[-1] is Kind.RESUME


# terminate


def test_terminate_ends_the_run_and_what_runs_in_it(project: Project) -> None:
    note(project, start(), end("deploy-staging"), asks())
    done = Answer(0, "Successfully terminate workflow: shop\n", "")
    assert run("workflow", "terminate", "shop") == done
    found = current(project)
    assert found.terminated
    assert (found.step("ask").phase, found.step("ask").reason) == (
        StepPhase.FAILED,
        Reason.TERMINATE,
    )
    before = kinds(project)
    assert run("workflow", "terminate", "shop") == done
    assert kinds(project) == before


# restart


def test_restart_begins_another_run_in_which_no_approval_counts(project: Project) -> None:
    run("workflow", "resume", "shop")
    (project.root / "my app.yaml").touch()
    project.configure(StackName("shop", "staging"), project.root / "my app.yaml")
    found = run("workflow", "restart", "shop")
    assert found == Answer(
        0,
        "Successfully restart workflow: shop\n",
        "Next: velapulumi up -f 'my app.yaml'\n",
    )
    gate = read_gate(project.gate_file("shop"), "shop")
    assert (gate.current, gate.run) == (V1, 2)
    assert not is_open(project, "ask")
    assert run("workflow", "resume", "shop").err.startswith("Approved ask")


def test_restart_calls_the_file_as_it_is_called_from_here(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.configure(StackName("shop", "staging"), project.root / "app.yaml", allow_unknown=True)
    monkeypatch.chdir(project.stacks)
    assert run("workflow", "restart", "shop").err == (
        "Next: velapulumi up -f ../app.yaml --allow-unknown-parameters\n"
    )


def test_restart_with_no_configuration_asks_for_the_file(project: Project) -> None:
    assert run("workflow", "restart", "shop").err == "Next: velapulumi up -f FILE\n"


def test_a_run_that_is_at_work_can_not_begin_from_its_start(project: Project) -> None:
    note(project, start())
    with held(project) as who:
        found = run("workflow", "restart", "shop")
    assert found == Answer(
        1,
        "",
        f"Error [VP304]: application shop is being delivered by {who}\n"
        "Next: Wait for that run to end, or end it with: velapulumi workflow terminate shop\n",
    )
    assert read_gate(project.gate_file("shop"), "shop").run == 1


def test_restart_with_a_failed_step_starts_over_what_follows(project: Project) -> None:
    failed(project)
    found = run("workflow", "restart", "shop", "--step", "deploy-prod")
    assert found == Answer(
        0,
        "Successfully restart workflow shop from step deploy-prod\n",
        "Starting over: deploy-prod.\nNext: velapulumi up -f FILE\n",
    )
    last = told(project.journal_file("shop"))[-1]
    assert (last.kind, last.steps, last.by) == (Kind.RESTART, ("deploy-prod",), "alice@laptop")
    assert current(project).step("deploy-prod").phase is StepPhase.PENDING
    assert is_open(project, "ask")


def test_what_starts_over_has_to_be_approved_again(project: Project) -> None:
    store(project, StackName("shop", "staging"), deployment(revision=V2))
    give(project, "ask", by="bob@desk")
    wrong = end("deploy-staging", StepPhase.FAILED, message="refused")
    note(project, start(), wrong, end("ask", StepPhase.SKIPPED))
    with held(project) as who:
        found = run("workflow", "restart", "shop", "--step", "deploy-staging")
    assert found.err == (
        f"Starting over: deploy-staging, ask, deploy-prod.\nIt is gone on with by {who}.\n"
    )
    assert not is_open(project, "ask")


@pytest.mark.parametrize(
    ("step", "text", "next_step"),
    [
        ("", "step can not be empty", LISTED),
        ("gone", "failed step gone not found", LISTED),
        (
            "ask",
            "can not restart from a non-failed step",
            "Next: What has failed is: deploy-prod; "
            "to begin the whole workflow anew: velapulumi workflow restart shop\n",
        ),
    ],
)
def test_only_a_failed_step_may_be_restarted(
    project: Project, step: str, text: str, next_step: str
) -> None:
    failed(project)
    before = project.journal_file("shop").read_bytes(), project.gate_file("shop").read_bytes()
    found = run("workflow", "restart", "shop", "--step", step)
    assert found == Answer(2, "", f"Error [VP100]: {text}\n{next_step}")
    after = project.journal_file("shop").read_bytes(), project.gate_file("shop").read_bytes()
    assert after == before


@pytest.mark.parametrize(
    "args", [("suspend",), ("terminate",), ("restart",), ("restart", "--step", "deploy-prod")]
)
def test_nothing_is_written_into_a_run_that_began_meanwhile(
    project: Project, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    failed(project)
    before = kinds(project)
    update = update_gate

    def later(path: Path, application: str, change: Callable[[Any], Any]) -> Any:
        update(path, application, lambda gate: gate.begin(revision(V2), STEPS))
        return update(path, application, change)

    monkeypatch.setattr("velapulumi.delivery.commands.update_gate", later)
    verb, *options = args
    assert run("workflow", verb, "shop", *options) == Answer(
        1,
        "",
        f"Error [VP000]: application shop has moved on to {V2} meanwhile\n"
        "Next: Look again with: velapulumi status shop\n",
    )
    assert kinds(project) == before


# list and logs


def other(project: Project, name: str) -> None:
    text = f"{name}-v1:0123456789abcdef"
    update_gate(
        project.gate_file(name), name, lambda gate: gate.begin(revision(text), (suspend("ask"),))
    )
    begin_entry = Entry(at=NOON + 5, kind=Kind.BEGIN, revision=text, run=1)
    Journal(project.journal_file(name)).append(begin_entry)


def test_runs_are_listed_the_newest_first(project: Project) -> None:
    other(project, "site")
    update_gate(project.gate_file("none"), "none", lambda gate: gate.restart())
    note(
        project,
        start(),
        start(number=2, at=10),
        finish(StepPhase.FAILED, at=12),
        start(number=3, at=20),
        entry(Kind.TERMINATE, at=21),
        start(V2, 4, at=30),
        finish(at=40),
        start(number=5, at=50),
    )
    for _ in range(4):
        update_gate(project.gate_file("shop"), "shop", lambda gate: gate.restart())
    found = run("workflow", "list")
    assert (found.code, found.err) == (0, "")
    assert [line.split() for line in found.out.splitlines()] == [
        ["NAME", "TYPE", "PHASE", "START-TIME", "END-TIME"],
        ["shop-v1", "Application", "suspending", "2030-01-01T12:00:50Z"],
        ["shop-v2", "Application", "succeeded", "2030-01-01T12:00:30Z", "2030-01-01T12:00:40Z"],
        ["shop-v1", "Application", "terminated", "2030-01-01T12:00:20Z", "2030-01-01T12:00:21Z"],
        ["shop-v1", "Application", "failed", "2030-01-01T12:00:10Z", "2030-01-01T12:00:12Z"],
        ["site-v1", "Application", "suspending", "2030-01-01T12:00:05Z"],
        ["shop-v1", "Application", "superseded", "2030-01-01T12:00:00Z", "2030-01-01T12:00:10Z"],
    ]
    one = run("workflow", "list", "site").out.splitlines()
    assert [line.split()[0] for line in one] == ["NAME", "site-v1"]


def test_runs_as_documents(project: Project) -> None:
    succeeded(project)
    as_json, as_yaml = (run("workflow", "list", "shop", "-o", form).out for form in FORMS)
    assert json.loads(as_json) == yaml.safe_load(as_yaml)
    assert json.loads(as_json) == [
        {
            "application": "shop",
            "revision": V1,
            "run": 1,
            "type": "Application",
            "phase": "succeeded",
            "startTime": "2030-01-01T12:00:00Z",
            "endTime": "2030-01-01T12:00:00Z",
            "by": "bob@desk",
        }
    ]


FORMS = ("json", "yaml")


def test_without_runs_there_is_no_table(project: Project) -> None:
    assert run("workflow", "list") == Answer(0, "", "No run found.\n")
    assert run("workflow", "list", "shop", "-o", "json").out == "[]\n"
    assert run("workflow", "list", "gone").code == 2
    assert run("workflow", "logs", "shop") == Answer(0, "", "Nothing is told of it yet.\n")


LOGGED = (
    WorkflowStep(name="roll", type="deploy", stage="roll"),
    WorkflowStep(name="look", type="request"),
    WorkflowStep(name="ask", type="suspend", duration=30),
    WorkflowStep(name="tell", type="webhook", condition="status.look.failed"),
)


def story(project: Project) -> None:
    begin(project, V2, LOGGED)
    note(
        project,
        start(),  # an older run
        end("deploy-staging"),
        start(V2, 2, at=1),
        entry(Kind.START, "roll"),
        entry(Kind.APPLY, "roll", clusters=("east", "west")),
        entry(Kind.APPLIED, "roll", clusters=("east", "west"), failed={"west": "refused"}),
        entry(Kind.APPLIED, "roll", clusters=("east",), again=True),
        entry(
            Kind.CLUSTER,
            "roll",
            clusters=("east",),
            cluster=ClusterPhase.PROGRESSING,
            healthy=NOON + 2,
        ),
        entry(
            Kind.CLUSTER,
            "roll",
            clusters=("east",),
            cluster=ClusterPhase.TIMED_OUT,
            message="not healthy after 8s",
        ),
        end("roll", at=3.25),
        entry(Kind.START, "look"),
        entry(Kind.ACT, "look"),
        entry(Kind.ERROR, "look", message="no answer"),
        entry(Kind.WAIT, "look", message="not there yet"),
        end("look", StepPhase.FAILED, reason=Reason.ACTION, message="it is over"),
        asks(),
        entry(Kind.SUSPEND, by="bob@desk"),
        entry(Kind.RESUME),
        entry(Kind.STOP),
        end("ask"),
        end("tell", StepPhase.SKIPPED, reason=Reason.SKIP),
        entry(Kind.RESTART, steps=("look", "tell")),
        entry(Kind.COLLECT, "roll"),
        entry(Kind.COLLECTED, "roll"),
        entry(Kind.TERMINATE, by="bob@desk"),
        finish(StepPhase.FAILED),
    )


TIME = "2030-01-01T12:00:00Z"


def test_logs_tell_the_current_run_in_words(project: Project) -> None:
    story(project)
    found = run("workflow", "logs", "shop")
    assert (found.code, found.err) == (0, "")
    assert found.out.splitlines() == [
        f"2030-01-01T12:00:01Z run 2 of {V2} begins by bob@desk",
        f"{TIME} roll: begins",
        f"{TIME} roll: applies on east and west",
        f"{TIME} roll: failed on west: refused; applied on east",
        f"{TIME} roll: applied on east, with values still missing",
        f"{TIME} roll: east Progressing, healthy",
        f"{TIME} roll: east TimeOut: not healthy after 8s",
        "2030-01-01T12:00:03Z roll: done",
        f"{TIME} look: begins",
        f"{TIME} look: acts",
        f"{TIME} look: went wrong (1), is tried again: no answer",
        f"{TIME} look: waits: not there yet",
        f"{TIME} look: failed: it is over",
        f"{TIME} ask: waits 30s, or for approval",
        f"{TIME} the workflow is suspended by bob@desk",
        f"{TIME} the workflow is resumed",
        f"{TIME} the run stops here, the next up goes on",
        f"{TIME} ask: goes on",
        f"{TIME} tell: skipped, as its condition does not hold: status.look.failed",
        f"{TIME} the workflow is restarted: look, tell",
        f"{TIME} roll: collects what is no longer delivered",
        f"{TIME} roll: has collected what is no longer delivered",
        f"{TIME} the workflow is terminated by bob@desk",
        f"{TIME} the workflow has failed",
    ]


def test_logs_of_one_step(project: Project) -> None:
    story(project)
    found = run("workflow", "logs", "shop", "--step", "tell").out.splitlines()
    assert [line.partition(" ")[2] for line in found] == [
        "tell: skipped, as its condition does not hold: status.look.failed",
        "the workflow is restarted: look, tell",
    ]
    roll = run("workflow", "logs", "shop", "--step", "roll").out
    assert "deletes what" not in roll
    unknown = run("workflow", "logs", "shop", "--step", "gone")
    assert unknown == Answer(
        2,
        "",
        "Error [VP100]: can not find step gone\n"
        "Next: The steps of the workflow are: roll, look, ask, tell.\n",
    )


def test_logs_as_documents_are_the_journal(project: Project) -> None:
    story(project)
    lines = project.journal_file("shop").read_text().splitlines()
    as_json, as_yaml = (run("workflow", "logs", "shop", "-o", form).out for form in FORMS)
    assert json.loads(as_json) == [json.loads(line) for line in lines[2:]]
    assert yaml.safe_load(as_yaml) == json.loads(as_json)


# status


def status_hints(project: Project) -> list[str]:
    found = run("status", "shop")
    assert found.code == 0
    return found.err.splitlines()


def test_status_names_each_step_that_waits(project: Project) -> None:
    begin(project, V2, (*PARALLEL[:1], PARALLEL[1].model_copy(update={"duration": 90.0})))
    assert status_hints(project) == [
        "Waits at one. Next: velapulumi workflow resume shop --step one",
        "Waits at two, for 90s or until it is approved. "
        "Next: velapulumi workflow resume shop --step two",
    ]


def test_status_tells_who_delivers_and_what_goes_wrong(project: Project) -> None:
    begin(project, V2, LOGGED[1:2])
    note(project, start(V2, 2), entry(Kind.START, "look"), entry(Kind.ERROR, "look", message="no"))
    with held(project) as who:
        assert status_hints(project) == [
            f"shop is being delivered by {who}.",
            "Step look went wrong once and is tried again: no",
        ]
    note(project, entry(Kind.ERROR, "look", message="still no"))
    assert status_hints(project) == [
        "Step look went wrong 2 times and is tried again: still no",
    ]


def test_status_tells_what_failed_but_not_what_was_skipped(project: Project) -> None:
    begin(project, V2, LOGGED[1:])
    wrong = end("look", StepPhase.FAILED, reason=Reason.ACTION, message="it is over")
    note(project, start(V2, 2), wrong, end("ask", StepPhase.SKIPPED))
    assert status_hints(project) == ["Step look has failed: it is over"]


def test_status_tells_who_has_suspended_or_terminated_it(project: Project) -> None:
    begin(project, V2, LOGGED[1:2])
    note(project, start(V2, 2), entry(Kind.START, "look"), entry(Kind.SUSPEND, by="bob@desk"))
    assert status_hints(project) == [
        f"The workflow was suspended by bob@desk at {TIME}. Next: velapulumi workflow resume shop"
    ]
    note(project, entry(Kind.TERMINATE))
    assert status_hints(project) == [
        f"The workflow was terminated at {TIME}. Next: velapulumi workflow restart shop",
        "Step look has failed: Terminate",
    ]


# who holds an application


def test_a_lock_that_nobody_holds_any_more_counts_for_nothing(project: Project) -> None:
    assert holder(project, "shop") == ""
    with held(project):
        pass
    assert holder(project, "shop") == ""
    (path,) = (project.state / "backend" / ".velapulumi" / "test").iterdir()
    owner = {"host": socket.gethostname(), "pid": 1, "by": "bob@desk", "command": "up"}
    path.write_text(json.dumps({**owner, "since": TIME}))
    assert holder(project, "shop") == ""
    path.write_text(json.dumps({**owner, "since": TIME, "host": "elsewhere"}))
    assert holder(project, "shop") == f"bob@desk (process 1, up) since {TIME}"
    path.write_text("{")
    assert holder(project, "shop") == ""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # looking at it has left no lock


# rollback

APPLICATION = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
  - {name: web, type: worker, properties: {image: IMAGE}}
MORE  policies:
  - {name: east, type: topology, properties: {clusters: [east]}}
  workflow:
    steps:
    - {name: go, type: deploy, properties: {policies: [east]}}
"""
MORE = "  - {name: extra, type: worker, properties: {image: busybox}}\n"


def write(project: Project, image: str, more: str = "") -> Path:
    path = project.root / "app.yaml"
    path.write_text(APPLICATION.replace("IMAGE", image).replace("MORE", more))
    return path


def delivered(project: Project, image: str, more: str = "", *, ends: bool = True) -> str:
    """Deliver the application, as far as files tell of it; gives its revision."""
    write(project, image, more)
    return deliver_file(project, ends=ends)


def deliver_file(project: Project, *, ends: bool = True) -> str:
    path = project.root / "app.yaml"
    application = read_application(project, path)
    application.begin()
    text = str(application.revision)
    number = read_gate(project.gate_file("shop"), "shop").run
    steps = [step.name for step in application.workflow.steps]
    note(project, start(text, number))
    if ends:
        note(project, *(end(step) for step in steps), finish())
    (stage,) = application.workflow.stages.values()
    rendered = {
        ObjectKey.of(entry.cluster, entry.manifest): entry.manifest
        for environment in stage.environments.values()
        for entry in render_environment(
            application.loaded.application,
            environment,
            application.revision.names,
            application.loaded.surroundings,
        )
    }
    objects = [resource(key.cluster, marked(manifest)) for key, manifest in rendered.items()]
    held = dict.fromkeys(steps, text)
    stack = StackName("shop", stage.name)
    store(project, stack, deployment(*objects, revision=text, steps=held, project=PROJECT_ID))
    project.configure(stack, path)
    return text


@pytest.fixture
def versions(project: Project) -> list[str]:
    """An application that was delivered in three revisions, of which the second one failed."""
    project.gate_file("shop").unlink()
    project.config_file(StackName("shop", "staging")).unlink()
    Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
    return [
        delivered(project, "busybox:1"),
        delivered(project, "busybox:2", ends=False),
        delivered(project, "busybox:3", MORE),
    ]


@pytest.fixture
def answering(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cluster answers, and has what the stacks hold on it."""

    def reach(_: Project, names: Iterable[str]) -> dict[str, Reached]:
        records = [read_record(project, stack) for stack in project.stack_names("shop")]
        held = [each for record in records if record for each in record.objects]
        return {
            name: reached(
                name, FakeCluster(*(each.manifest for each in held if each.cluster == name))
            )
            for name in names
        }

    for module in ("look", "prepare"):
        monkeypatch.setattr(f"velapulumi.stage.{module}.reach", reach)


class Delivery:
    """Stands for the real delivery."""

    def __init__(self, error: VelapulumiError | None = None) -> None:
        self.files: list[Path] = []
        self._error = error

    def __call__(self, project: Project, file: Path, *args: object, **options: object) -> Outcome:
        self.files.append(file.resolve())
        if self._error:
            raise self._error
        application = read_application(project, file)
        done = end("go")
        found = run_of((start("x"), done), "x", 1)
        return Outcome(application, Conclusion(found, changed=("go",)))


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch) -> Delivery:
    made = Delivery()
    monkeypatch.setattr("velapulumi.delivery.deliver.deliver", made)
    return made


@pytest.mark.usefixtures("answering")
def test_rollback_shows_asks_and_delivers_the_kept_file(
    project: Project, versions: list[str], delivery: Delivery
) -> None:
    first, _, third = versions
    found = run("workflow", "rollback", "shop", answer="y\n")
    assert (found.code, found.out) == (
        0,
        f"Application default/shop runs {first} in all stages.\n",
    )
    lines = found.err.splitlines()
    assert lines[:7] == [
        f"Back from {third} to {first}:",
        "Stage go: 1 updated, 1 deleted on 1 cluster; it holds shop-v3",
        "  east",
        "    - Deployment default/extra",
        "    ~ Deployment default/web",
        "        spec.template.spec.containers[0].image: busybox:3 → busybox:1",
        "  way back: to shop-v3 by 2 changes",
    ]
    assert lines[7] == f"Roll back application shop to {first}? [y/N]: y"
    assert lines[-1] == (
        f"The Application file app.yaml still holds {third}; "
        "to go forward again: velapulumi up -f app.yaml"
    )
    assert delivery.files == [project.revision_file("shop", "shop-v1").resolve()]


def test_rollback_names_a_stage_whose_last_delivery_did_not_finish(
    project: Project, versions: list[str], delivery: Delivery
) -> None:
    delivered(project, "busybox:1")
    application = read_application(project, project.root / "app.yaml")
    held = application.records["go"]
    assert held is not None
    pending = [
        resource(each.cluster, each.manifest, initErrors=["no pod"]) for each in held.objects
    ]
    old = deployment(*pending, revision=versions[0], steps=held.steps)
    store(project, StackName("shop", "go"), old)  # an update that failed keeps what was before
    found = run("workflow", "rollback", "shop", "--revision", "shop-v1", "-y")
    assert "nothing changes" not in found.err
    assert "the last delivery did not finish: it holds parts of shop-v1\n" in found.err


def test_rollback_to_a_named_revision(
    project: Project, versions: list[str], delivery: Delivery
) -> None:
    for name in ("shop-v2", versions[1]):
        found = run("workflow", "rollback", "shop", "--revision", name, "-y")
        assert (found.code, found.out) == (
            0,
            f"Application default/shop runs {versions[1]} in all stages.\n",
        )
    unknown = run("workflow", "rollback", "shop", "--revision", "shop-v9", "-y")
    assert unknown == Answer(
        2,
        "",
        "Error [VP100]: failed to find revision shop-v9 matching the application shop\n"
        "Next: See all with: velapulumi revision list shop\n",
    )
    assert delivery.files == [project.revision_file("shop", "shop-v2").resolve()] * 2


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        ("n\n", 1, "Nothing was rolled back.\n"),
        (
            "",
            2,
            "Error [VP100]: nobody answered, so nothing was rolled back\n"
            "Next: To roll back without being asked, give --yes.\n",
        ),
    ],
)
def test_rollback_needs_a_yes(
    versions: list[str], delivery: Delivery, answer: str, code: int, text: str
) -> None:
    found = run("workflow", "rollback", "shop", answer=answer)
    assert (found.code, found.out) == (code, "")
    assert found.err.endswith(text)
    assert delivery.files == []


def test_what_is_being_delivered_can_not_be_rolled_back(
    project: Project, versions: list[str], delivery: Delivery
) -> None:
    with held(project) as who:
        found = run("workflow", "rollback", "shop", "-y")
    assert found == Answer(
        1,
        "",
        "Error [VP304]: can not rollback a running workflow\n"
        f"Next: It is run by {who}. Wait for that to end, or end it with: "
        "velapulumi workflow terminate shop\n",
    )
    assert delivery.files == []


def test_without_an_earlier_success_there_is_no_way_back(
    project: Project, versions: list[str], delivery: Delivery
) -> None:
    project.journal_file("shop").unlink()
    note(project, start(versions[0]), start(versions[1], 2), start(versions[2], 3), finish())
    found = run("workflow", "rollback", "shop", "-y")
    assert found == Answer(
        2,
        "",
        "Error [VP100]: failed to find previous succeeded revision of application shop\n"
        "Next: See all with: velapulumi revision list shop, and name one with --revision.\n",
    )
    assert delivery.files == []


def test_a_revision_of_which_the_journal_tells_no_run_is_gone_back_to(
    project: Project, versions: list[str], delivery: Delivery
) -> None:
    project.journal_file("shop").unlink()
    assert run("workflow", "rollback", "shop", "-y").code == 0
    assert delivery.files == [project.revision_file("shop", "shop-v2").resolve()]


@pytest.mark.usefixtures("answering")
def test_what_another_stage_has_then_is_not_shown_as_deleted(
    project: Project, versions: list[str]
) -> None:
    path = write(project, "busybox:4", MORE)
    path.write_text(path.read_text().replace("name: go", "name: went"))
    deliver_file(project)
    project.config_file(StackName("shop", "go")).unlink()
    (project.state / "backend/.pulumi/stacks/test/shop.go.json").unlink()
    found = run("workflow", "rollback", "shop", "--revision", "shop-v1", answer="n\n").err
    assert found.splitlines()[1:-2] == [
        "Stage go: 1 handed over on 1 cluster; it holds nothing yet",
        "  east",
        "    ⇄ Deployment default/web (from stage went)",
        "        spec.template.spec.containers[0].image: busybox:4 → busybox:1",
        "  way back: 1 change",
        "Stage went: 1 handed over, 1 deleted on 1 cluster",
        "  east",
        "    - Deployment default/extra",
        "    ⇄ Deployment default/web (handed over to stage go)",
        "  way back: 2 changes",
    ]


def test_the_last_step_of_a_stage_has_the_last_word(project: Project, versions: list[str]) -> None:
    path = project.root / "app.yaml"
    twice = yaml.safe_load(APPLICATION.replace("IMAGE", "busybox:5").replace("MORE", MORE))
    newer = {"components": [{"name": "web", "properties": {"image": "new"}}]}
    twice["spec"]["policies"] += [
        {"name": "web-only", "type": "override", "properties": {"selector": ["web"]}},
        {"name": "newer", "type": "override", "properties": newer},
    ]
    twice["spec"]["workflow"]["steps"] = [
        {"name": "go", "type": "deploy", "properties": {"policies": ["east", "web-only"]}},
        {"name": "all", "type": "deploy", "properties": {"policies": ["east", "newer"]}},
    ]
    path.write_text(yaml.safe_dump(twice))
    deliver_file(project)
    twice["spec"]["components"][1]["properties"]["image"] = "busybox:6"
    path.write_text(yaml.safe_dump(twice))
    deliver_file(project)
    lines = run("workflow", "rollback", "shop", answer="n\n").err
    changes = [line.split(":", 1)[1] for line in lines.splitlines() if ".image:" in line]
    assert changes == [" busybox:6 → busybox"]


def test_a_kept_file_that_is_gone_is_named(
    project: Project, versions: list[str], delivery: Delivery
) -> None:
    kept = project.revision_file("shop", "shop-v1")
    kept.unlink()
    found = run("workflow", "rollback", "shop", "-y")
    assert found == Answer(
        2,
        "",
        f"Error [VP100]: the Application file of shop-v1 is not kept at {kept}\n"
        "Next: Restore it from version control, or deliver the Application file you want with: "
        "velapulumi up -f FILE\n",
    )


def test_a_kept_file_that_renders_to_something_else_is_refused(
    project: Project, versions: list[str], delivery: Delivery
) -> None:
    kept = project.revision_file("shop", "shop-v1")
    kept.write_text(kept.read_text().replace("busybox:1", "busybox:9"))
    found = run("workflow", "rollback", "shop", "-y")
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(
        f"Error [VP100]: {kept} does not render to {versions[0]} any more: it is shop-v4:"
    )
    assert found.err.endswith(
        " now, as the file, a definition or the clusters it is for have changed since\n"
        "Next: Undo that change, or deliver the file as a new revision with: "
        f"velapulumi up -f {kept}\n"
    )
    assert delivery.files == []


EDITED = "Warning: the Application file has been edited since; the next up starts over with it\n"


def test_resume_warns_of_a_file_that_was_edited_since(project: Project) -> None:
    Registry(project).add(joined("east"), parsed(kubeconfig(), project.root))
    project.gate_file("shop").unlink()
    project.config_file(StackName("shop", "staging")).unlink()
    delivered(project, "busybox:1", ends=False)
    for text in ("busybox:1", "busybox:2", "]"):
        write(project, text)
        note(project, entry(Kind.SUSPEND))
        found = run("workflow", "resume", "shop")
        assert found.code == 0
        assert found.err.endswith(EDITED) == (text != "busybox:1")
    (project.root / "app.yaml").unlink()
    note(project, entry(Kind.SUSPEND))
    assert EDITED not in run("workflow", "resume", "shop").err


def test_while_going_back_the_kept_file_is_the_one_that_counts(
    project: Project, versions: list[str]
) -> None:
    kept = project.revision_file("shop", "shop-v1")
    project.configure(StackName("shop", "go"), kept)  # as the delivery of the first stage does
    project.configure(StackName("shop", "a-later-one"), project.root / "app.yaml")
    read_application(project, kept).begin()
    note(project, start(versions[0], 4), entry(Kind.SUSPEND))
    assert EDITED not in run("workflow", "resume", "shop").err
    note(project, entry(Kind.TERMINATE))
    assert run("workflow", "restart", "shop").err == (
        "Next: velapulumi up -f stacks/shop.revisions/shop-v1.yaml\n"
    )


def test_a_delivery_that_fails_ends_the_rollback(
    versions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Delivery(VelapulumiError("it broke", next_step="mend it"))
    monkeypatch.setattr("velapulumi.delivery.deliver.deliver", made)
    found = run("workflow", "rollback", "shop", "-y")
    assert (found.code, found.out) == (1, "")
    assert found.err.endswith("Error [VP000]: it broke\nNext: mend it\n")
    assert "still holds" not in found.err
    assert len(made.files) == 1


def test_a_failed_run_is_told_in_words() -> None:
    seed = Path(__file__).parents[2] / "examples" / "01-seed" / "app.yaml"
    workflow = workflow_of(load(seed))
    sick = Scenario(sick=frozenset({("cluster-staging", "deploy-staging")}))
    played = play(workflow, "example-app-v1:0123456789abcdef", sick, Limits())
    assert [told.text for told in story_of(workflow.steps, played.entries)][-3:] == [
        "skipped, as staging did not succeed",
        "skipped, as staging did not succeed",
        "the workflow has failed",
    ]
