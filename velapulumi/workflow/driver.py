"""Runs a workflow: decides what is next, has the edge do it, and notes everything.

The same driver runs on real clusters and in a simulation; what differs is the edge. It never looks
at a clock or a cluster itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from threading import RLock
from typing import Any

from velapulumi.definitions import Done, Failed, StepError, Waiting
from velapulumi.errors import Unhealthy, VelapulumiError
from velapulumi.spec import GROUP, InvalidExpression, NotThere, parse_expression
from velapulumi.spec.expressions import STEP_ROOTS
from velapulumi.workflow.edge import (
    Acted,
    Applied,
    Broken,
    Collected,
    Conclusion,
    Edge,
    Limits,
    Observed,
    Outcome,
    Watcher,
)
from velapulumi.workflow.entries import ClusterPhase, Entry, Kind
from velapulumi.workflow.phases import Reason, StepPhase
from velapulumi.workflow.rollout import (
    Apply,
    Conclude,
    Observe,
    Settle,
    lost,
    next_move,
    observed,
)
from velapulumi.workflow.rules import Verdict, group_phase, judge, members, starting_over, waits_for
from velapulumi.workflow.run import Run, StepRun, advance, interrupted
from velapulumi.workflow.stages import Workflow
from velapulumi.workflow.steps import SUSPEND, WorkflowStep

RETRIES = 10
"""How often an action may go wrong before its step has failed, as KubeVela's controller has it."""

SUSPENDED = "Suspended by field suspend"
"""What KubeVela says of a suspend step without a message of its own."""

MOST_WAIT, MOST_WAIT_AFTER_ERROR = 60.0, 300.0


class Driver:
    """Runs a workflow from where it stands to its end, or to where somebody has to decide.

    Args:
        workflow: The workflow.
        run: Where it stands, as the journal tells.
        edge: Does things.
        journal: Notes an entry for good; raises VelapulumiError when it cannot.
        watcher: Is told how it goes on.
        limits: How long things may take.
        context: What conditions know as ``context``.
    """

    def __init__(
        self,
        workflow: Workflow,
        run: Run,
        edge: Edge,
        journal: Callable[[Entry], None],
        watcher: Watcher,
        limits: Limits,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        self._workflow = workflow
        self._steps = workflow.steps
        self._by_name = {step.name: step for step in workflow.steps}
        self._before = {step.name: waits_for(self._steps, step) for step in self._steps}
        self._edge = edge
        self._journal = journal
        self._watcher = watcher
        self._limits = limits
        self._context = context or {}
        self._lock = RLock()
        self._busy: dict[str, str] = {}
        self._applying: dict[str, tuple[str, ...]] = {}
        self._seen: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._polls: dict[str, int] = {}
        self._words: dict[str, dict[str, str]] = {}
        self._unread: dict[str, dict[str, VelapulumiError]] = {}
        self._errors: dict[str, VelapulumiError] = {}
        self._changed: dict[str, None] = {}
        self._collecting: list[str] | None = None
        self._collects = True
        self._told: set[str] = set()
        self._waiting: set[str] = set()
        self._publishing: dict[str, float] = {}
        self._samples: dict[str, int] = {}
        self._secret: set[str] = set()
        self.run, self._again = self._taken_up(run)
        self._were = {name: run.step(name) for name in self._again}

    def go(self) -> Conclusion:
        """Run the workflow.

        Raises:
            VelapulumiError: The journal cannot be written; nothing more was begun then.
        """
        while True:
            for entry in self._edge.commands():
                self._take_command(entry)
            if not self._edge.stopping:
                self._settle()
                self._begin()
            until = self._until()
            if not self._busy and (until is None or self._edge.stopping):
                break
            for outcome in self._edge.wait(until):
                self._take(outcome)
        return self._conclude()

    def _taken_up(self, run: Run) -> tuple[Run, set[str]]:
        """The run as this process takes it up, and the steps it goes through once more.

        These are the delivered ones, to see whether all is still as it was, and those whose values
        were not written anywhere; a group is opened again for its sub-steps.
        """
        run = interrupted(run)
        again = {
            step.name
            for step in self._steps
            if run.step(step.name).phase is StepPhase.SUCCEEDED
            and (step.stage or any(output.name not in run.values for output in step.outputs))
            and not (step.group and run.step(step.group).phase is StepPhase.FAILED)
        }
        groups = {
            group
            for name in again
            if (group := self._by_name[name].group) and run.step(group).phase is StepPhase.SUCCEEDED
        }
        for name in again:
            run = run.with_step(name, run.step(name).anew())
        for name in groups:
            opened = StepRun(phase=StepPhase.RUNNING, started=self._edge.now())
            run = run.with_step(name, opened)
        return run, again | groups

    def _note(self, entry: Entry, *, quiet: bool = False) -> None:
        """Note an entry; one that only repeats what the journal tells already is not written."""
        with self._lock:
            if not quiet:
                self._write(entry)
            self.run = advance(self.run, entry)
            self._watcher.entry(entry, self.run)

    def _write(self, entry: Entry) -> None:
        """Write an entry; the first one of a run says before that it begins."""
        if self.run.began is None:
            revision, number = self.run.revision, self.run.number
            begin = self._entry(Kind.BEGIN, revision=revision, run=number)
            self._journal(begin)
            self.run = replace(self.run, began=begin.at)
            self._watcher.entry(begin, self.run)
        self._journal(entry)

    def _entry(self, kind: Kind, step: str = "", **fields: Any) -> Entry:
        return Entry(at=self._edge.now(), kind=kind, step=step, **fields)

    def _note_step(self, entry: Entry) -> None:
        """Note an entry of a step; while it is only looked at once more, nothing is written."""
        quiet = entry.step in self._again and not (
            entry.kind is Kind.END and entry.phase is StepPhase.FAILED
        )
        if entry.step in self._again and not quiet:
            self._loud(entry.step)
        self._note(entry, quiet=quiet)
        if entry.kind is Kind.END:
            self._again.discard(entry.step)
        if quiet and entry.phase is StepPhase.SUCCEEDED:
            self._keep_times(entry.step)

    def _keep_times(self, name: str) -> None:
        """What was only looked at once more has ended when it ended first."""
        with self._lock:
            were, seen = self._were[name], self.run.step(name)
            kept = replace(
                seen, started=were.started, ended=were.ended, samples=were.samples + seen.samples
            )
            self.run = self.run.with_step(name, kept)

    def _loud(self, name: str) -> None:
        """From now on a step that was only looked at is written about again."""
        with self._lock:
            if name in self._again:
                self._again.discard(name)
                clusters = self.run.step(name).clusters
                self._write(self._entry(Kind.START, name))
                self.run = self.run.with_step(name, replace(self.run.step(name), clusters=clusters))

    # What follows from the run as it is

    def _settle(self) -> None:
        """Begin, skip and end steps until nothing more follows from where the run stands."""
        while sum(self._settle_step(step) for step in self._steps):
            pass

    def _settle_step(self, step: WorkflowStep) -> bool:
        """Whether anything followed for a step."""
        state = self.run.step(step.name)
        if state.phase.finished or step.name in self._busy or self.run.terminated:
            return False
        if state.phase is StepPhase.PENDING:
            return not self.run.suspended and self._settle_pending(step)
        if step.timeout and self._edge.now() >= (state.started or 0) + step.timeout:
            return self._time_out(step)
        if step.type == GROUP:
            parts = [self.run.step(each.name) for each in members(self._steps, step)]
            phase = group_phase(parts)
            if phase is StepPhase.RUNNING:
                return False
            self._end(step.name, phase)
            return True
        if state.phase is StepPhase.SUSPENDING:
            return self._settle_suspending(step, state)
        return self._settle_running(step, state)

    def _settle_pending(self, step: WorkflowStep) -> bool:
        before = self._before[step.name]
        judgement = judge(self._steps, self._known_to(step), step, before, self._context)
        if judgement.verdict is Verdict.WAIT:
            return False
        if judgement.verdict is Verdict.SKIP:
            self._end(step.name, StepPhase.SKIPPED, Reason.SKIP)
        elif judgement.verdict is Verdict.FAIL:
            self._end(step.name, StepPhase.FAILED, Reason.PROCESS_PARAMETER, judgement.message)
        elif step.gate and (by := self._edge.approved(step.name)) is None:
            message = step.message or SUSPENDED
            self._note_step(
                self._entry(
                    Kind.START,
                    step.name,
                    phase=StepPhase.SUSPENDING,
                    reason=Reason.SUSPEND,
                    message=message,
                )
            )
        else:
            if step.gate:
                self._tell_approved(step, by or "")
            self._note_step(self._entry(Kind.START, step.name))
        return True

    def _known_to(self, step: WorkflowStep) -> Run:
        """The run as a step's condition sees it.

        What is gone through once more counts as what it was until it has ended again, unless the
        step waits for it anyway.
        """
        own = self._before[step.name] | {step.group}
        steps = {
            name: were
            for name, were in self._were.items()
            if name not in own and not self.run.step(name).phase.finished
        }
        return replace(self.run, steps={**self.run.steps, **steps})

    def _settle_suspending(self, step: WorkflowStep, state: StepRun) -> bool:
        by = self._edge.approved(step.name)
        over = step.duration is not None and (
            self._edge.now() >= (state.started or 0) + step.duration
        )
        if by is None and not over:
            return False
        if by is not None:
            self._tell_approved(step, by)
        if step.type == SUSPEND:
            self._end(step.name, StepPhase.SUCCEEDED)
        else:
            self._note_step(self._entry(Kind.START, step.name))
        return True

    def _settle_running(self, step: WorkflowStep, state: StepRun) -> bool:
        if step.type == SUSPEND or step.idle:
            self._end(step.name, StepPhase.SUCCEEDED)
            return True
        if step.stage is None:
            return False
        move = self._move(step, state)
        if isinstance(move, Settle):
            words, unread = self._words.get(step.name, {}), self._unread.get(step.name, {})
            if all(name in unread for name in move.clusters):
                self._errors.setdefault(step.name, unread[move.clusters[0]])
            for name in move.clusters:
                said = "" if name in unread else move.message  # nobody knows how it is there
                text = ": ".join(part for part in (said, words.get(name, "")) if part)
                self._note_step(
                    self._entry(
                        Kind.CLUSTER,
                        step.name,
                        clusters=(name,),
                        cluster=move.phase,
                        message=text,
                    )
                )
            return True
        if isinstance(move, Conclude):
            if move.phase is StepPhase.SUCCEEDED and step.outputs:
                return False  # its values come first
            if move.phase is StepPhase.FAILED and step.name not in self._errors:
                title = f"step {step.name}" if step.stage != step.name else f"stage {step.stage}"
                self._errors[step.name] = Unhealthy(f"{title} has failed: {move.message}")
            self._end(step.name, move.phase, move.reason, move.message)
            return True
        return False

    def _move(self, step: WorkflowStep, state: StepRun) -> Apply | Observe | Settle | Conclude:
        return next_move(
            self._workflow.rollouts[step.name],
            state,
            self._edge.now(),
            self._seen.get(step.name, 0),
            self._limits.patience,
            self._limits.interval,
        )

    def _time_out(self, step: WorkflowStep) -> bool:
        """A step has taken longer than it may; of a group that ends what runs in it."""
        for each in members(self._steps, step):
            state = self.run.step(each.name)
            if each.name in self._busy:
                return False  # ended when it has come back
            if state.phase in (StepPhase.RUNNING, StepPhase.SUSPENDING):
                self._end(each.name, StepPhase.FAILED, Reason.TIMEOUT)
        words = "; ".join(dict.fromkeys(filter(None, self._words.get(step.name, {}).values())))
        text = f"step {step.name} has not succeeded after {step.timeout:g}s"
        self._errors.setdefault(step.name, Unhealthy(f"{text}: {words}" if words else text))
        self._end(step.name, StepPhase.FAILED, Reason.TIMEOUT, words)
        return True

    def _tell_approved(self, step: WorkflowStep, by: str) -> None:
        if step.name not in self._told:
            self._told.add(step.name)
            self._watcher.approved(step, by)

    def _end(
        self,
        name: str,
        phase: StepPhase,
        reason: Reason | None = None,
        message: str = "",
        values: Mapping[str, Any] | None = None,
    ) -> None:
        self._words.pop(name, None)
        entry = self._entry(
            Kind.END,
            name,
            phase=phase,
            reason=reason,
            message=message,
            values=dict(values or {}),
            samples=self._samples.pop(name, 0),
        )
        self._note_step(entry)

    # What is to be done

    def _begin(self) -> None:
        """Begin everything that can be begun now."""
        for step in self._steps:
            state = self.run.step(step.name)
            if state.phase is not StepPhase.RUNNING or step.name in self._busy:
                continue
            if self.run.suspended or self.run.terminated:
                continue
            if step.stage is not None:
                self._begin_delivery(step, state)
            elif step.acts and self._edge.now() >= self._due.get(step.name, 0):
                self._busy[step.name] = ""
                if step.name not in self._waiting:
                    self._note_step(self._entry(Kind.ACT, step.name))
                self._edge.act(step, self.run)
        self._begin_collecting()

    def _begin_delivery(self, step: WorkflowStep, state: StepRun) -> None:
        stage = step.stage or ""
        move = self._move(step, state)
        if isinstance(move, Observe) and self._edge.now() >= move.due:
            self._busy[step.name] = ""
            self._edge.observe(step, move.clusters)
        elif isinstance(move, Conclude) and self._edge.now() >= self._due.get(step.name, 0):
            self._busy[step.name] = ""
            self._publishing.setdefault(step.name, self._edge.now())
            self._edge.publish(step, self.run)
        elif isinstance(move, Apply) and stage not in self._busy.values():
            self._busy[step.name] = stage
            self._applying[step.name] = move.clusters
            fresh = (*move.clusters, *_others(state, ClusterPhase.TO_APPLY))
            entry = self._entry(Kind.APPLY, step.name, clusters=move.clusters)
            self._edge.apply(step, tuple(dict.fromkeys(fresh)), self.run, self._intent(entry))

    def _intent(self, entry: Entry) -> Callable[[], None]:
        """Notes an intent, once; called by the edge before it changes anything."""
        noted = False

        def note() -> None:
            nonlocal noted
            if not noted:
                noted = True
                self._loud(entry.step)
                self._note(entry)

        return note

    def _begin_collecting(self) -> None:
        """Delete what is not delivered any more, once every step has succeeded."""
        if self.run.suspended or self.run.terminated:
            return
        phases = {self.run.step(step.name).phase for step in self._steps}
        if self._busy or not all(phase.finished for phase in phases) or not self._collects:
            return
        if StepPhase.FAILED in phases:
            if self.run.ended is None:
                self._note(self._entry(Kind.FINISH, phase=StepPhase.FAILED))
            return
        if self._collecting is None:
            self._collecting = list(self._edge.collectable())
        if self._collecting:
            stage = self._collecting[0]
            self._busy[stage] = stage
            self._edge.collect(stage, self._intent(self._entry(Kind.COLLECT, stage)))
        elif not self.run.finished:
            self._note(self._entry(Kind.FINISH, phase=StepPhase.SUCCEEDED))

    def _until(self) -> float | None:
        """When something is due, if nothing happens before; None when nothing ever is."""
        if self.run.terminated or (self.run.suspended and not self._busy):
            return None
        times = []
        for step in self._steps:
            state = self.run.step(step.name)
            if state.phase not in (StepPhase.RUNNING, StepPhase.SUSPENDING):
                continue
            if step.timeout:
                times.append((state.started or 0) + step.timeout)
            if state.phase is StepPhase.SUSPENDING and step.duration is not None:
                times.append((state.started or 0) + step.duration)
            if state.phase is StepPhase.RUNNING and step.name not in self._busy:
                if step.stage is not None:
                    move = self._move(step, state)
                    times += [move.due] if isinstance(move, Observe) else []
                    times += [self._due.get(step.name, 0)] if isinstance(move, Conclude) else []
                elif step.acts:
                    times.append(self._due.get(step.name, 0))
        if self._busy:  # what is overdue waits for what is under way
            times = [time for time in times if time > self._edge.now()]
        return min(times, default=None)

    # What has happened

    def _take_command(self, entry: Entry) -> None:
        with self._lock:
            self.run = advance(self.run, entry)
            for name in entry.steps:
                self._forget(name)
            self._watcher.entry(entry, self.run)

    def _forget(self, name: str) -> None:
        """A step starts over: what this process knows of its past counts no more."""
        known: tuple[dict[str, Any], ...] = (
            self._errors,
            self._were,
            self._seen,
            self._due,
            self._polls,
            self._words,
            self._unread,
            self._publishing,
        )
        for memory in known:
            memory.pop(name, None)
        for names in (self._again, self._waiting, self._told):
            names.discard(name)

    def _take(self, outcome: Outcome) -> None:
        name = outcome.stage if isinstance(outcome, Collected) else outcome.step
        self._busy.pop(name, None)
        if isinstance(outcome, Collected):
            self._take_collected(outcome)
        elif self.run.step(name).phase is not StepPhase.RUNNING:
            return  # it was ended meanwhile
        elif isinstance(outcome, Applied):
            self._take_applied(outcome)
        elif isinstance(outcome, Observed):
            self._take_observed(outcome)
        elif isinstance(outcome, Acted):
            self._take_acted(outcome)
        elif isinstance(outcome, Broken):
            self._errors[name] = outcome.error
            late = isinstance(outcome.error, Unhealthy)
            reason = Reason.TIMEOUT if late else Reason.EXECUTE
            self._end(name, StepPhase.FAILED, reason, outcome.error.message)

    def _take_applied(self, outcome: Applied) -> None:
        step = self._by_name[outcome.step]
        if outcome.changed:
            self._changed[step.stage or ""] = None
        for error in outcome.failed.values():
            self._errors.setdefault(step.name, error)
        self._seen.pop(step.name, None)
        fresh = self._applying.pop(step.name)
        if outcome.again:
            self._seen[step.name] = self._edge.now()
            self._words[step.name] = dict.fromkeys(fresh, outcome.message)
            self._watcher.waits(step, outcome.message)
            if self.run.step(step.name).again and not (outcome.changed or outcome.failed):
                return  # nothing new, and the time it may take goes on
        self._note_step(
            self._entry(
                Kind.APPLIED,
                step.name,
                clusters=tuple(dict.fromkeys((*fresh, *outcome.failed))),
                failed={name: error.message for name, error in outcome.failed.items()},
                again=outcome.again,
            )
        )

    def _take_observed(self, outcome: Observed) -> None:
        step = self._by_name[outcome.step]
        self._seen[step.name] = self._edge.now()
        words = self._words.setdefault(step.name, {})
        clusters = outcome.clusters.items()
        self._unread[step.name] = {name: seen.unread for name, seen in clusters if seen.unread}
        healthy = all(observation.healthy for observation in outcome.clusters.values())
        self._samples[step.name] = self._samples.get(step.name, 0) + healthy
        for cluster, observation in clusters:
            words[cluster] = "" if observation.healthy else observation.message
            self._watcher.seen(step, cluster, observation)
        rollout, state = self._workflow.rollouts[step.name], self.run.step(step.name)
        for entry in observed(rollout, state, outcome.clusters, self._edge.now()):
            self._note_step(entry.model_copy(update={"step": step.name}))

    def _take_acted(self, outcome: Acted) -> None:
        step, result = self._by_name[outcome.step], outcome.result
        count = self._polls[step.name] = self._polls.get(step.name, 0) + 1
        self._waiting.discard(step.name)
        if isinstance(result, StepError):
            self._note_step(self._entry(Kind.ERROR, step.name, message=result.message))
            self._watcher.waits(step, result.message)
            if self.run.step(step.name).errors > RETRIES:
                self._end(step.name, StepPhase.FAILED, Reason.RETRIES, result.message)
            self._due[step.name] = self._edge.now() + _backoff(count, MOST_WAIT_AFTER_ERROR)
        elif isinstance(result, Waiting):
            if result.memory != self.run.step(step.name).memory:
                memory = dict(result.memory)
                self._note_step(
                    self._entry(Kind.WAIT, step.name, message=result.message, memory=memory)
                )
            self._wait(step, result.message, count)
        elif isinstance(result, Failed):
            self._end(step.name, StepPhase.FAILED, Reason.ACTION, result.message)
        else:
            self._take_done(step, result)

    def _wait(self, step: WorkflowStep, message: str, count: int) -> None:
        self._waiting.add(step.name)
        self._words.setdefault(step.name, {})[""] = message
        self._watcher.waits(step, message)
        self._due[step.name] = self._edge.now() + _backoff(count, MOST_WAIT)

    def _take_done(self, step: WorkflowStep, result: Done) -> None:
        values: dict[str, Any] = {}
        scope = {"context": self._context, **result.values}
        for output in step.outputs:
            try:
                expression = parse_expression(output.value_from, STEP_ROOTS)
                values[output.name] = expression.value(scope)
            except (NotThere, InvalidExpression) as error:
                since = self._publishing.get(step.name, self._edge.now())
                late = self._edge.now() - since >= self._limits.patience
                if isinstance(error, NotThere) and step.stage is not None and not late:
                    text = f"it has no {error} yet, for its output {output.name}"
                    self._wait(step, text, self._polls[step.name])
                    return
                message = f"its output {output.name} has no value: {error}"
                if isinstance(error, NotThere):
                    known = ", ".join(sorted(result.values)) or "nothing"
                    message += f" is not there; the step publishes: {known}"
                self._end(step.name, StepPhase.FAILED, Reason.OUTPUT, message)
                return
        if result.secret or any(item.from_ in self._secret for item in step.inputs):
            self._secret |= values.keys()
            with self._lock:
                self.run = replace(self.run, values={**self.run.values, **values})
            values = {}
        self._end(step.name, StepPhase.SUCCEEDED, None, result.message, values)

    def _take_collected(self, outcome: Collected) -> None:
        assert self._collecting is not None
        self._collecting.remove(outcome.stage)
        if outcome.changed:
            self._changed[outcome.stage] = None
            self._note(self._entry(Kind.COLLECTED, outcome.stage))
        if outcome.error is not None:
            self._errors[outcome.stage] = outcome.error
            self._collects = False

    # The end

    def _conclude(self) -> Conclusion:
        phases = {self.run.step(step.name).phase for step in self._steps}
        if self._edge.stopping and StepPhase.RUNNING in phases and self.run.began is not None:
            self._note(self._entry(Kind.STOP, message="interrupted"))
        waiting = tuple(
            step
            for step in self._steps
            if step.gate and self.run.step(step.name).phase is StepPhase.SUSPENDING
        )
        return Conclusion(
            run=self.run,
            waiting=waiting,
            changed=tuple(self._changed),
            lost={
                step.name: names
                for step in self._steps
                if step.name in self._workflow.rollouts
                and (names := lost(self._workflow.rollouts[step.name], self.run.step(step.name)))
            },
            errors=tuple(self._errors.values()),
            stopped=self._edge.stopping,
        )


def begun_anew(workflow: Workflow, run: Run) -> Iterable[str]:
    """The steps which start over when a run that has failed is run again.

    Of a group those sub-steps stay as they are that have succeeded.
    """
    roots = {root for failed in run.failed for root in _left_of(workflow, run, failed)}
    names = {name for root in roots for name in starting_over(workflow.steps, root)}
    return (step.name for step in workflow.steps if step.name in names)


def _left_of(workflow: Workflow, run: Run, name: str) -> tuple[str, ...]:
    """What has not succeeded of a failed step: of a group its sub-steps, or itself as a whole."""
    parts = members(workflow.steps, workflow.step(name))
    left = (part.name for part in parts if run.step(part.name).phase is not StepPhase.SUCCEEDED)
    return tuple(left) or (name,)


def _others(state: StepRun, phase: ClusterPhase) -> tuple[str, ...]:
    """The clusters of a step that are in another phase than one, and have not failed."""
    return tuple(
        name
        for name, each in state.clusters.items()
        if each.phase is not phase and not each.phase.lost
    )


def _backoff(count: int, most: float) -> float:
    return float(min(max(0.05 * 2.0**count, 1.0), most))
