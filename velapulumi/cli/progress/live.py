"""A delivery on a terminal: rows that change in place, and what has to be kept above them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import RLock

from rich import live
from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.style import Style
from rich.table import Table
from rich.text import Text

from velapulumi.cli.line import Line, write_data
from velapulumi.cli.progress import words
from velapulumi.cli.progress.board import Board, Row, fitted
from velapulumi.cli.progress.lines import Lines
from velapulumi.cli.progress.summary import Summary
from velapulumi.errors import VelapulumiError
from velapulumi.plan.document import StagePlan
from velapulumi.program.application import Application
from velapulumi.workflow.entries import Entry
from velapulumi.workflow.rollout import Observation
from velapulumi.workflow.run import Run
from velapulumi.workflow.steps import WorkflowStep

_REFRESHES = 8  # in a second

# Only the terminal's own colours, which are made for its background.
_LOOKS = {
    "pending": ("·", "dim"),
    "checking": ("○", "cyan"),
    "applying": ("●", "cyan"),
    "starting": ("●", "cyan"),
    "running": ("●", "cyan"),
    "proving": ("●", "green"),
    "waits": ("◆", "yellow"),
    "done": ("✓", "green"),
    "no change": ("✓", "green"),
    "failed": ("✗", "red"),
    "timed out": ("✗", "red"),
    "skipped": ("-", "dim"),
    "not done": ("-", "dim"),
}


class Live:
    """Tells a delivery on a terminal. Called from several threads, and from a signal handler.

    The board is replaced as a whole, so drawing it needs no lock.

    Args:
        console: The terminal; stderr when not given.
        clock: Tells seconds since 1970.
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._lock = RLock()
        self._lines = Lines(self._print, clock)
        self._board: Board | None = None
        self._live = live.Live(
            get_renderable=self._drawn,
            console=self._console,
            refresh_per_second=_REFRESHES,
        )

    def warning(self, text: str) -> None:
        self._lines.warning(text)

    def planned(self, title: str, plan: StagePlan) -> None:
        self._lines.planned(title, plan)

    def progress(self, title: str, text: str) -> None:
        if not title:
            self._lines.progress(title, text)
            return
        self._change(lambda board: board.worked(title, text))

    def begins(self, application: Application) -> None:
        self._lines.begins(application)
        self._board = Board.of(application.workflow, application.run)
        self._live.start()

    def ends(self) -> None:
        self._live.stop()

    def entry(self, entry: Entry, run: Run) -> None:
        self._change(lambda board: board.after(entry, run))
        if words.of_run(entry):
            self._lines.entry(entry, run)

    def waits(self, step: WorkflowStep, message: str) -> None:
        self._change(lambda board: board.noted(step.name, "", message))

    def seen(self, step: WorkflowStep, cluster: str, observation: Observation) -> None:
        self._change(lambda board: board.observed(step.name, cluster, observation))

    def approved(self, step: WorkflowStep, by: str) -> None:
        self._lines.approved(step, by)

    def concluded(self, summary: Summary) -> None:
        write_data(summary.sentence)

    def failed(self, error: VelapulumiError) -> None:
        """The error itself is told by the command line."""

    def _change(self, change: Callable[[Board], Board]) -> None:
        with self._lock:
            if self._board:
                self._board = change(self._board)

    def _print(self, line: Line) -> None:
        style = Style(color=line.colour or None, bold=line.bold or None, dim=line.dim or None)
        self._console.print(Text(line.text, style), soft_wrap=True)

    def _drawn(self) -> RenderableType:
        board = self._board
        if board is None:
            return ""
        rows = fitted(board.rows(self._clock()), self._console.height - 2)
        return table(rows, self._console.width)


def table(rows: Iterable[Row], width: int) -> RenderableType:
    """Rows as a table; what does not fit is cut, the end first, and long names leave it some room.

    Two columns stay free for the terminal's echo of Ctrl-C, which would begin a new line else.

    Args:
        rows: The rows.
        width: Columns of the terminal.
    """
    longest = max(18, width // 5)
    drawn = Table.grid(padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True, min_width=11)
    drawn.add_column(no_wrap=True, overflow="ellipsis", max_width=longest)
    drawn.add_column(no_wrap=True, overflow="ellipsis", max_width=longest)
    drawn.add_column(no_wrap=True, min_width=4, justify="right")
    drawn.add_column()
    for row in rows:
        sign, style = _LOOKS[row.state]
        quiet = "dim" if style == "dim" else ""
        drawn.add_row(
            Text(f"{sign} {row.state}", style),
            Text(row.name, quiet or "bold"),
            Text(row.cluster, quiet),
            Text(_span(row.elapsed), quiet),
            Text(_said(row), quiet, no_wrap=True, overflow="ellipsis"),
        )
    return Constrain(drawn, width - 2)


def _said(row: Row) -> str:
    """What is ready and what is noted, in one line."""
    return "  ".join(filter(None, (row.ready, " ".join(row.note.split()))))


def _span(seconds: float | None) -> str:
    """A length of time as short as it can be said, such as ``12s`` or ``3m05s``."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
