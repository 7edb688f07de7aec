"""Local Kubernetes clusters: real API servers and controllers, pods simulated by kwok.

Everything of them is in one folder, and everything they listen on is on 127.0.0.1. No kubeconfig of
the user is read or changed.
"""

from __future__ import annotations

import base64
import http.client
import os
import re
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from pathlib import Path

import yaml

from velapulumi.errors import Interrupted, PlaygroundProblem, VelapulumiError
from velapulumi.playground.kwok import (
    Stage,
    audit_policy,
    cluster_config,
    ports,
    stage_manifests,
)
from velapulumi.playground.locks import exclusive
from velapulumi.playground.places import playground_dir
from velapulumi.playground.processes import (
    STOP_ORDER,
    cluster_processes,
    end_processes,
    port_holder,
    port_is_free,
)
from velapulumi.playground.progress import Progress, Report, duration
from velapulumi.playground.resolve import ClusterTools, ensure_cluster_tools

DEFAULT_NAMES = ("cluster-staging", "cluster-prod")
NODES = 2
_AT_ONCE = 4
_START_SECONDS = 180.0
_PORT_SECONDS = 1.0
Command = Sequence[str | Path]
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class ClusterStatus:
    """How a cluster is.

    Attributes:
        name: Its name.
        state: ``running``, ``stopped`` (no process is left), or ``broken`` (only some are, or it
            does not answer).
        server: Address of its API server.
    """

    name: str
    state: str
    server: str


class Playground:
    """The clusters of one folder.

    Args:
        directory: The folder; the user's own when not given.
        first_slot: The lowest slot of ports that its clusters take, see `kwok.ports`.
    """

    def __init__(self, directory: Path | None = None, first_slot: int = 0) -> None:
        self._directory = (directory or playground_dir()).absolute()
        self._first_slot = first_slot

    def up(
        self,
        names: Sequence[str] = DEFAULT_NAMES,
        *,
        stages: Sequence[Stage] = (),
        report: Report | None = None,
    ) -> list[ClusterStatus]:
        """Start clusters, several at once; those that run already are left as they are.

        A start that fails or is interrupted takes back what it began: a new cluster is removed, an
        old one is stopped and keeps its objects.

        Args:
            names: Their names.
            stages: Further kwok stages for clusters that are started here.
            report: Is told what happens; writes to stderr when not given.

        Returns:
            How they are now.

        Raises:
            PlaygroundProblem: A name is not valid, a port is taken or a cluster does not start.
            ToolMissing: A program is missing and cannot be had.
        """
        report = report or Progress()
        names = list(dict.fromkeys(names))
        for name in names:
            _check_name(name)
        tools = ensure_cluster_tools(report)
        stop = threading.Event()
        for name in names:  # in order, so that slots are too
            self._take_slot(name)

        def start(name: str) -> None:
            self._up(name, _Runner(self._environment(tools, name), stop), tools, stages, report)

        _for_each(names, start, stop, report)
        return [status for status in self.status() if status.name in names]

    def down(self, names: Sequence[str] = (), *, report: Report | None = None) -> list[str]:
        """Stop and delete clusters; works for half-made ones as well.

        Args:
            names: Their names; all when none is given.
            report: Is told what happens; writes to stderr when not given.

        Returns:
            The names of those that were there.

        Raises:
            PlaygroundProblem: A name is not valid or a process does not end.
        """
        report = report or Progress()
        for name in names:
            _check_name(name)
        there = [name for name in self._names() if not names or name in names]
        for name in dict.fromkeys(names):
            if name not in there:
                report(f"{name}: not there")
        _for_each(there, lambda name: self._down(name, report), threading.Event(), report)
        return there

    def status(self) -> list[ClusterStatus]:
        """All clusters, by name."""
        names = self._names()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._status, names))

    def kubeconfig(self, name: str) -> str:
        """A kubeconfig for a cluster's administrator, with its credentials inside.

        Args:
            name: The cluster.

        Raises:
            PlaygroundProblem: There is no such cluster.
        """
        _check_name(name)
        pki = self._folder(name) / "pki"
        try:
            authority, certificate, key = (
                base64.b64encode((pki / file).read_bytes()).decode()
                for file in ("ca.crt", "admin.crt", "admin.key")
            )
            server = self._server(name)
        except FileNotFoundError:
            raise PlaygroundProblem(
                f"there is no playground cluster {name}",
                next_step=f"Start it with: velapulumi playground up {name}",
            ) from None
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": name,
                        "cluster": {"server": server, "certificate-authority-data": authority},
                    }
                ],
                "users": [
                    {
                        "name": name,
                        "user": {"client-certificate-data": certificate, "client-key-data": key},
                    }
                ],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "current-context": name,
            },
            sort_keys=False,
        )

    # Folders: kwokctl's own below clusters/, our settings of each cluster below settings/.

    def _folder(self, name: str) -> Path:
        return self._directory / "clusters" / name

    def _settings(self, name: str) -> Path:
        return self._directory / "settings" / name

    def _lock(self, name: str) -> Path:
        return self._directory / "locks" / name

    def _names(self) -> list[str]:
        parents = (self._directory / "clusters", self._directory / "settings")
        return sorted(
            {child.name for parent in parents if parent.is_dir() for child in parent.iterdir()}
        )

    def _slot(self, name: str) -> int:
        return int((self._settings(name) / "slot").read_text())

    def _server(self, name: str) -> str:
        return f"https://127.0.0.1:{ports(self._slot(name))['kubeApiserverPort']}"

    def _take_slot(self, name: str) -> int:
        """The slot of a cluster; a new one takes the lowest that no other has."""
        with exclusive(self._lock(".slots"), lambda _: None, ""):
            taken = {}
            for other in self._names():
                try:
                    taken[other] = self._slot(other)
                except (FileNotFoundError, ValueError):
                    continue  # cut off before it had one
            if name not in taken:
                slot = self._first_slot
                while slot in taken.values():
                    slot += 1
                self._settings(name).mkdir(parents=True, exist_ok=True)
                (self._settings(name) / "slot").write_text(f"{slot}\n")
                taken[name] = slot
            return taken[name]

    def _status(self, name: str) -> ClusterStatus:
        running = {process.component for process in cluster_processes(self._folder(name))}
        try:
            server = self._server(name)
        except (FileNotFoundError, ValueError):
            return ClusterStatus(name, "broken" if running else "stopped", "")
        if not running:
            return ClusterStatus(name, "stopped", server)
        well = running >= set(STOP_ORDER) and _answers(
            server, self._folder(name) / "pki" / "ca.crt"
        )
        return ClusterStatus(name, "running" if well else "broken", server)

    def _environment(self, tools: ClusterTools, name: str) -> dict[str, str]:
        # kwokctl lets KWOK_* win over its configuration.
        kept = {key: value for key, value in os.environ.items() if not key.startswith("KWOK_")}
        return kept | {
            "KWOK_WORKDIR": str(self._directory),
            "PATH": f"{tools.kubectl.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "KUBECONFIG": str(self._folder(name) / "kubeconfig.yaml"),
            "KUBECACHEDIR": str(self._settings(name) / "kubectl"),
        }

    def _up(
        self,
        name: str,
        runner: _Runner,
        tools: ClusterTools,
        stages: Sequence[Stage],
        report: Report,
    ) -> None:
        with exclusive(self._lock(name), report, name):
            if self._status(name).state == "running":
                report(f"{name}: already running at {self._server(name)}")
                return
            start = time.monotonic()
            folder, settings = self._folder(name), self._settings(name)
            made = settings / "made"
            old = made.is_file() and folder.is_dir()
            end_processes(folder)
            if old:
                # kwokctl would believe a stale one if another process has its number by now.
                for file in (folder / "pids").glob("*.pid"):
                    file.unlink()
            else:
                shutil.rmtree(folder, ignore_errors=True)
                made.unlink(missing_ok=True)
            try:
                slot = self._take_slot(name)
                _check_ports(name, slot)
                report(f"{name}: {'starting again' if old else 'starting'} at {self._server(name)}")
                config, extra = settings / "kwokctl.yaml", settings / "stages.yaml"
                audit = settings / "audit.yaml"
                config.write_text(yaml.safe_dump(cluster_config(slot, tools, extra, audit)))
                audit.write_text(yaml.safe_dump(audit_policy()))
                extra.write_text(yaml.safe_dump_all(stage_manifests(stages)))
                if old:
                    action: Command = ["start", "cluster"]
                else:
                    action = ["create", "cluster", "--config", config, "--kubeconfig", ""]
                self._start(name, action, runner, tools)
                made.touch()
            except BaseException:
                end_processes(folder)
                if not old:
                    shutil.rmtree(folder, ignore_errors=True)
                    shutil.rmtree(settings, ignore_errors=True)
                raise
            report(f"{name}: ready after {duration(time.monotonic() - start)}")

    def _start(self, name: str, action: Command, runner: _Runner, tools: ClusterTools) -> None:
        folder = self._folder(name)

        def check() -> None:
            _check_components(folder)

        kwokctl: Command = [tools.kwokctl, "--name", name]
        ready: Command = [tools.kubectl, "wait", "--timeout", f"{_START_SECONDS:.0f}s"]
        commands: tuple[Command, ...] = (
            [*kwokctl, *action],
            [*kwokctl, "scale", "node", "--replicas", str(NODES)],
            [*ready, "--for=condition=Ready", "node", "--all"],
            # Without it pods are refused.
            [*ready, "--for=create", "serviceaccount/default", "-n", "default"],
        )
        for command in commands:
            runner.run(command, self._settings(name) / "start.log", check)
        # An old cluster's nodes are Ready in its stored state before its API server is.
        while self._status(name).state != "running":
            runner.pause("its API server does not get ready")
            check()

    def _down(self, name: str, report: Report) -> None:
        with exclusive(self._lock(name), report, name):
            end_processes(self._folder(name))
            shutil.rmtree(self._folder(name), ignore_errors=True)
            shutil.rmtree(self._settings(name), ignore_errors=True)
            report(f"{name}: stopped and deleted")


class _Runner:
    """Runs the commands of one start, each to its end or until `stop` is set."""

    def __init__(self, environment: dict[str, str], stop: threading.Event) -> None:
        self._environment = environment
        self._stop = stop
        self._end = time.monotonic() + _START_SECONDS

    def run(self, command: Command, log: Path, check: Callable[[], None]) -> None:
        """Run a command; `check` is called while it runs and may raise."""
        subject = " ".join([Path(command[0]).name, *map(str, command[1:])])
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            while process.poll() is None:
                self.pause(f"no end of {subject}")
                check()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            check()
            raise PlaygroundProblem(f"failed: {subject}\n{_tail(log)}")

    def pause(self, waiting_for: str) -> None:
        """Wait a moment; raises when the start is interrupted or takes too long."""
        if self._stop.wait(0.1):
            raise Interrupted("the start was interrupted")
        if time.monotonic() > self._end:
            raise PlaygroundProblem(f"not started in {_START_SECONDS:.0f} s: {waiting_for}")


def _for_each(
    names: Sequence[str], action: Callable[[str], None], stop: threading.Event, report: Report
) -> None:
    """Do something for several clusters at once; raises the first error when all have ended."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(action, name) for name in names]
        try:
            wait_for(futures)
        except KeyboardInterrupt:
            stop.set()
            report("interrupted: cleaning up")
            wait_for(futures)
            raise
    errors = [error for future in futures if (error := future.exception())]
    for error in errors[1:]:
        report(str(error))
    if errors:
        raise errors[0]


def _check_name(name: str) -> None:
    if not _DNS_LABEL.fullmatch(name):
        raise PlaygroundProblem(
            f"{name!r} cannot be the name of a cluster",
            next_step="Use at most 63 lower-case letters, digits and dashes, no dash at the ends.",
        )


def _check_ports(name: str, slot: int) -> None:
    end = time.monotonic() + _PORT_SECONDS
    for port in ports(slot).values():
        while not port_is_free(port):
            if time.monotonic() < end:
                time.sleep(0.05)  # one that we have just ended may not have let go of it yet
                continue
            holder = port_holder(port)
            raise PlaygroundProblem(
                f"{name} needs port {port} of 127.0.0.1, which is taken"
                + (f" by {holder}" if holder else ""),
                next_step="End what holds the port, then run the command again.",
            )


def _check_components(folder: Path) -> None:
    """See that every program that was started is still there: nothing restarts them."""
    # The files first: a program that starts between the two looks is then not taken for dead.
    started = {file.stem: file.read_text() for file in (folder / "pids").glob("*.pid")}
    alive = {process.pid for process in cluster_processes(folder)}
    for component, pid in started.items():
        if pid.isdecimal() and int(pid) not in alive:
            log = _tail(folder / "logs" / f"{component}.log")
            raise PlaygroundProblem(f"{component} of {folder.name} has ended:\n{log}")


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-8:])
    except OSError as error:
        raise VelapulumiError(f"{log} cannot be read: {error}") from None


def _answers(server: str, authority: Path) -> bool:
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority)
        host, _, port = server.removeprefix("https://").partition(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=5, context=context)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False
