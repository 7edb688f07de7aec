"""What a run does when another process takes it up, and when steps start over while it goes on."""

from __future__ import annotations

from collections.abc import Sequence

from velapulumi.definitions import Done, StepError
from velapulumi.render import parse
from velapulumi.workflow.driver import RETRIES, Driver
from velapulumi.workflow.edge import Acted, Limits
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.rules import starting_over
from velapulumi.workflow.run import Run, StepRun, run_of
from velapulumi.workflow.simulation import ACTING, Scenario, Unwatched, VirtualEdge, World
from velapulumi.workflow.stages import Workflow, workflow_of
from velapulumi.workflow.steps import WorkflowStep

REVISION = "shop-v1:0123456789abcdef"
LIMITS = Limits(patience=20, interval=1)

HEAD = """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: retail}
spec:
  components:
  - {name: web, type: worker, properties: {image: busybox}}
  policies:
  - {name: many, type: topology, properties: {clusters: [a, b, c]}}
  - {name: one, type: topology, properties: {clusters: [d]}}
  workflow:
    mode: {steps: DAG}
    steps:
"""

# the last step asks for the first one and waits only for the second
ASKING = """\
    - {name: wide, type: deploy, properties: {policies: [many]}}
    - {name: narrow, type: suspend, properties: {duration: 60s}}
    - name: last
      type: deploy
      dependsOn: [narrow]
      if: status.wide.succeeded
      properties: {policies: [one]}
"""

CALLING = """\
    - {name: call, type: webhook, properties: {url: {value: "http://127.0.0.1:1"}}}
    - {name: hold, type: suspend, properties: {duration: 3h}}
"""


def workflow(steps: str) -> Workflow:
    return workflow_of(parse(HEAD + steps, "app.yaml"))


def phases(run: Run) -> dict[str, StepPhase]:
    return {name: step.phase for name, step in run.steps.items()}


def test_what_is_looked_at_once_more_counts_as_what_it_was() -> None:
    asking = workflow(ASKING)
    world, entries = World(), list[Entry]()
    edge = VirtualEdge(asking, REVISION, Scenario(), LIMITS, world)
    Driver(asking, Run(REVISION, 1), edge, entries.append, Unwatched(), LIMITS).go()
    asked = next(i for i, e in enumerate(entries) if (e.kind, e.step) == (Kind.START, "last"))
    for known in (entries[:asked], entries):  # before the last step has begun, and after the end
        again = VirtualEdge(asking, REVISION, Scenario(), LIMITS, world, edge.now() + 10)
        run = run_of(known, REVISION, 1)
        end = Driver(asking, run, again, lambda _: None, Unwatched(), LIMITS).go()
        assert phases(end.run) == dict.fromkeys(("wide", "narrow", "last"), StepPhase.SUCCEEDED)


def test_what_has_got_worse_counts_as_what_it_is_then() -> None:
    asking = workflow(ASKING)
    began = VirtualEdge(asking, REVISION, Scenario(), LIMITS, World()).now()
    steps = {
        "wide": StepRun(StepPhase.SUCCEEDED, started=began),
        "narrow": StepRun(StepPhase.SUSPENDING, started=began),
    }
    run = Run(REVISION, 1, began, steps=steps)
    sick = Scenario(sick=frozenset({("b", "wide")}))
    edge = VirtualEdge(asking, REVISION, sick, LIMITS, World())
    end = Driver(asking, run, edge, lambda _: None, Unwatched(), LIMITS).go()
    assert phases(end.run) == {
        "wide": StepPhase.FAILED,
        "narrow": StepPhase.SUCCEEDED,
        "last": StepPhase.SKIPPED,
    }


class Operated(VirtualEdge):
    """Has somebody start the step ``call`` over when it has failed; from then on it succeeds."""

    restarted: Entry | None = None
    failed = False

    def commands(self) -> Sequence[Entry]:
        if self.restarted is not None or not self.failed:
            return ()
        steps = starting_over(self._workflow.steps, "call")
        self.restarted = Entry(at=self.now(), kind=Kind.RESTART, steps=steps)
        return (self.restarted,)

    def act(self, step: WorkflowStep, run: Run) -> None:
        answer = Done() if self.restarted else StepError("nobody answers")
        self._later(ACTING, Acted(step.name, answer))


def test_a_step_that_starts_over_does_so_at_once_and_in_the_journal() -> None:
    calling = workflow(CALLING)
    edge = Operated(calling, REVISION, Scenario(), LIMITS, World())
    entries: list[Entry] = []

    def note(entry: Entry) -> None:
        entries.append(entry)
        edge.failed = edge.failed or (entry.kind, entry.step) == (Kind.END, "call")

    end = Driver(calling, Run(REVISION, 1), edge, note, Unwatched(), LIMITS).go()
    assert edge.restarted is not None
    told = [entry for entry in entries if entry.step == "call"]
    tries = [entry for entry in told if entry.kind is Kind.ERROR]
    assert len(tries) == RETRIES + 1
    failure, *after = told[told.index(tries[-1]) + 1 :]
    assert (failure.phase, failure.reason) == (StepPhase.FAILED, Reason.RETRIES)
    assert [entry.kind for entry in after] == [Kind.START, Kind.ACT, Kind.END]
    assert after[-1].at == edge.restarted.at + ACTING
    assert (end.errors, phases(end.run)["call"]) == ((), StepPhase.SUCCEEDED)


class Answered(VirtualEdge):
    """Has each acting step publish one thing."""

    def act(self, step: WorkflowStep, run: Run) -> None:
        self._later(ACTING, Acted(step.name, Done("well", {"response": {"token": "x"}})))


def test_an_output_that_is_not_there_is_told_beside_what_is() -> None:
    asking = workflow(
        "    - name: ask\n"
        "      type: request\n"
        '      properties: {url: "http://127.0.0.1:1"}\n'
        "      outputs: [{name: word, valueFrom: output.token}]\n"
    )
    edge = Answered(asking, REVISION, Scenario(), LIMITS, World())
    end = Driver(asking, Run(REVISION, 1), edge, lambda _: None, Unwatched(), LIMITS).go()
    ask = end.run.step("ask")
    assert (ask.phase, ask.reason) == (StepPhase.FAILED, Reason.OUTPUT)
    assert ask.message == (
        "its output word has no value: output is not there; the step publishes: response"
    )
