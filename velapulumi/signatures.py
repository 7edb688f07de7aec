"""Signing and checking with the SSH keys people have, by the ``ssh-keygen`` they have.

An agent, a FIDO token and a passphrase work as with ssh itself.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from velapulumi.errors import SigningFailed, ToolMissing, UsageProblem

NAMESPACE = "velapulumi.dev/decision"
"""What the signatures are for; a signature made for anything else does not count."""

KEY = "VELAPULUMI_SIGNING_KEY"
_KINDS = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
_BITS = re.compile(r"(\d+) ")
_SMALLEST_RSA = 3072


def find_key(explicit: Path | None) -> Path | None:
    """The key to sign with: the one named, that of the environment, or the one git signs with.

    Args:
        explicit: The one named; None for none.

    Raises:
        UsageProblem: The one that is named is not there.
    """
    named = explicit or (Path(os.environ[KEY]) if os.environ.get(KEY) else None)
    if named is None and _git("gpg.format") == "ssh" and (found := _git("user.signingkey")):
        named = Path(found) if not found.startswith(("key::", "ssh-")) else None
    if named is None:
        return None
    path = named.expanduser()
    if not path.is_file():
        raise UsageProblem(f"there is no key at {path}", next_step="Name a key file with --key.")
    return path.resolve()


def sign(key: Path, body: bytes) -> str:
    """Sign some bytes.

    Args:
        key: A private key, or a public one whose other half an agent or a token holds.
        body: The bytes.

    Returns:
        The signature, armored.

    Raises:
        SigningFailed: It could not be signed.
    """
    with tempfile.TemporaryDirectory(prefix="velapulumi-") as folder:
        path = Path(folder) / "body"
        path.write_bytes(body)
        done = _run(["-Y", "sign", "-q", "-f", str(key), "-n", NAMESPACE, str(path)])
        signature = path.with_name("body.sig")
        if done.returncode or not signature.is_file():
            raise SigningFailed(f"key {key} does not sign: {_last(done.stderr)}")
        return signature.read_text(encoding="ascii")


def principals_of(key: Path, signers: str) -> tuple[str, ...]:
    """Under which names a key is one of the allowed signers.

    Args:
        key: The key's file.
        signers: The text of the allowed signers.

    Raises:
        SigningFailed: The key cannot be read.
    """
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    if public.is_file():
        text = public.read_text(encoding="utf-8", errors="replace")
    else:
        done = _run(["-y", "-f", str(key)])
        if done.returncode:
            raise SigningFailed(f"key {key} cannot be read: {_last(done.stderr)}")
        text = done.stdout
    fields = text.split()
    blob = fields[1] if len(fields) > 1 else ""
    found = (_names(line) for line in _lines(signers) if blob and blob in line.split())
    return tuple(dict.fromkeys(name for names in found for name in names))


@lru_cache(maxsize=4096)
def check(
    body: bytes, signature: str, principal: str, signers: str, revoked: str, at: datetime
) -> str:
    """Why a signature does not count; empty when it does.

    Args:
        body: What was signed.
        signature: The signature, armored.
        principal: By whom it must be.
        signers: The text of the allowed signers.
        revoked: Public keys that count no more, one a line.
        at: When it was made.
    """
    if not signature:
        return "is not signed"
    with tempfile.TemporaryDirectory(prefix="velapulumi-") as name:
        folder = Path(name)
        (folder / "signers").write_text(signers, encoding="utf-8")
        (folder / "signature").write_text(signature, encoding="utf-8")
        command = [
            "-Y", "verify", "-f", str(folder / "signers"), "-I", principal, "-n", NAMESPACE,
            "-s", str(folder / "signature"), f"-Overify-time={at.astimezone(UTC):%Y%m%d%H%M%SZ}",
        ]  # fmt: skip
        if revoked:
            (folder / "revoked").write_text(revoked, encoding="utf-8")
            command += ["-r", str(folder / "revoked")]
        done = _run(command, body)
    if done.returncode == 0:
        return ""
    told = done.stderr + done.stdout
    if is_revoked(signature, revoked):
        return f"is signed by a key of {principal} that is revoked"
    if "not yet valid" in told or "expired" in told:
        return f"is signed by a key of {principal} that was not valid then"
    return f"is not signed by {principal}"


@lru_cache(maxsize=4096)
def is_revoked(signature: str, revoked: str) -> bool:
    """Whether the key of a signature is one of those that count no more.

    Args:
        signature: The signature, armored.
        revoked: Public keys, one a line.
    """
    if not revoked:
        return False
    with tempfile.TemporaryDirectory(prefix="velapulumi-") as name:
        folder = Path(name)
        (folder / "signature").write_text(signature, encoding="utf-8")
        keys = "".join(f"x {line}\n" for line in _lines(revoked))
        (folder / "keys").write_text(keys, encoding="utf-8")
        done = _run(
            ["-Y", "find-principals", "-f", str(folder / "keys"), "-s", str(folder / "signature")]
        )
    return done.returncode == 0


def check_signers(signers: str) -> list[str]:
    """What is wrong with a text of allowed signers, a sentence each."""
    found = []
    owners: dict[str, str] = {}
    for number, line in enumerate(signers.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found += [f"line {number}: {text}" for text in _signer_problems(line)]
        for name in _names(line) if _blob(line) else ():
            owner = owners.setdefault(_blob(line), name)
            if owner != name:
                found.append(
                    f"line {number}: the key of {name} is that of {owner}: one key is one person's"
                )
    return found


def _blob(line: str) -> str:
    """The key in a line of allowed signers, without its kind and its comment."""
    fields = line.split()
    return next((after for kind, after in pairwise(fields) if kind in _KINDS), "")


def check_revoked(revoked: str) -> list[str]:
    """What is wrong with a text of revoked keys, a sentence each."""
    return [
        f"line {number}: must be a public key"
        for number, line in enumerate(revoked.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
        if line.split()[0] not in _KINDS or not _fingerprint(line)
    ]


def _signer_problems(line: str) -> Iterator[str]:
    names, fields = _names(line), line.split()
    kind = next((field for field in fields[1:] if field in _KINDS), None)
    if any(set("*?!") & set(name) for name in names):
        yield "a name with wildcards names nobody; write each person's own"
    if "cert-authority" in fields[1:-1]:
        yield "certificates are not taken; write the person's key"
    if kind is None:
        yield f"must be a name and a key of one of the kinds {', '.join(_KINDS)}"
        return
    told = _fingerprint(" ".join(fields[fields.index(kind) :]))
    if not told:
        yield "the key cannot be read"
    elif kind == "ssh-rsa" and int(told) < _SMALLEST_RSA:
        yield f"an RSA key must have {_SMALLEST_RSA} bits, this one has {told}"


def _fingerprint(key: str) -> str:
    """How many bits a public key has; empty when it is none."""
    done = _run(["-l", "-f", "-"], f"{key}\n".encode())
    found = _BITS.match(done.stdout)
    return found[1] if found and done.returncode == 0 else ""


def _names(line: str) -> list[str]:
    return line.split()[0].strip('"').split(",")


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line


def _git(setting: str) -> str:
    try:
        done = subprocess.run(
            ["git", "config", "--get", setting], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def _run(command: Sequence[str], content: bytes = b"") -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            ["ssh-keygen", *command], input=content, capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise ToolMissing(
            "ssh-keygen is not on PATH, and approvals here are signed",
            next_step="Install OpenSSH, 8.9 or newer.",
        ) from error
    return subprocess.CompletedProcess(
        done.args,
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason is told"
