"""Downloads from a server on loopback: checked, complete or not there at all."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from velapulumi.errors import ToolProblem
from velapulumi.playground import download as module
from velapulumi.playground.download import Release, download, downloaded_dir, reachable
from velapulumi.playground.places import system


class Site:
    """Serves `files`; one named in `cut` ends after half of what was announced."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                content = site.files.get(self.path)
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                half = len(content) // 2
                self.wfile.write(content[:half] if self.path in site.cut else content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def site(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.delenv("VELAPULUMI_OFFLINE")
    served = Site()
    yield served
    served.close()


def kwok(site: Site) -> Release:
    return Release(f"{site.base}/{{tool}}-{{os}}-{{arch}}", f"{site.base}/release.json")


def publish_kwok(site: Site) -> None:
    suffix = "-".join(system())
    for tool in ("kwok", "kwokctl"):
        site.files[f"/{tool}-{suffix}"] = f"#!/bin/sh\necho {tool}\n".encode() * 100
    site.files["/release.json"] = json.dumps(
        {
            "assets": [
                {"name": path[1:], "digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
                for path, content in site.files.items()
            ]
        }
    ).encode()


def nothing_left(cache: Path) -> bool:
    return [path for path in (cache / "downloads").iterdir() if path.name != ".kwok.lock"] == []


def test_fetches_checks_and_keeps(site: Site) -> None:
    publish_kwok(site)
    assert download("kwok", lambda _: None, kwok(site))
    for tool in ("kwok", "kwokctl"):
        file = downloaded_dir("kwok") / tool
        assert file.read_bytes() == site.files[f"/{tool}-{'-'.join(system())}"]
        assert file.stat().st_mode & 0o111
    asked = len(site.asked)
    assert download("kwok", lambda _: None, kwok(site))
    assert len(site.asked) == asked


def test_takes_the_binary_out_of_an_archive(site: Site) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in (("etcd-v1/README", b"no"), ("etcd-v1/etcd", b"yes")):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    site.files["/etcd.tar.gz"] = packed.getvalue()
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    site.files["/SHA256SUMS"] = f"{'0' * 64}  other.zip\n{digest}  etcd.tar.gz\n".encode()
    release = Release(f"{site.base}/etcd.tar.gz", f"{site.base}/SHA256SUMS")
    assert download("etcd", lambda _: None, release)
    assert {file.name: file.read_bytes() for file in downloaded_dir("etcd").iterdir()} == {
        "etcd": b"yes"
    }


def test_refuses_a_wrong_checksum(site: Site, cache: Path) -> None:
    publish_kwok(site)
    site.files[f"/kwokctl-{'-'.join(system())}"] = b"something else"
    with pytest.raises(ToolProblem, match=r"kwokctl.* was refused: its SHA-256 is"):
        download("kwok", lambda _: None, kwok(site))
    assert nothing_left(cache)


def test_refuses_what_has_no_checksum(site: Site, cache: Path) -> None:
    publish_kwok(site)
    site.files["/release.json"] = b'{"assets": []}'
    with pytest.raises(ToolProblem, match="no checksum is published"):
        download("kwok", lambda _: None, kwok(site))
    assert nothing_left(cache)


def test_a_cut_download_leaves_nothing(site: Site, cache: Path) -> None:
    publish_kwok(site)
    site.cut.add(f"/kwokctl-{'-'.join(system())}")
    with pytest.raises(ToolProblem, match="was refused"):
        download("kwok", lambda _: None, kwok(site))
    assert nothing_left(cache)
    site.cut.clear()
    assert download("kwok", lambda _: None, kwok(site))


def test_a_missing_file_is_reported(site: Site, cache: Path) -> None:
    publish_kwok(site)
    del site.files[f"/kwokctl-{'-'.join(system())}"]
    lines: list[str] = []
    assert not download("kwok", lines.append, kwok(site))
    assert "kwok: not downloaded: HTTP Error 404: Not Found" in lines
    assert nothing_left(cache)


def test_sends_nothing_when_the_host_has_no_name_here(site: Site, cache: Path) -> None:
    release = Release("http://velapulumi.invalid/{tool}", f"{site.base}/release.json")
    assert not download("kwok", lambda _: None, release)
    assert site.asked == []


def test_sends_nothing_when_offline(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VELAPULUMI_OFFLINE", "1")
    assert not reachable("127.0.0.1")
    assert not download("kwok", lambda _: None, kwok(site))
    assert site.asked == []


def test_sends_nothing_for_a_system_without_a_release(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "system", lambda: ("plan9", "amd64"))
    assert not download("kwok", lambda _: None, kwok(site))
    assert site.asked == []
