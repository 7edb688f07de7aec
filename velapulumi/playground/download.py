"""Official downloads: used where the internet is in reach, refused when a checksum differs.

`RELEASES` is the one place that names download hosts. The Pulumi engine and its provider are not in
it, since Pulumi's own commands fetch and verify them.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from velapulumi.errors import ToolMissing, ToolProblem
from velapulumi.playground.locks import exclusive
from velapulumi.playground.places import cache_dir, system
from velapulumi.playground.progress import Report
from velapulumi.playground.tools import (
    ETCD_VERSION,
    KUBERNETES_VERSION,
    KWOK_VERSION,
    LANGUAGE_EXECUTOR,
    LANGUAGE_HOST,
    PROVIDER_VERSION,
    PULUMI,
    PULUMI_VERSION,
    RECIPES,
)

_ARCHITECTURES = ("amd64", "arm64")
_RESOLVE_SECONDS = 3.0
_READ_SECONDS = 60.0
_PULUMI_HOST = "get.pulumi.com"


@dataclass(frozen=True)
class Release:
    """Where the files of one module are published.

    ``{os}``, ``{arch}``, ``{tool}`` and ``{pack}`` (``tar.gz``, on macOS ``zip``) are filled in.

    Attributes:
        file: Address of a binary, or of the archive that holds it.
        checksums: Address of its SHA-256: a bare one, a list as ``sha256sum`` writes it, or a
            description of a release in JSON with the digest of each asset.
        systems: The systems it is published for.
    """

    file: str
    checksums: str
    systems: tuple[str, ...] = ("linux", "darwin")


_ETCD = f"https://github.com/etcd-io/etcd/releases/download/v{ETCD_VERSION}"
_KWOK = "kubernetes-sigs/kwok/releases"
RELEASES = {
    "kubernetes": Release(
        f"https://dl.k8s.io/release/v{KUBERNETES_VERSION}/bin/{{os}}/{{arch}}/{{tool}}",
        f"https://dl.k8s.io/release/v{KUBERNETES_VERSION}/bin/{{os}}/{{arch}}/{{tool}}.sha256",
        systems=("linux",),  # the servers are published for Linux only
    ),
    "etcd": Release(
        f"{_ETCD}/etcd-v{ETCD_VERSION}-{{os}}-{{arch}}.{{pack}}",
        f"{_ETCD}/SHA256SUMS",
    ),
    "kwok": Release(
        f"https://github.com/{_KWOK}/download/v{KWOK_VERSION}/{{tool}}-{{os}}-{{arch}}",
        f"https://api.github.com/repos/{_KWOK}/tags/v{KWOK_VERSION}",
    ),
}


def downloaded_dir(module: str) -> Path:
    """Folder that the downloaded files of a module are found in, whether they are there or not."""
    return cache_dir() / "downloads" / "-".join([module, RECIPES[module].version, *system()])


def download(module: str, report: Report, release: Release | None = None) -> bool:
    """Fetch the binaries of a module.

    Args:
        module: Name of the module.
        report: Is told what happens.
        release: Where it is published; the official place when not given.

    Returns:
        Whether they are there now; False when the host cannot be reached or does not publish them.

    Raises:
        ToolProblem: What came is not what was published.
    """
    release = release or RELEASES[module]
    host = urlsplit(release.file).hostname or ""
    here, architecture = system()
    if here not in release.systems or architecture not in _ARCHITECTURES or not reachable(host):
        return False

    def fill(folder: Path) -> None:
        for tool in RECIPES[module].outputs:
            report(f"{module}: downloading {tool} {RECIPES[module].version}")
            _fetch(release, tool, folder)

    return _publish(module, report, fill)


def download_pulumi(report: Report) -> bool:
    """Fetch the Pulumi engine with Pulumi's own installer; see `download` for the result."""
    if not reachable(_PULUMI_HOST):
        return False

    def fill(folder: Path) -> None:
        from pulumi.automation import PulumiCommand
        from semver import VersionInfo

        report(f"pulumi: downloading {PULUMI_VERSION}")
        PulumiCommand.install(root=str(folder), version=VersionInfo.parse(PULUMI_VERSION))
        for name in (PULUMI, LANGUAGE_HOST, LANGUAGE_EXECUTOR):
            if not (folder / "bin" / name).is_file():
                raise ToolProblem(f"the download of Pulumi {PULUMI_VERSION} lacks {name}")

    return _publish("pulumi", report, fill)


def download_provider(pulumi: Path, home: Path, report: Report) -> bool:
    """Fetch the Kubernetes provider into a PULUMI_HOME with Pulumi's own command.

    Args:
        pulumi: The Pulumi engine.
        home: The PULUMI_HOME.
        report: Is told what happens.

    Returns:
        Whether it is there now.
    """
    if not reachable(_PULUMI_HOST):
        return False
    report(f"provider: downloading {PROVIDER_VERSION}")
    done = subprocess.run(
        [pulumi, "plugin", "install", "resource", "kubernetes", PROVIDER_VERSION],
        env=os.environ | {"PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        report(f"provider: not downloaded: {done.stderr.strip()}")
    return done.returncode == 0


def reachable(host: str) -> bool:
    """Whether a host's name resolves soon; never when VELAPULUMI_OFFLINE is set."""
    if os.environ.get("VELAPULUMI_OFFLINE", "") not in ("", "0"):
        return False
    found = threading.Event()

    def resolve() -> None:
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            return
        found.set()

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(_RESOLVE_SECONDS)
    return found.is_set()


def _publish(module: str, report: Report, fill: Callable[[Path], None]) -> bool:
    target = downloaded_dir(module)
    with exclusive(target.parent / f".{module}.lock", report, module):
        if target.is_dir():
            return True
        for leftover in target.parent.glob(f".{module}.part-*"):
            shutil.rmtree(leftover)
        scratch = Path(tempfile.mkdtemp(prefix=f".{module}.part-", dir=target.parent))
        try:
            fill(scratch / "files")
            (scratch / "files").rename(target)
        except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
            report(f"{module}: not downloaded: {error}")
            return False
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return True


def _fetch(release: Release, tool: str, folder: Path) -> None:
    here, architecture = system()
    pack = "zip" if here == "darwin" else "tar.gz"
    fields = {"os": here, "arch": architecture, "tool": tool, "pack": pack}
    file = release.file.format(**fields)
    name = urlsplit(file).path.rsplit("/", 1)[-1]
    with urllib.request.urlopen(
        release.checksums.format(**fields), timeout=_READ_SECONDS
    ) as response:
        expected = published_checksum(response.read().decode(), name)
    folder.mkdir(parents=True, exist_ok=True)
    arrived = folder / name
    digest = hashlib.sha256()
    with (
        urllib.request.urlopen(file, timeout=_READ_SECONDS) as response,
        arrived.open("wb") as out,
    ):
        while chunk := response.read(1 << 20):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != expected:
        raise ToolMissing(
            f"the download of {name} was refused: its SHA-256 is {digest.hexdigest()}, "
            f"published is {expected}"
        )
    if name.endswith((".zip", ".tar.gz")):
        _unpack(arrived, tool, folder / tool)
        arrived.unlink()
    else:
        arrived.rename(folder / tool)
    (folder / tool).chmod(0o755)


def published_checksum(document: str, name: str) -> str:
    """The SHA-256 that a document of checksums gives for a file.

    Args:
        document: See `Release.checksums`.
        name: The file's name.

    Raises:
        ToolMissing: The document has none for it.
    """
    if document.lstrip().startswith("{"):
        for asset in json.loads(document).get("assets", []):
            if asset.get("name") == name:
                kind, _, value = str(asset.get("digest")).partition(":")
                if kind == "sha256":
                    return value
    for words in map(str.split, document.splitlines()):
        if len(words) == 1 and len(words[0]) == 64:
            return words[0]
        if len(words) == 2 and words[1].lstrip("*") == name:
            return words[0]
    raise ToolMissing(f"the download of {name} was refused: no checksum is published for it")


def _unpack(archive: Path, tool: str, target: Path) -> None:
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.namelist():
                if entry.rsplit("/", 1)[-1] == tool:
                    with zipped.open(entry) as source, target.open("wb") as out:
                        shutil.copyfileobj(source, out)
                    return
    else:
        with tarfile.open(archive) as tarred:
            for member in tarred:
                if member.isfile() and member.name.rsplit("/", 1)[-1] == tool:
                    content = tarred.extractfile(member)
                    assert content is not None
                    with content, target.open("wb") as out:
                        shutil.copyfileobj(content, out)
                    return
    raise ToolMissing(f"{archive.name} holds no {tool}")
