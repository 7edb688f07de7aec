"""A ledger that is not as it was written is found out, by velapulumi and by the script alike.

How many random corruptions are tried is told by ``VELAPULUMI_CORRUPTIONS``.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from velapulumi import signatures
from velapulumi.errors import InvalidFile
from velapulumi.gate.ledger import Trust, append, parse_ledger, write_line
from velapulumi.gate.statement import StatementKind
from velapulumi.gate.verification import verify
from velapulumi.plan.canonical import canonical
from velapulumi.program.authority import check_line

SCRIPT = Path(__file__).parents[2] / "scripts" / "verify-ledger"
COUNT = int(os.environ.get("VELAPULUMI_CORRUPTIONS", "300"))
POLICY = json.dumps(
    {
        "apiVersion": "velapulumi.dev/v1",
        "changes": {"count": 2, "role": "sre"},
        "kind": "GatePolicy",
        "roles": {"release": ["alice", "bob"], "sre": ["carol", "dan"]},
    },
    separators=(",", ":"),
)
PEOPLE = ("alice", "bob", "carol", "dan", "mallory")
V1, V2 = "shop-v1:0123456789abcdef", "shop-v2:fedcba9876543210"


@dataclass
class People:
    """Some people with keys."""

    folder: Path
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in PEOPLE:
            path = self.folder / name
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
            subprocess.run(command, check=True)
            self.keys[name] = path.with_suffix(".pub").read_text()

    def allowed(self, *names: str) -> str:
        return "".join(f"{name} {self.keys[name]}" for name in names)

    def signing(self, name: str) -> Callable[[bytes], str]:
        return partial(signatures.sign, self.folder / name)


Said = tuple[StatementKind, str, bool, dict[str, Any]]


def write(
    people: People, path: Path, said: Sequence[Said], trust: Trust, name: str = "shop"
) -> bytes:
    """A ledger in which some things were said; ``last`` stands for the hash of the line before."""
    for kind, by, signed, fields in said:
        if fields.get("approvals") == "last":
            last = path.read_bytes().splitlines(keepends=True)[-1]
            fields = fields | {"approvals": (hashlib.sha256(last).hexdigest(),)}
        everything = {"kind": kind, "by": by} | fields
        append(path, name, everything, people.signing(by) if signed else None, lambda: trust)
    return path.read_bytes()


def approve(by: str, signed: bool = True, run: int = 1, **fields: Any) -> Said:
    about = {"step": "ask", "stages": ("prod",), "clusters": {"east": "u-1"}, "revision": V1}
    return StatementKind.APPROVE, by, signed, about | {"run": run, "plan": "a" * 64} | fields


def use(run: int = 1, **fields: Any) -> Said:
    about = {"stages": ("prod",), "revision": V1, "run": run, "approvals": "last"}
    return StatementKind.USE, "ci@host", False, about | fields


def trust_entry(by: str, signed: bool, trust: Trust) -> Said:
    held = {"policy": trust.policy, "signers": trust.signers, "revoked": trust.revoked}
    return StatementKind.TRUST, by, signed, held


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def ledgers(people: People, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Ledgers of many kinds, all in order."""
    folder = tmp_path_factory.mktemp("ledgers")
    four = Trust(POLICY, people.allowed("alice", "bob", "carol", "dan"), "")
    more = Trust(four.policy, four.signers, people.keys["bob"])
    keys = Trust("", people.allowed("alice"), "")
    request: Said = (
        StatementKind.REQUEST, "carol", True, {"revision": V1, "run": 1, "subject": "dän \"x\""},
    )  # fmt: skip
    reject: Said = StatementKind.REJECT, "bob", True, {"step": "ask", "revision": V1, "run": 1}
    withdraw: Said = StatementKind.WITHDRAW, "ci@host", False, {"steps": ("ask",), "run": 1}
    auto: Said = StatementKind.AUTO, "ci@host", False, {"revision": V1, "run": 1, "plan": "b" * 64}
    back = use(2, reverse=True, revision=V2)
    said: list[tuple[Sequence[Said], Trust]] = [
        ([approve("alice", False)], Trust()),
        ([approve("alice", False), use(), approve("bob", False, comment="t\tn\nl")], Trust()),
        ([approve("alice"), use(), approve("alice", run=2, breakGlass=True)], keys),
        ([request, approve("alice"), approve("bob"), use(), reject, withdraw, auto, use()], four),
        (
            [approve("alice"), trust_entry("carol", True, more), trust_entry("dan", True, more),
             approve("alice", run=2), use(2)],
            four,
        ),
        (
            [approve("alice", False), trust_entry("x@y", False, four), approve("bob"),
             trust_entry("carol", True, more), approve("alice"), use()],
            Trust(),
        ),
        ([approve("alice", False, reverse=True), back], Trust()),
    ]  # fmt: skip
    return [
        write(people, folder / f"{number}.jsonl", each, trust)
        for number, (each, trust) in enumerate(said)
    ]


@pytest.fixture(scope="module")
def others(people: People, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Lines of another application's ledger, and of another one of the same."""
    folder = tmp_path_factory.mktemp("others")
    keys = Trust("", people.allowed("alice", "bob", "carol", "dan"), "")
    found = [
        write(
            people, folder / f"{name}.jsonl", [approve("alice"), use(), approve("bob")], keys, name
        )
        for name in ("shop", "site")
    ]
    return [line for content in found for line in content.splitlines(keepends=True)]


def head(content: bytes) -> str:
    lines = content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]
    return hashlib.sha256(lines[-1] + b"\n").hexdigest() if lines else "0" * 64


def by_velapulumi(content: bytes, head: str) -> str:
    """What velapulumi finds wrong; nothing when all is well."""
    try:
        ledger = parse_ledger(content, "shop", "ledger")
    except InvalidFile as error:
        return str(error)
    return "; ".join(verify(ledger, check_line, head=head))


def by_script(content: bytes, head: str, folder: Path) -> str:
    """What the script finds wrong; nothing when all is well."""
    path = folder / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    done = subprocess.run(
        ["bash", str(SCRIPT), str(path), "shop", *([head] if head else [])],
        capture_output=True,
        check=False,
    )
    path.unlink(missing_ok=True)
    assert done.returncode in (0, 1), done.stderr
    assert (done.returncode == 0) == done.stdout.startswith(b"ok: "), (done.stdout, done.stderr)
    return "" if done.returncode == 0 else done.stdout.decode(errors="replace")


def test_what_is_in_order_is_in_order_for_both(ledgers: list[bytes], tmp_path: Path) -> None:
    for content in ledgers:
        for wanted in (head(content), ""):
            assert by_velapulumi(content, wanted or head(content)) == ""
            assert by_script(content, wanted, tmp_path) == ""
        for torn in (b'{"body":"{\\"appl', b"\xff", b"\0"):
            assert by_velapulumi(content + torn, head(content)) == ""
            assert by_script(content + torn, head(content), tmp_path) == ""


def corrupted(content: bytes, others: list[bytes], people: People, dice: random.Random) -> bytes:
    """A ledger that somebody has had in hand."""
    return dice.choice(
        [flipped, removed, doubled, moved, cut, replayed, unsigned, swapped, spaced, rechained,
         signed_anew, trailing, recoded]
    )(content, others, people, dice)  # fmt: skip


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def flipped(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    place = dice.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << dice.randrange(8)]) + content[place + 1 :]


def removed(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    lines = lines_of(content)
    del lines[dice.randrange(len(lines))]
    return b"".join(lines)


def doubled(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    lines = lines_of(content)
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
    return b"".join(lines)


def moved(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    lines = lines_of(content)
    line = lines.pop(dice.randrange(len(lines)))
    lines.insert(dice.randrange(len(lines) + 1), line)
    return b"".join(lines)


def cut(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def replayed(content: bytes, others: list[bytes], _: People, dice: random.Random) -> bytes:
    lines = lines_of(content)
    place = dice.randrange(len(lines) + 1)
    lines[place : place + dice.randrange(2)] = [dice.choice(others)]
    return b"".join(lines)


def unsigned(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    return altered(content, dice, lambda line, entry: line.pop("signature", None))


def swapped(content: bytes, others: list[bytes], _: People, dice: random.Random) -> bytes:
    signed = [json.loads(line) for line in (*lines_of(content), *others)]
    taken = dice.choice([line["signature"] for line in signed if "signature" in line] or ["x"])
    return altered(content, dice, lambda line, entry: line.update(signature=taken))


def spaced(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    place = dice.randrange(len(content))
    return (
        content[:place] + dice.choice([b" ", b"\n", b"\t", b"\r", b"\0", b"\xff"]) + content[place:]
    )


def trailing(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    return content + dice.choice(
        [b"\n", b"{}\n", b"null\n", b"[]\n", b"x\n", b'{"body":"{}"}\n', b"1\n"]
    )


EDITS: Sequence[dict[str, Any]] = (
    {"by": "mallory"}, {"plan": "c" * 64}, {"run": 9}, {"revision": V2}, {"stages": ["other"]},
    {"clusters": {"west": "u"}}, {"at": "2020-01-01T00:00:00Z"}, {"at": "2999-01-01T00:00:00Z"},
    {"kind": "reject"}, {"kind": "auto"}, {"breakGlass": True}, {"application": "site"},
    {"ledger": "0" * 32}, {"number": 7}, {"previous": "f" * 64}, {"approvals": ["f" * 64]},
    {"expires": "2999-01-01T00:00:00Z"}, {"comment": "ä\u2028"}, {"signers": ""},
)  # fmt: skip


def rechained(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    """An entry is edited, and all that follow name what is before them again."""
    edit = dice.choice(EDITS)
    return chained(altered(content, dice, lambda line, entry: entry.update(edit)))


def signed_anew(content: bytes, _: list[bytes], people: People, dice: random.Random) -> bytes:
    """The same, and a stranger signs it with a key of their own, or in a signer's name."""
    edit, by = dice.choice(EDITS), dice.choice(["mallory", "alice"])

    def sign(line: dict[str, Any], entry: dict[str, Any]) -> None:
        entry |= edit | {"by": by}
        line["signature"] = people.signing("mallory")(canonical(entry))

    return chained(altered(content, dice, sign))


def recoded(content: bytes, _: list[bytes], __: People, dice: random.Random) -> bytes:
    """The same value in other letters: keys in another order, blanks, escapes, a key twice."""
    lines = lines_of(content)
    place = dice.randrange(len(lines))
    line = json.loads(lines[place])
    entry = json.loads(line["body"])
    forms = [
        json.dumps(dict(reversed(entry.items())), separators=(",", ":")),
        json.dumps(entry),
        json.dumps(entry, separators=(",", ":")).replace("a", "\\u0061", 1),
        line["body"][:-1] + ',"run":1}',
        line["body"][:-1] + ',"more":1}',
        line["body"].replace('"number":', '"number":0', 1),
        line["body"].replace('"number":', '"number":1e0,"x":', 1),
    ]
    body = dice.choice(forms)
    lines[place] = (
        dice.choice(
            [
                write_line(body, line.get("signature", "")),
                json.dumps({"body": body, "signature": line.get("signature", "")}).encode(),
                json.dumps({"body": body, "more": ""}).encode(),
                json.dumps({"body": 1}).encode(),
            ]
        )
        + b"\n"
    )
    return chained(b"".join(lines), place + 1)


def altered(
    content: bytes,
    dice: random.Random,
    change: Callable[[dict[str, Any], dict[str, Any]], object],
) -> bytes:
    lines = lines_of(content)
    place = dice.randrange(len(lines))
    line = json.loads(lines[place])
    entry = json.loads(line["body"])
    change(line, entry)
    lines[place] = write_line(canonical(entry).decode(), line.get("signature", "")) + b"\n"
    return b"".join(lines)


def chained(content: bytes, start: int = 1) -> bytes:
    lines = lines_of(content)
    for place in range(start, len(lines)):
        line = json.loads(lines[place])
        entry = json.loads(line["body"])
        entry["previous"] = hashlib.sha256(lines[place - 1]).hexdigest()
        lines[place] = write_line(canonical(entry).decode(), line.get("signature", "")) + b"\n"
    return b"".join(lines)


def test_both_find_every_corruption(
    ledgers: list[bytes], others: list[bytes], people: People, tmp_path: Path
) -> None:
    dice = random.Random(6)
    cases = []
    for _ in range(COUNT):
        content = dice.choice(ledgers)
        cases.append((content, corrupted(content, others, people, dice)))

    def judge(case: tuple[bytes, bytes]) -> tuple[str, ...]:
        before, after = case
        wanted = head(before)
        known = by_velapulumi(after, wanted), by_script(after, wanted, tmp_path)
        loose = by_velapulumi(after, head(after)), by_script(after, head(after), tmp_path)
        return *known, *loose

    with ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(judge, cases))
    problems = []
    for (before, after), (one, two, three, four) in zip(cases, verdicts, strict=True):
        complete = after[: after.rfind(b"\n") + 1]
        if complete == before:
            if one or two:
                problems.append(f"false alarm: {one!r} {two!r} {after!r}")
        elif not (one and two):
            problems.append(f"not found: {one!r} {two!r} {after!r}")
        if bool(three) != bool(four):
            problems.append(f"no agreement: {three!r} {four!r} {after!r}")
    assert not problems, "\n".join(problems[:5])
