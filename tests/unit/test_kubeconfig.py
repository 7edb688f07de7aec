"""Kubeconfigs: one context is kept, file references are read in, all else is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.helpers import kubeconfig, parsed
from velapulumi.clusters.kubeconfig import parse_kubeconfig, read_kubeconfig
from velapulumi.errors import InvalidKubeconfig

DATA = base64.b64encode(b"pem").decode()


@pytest.mark.parametrize(
    ("user", "kind"),
    [
        ({"client-certificate-data": DATA, "client-key-data": DATA}, "tls"),
        ({"token": "t"}, "token"),
        ({"exec": {"command": "login", "args": ["a"]}}, "exec"),
        ({"username": "u", "password": "p"}, "basic"),
        ({"client-certificate-data": DATA, "client-key-data": DATA, "token": "t"}, "tls"),
    ],
)
def test_each_way_to_sign_in_is_kept_as_it_is(
    tmp_path: Path, user: dict[str, Any], kind: str
) -> None:
    found = parsed(kubeconfig(**user), tmp_path)
    assert found.kind == kind
    assert found.document["users"] == [{"name": "me", "user": user}]
    assert (found.cluster, found.endpoint) == ("one", "https://127.0.0.1:1")


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"client-certificate-data": DATA},
        {"client-key-data": DATA},
        {"username": "u"},
        {"token": ""},
        {"auth-provider": {"name": "gcp"}},
    ],
)
def test_a_user_without_credentials_is_refused(tmp_path: Path, user: dict[str, Any]) -> None:
    document = kubeconfig()
    document["users"][0]["user"] = user
    with pytest.raises(InvalidKubeconfig) as caught:
        parsed(document, tmp_path)
    assert caught.value.message == "kubeconfig: user me has no credential that can be used"


def test_only_the_current_context_is_kept(tmp_path: Path) -> None:
    document = kubeconfig()
    document["contexts"].append({"name": "there", "context": {"cluster": "two", "user": "you"}})
    document["clusters"].append({"name": "two", "cluster": {"server": "https://other"}})
    document["users"].append({"name": "you", "user": {"token": "other"}})
    document["preferences"] = {"colors": True}
    document["contexts"][0]["context"]["namespace"] = "team"
    kept = parsed(document, tmp_path).document
    assert kept == {"apiVersion": "v1", "kind": "Config", **kubeconfig()}


def test_file_references_are_followed_from_the_kubeconfig_and_inlined(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    (tmp_path / "ca.pem").write_bytes(b"ca")
    (folder / "me.pem").write_bytes(b"certificate")
    (folder / "key.pem").write_bytes(b"\x00\xffkey")
    document = kubeconfig()
    document["clusters"][0]["cluster"]["certificate-authority"] = "../../ca.pem"
    document["users"][0]["user"] = {
        "client-certificate": "me.pem",
        "client-key": str(folder / "key.pem"),
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(document))
    kept = read_kubeconfig(path).document
    cluster, user = kept["clusters"][0]["cluster"], kept["users"][0]["user"]
    assert base64.b64decode(cluster.pop("certificate-authority-data")) == b"ca"
    assert cluster == {"server": "https://127.0.0.1:1"}
    assert {key: base64.b64decode(value) for key, value in user.items()} == {
        "client-certificate-data": b"certificate",
        "client-key-data": b"\x00\xffkey",
    }


def test_data_goes_before_a_file(tmp_path: Path) -> None:
    user = {"client-certificate": "gone", "client-certificate-data": DATA, "client-key-data": DATA}
    kept = parsed(kubeconfig(**user), tmp_path).document["users"][0]["user"]
    assert kept == {"client-certificate-data": DATA, "client-key-data": DATA}


def test_a_token_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("very-secret\n")
    found = parsed(kubeconfig(tokenFile="token"), tmp_path)
    assert found.kind == "token"
    assert found.document["users"][0]["user"] == {"token": "very-secret"}


def no_context(document: dict[str, Any]) -> None:
    del document["current-context"]


def empty_context(document: dict[str, Any]) -> None:
    document["current-context"] = ""


def other_context(document: dict[str, Any]) -> None:
    document["current-context"] = "there"


def no_contexts(document: dict[str, Any]) -> None:
    document["contexts"] = None


def other_cluster(document: dict[str, Any]) -> None:
    document["clusters"][0]["name"] = "two"


def other_user(document: dict[str, Any]) -> None:
    document["users"][0]["name"] = "you"


def no_server(document: dict[str, Any]) -> None:
    del document["clusters"][0]["cluster"]["server"]


def odd_server(document: dict[str, Any]) -> None:
    document["clusters"][0]["cluster"]["server"] = "127.0.0.1:1"


def empty_cluster(document: dict[str, Any]) -> None:
    document["clusters"][0]["cluster"] = None


def bad_authority(document: dict[str, Any]) -> None:
    document["clusters"][0]["cluster"]["certificate-authority-data"] = "not base64!"


def number_for_data(document: dict[str, Any]) -> None:
    document["users"][0]["user"]["client-key-data"] = 12345


def no_authority_file(document: dict[str, Any]) -> None:
    document["clusters"][0]["cluster"]["certificate-authority"] = "gone.pem"


def folder_for_token(document: dict[str, Any]) -> None:
    document["users"][0]["user"] = {"tokenFile": "."}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_context, "current-context is not set"),
        (empty_context, "current-context is not set"),
        (other_context, "current-context there not found"),
        (no_contexts, "current-context here not found"),
        (other_cluster, "cluster one not found"),
        (other_user, "authInfo me not found"),
        (no_server, "cluster one has no server URL"),
        (odd_server, "cluster one has no server URL"),
        (empty_cluster, "cluster one has no server URL"),
        (bad_authority, "certificate-authority-data is not base64"),
        (number_for_data, "client-key-data is not base64"),
        (no_authority_file, "cannot read {folder}/gone.pem: No such file or directory"),
        (folder_for_token, "cannot read {folder}: Is a directory"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    document = kubeconfig()
    change(document)
    with pytest.raises(InvalidKubeconfig) as caught:
        parsed(document, tmp_path)
    assert caught.value.message == f"kubeconfig: {message.format(folder=tmp_path)}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "kubeconfig: not a kubeconfig"),
        ("[]", "kubeconfig: not a kubeconfig"),
        ("plain words", "kubeconfig: not a kubeconfig"),
        ("a: 1\nb: c: d\n", "kubeconfig:2: mapping values are not allowed in this context"),
        ("a: \x00", "kubeconfig: "),
    ],
)
def test_a_text_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InvalidKubeconfig) as caught:
        parse_kubeconfig(text, "kubeconfig", tmp_path)
    assert caught.value.message.startswith(f"failed to get kubeconfig: {message}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary, large = tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"\xff\xfe")
    with large.open("wb") as file:
        file.truncate(1024 * 1024 + 1)
    for path, message in (
        (tmp_path / "gone", "failed to get kubeconfig: {}: No such file or directory"),
        (tmp_path, "failed to get kubeconfig: {}: Is a directory"),
        (binary, "failed to get kubeconfig: {}: not UTF-8"),
        (large, "{}: larger than 1048576 bytes"),
    ):
        with pytest.raises(InvalidKubeconfig) as caught:
            read_kubeconfig(path)
        assert caught.value.message == message.format(path)


def test_a_reference_to_a_large_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1024 * 1024 + 1)
    with pytest.raises(InvalidKubeconfig, match=r"large is larger than 1048576 bytes$"):
        parsed(kubeconfig(tokenFile="large"), tmp_path)
