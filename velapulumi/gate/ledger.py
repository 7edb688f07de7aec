"""The ledger of an application: ``<application>.ledger.jsonl``, one decision a line.

It lies beside the gate file and is meant to be committed with it. Each line holds the bytes of an
entry as text, and where it is signed the SSH signature of those very bytes; each entry names the
SHA-256 of the line before. Lines are only ever added; one that a killed process left half written
counts for nothing and is taken away with the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import rfc8785
from pydantic import ValidationError

from velapulumi import files
from velapulumi.errors import InvalidFile, VelapulumiError
from velapulumi.gate.statement import NO_HASH, Entry, StatementKind
from velapulumi.spec.model import explain

_VERSION = 1
"""The version of the entries: entries of this one do not say it."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Trust:
    """What decides whose word counts.

    Attributes:
        policy: The gate policy as JSON; empty for none.
        signers: The text of the allowed signers.
        revoked: The public keys that count no more, one a line.
    """

    policy: str = ""
    signers: str = ""
    revoked: str = ""

    @property
    def empty(self) -> bool:
        return not (self.policy or self.signers or self.revoked)

    @property
    def digest(self) -> str:
        """SHA-256 that names it."""
        value = {"policy": self.policy, "signers": self.signers, "revoked": self.revoked}
        return hashlib.sha256(rfc8785.dumps(value)).hexdigest()


@dataclass(frozen=True)
class Line:
    """One line of a ledger.

    Attributes:
        number: Its place, counted from 0.
        hash: SHA-256 of its bytes, the end of line included, in hexadecimal.
        body: The signed text.
        signature: The signature, armored; empty for none.
        entry: What the text says.
    """

    number: int
    hash: str
    body: str
    signature: str
    entry: Entry

    @property
    def trust(self) -> Trust:
        """The policy and keys that a trust entry brings."""
        return Trust(self.entry.policy, self.entry.signers, self.entry.revoked)


@dataclass(frozen=True)
class Ledger:
    """A ledger, whose chain is whole."""

    application: str
    lines: tuple[Line, ...] = ()

    @property
    def id(self) -> str:
        """Its identity; empty before it is begun."""
        return self.lines[0].entry.ledger if self.lines else ""

    @property
    def head(self) -> str:
        """The hash of its last line."""
        return self.lines[-1].hash if self.lines else NO_HASH

    @property
    def trust(self) -> Trust:
        """The policy and keys in force."""
        return self.trust_at(len(self.lines))

    def trust_at(self, number: int) -> Trust:
        """The policy and keys in force before an entry."""
        return self._in_force[number]

    @cached_property
    def _in_force(self) -> tuple[Trust, ...]:
        """What is in force before each entry, and after the last one."""
        found, trust, wanted = [Trust()], Trust(), dict[Trust, set[str]]()
        for line in self.lines:
            if line.entry.kind is StatementKind.TRUST:
                changers, count = changes(trust)
                by = wanted.setdefault(line.trust, set())
                if line.entry.by in changers:
                    by.add(line.entry.by)
                if line.number == 0 or not trust.policy or 0 < count <= len(by):
                    trust, wanted = line.trust, {}
            found.append(trust)
        return tuple(found)


def changes(trust: Trust) -> tuple[frozenset[str], int]:
    """Who may change policy and keys, and how many of them it takes; nobody and 0 for no rule."""
    policy = json.loads(trust.policy) if trust.policy else {}
    rule = policy.get("changes") or {}
    people = (policy.get("roles") or {}).get(rule.get("role")) or ()
    return frozenset(people), int(rule.get("count") or (1 if rule else 0))


def read_ledger(path: Path, application: str) -> Ledger:
    """Read a ledger; an empty one without the file.

    Raises:
        InvalidFile: A line is no entry of it, or does not follow the one before.
    """
    try:
        return parse_ledger(path.read_bytes(), application, str(path))
    except FileNotFoundError:
        return Ledger(application)
    except OSError as error:
        raise InvalidFile(f"{path}: {error.strerror}") from error


def parse_ledger(content: bytes, application: str, name: str) -> Ledger:
    """Read the lines of a ledger; an unfinished last one counts for nothing.

    Args:
        content: The bytes.
        application: Whose ledger it must be.
        name: What to call it in messages.

    Raises:
        InvalidFile: A line is no entry of it, or does not follow the one before.
    """
    lines: list[Line] = []
    for raw in content.split(b"\n")[:-1]:
        try:
            lines.append(_line(raw, lines, application))
        except (ValueError, RecursionError) as error:
            raise InvalidFile(f"{name}:{len(lines) + 1}: {_reason(error)}") from error
    return Ledger(application, tuple(lines))


def _reason(error: Exception) -> str:
    return str(error) if type(error) is ValueError else "is no entry of a ledger"


def _line(raw: bytes, before: list[Line], application: str) -> Line:
    document = json.loads(raw.decode(), object_pairs_hook=_unique)
    if (
        not isinstance(document, dict)
        or not {"body"} <= document.keys() <= {"body", "signature"}
        or not all(isinstance(value, str) for value in document.values())
    ):
        raise ValueError("must be a map of body and signature")
    body = document["body"]
    said = json.loads(body, object_pairs_hook=_unique)
    if isinstance(said, dict) and said.get("version", _VERSION) != _VERSION:
        raise ValueError(f"is of version {said['version']}; this velapulumi reads {_VERSION}")
    try:
        entry = Entry.model_validate_json(body)
    except ValidationError as error:
        path, message = explain(Entry, error)[0]
        raise ValueError(f"{'.'.join(map(str, path))}: {message}") from error
    if raw != write_line(body, document.get("signature", "")) or body != text_of(entry):
        raise ValueError("is not written in the form of a ledger")
    last = before[-1] if before else None
    wanted = {
        "application": application,
        "ledger": last.entry.ledger if last else entry.ledger,
        "number": len(before),
        "previous": last.hash if last else NO_HASH,
    }
    for field, value in wanted.items():
        if getattr(entry, field) != value:
            raise ValueError(f"{field}: is {getattr(entry, field)!r}, must be {value!r}")
    if not _is_time(entry.at) or (last and entry.at < last.entry.at):
        raise ValueError(f"at: {entry.at!r} is no time, or before that of the entry before")
    if entry.expires and not _is_time(entry.expires):
        raise ValueError(f"expires: {entry.expires!r} is no time")
    if last is None and entry.kind is not StatementKind.TRUST:
        raise ValueError("kind: the first entry must be trust")
    hashed = hashlib.sha256(raw + b"\n").hexdigest()
    return Line(len(before), hashed, body, document.get("signature", ""), entry)


def _is_time(text: str) -> bool:
    try:
        return bool(_TIME.fullmatch(text)) and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("has a key twice")
    return document


def text_of(entry: Entry) -> str:
    """An entry as it is signed (RFC 8785)."""
    value = entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return rfc8785.dumps(value).decode()


def write_line(body: str, signature: str) -> bytes:
    """A line without its end."""
    document = {"body": body} | ({"signature": signature} if signature else {})
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def append(
    path: Path,
    application: str,
    fields: Mapping[str, Any],
    sign: Callable[[bytes], str] | None,
    trust: Callable[[], Trust],
    expected_head: str | None = None,
) -> Ledger:
    """Add an entry; it is on the disk when this returns. The first one begins the ledger.

    Args:
        path: The file.
        application: Whose ledger it is.
        fields: What the entry says; its place, time and application are filled in.
        sign: Gives the signature of some bytes; None for an entry without one.
        trust: Gives the policy and keys that are in force from the beginning.
        expected_head: What the last line must be; None for whatever it is.

    Raises:
        VelapulumiError: Somebody has added to it meanwhile, or it cannot be written.
        InvalidFile: The ledger is damaged.
    """
    try:
        with _opened(path) as handle:
            content = os.pread(handle, os.fstat(handle).st_size, 0)
            ledger = parse_ledger(content, application, str(path))
            if expected_head not in (None, ledger.head):
                raise VelapulumiError(
                    f"somebody else has decided about {application} meanwhile",
                    next_step="Look again, and decide then.",
                )
            begins = not ledger.lines
            if begins:
                begin = _trust_fields(trust(), str(fields["by"]))
                ledger = _added(ledger, begin, None)
            if not begins or fields["kind"] is not StatementKind.TRUST:
                ledger = _added(ledger, fields, sign)
            known = content[: content.rfind(b"\n") + 1]
            lines = (write_line(line.body, line.signature) + b"\n" for line in ledger.lines)
            written = b"".join(lines)
            assert written.startswith(known)
            _write(handle, written[len(known) :], len(known))
            return ledger
    except OSError as error:
        raise files.refused(path, error) from error


def _trust_fields(trust: Trust, by: str) -> dict[str, Any]:
    return {
        "kind": StatementKind.TRUST,
        "by": by,
        "policy": trust.policy,
        "signers": trust.signers,
        "revoked": trust.revoked,
    }


def _added(
    ledger: Ledger, fields: Mapping[str, Any], sign: Callable[[bytes], str] | None
) -> Ledger:
    now = files.now()
    entry = Entry(
        application=ledger.application,
        ledger=ledger.id or secrets.token_hex(16),
        number=len(ledger.lines),
        previous=ledger.head,
        at=max(now, ledger.lines[-1].entry.at) if ledger.lines else now,
        **{key: _clean(value) for key, value in fields.items()},
    )
    body = text_of(entry)
    signature = sign(body.encode()) if sign else ""
    hashed = hashlib.sha256(write_line(body, signature) + b"\n").hexdigest()
    line = Line(entry.number, hashed, body, signature, entry)
    return Ledger(ledger.application, (*ledger.lines, line))


def _clean(value: Any) -> Any:
    """Text as every reader takes it: what is no Unicode or no letter at all is replaced."""
    if type(value) is not str:
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "?").replace("\x7f", "?")


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file, locked against other processes that write into it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _write(handle: int, content: bytes, offset: int) -> None:
    """Write the end of the file; what cannot be written whole is taken away again."""
    os.ftruncate(handle, offset)
    start = offset
    try:
        while content:
            written = os.pwrite(handle, content, offset)
            content, offset = content[written:], offset + written
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, start)
        raise
