"""Runs the ``cue`` command and remembers what it said, by the content it was given.

CUE reads nothing but its input: no files, no network. So an answer holds as long as the input is
the same, and a second run of velapulumi starts no process. Answers hold what parameters hold, even
passwords, so only their owner can read them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from velapulumi import files
from velapulumi.errors import ToolMissing, VelapulumiError
from velapulumi.extensions.cuetext import with_concat
from velapulumi.playground import ensure_cue
from velapulumi.playground.tools import CUE_VERSION
from velapulumi.spec import Path as Place

TIMEOUT = 30.0
KEPT = 4000
"""Answers that are kept; when there are more, the older half is thrown away."""

_AT_ONCE = threading.BoundedSemaphore(os.cpu_count() or 1)
_POSITION = re.compile(r"^\s+\S+:\d+:\d+$")
_LABEL = re.compile(r'"((?:[^"\\]|\\.)*)"|([^."\s:]+)')
_HEADER = re.compile(r"\d+ errors in empty disjunction")
_OLD_LISTS = re.compile(r"e/v0\.11-list-arithmetic:\n\s+\S+?:(\d+):\d+$", re.MULTILINE)

Finding: TypeAlias = tuple[Place, str]


class CueError(Exception):
    """What CUE finds wrong.

    Attributes:
        findings: Place in the CUE text (empty when it has none) and CUE's message, one line each.
        old_lists: Lines on which lists are added as CUE before 0.11 had it.
    """

    def __init__(self, findings: Sequence[Finding], old_lists: Collection[int] = ()) -> None:
        super().__init__("; ".join(message for _, message in findings))
        self.findings = tuple(findings)
        self.old_lists = old_lists


class Engine:
    """The CUE engine, with its memory.

    Args:
        memory: Folder of the answers.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, str] = {}

    def export(self, text: str, expression: str, form: str = "json") -> str:
        """Evaluate an expression in a CUE text to concrete values.

        Args:
            text: CUE text.
            expression: CUE expression.
            form: ``json``, or ``cue`` for the values with the comments that stand at them.

        Raises:
            CueError: There are no such values.
            ToolMissing: There is no ``cue`` command to be had.
        """
        command = ("export", "--all-errors", "--out", form, "--expression", expression, "-")
        return self._ask(command, text)

    def schema(self, text: str, expression: str) -> str:
        """The JSON Schema of a value, as JSON.

        Raises:
            CueError: It cannot be told.
            ToolMissing: There is no ``cue`` command to be had.
        """
        return self._ask(("def", "--out", "jsonschema", "--expression", expression, "-"), text)

    def _ask(self, command: Sequence[str], text: str) -> str:
        """What a command prints; lists added as CUE before 0.11 had it are understood."""
        try:
            return self._answer(command, text)
        except CueError as error:
            if not error.old_lists:
                raise
        text = self._answer(("fix", "-"), text)  # rewrites lists that are written out
        while True:
            try:
                return self._answer(command, text)
            except CueError as error:
                newer = with_concat(text, error.old_lists)
                if not error.old_lists or newer == text:
                    raise
                text = newer

    def _answer(self, command: Sequence[str], text: str) -> str:
        key = _key("\0".join((CUE_VERSION, *command, text)))
        answer = self._known.get(key)
        if answer is None:
            answer = self._known[key] = self._remembered(key) or self._asked(key, command, text)
        if answer.startswith("E"):
            raise CueError(_findings(answer[1:]), _old_lists(answer[1:]))
        return answer[1:]

    def _remembered(self, key: str) -> str:
        """An earlier answer: ``O`` and what was printed, or ``E`` and the errors; "" for none."""
        with suppress(OSError, ValueError):
            answer = (self._memory / key).read_text("utf-8")
            return answer if answer.startswith(("O", "E")) else ""
        return ""

    def _asked(self, key: str, command: Sequence[str], text: str) -> str:
        program = ensure_cue()
        with _AT_ONCE:
            try:
                done = subprocess.run(
                    [program, *command],
                    input=text.encode("utf-8", "replace"),
                    capture_output=True,
                    timeout=TIMEOUT,
                    cwd=program.parent,
                    env={"CUE_REGISTRY": "none"},
                )
            except subprocess.TimeoutExpired:
                raise CueError([((), f"takes longer than {TIMEOUT:g} seconds")]) from None
            except OSError as error:
                raise ToolMissing(f"{program} cannot be run: {error.strerror}") from None
        failed = done.returncode == 1
        if done.returncode not in (0, 1) or (failed and not done.stderr.strip()):
            raise CueError([((), f"cue ended with {done.returncode}")])
        answer = "E" if failed else "O"
        answer += (done.stderr if failed else done.stdout).decode("utf-8", "replace")
        with suppress(VelapulumiError):  # no more than a memory
            files.write(self._memory / key, answer, mode=0o600)
            self._forget()
        return answer

    def _forget(self) -> None:
        with suppress(OSError):
            answers = [entry for entry in os.scandir(self._memory) if entry.is_file()]
            if len(answers) > KEPT:
                answers.sort(key=lambda entry: entry.stat().st_mtime)
                for entry in answers[: KEPT // 2]:
                    os.unlink(entry.path)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]


def literal(value: object) -> str:
    """A plain value as CUE text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _findings(errors: str) -> list[Finding]:
    """The errors that ``cue`` prints, without the positions in its input."""
    found: dict[Place, list[str]] = {}
    for line in errors.splitlines():
        if line.strip() and not _POSITION.match(line):
            place, message = _split(line.strip().removesuffix(":"))
            messages = found.setdefault(place, [])
            if message not in messages:
                messages.append(message)
    for messages in found.values():
        if len(messages) > 1:
            messages[:] = [text for text in messages if not _HEADER.match(text)] or messages
    return [(place, "; ".join(messages)) for place, messages in found.items()]


def _old_lists(errors: str) -> set[int]:
    return {int(line) for line in _OLD_LISTS.findall(errors)}


def _split(line: str) -> tuple[Place, str]:
    """Place and message of a line such as ``a."b/c".0: conflicting values 1 and 2``."""
    parts: list[str | int] = []
    position = 0
    while match := _LABEL.match(line, position):
        plain = match[2]
        parts.append(int(plain) if plain and plain.isdecimal() else plain or json.loads(match[0]))
        position = match.end()
        if line[position : position + 1] != ".":
            break
        position += 1
    if parts and line[position : position + 2] == ": ":
        return tuple(parts), line[position + 2 :]
    return (), line
