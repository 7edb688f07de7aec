"""Kubeconfigs: what is read in, what is refused, and what is stored."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from velapulumi.clusters.kubeconfig import read_kubeconfig
from velapulumi.clusters.registry import JoinedCluster, Registry, check_name
from velapulumi.errors import InvalidFile, InvalidKubeconfig, UnknownCluster, UsageProblem
from velapulumi.project import Project


def config(**changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [
            {"name": "other", "context": {"cluster": "elsewhere", "user": "them"}},
            {"name": "here", "context": {"cluster": "east", "user": "me"}},
        ],
        "clusters": [
            {"name": "elsewhere", "cluster": {"server": "https://elsewhere:6443"}},
            {"name": "east", "cluster": {"server": "https://east:6443"}},
        ],
        "users": [
            {"name": "them", "user": {"token": "theirs"}},
            {"name": "me", "user": {"token": "mine"}},
        ],
    } | changes


def write(folder: Path, document: Any) -> Path:
    path = folder / "kubeconfig"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def user(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "me", "user": fields}]


def test_only_the_current_context_is_kept(tmp_path: Path) -> None:
    found = read_kubeconfig(write(tmp_path, config()))
    assert (found.cluster, found.endpoint, found.kind) == ("east", "https://east:6443", "token")
    text = yaml.safe_dump(found.document)
    assert "theirs" not in text
    assert "elsewhere" not in text


def test_file_references_are_followed_and_stored_inline(tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    pki.mkdir()
    for name in ("ca", "cert", "key"):
        (pki / name).write_bytes(name.encode())
    cluster = {"server": "https://east:6443", "certificate-authority": "pki/ca"}
    credentials = {"client-certificate": "pki/cert", "client-key": str(pki / "key")}
    path = write(
        tmp_path,
        config(clusters=[{"name": "east", "cluster": cluster}], users=user(**credentials)),
    )
    found = read_kubeconfig(path)
    assert found.kind == "tls"
    stored = found.document["clusters"][0]["cluster"] | found.document["users"][0]["user"]
    assert stored == {
        "server": "https://east:6443",
        "certificate-authority-data": base64.b64encode(b"ca").decode(),
        "client-certificate-data": base64.b64encode(b"cert").decode(),
        "client-key-data": base64.b64encode(b"key").decode(),
    }
    (tmp_path / "token").write_text("from-file\n")
    found = read_kubeconfig(write(tmp_path, config(users=user(tokenFile="token"))))
    assert found.document["users"][0]["user"] == {"token": "from-file"}


def test_an_exec_plugin_is_kept_as_it_is(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "get-token"}
    found = read_kubeconfig(write(tmp_path, config(users=user(exec=plugin))))
    assert found.kind == "exec"
    assert found.document["users"][0]["user"] == {"exec": plugin}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "not a kubeconfig"),
        ("a: [", "kubeconfig:2: "),
        (config(**{"current-context": ""}), "current-context is not set"),
        (config(**{"current-context": "gone"}), "current-context gone not found"),
        (config(clusters=[]), "cluster east not found"),
        (config(users=[]), "authInfo me not found"),
        (config(clusters=[{"name": "east", "cluster": {}}]), "cluster east has no server URL"),
        (config(users=user()), "user me has no credential that can be used"),
        (config(users=user(**{"client-key": "gone"})), "gone: No such file"),
        (
            config(users=user(**{"client-key-data": "?", "client-certificate-data": "YQ=="})),
            "client-key-data is not base64",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    tmp_path: Path, document: Any, message: str
) -> None:
    with pytest.raises(InvalidKubeconfig) as caught:
        read_kubeconfig(write(tmp_path, document))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("name", "allowed"),
    [("east", True), ("eu.prod-1", True), ("", False), ("local", False), ("East", False),
     ("-east", False), ("a" * 64, False), ("../east", False)],
)  # fmt: skip
def test_names_of_clusters(name: str, allowed: bool) -> None:
    if allowed:
        check_name(name)
    else:
        with pytest.raises(UsageProblem):
            check_name(name)


def test_the_registry_holds_no_secret_and_the_credentials_are_private(tmp_path: Path) -> None:
    project = Project(tmp_path, "test", tmp_path / "stacks")
    registry = Registry(project)
    kubeconfig = read_kubeconfig(write(tmp_path, config()))
    joined = JoinedCluster(
        name="east", type="token", endpoint="https://east:6443", uid="u", joined="-"
    )
    registry.add(joined, kubeconfig)
    assert registry.all() == [joined]
    assert registry.kubeconfig("east") == kubeconfig.document
    assert "mine" not in project.registry_file.read_text()
    (file,) = project.credentials.glob("*.kubeconfig")
    assert file.stat().st_mode & 0o777 == 0o600
    assert project.credentials.stat().st_mode & 0o777 == 0o700
    registry.remove("east")
    assert registry.all() == []
    assert not file.exists()
    with pytest.raises(UnknownCluster, match="no such cluster: east"):
        registry.get("east")


def test_a_damaged_registry_is_named_with_its_line(tmp_path: Path) -> None:
    project = Project(tmp_path, "test", tmp_path / "stacks")
    project.stacks.mkdir()
    project.registry_file.write_text("kind: ClusterList\nclusters:\n- name: 7\n")
    with pytest.raises(InvalidFile) as caught:
        Registry(project).all()
    assert f"{project.registry_file}:3: clusters[0].name: must be a string" in str(caught.value)
