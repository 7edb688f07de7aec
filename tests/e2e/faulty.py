"""A faulty API server: on loopback, in front of a real one, which it can answer for badly.

It speaks plain HTTP to clients and TLS, with the real server's client certificate, behind. Watches
are streamed. What a client sends as its token is not passed on.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from http.client import HTTPException, HTTPResponse, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, socket
from typing import Any
from urllib.parse import urlsplit

import yaml

Only = Callable[[str, str], bool]
"""Whether a fault is for a request, by its method and path."""

WRITES = ("POST", "PUT", "PATCH", "DELETE")
_NOT_PASSED_ON = ("connection", "host", "authorization", "transfer-encoding", "keep-alive")
_BROKEN = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "message": "etcdserver: request timed out",
    "reason": "InternalError",
    "code": 500,
}


class Fault(Enum):
    """What is wrong with the server."""

    NONE = auto()
    ERROR = auto()  # answers 500
    HANG = auto()  # takes requests and answers none; open watches fall silent
    DOWN = auto()  # closes all connections and takes no new ones


def writes(method: str, path: str) -> bool:
    """Whether a request changes something; a dry run does not."""
    return method in WRITES and "dryRun" not in path


def everything(method: str, path: str) -> bool:
    """Whether it is a request."""
    return True


class FaultyServer:
    """The server.

    Args:
        kubeconfig: How to reach the real one.
    """

    def __init__(self, kubeconfig: Mapping[str, Any]) -> None:
        cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]
        self.behind = str(urlsplit(cluster["server"]).netloc)
        self.context = _context(cluster, user)
        self.passed: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._mended = threading.Event()
        self._fault, self._times = Fault.NONE, 0
        self._only: Only = everything
        self._left, self._then, self._counts = 0, self.mend, False
        self._sockets: set[socket] = set()
        self._listener = self._listen(0)
        self.port = int(self._listener.server_address[1])

    @property
    def kubeconfig(self) -> str:
        """How clients reach it."""
        name = "faulty"
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": name,
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "clusters": [
                    {"name": name, "cluster": {"server": f"http://127.0.0.1:{self.port}"}}
                ],
                "users": [{"name": name, "user": {"token": "any"}}],
            }
        )

    def fail(self, fault: Fault, *, only: Only = everything, times: int = 0) -> None:
        """Go wrong from now on.

        Args:
            fault: How.
            only: For which requests.
            times: How often; until it is mended when 0.
        """
        with self._lock:
            self._mended.clear()
            self._fault, self._only, self._times = fault, only, times
        if fault is Fault.DOWN:
            self._stop()

    def fail_after(self, count: int, then: Callable[[], None], *, dry_runs: bool = False) -> None:
        """Do something when so many writes, or dry runs, have been passed on and answered."""
        with self._lock:
            self._left, self._then, self._counts = count, then, dry_runs

    def mend(self) -> None:
        """Be as good as the real one again; what hung gets its connection closed."""
        with self._lock:
            was, self._fault = self._fault, Fault.NONE
            self._mended.set()
        if was is Fault.DOWN:
            self._listener = self._listen(self.port)

    def close(self) -> None:
        """End."""
        self._mended.set()
        if self._fault is not Fault.DOWN:
            self._stop()

    # What its threads ask

    def fault_of(self, method: str, path: str) -> Fault:
        """What goes wrong with a request."""
        with self._lock:
            if self._fault is Fault.NONE or not self._only(method, path):
                self.passed.append((method, path))
                return Fault.NONE
            fault = self._fault
            if self._times == 1:
                self._fault = Fault.NONE
            self._times -= 1
            return fault

    def wait_until_mended(self) -> None:
        """Hang."""
        self._mended.wait()

    def silent(self, method: str, path: str) -> bool:
        """Whether a request that was passed on, such as a watch, is told nothing more."""
        return self._fault is Fault.HANG and self._only(method, path)

    def answered(self, method: str, path: str) -> None:
        """A request has been passed on and answered."""
        with self._lock:
            counts = method in WRITES and ("dryRun" in path) is self._counts
            if not counts or self._left == 0:
                return
            self._left -= 1
            due = self._left == 0
        if due:
            self._then()

    @contextlib.contextmanager
    def open(self, connection: socket) -> Iterator[None]:
        """Close a connection when the server goes down."""
        with self._lock:
            self._sockets.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.discard(connection)

    def _listen(self, port: int) -> ThreadingHTTPServer:
        listener = _Listener(("127.0.0.1", port), _Handler)
        listener.faulty = self
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        return listener

    def _stop(self) -> None:
        self._listener.shutdown()
        self._listener.server_close()
        with self._lock:
            connections = list(self._sockets)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(SHUT_RDWR)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    faulty: FaultyServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is nothing to tell."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def handle(self) -> None:
        with self.server.faulty.open(self.connection):
            super().handle()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        faulty = self.server.faulty
        match faulty.fault_of(self.command, self.path):
            case Fault.NONE:
                self._pass_on(body)
                faulty.answered(self.command, self.path)
            case Fault.ERROR:
                content = json.dumps(_BROKEN).encode()
                self.send_response(500)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            case _:
                faulty.wait_until_mended()
                self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def log_message(self, *args: object) -> None:
        pass

    def _pass_on(self, body: bytes) -> None:
        faulty = self.server.faulty
        behind = HTTPSConnection(faulty.behind, context=faulty.context)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _NOT_PASSED_ON}
        with contextlib.closing(behind):
            try:
                behind.request(self.command, self.path, body or None, headers)
                with faulty.open(behind.sock), behind.getresponse() as response:
                    self._give_back(response)
            except (HTTPException, OSError):
                self.close_connection = True

    def _give_back(self, response: HTTPResponse) -> None:
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        if response.length is not None:
            self.end_headers()
            self.wfile.write(response.read())
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while content := response.read1(65536):
            if self.server.faulty.silent(self.command, self.path):
                self.server.faulty.wait_until_mended()
                raise ConnectionAbortedError
            self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        self.wfile.write(b"0\r\n\r\n")


def _context(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    parts = (user["client-certificate-data"], user["client-key-data"])
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join(base64.b64decode(part) for part in parts))
        file.flush()
        context.load_cert_chain(file.name)
    return context


@contextlib.contextmanager
def in_front_of(kubeconfig: Path) -> Iterator[FaultyServer]:
    """A faulty server in front of the one that a kubeconfig leads to."""
    server = FaultyServer(yaml.safe_load(kubeconfig.read_text()))
    try:
        yield server
    finally:
        server.close()
