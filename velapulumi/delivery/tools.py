"""What acting steps do in the world: clusters, HTTP, mail and commands of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import IO, Any
from urllib.parse import urlsplit

from velapulumi.clusters.client import Cluster
from velapulumi.clusters.identity import Reached
from velapulumi.definitions import Answer, Finished, Mail, StepError
from velapulumi.definitions.network.calls import origin_of
from velapulumi.definitions.pod.container import COMPONENT_LABEL
from velapulumi.delivery.mail import send_mail
from velapulumi.engine.interrupts import Interrupts
from velapulumi.errors import Interrupted, VelapulumiError
from velapulumi.project import Project

MOST_ANSWERED = 8 * 2**20
"""Bytes of an HTTP answer that are taken; with more it is an error."""
MOST_WRITTEN = 2**20
"""Bytes kept of each output of a command: the last ones."""

_REDIRECTS = 5
_REACHABLE = ("Service", "Ingress")
_LEFT_OPEN = 1.0
"""Seconds in which the outputs of a command that has ended are to be closed."""

Manifest = Mapping[str, Any]


class StepTools:
    """The tools of the acting steps of one run (see ``definitions.step.Tools``).

    Args:
        project: The project.
        reached: Gives a joined cluster by name; raises StepError or VelapulumiError when it is
            not usable.
        phase_of: Gives the phase of another application; None when it has none.
        delivered: Gives what has been delivered so far, as cluster and manifest.
        interrupts: Stop commands together with this process.
    """

    def __init__(
        self,
        project: Project,
        reached: Callable[[str], Reached],
        phase_of: Callable[[str], str | None],
        delivered: Callable[[], Iterable[tuple[str, Manifest]]],
        interrupts: Interrupts,
    ) -> None:
        self._project = project
        self._reached = reached
        self._phase_of = phase_of
        self._delivered = delivered
        self._interrupts = interrupts

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def read(self, cluster: str, manifest: Manifest) -> dict[str, Any] | None:
        """The object a manifest names; None when it, or its kind, is not there.

        Raises:
            StepError: The cluster is not usable.
        """
        with self._client(cluster) as client:
            return client.read(manifest)

    def objects(
        self, cluster: str, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """The objects of a kind that carry the labels, by name.

        Raises:
            StepError: The cluster is not usable.
        """
        with self._client(cluster) as client:
            return client.objects(api_version, kind, namespace, labels)

    def delete(self, cluster: str, manifest: Manifest) -> None:
        """Delete an object and what hangs on it; one that is not there is no error.

        Raises:
            StepError: The cluster is not usable, or the object was changed at the same time.
        """
        with self._client(cluster) as client:
            live = client.read(manifest)
            if live is not None:
                client.delete(manifest, live["metadata"]["resourceVersion"])

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        body: str | None = None,
        timeout: float = 30,
    ) -> Answer:
        """Send an HTTP request, once; any status code is an answer.

        Redirects are followed as urllib3 does it, which takes credentials to no other host.

        Raises:
            StepError: There is no answer; its message names only the URL's origin.
        """
        from urllib3.exceptions import HTTPError

        title = f"{method} request to {origin_of(url)} has failed"
        try:
            return _send(method, url, headers, body, timeout)
        except (HTTPError, OSError, ValueError) as error:
            raise StepError(f"{title}: {_no_answer(error, timeout)}") from None

    def mail(self, message: Mail) -> None:
        """Send a mail.

        Raises:
            StepError: The server does not take it.
        """
        send_mail(message)

    def run(
        self, command: Sequence[str], *, environment: Mapping[str, str], timeout: float
    ) -> Finished:
        """Run a local command, without a shell, in the project's folder.

        It leads a process group of its own, which is killed when the command does not end in time.

        Args:
            command: The program and its arguments.
            environment: Variables beside those of this process.
            timeout: Seconds it may take.

        Raises:
            StepError: It cannot be started.
            Interrupted: It was stopped since this process is to end.
        """
        title = f"command {command[0]}"
        try:
            process = subprocess.Popen(
                command,
                cwd=self._project.root,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise StepError(f"{title} is not found") from None
        except (OSError, ValueError) as error:
            raise StepError(f"{title} cannot be run: {_words(error)}") from None
        assert process.stdout is not None
        assert process.stderr is not None
        with self._interrupts.running(process):
            output, errors = _Tail(process.stdout), _Tail(process.stderr)
            late = _end(process, timeout)
            _close(process, (output, errors))
        if process.returncode and not late and self._interrupts.stopping:
            raise Interrupted(f"{title} was stopped")
        return Finished(process.returncode, output.text, errors.text, late)

    def variable(self, name: str) -> str:
        """The value of an environment variable of this process.

        Raises:
            StepError: It is not set, or empty.
        """
        value = os.environ.get(name, "")
        if not value:
            raise StepError(f"environment variable {name} is not set")
        return value

    def phase_of(self, application: str) -> str | None:
        """The phase of another application of the project; None without.

        Raises:
            StepError: It cannot be told.
        """
        with _told():
            return self._phase_of(application)

    def endpoints(self, components: Sequence[str]) -> list[dict[str, Any]]:
        """Services and Ingresses the application has delivered so far, as live objects.

        Args:
            components: Only of these components; all when empty.

        Returns:
            Mappings with ``cluster``, ``component`` and ``object``.

        Raises:
            StepError: A cluster is not usable.
        """
        found: dict[tuple[str, ...], dict[str, Any]] = {}
        for cluster, manifest in self._delivered():
            metadata = manifest["metadata"]
            component = (metadata.get("labels") or {}).get(COMPONENT_LABEL, "")
            key = (cluster, manifest["kind"], metadata.get("namespace", ""), metadata["name"])
            if manifest["kind"] not in _REACHABLE or key in found:
                continue
            if components and component not in components:
                continue
            live = self.read(cluster, manifest)
            if live is not None:
                found[key] = {"cluster": cluster, "component": component, "object": live}
        return list(found.values())

    @contextmanager
    def _client(self, cluster: str) -> Iterator[Cluster]:
        with _told():
            yield self._reached(cluster).client


class _TooLong(OSError):
    """An answer is longer than is taken."""


class _Tail(Thread):
    """Reads a stream to its end and keeps the last of it.

    Args:
        stream: The stream; it is closed at its end.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._kept = bytearray()
        self.start()

    def run(self) -> None:
        with self._stream:
            while chunk := self._stream.read(2**16):
                self._kept += chunk
                del self._kept[:-MOST_WRITTEN]

    @property
    def text(self) -> str:
        return self._kept.decode(errors="replace")


@contextmanager
def _told() -> Iterator[None]:
    """Makes errors about clusters and files those of the step."""
    try:
        yield
    except Interrupted:
        raise
    except VelapulumiError as error:
        raise StepError(error.message) from error


def _send(
    method: str, url: str, headers: Mapping[str, str], body: str | None, timeout: float
) -> Answer:
    """Send a request.

    Raises:
        HTTPError, OSError: There is no answer to be used.
        ValueError: The URL or a header is not valid.
    """
    import urllib3

    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError
    retries = urllib3.Retry(
        total=None,
        connect=0,
        read=0,
        status=0,
        other=0,
        redirect=_REDIRECTS,
        respect_retry_after_header=False,
    )
    with urllib3.PoolManager(retries=retries, timeout=timeout) as pool:
        answer = pool.request(
            method,
            url,
            headers=dict(headers),
            body=None if body is None else body.encode(),
            preload_content=False,
        )
        with answer:
            content = answer.read(MOST_ANSWERED + 1)
            if len(content) > MOST_ANSWERED:
                raise _TooLong
            names = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, names, content.decode(errors="replace"))


def _no_answer(error: Exception, timeout: float) -> str:
    """Why there is no answer, in words that hold nothing of the request."""
    from urllib3 import exceptions

    failed = isinstance(error, exceptions.MaxRetryError) and error.reason
    inner = failed or error
    if isinstance(inner, _TooLong):
        return f"the answer is longer than {MOST_ANSWERED} bytes"
    if isinstance(inner, exceptions.NameResolutionError):
        return "the name of the host is not known"
    if isinstance(inner, exceptions.NewConnectionError):
        return _words(inner.__cause__ or inner)
    if isinstance(inner, exceptions.TimeoutError):
        return f"no answer after {timeout:g}s"
    if isinstance(inner, exceptions.SSLError):
        return "no TLS connection to be trusted"
    if isinstance(inner, exceptions.ResponseError):
        return f"more than {_REDIRECTS} redirects"
    if isinstance(inner, ValueError):
        return "the URL, a header or the body is not valid"
    return "the answer is not complete, or no HTTP"


def _words(error: BaseException) -> str:
    """What the system says of an error, such as ``connection refused``."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{text[:1].lower()}{text[1:]}"


def _end(process: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait until a command has ended, or kill it with its group; whether it was killed."""
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def _close(process: subprocess.Popen[bytes], outputs: Sequence[_Tail]) -> None:
    """See that the outputs of a command that has ended are closed.

    If something keeps them open, what the command has left running in its group is killed. What
    has left the group too is not waited for.
    """
    if not _are_closed(outputs):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        _are_closed(outputs)


def _are_closed(outputs: Sequence[_Tail]) -> bool:
    """Whether the outputs are closed, after a short wait."""
    end = time.monotonic() + _LEFT_OPEN
    for output in outputs:
        output.join(max(end - time.monotonic(), 0))
    return not any(output.is_alive() for output in outputs)
