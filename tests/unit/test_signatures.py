"""Signing and checking with SSH keys, as ssh-keygen does it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from velapulumi import signatures
from velapulumi.errors import SigningFailed, ToolMissing, UsageProblem

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BODY = b'{"plan":"x"}'


def made(path: Path, *more: str) -> Path:
    options = more or ("-t", "ed25519")
    phrase = () if "-N" in options else ("-N", "")
    command = ["ssh-keygen", "-q", *options, *phrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


def public(key: Path) -> str:
    return key.with_suffix(".pub").read_text()


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return made(tmp_path / "alice")


def check(key: Path, signature: str, **more: str) -> str:
    signers = more.get("signers", f"alice {public(key)}")
    return signatures.check(
        more.get("body", BODY.decode()).encode(),
        signature,
        more.get("principal", "alice"),
        signers,
        more.get("revoked", ""),
        NOW,
    )


def test_a_signature_counts_for_its_bytes_and_its_person(key: Path) -> None:
    signature = signatures.sign(key, BODY)
    assert check(key, signature) == ""
    assert check(key, signature, body="other") == "is not signed by alice"
    assert check(key, signature, principal="bob") == "is not signed by bob"
    assert check(key, signature, signers="") == "is not signed by alice"
    assert check(key, "") == "is not signed"
    assert check(key, "no signature at all") == "is not signed by alice"
    assert check(key, signature, principal="-f") == "is not signed by -f"


def test_it_counts_for_nothing_else(key: Path, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(BODY)
    command = ["ssh-keygen", "-Y", "sign", "-q", "-n", "git", "-f", str(key), str(body)]
    subprocess.run(command, check=True)
    assert check(key, body.with_suffix(".sig").read_text()) == "is not signed by alice"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ('valid-after="20260601Z"', ""),
        ('valid-after="20260602Z"', "is signed by a key of alice that was not valid then"),
        ('valid-before="20260602Z"', ""),
        ('valid-before="20260601Z"', "is signed by a key of alice that was not valid then"),
        ('namespaces="git"', "is not signed by alice"),
        (f'namespaces="git,{signatures.NAMESPACE}"', ""),
    ],
)
def test_a_key_counts_in_its_time_and_for_its_purpose(key: Path, options: str, text: str) -> None:
    signature = signatures.sign(key, BODY)
    assert check(key, signature, signers=f"alice {options} {public(key)}") == text


def test_a_revoked_key_counts_no_more(key: Path, tmp_path: Path) -> None:
    signature, other = signatures.sign(key, BODY), made(tmp_path / "bob")
    assert check(key, signature, revoked=public(other)) == ""
    text = check(key, signature, revoked=public(other) + public(key))
    assert text == "is signed by a key of alice that is revoked"
    assert not signatures.is_revoked(signature, "")
    assert not signatures.is_revoked(signature, public(other))
    assert signatures.is_revoked(signature, f"# gone\n{public(key)}")


def test_people_are_known_by_their_key(key: Path, tmp_path: Path) -> None:
    signers = f"# team\nalice,al {public(key)}bob {public(made(tmp_path / 'bob'))}"
    assert signatures.principals_of(key, signers) == ("alice", "al")
    assert signatures.principals_of(key.with_suffix(".pub"), signers) == ("alice", "al")
    key.with_suffix(".pub").unlink()
    assert signatures.principals_of(key, signers) == ("alice", "al")
    assert signatures.principals_of(made(tmp_path / "max"), signers) == ()


@pytest.fixture
def agent(key: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An agent that holds the key, whose file is gone."""
    told = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    settings = dict(part.split("=", 1) for part in told.split(";") if "=" in part)
    settings = {name.strip(): value for name, value in settings.items()}
    monkeypatch.setenv("SSH_AUTH_SOCK", settings["SSH_AUTH_SOCK"])
    subprocess.run(["ssh-add", "-q", str(key)], check=True)
    key.unlink()
    yield
    os.kill(int(settings["SSH_AGENT_PID"]), 15)


@pytest.mark.usefixtures("agent")
def test_an_agent_signs_where_only_the_public_half_is_there(key: Path) -> None:
    assert check(key, signatures.sign(key.with_suffix(".pub"), BODY)) == ""


def test_a_key_that_does_not_sign_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "none"))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    for path in (made(tmp_path / "locked", "-t", "ed25519", "-N", "a passphrase"), tmp_path / "x"):
        path.touch()
        with pytest.raises(SigningFailed, match=f"key {path} does not sign: .+"):
            signatures.sign(path, BODY)
    gone = made(tmp_path / "gone")
    gone.unlink()
    with pytest.raises(SigningFailed):
        signatures.sign(gone.with_suffix(".pub"), BODY)


def test_the_key_is_the_one_named_or_of_the_environment_or_of_git(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VELAPULUMI_SIGNING_KEY", raising=False)
    settings = tmp_path / "gitconfig"
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    assert signatures.find_key(None) is None
    settings.write_text(f"[user]\nsigningkey = {key}\n")
    assert signatures.find_key(None) is None
    settings.write_text(f"[gpg]\nformat = ssh\n[user]\nsigningkey = {key}\n")
    assert signatures.find_key(None) == key
    other = made(tmp_path / "bob")
    monkeypatch.setenv("VELAPULUMI_SIGNING_KEY", str(other))
    assert signatures.find_key(None) == other
    assert signatures.find_key(key) == key
    with pytest.raises(UsageProblem, match="there is no key at"):
        signatures.find_key(tmp_path / "none")


@pytest.mark.parametrize(
    ("options", "weak"),
    [
        (("-t", "ed25519"), False),
        (("-t", "ecdsa", "-b", "256"), False),
        (("-t", "rsa", "-b", "3072"), False),
        (("-t", "rsa", "-b", "2048"), True),
    ],
)
def test_weak_keys_are_named(tmp_path: Path, options: tuple[str, ...], weak: bool) -> None:
    line = f"alice {public(made(tmp_path / 'key', *options))}"
    found = signatures.check_signers(line)
    assert found == (["line 1: an RSA key must have 3072 bits, this one has 2048"] if weak else [])


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("alice", "must be a name and a key of one of the kinds"),
        ("alice ssh-dss AAAA", "must be a name and a key of one of the kinds"),
        ("alice ssh-ed25519 AAAA", "the key cannot be read"),
        ("*@example.com KEY", "a name with wildcards names nobody"),
        ("alice cert-authority KEY", "certificates are not taken"),
    ],
)
def test_lines_that_allow_nobody_or_everybody_are_named(key: Path, line: str, text: str) -> None:
    found = signatures.check_signers(f"# team\n\n{line.replace('KEY', public(key))}")
    assert [problem.startswith("line 3: ") for problem in found] == [True] * len(found)
    assert any(text in problem for problem in found)


@pytest.mark.parametrize(
    "form", ["alice KEY\nbob KEY", "alice,bob KEY", "alice KEY x\n\nbob KEY y"]
)
def test_one_key_is_one_persons(key: Path, form: str) -> None:
    blob = " ".join(public(key).split()[:2])
    (found,) = signatures.check_signers(form.replace("KEY", blob))
    assert found.endswith("the key of bob is that of alice: one key is one person's")


def test_a_person_may_have_several_keys(key: Path, tmp_path: Path) -> None:
    other = made(tmp_path / "other", "-t", "ed25519")
    assert signatures.check_signers(f"alice {public(key)}alice {public(other)}") == []


def test_revoked_keys_are_public_keys(key: Path) -> None:
    assert signatures.check_revoked(f"# x\n\n{public(key)}") == []
    assert signatures.check_revoked("nonsense\n") == ["line 1: must be a public key"]


def test_without_openssh_it_is_said(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissing, match="ssh-keygen is not on PATH"):
        signatures.sign(key, BODY)
