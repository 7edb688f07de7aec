"""The tools of acting steps, against servers and commands of this machine."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.unit.helpers import FakeCluster, reached, with_uid
from velapulumi.clusters.identity import Reached
from velapulumi.definitions import Finished, Mail, StepError, Tools
from velapulumi.delivery import mail as mailing
from velapulumi.delivery import tools as module
from velapulumi.delivery.tools import MOST_ANSWERED, MOST_WRITTEN, StepTools
from velapulumi.engine.interrupts import Interrupts
from velapulumi.errors import (
    ClusterUnreachable,
    Interrupted,
    InvalidFile,
    ObjectRefused,
    UnknownCluster,
)
from velapulumi.project import Project

LIMIT = 10.0
"""Seconds after which a test has failed that waits for something."""


def no_cluster(name: str) -> Reached:
    raise UnknownCluster(f"no cluster {name} is joined")


def made(
    project: Project,
    *,
    clusters: Callable[[str], Reached] = no_cluster,
    phase_of: Callable[[str], str | None] = lambda name: None,
    delivered: tuple[tuple[str, Mapping[str, Any]], ...] = (),
    interrupts: Interrupts | None = None,
) -> StepTools:
    stop = interrupts or Interrupts(lambda: None)
    return StepTools(project, clusters, phase_of, lambda: delivered, stop)


@pytest.fixture
def tools(project: Project) -> StepTools:
    return made(project)


def until(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + LIMIT
    pause = threading.Event()
    while not what():
        assert time.monotonic() < end
        pause.wait(0.01)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it looked after or not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state in "ZX"


# HTTP


class WebHandler(BaseHTTPRequestHandler):
    server: Web

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.command, self.path, headers, body))
        status, sent, content = self.server.answers[self.path.partition("?")[0]]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **sent}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *args: object) -> None:
        pass


class Web(ThreadingHTTPServer):
    """Answers each path as told and takes down what is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), WebHandler)
        self.answers: dict[str, tuple[int, Mapping[str, str], bytes]] = {}
        self.seen: list[tuple[str, str, Mapping[str, str], str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    with serving(server):
        yield server


def test_a_request_is_sent_and_answered(tools: StepTools, web: Web) -> None:
    web.answers["/hook"] = (500, {"ETag": "1"}, "grün".encode())
    answer = tools.send(
        "POST", f"{web.url}/hook?token=t", headers={"X-One": "1"}, body='{"text": "grün"}'
    )
    assert (answer.status, answer.body, answer.headers["etag"]) == (500, "grün", "1")
    ((method, path, headers, body),) = web.seen
    assert (method, path, body) == ("POST", "/hook?token=t", '{"text": "grün"}')
    assert headers["x-one"] == "1"


def test_bytes_that_are_no_text_are_replaced(tools: StepTools, web: Web) -> None:
    web.answers["/"] = (200, {}, b"a\xff")
    assert tools.send("GET", f"{web.url}/").body == "a\ufffd"


def test_an_answer_that_asks_for_a_retry_is_an_answer(tools: StepTools, web: Web) -> None:
    web.answers["/"] = (503, {"Retry-After": "1"}, b"")
    assert tools.send("GET", f"{web.url}/").status == 503
    assert len(web.seen) == 1


def test_a_redirect_is_followed_without_credentials_for_another_host(
    tools: StepTools, web: Web
) -> None:
    other = web.url.replace("127.0.0.1", "localhost")
    web.answers["/a"] = (302, {"Location": "/b"}, b"")
    web.answers["/b"] = (302, {"Location": f"{other}/c"}, b"")
    web.answers["/c"] = (200, {}, b"there")
    assert tools.send("GET", f"{web.url}/a", headers={"Authorization": "secret"}).body == "there"
    told = [("authorization" in headers) for _, _, headers, _ in web.seen]
    assert told == [True, True, False]


def failure(tools: StepTools, url: str, **options: Any) -> str:
    with pytest.raises(StepError) as caught:
        tools.send("GET", url, **options)
    return caught.value.message


def test_redirects_end(tools: StepTools, web: Web) -> None:
    web.answers["/a"] = (302, {"Location": "/a"}, b"")
    message = failure(tools, f"{web.url}/a?token=t")
    assert message == f"GET request to {web.url} has failed: more than 5 redirects"
    assert len(web.seen) == 6


def test_an_answer_has_a_largest_size(tools: StepTools, web: Web) -> None:
    web.answers["/a"] = (200, {}, b"x" * MOST_ANSWERED)
    web.answers["/b"] = (200, {}, b"x" * (MOST_ANSWERED + 1))
    assert len(tools.send("GET", f"{web.url}/a").body) == MOST_ANSWERED
    message = failure(tools, f"{web.url}/b")
    assert message.endswith(f": the answer is longer than {MOST_ANSWERED} bytes")


def test_an_answer_that_breaks_off_is_an_error(tools: StepTools, web: Web) -> None:
    web.answers["/a"] = (200, {"Content-Length": "9", "Connection": "close"}, b"x")
    assert failure(tools, f"{web.url}/a").endswith(": the answer is not complete, or no HTTP")


def test_a_server_that_does_not_answer_is_not_waited_for(tools: StepTools) -> None:
    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(2**16):
                pass

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent)
    with serving(server):
        url = f"http://127.0.0.1:{server.server_address[1]}"
        message = failure(tools, f"{url}/path", timeout=0.05)
        assert message == f"GET request to {url} has failed: no answer after 0.05s"
        tls = url.replace("http", "https")
        assert failure(tools, tls, timeout=0.05).endswith(": no answer after 0.05s")


def test_a_server_without_tls_is_not_trusted(tools: StepTools, web: Web) -> None:
    url = web.url.replace("http", "https")
    message = failure(tools, f"{url}/?token=t")
    assert message == f"GET request to {url} has failed: no TLS connection to be trusted"


def free_port() -> int:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        return int(server.server_address[1])


def test_a_port_where_nobody_listens_is_an_error(tools: StepTools) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    message = failure(tools, f"{url}/path?token=t")
    assert message == f"GET request to {url} has failed: connection refused"


def test_a_host_without_a_name_is_an_error(
    tools: StepTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        import socket

        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    message = failure(tools, "http://user:pass@nowhere.test/path")
    expected = "GET request to http://nowhere.test has failed: the name of the host is not known"
    assert message == expected


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("secret", {}),
        ("", {}),
        ("ftp://host/", {}),
        ("http://", {}),
        ("http://host:port/", {}),
        ("http://[::1", {}),
        ("http://127.0.0.1:1/", {"A": "b\nc"}),
        ("http://127.0.0.1:1/", {"A": "\u20ac"}),
    ],
)
def test_what_cannot_be_sent_is_an_error(
    tools: StepTools, url: str, headers: dict[str, str]
) -> None:
    message = failure(tools, url, headers=headers)
    assert message.endswith(" has failed: the URL, a header or the body is not valid")
    assert "secret" not in message


# Mail


class MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        server = self.server
        self.say(server.greeting)
        while line := self.rfile.readline():
            command = line.decode().strip()
            server.seen.append(command)
            verb = command.split(" ")[0].upper()
            if verb == "EHLO":
                extensions = ["here", *server.extensions]
                last = len(extensions) - 1
                for index, text in enumerate(extensions):
                    self.say(f"250{' ' if index == last else '-'}{text}")
            elif verb == "DATA" and "DATA" not in server.answers:
                self.say("354 go on")
                self.take_letter()
                self.say("250 taken")
            else:
                self.say(server.answers.get(verb, "250 fine"))
                if verb == "RCPT" and "NEXT" in server.answers:
                    server.answers["RCPT"] = server.answers.pop("NEXT")
            if verb == "QUIT":
                return

    def take_letter(self) -> None:
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            self.server.letter += line

    def say(self, text: str) -> None:
        with contextlib.suppress(ConnectionError):
            self.wfile.write(f"{text}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    """Takes mail, or answers commands as told."""

    daemon_threads = True

    def __init__(self, *extensions: str, **answers: str) -> None:
        super().__init__(("127.0.0.1", 0), MailHandler)
        self.greeting = answers.pop("greeting", "220 here")
        self.extensions = extensions
        self.answers = {"AUTH": "235 welcome", **answers}
        self.seen: list[str] = []
        self.letter = b""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


def mail(port: int, **changes: Any) -> Mail:
    fields: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "user": "shop@example.com",
        "password": "very-secret",
        "alias": "Der Läden",
        "to": ("a@example.com", "b@example.com"),
        "subject": "Grün",
        "body": "<b>Grün</b>",
    }
    return Mail(**{**fields, **changes})


def test_a_mail_is_sent(tools: StepTools) -> None:
    server = MailServer("AUTH PLAIN")
    with serving(server):
        tools.mail(mail(server.port))
    verbs = [line.split(" ")[0] for line in server.seen]
    assert verbs[0] == "ehlo"
    assert [verb.upper() for verb in verbs if verb.upper() != "EHLO"] == [
        "AUTH",
        "MAIL",
        "RCPT",
        "RCPT",
        "DATA",
        "QUIT",
    ]
    letter = message_from_bytes(server.letter, policy=policy.default)
    assert letter["From"] == "Der Läden <shop@example.com>"
    assert letter["To"] == "a@example.com, b@example.com"
    assert letter["Subject"] == "Grün"
    assert letter["Date"]
    assert letter.get_content_type() == "text/html"
    assert letter.get_content().strip() == "<b>Grün</b>"


def test_nobody_signs_in_where_nobody_has_to(
    tools: StepTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "_THIS_MACHINE", ())
    server = MailServer()
    with serving(server):
        tools.mail(mail(server.port, alias=""))
    assert not [line for line in server.seen if line.startswith("AUTH")]
    assert b"From: shop@example.com" in server.letter


def mail_failure(tools: StepTools, message: Mail) -> str:
    with pytest.raises(StepError) as caught:
        tools.mail(message)
    text = caught.value.message
    start = f"mail by {message.host}:{message.port} has failed: "
    assert text.startswith(start)
    assert "secret" not in text
    return text.removeprefix(start)


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        pytest.param(
            lambda: MailServer("AUTH PLAIN", AUTH="535 no"),
            "user and password are not accepted",
            id="auth",
        ),
        pytest.param(
            lambda: MailServer(RCPT="550 no"),
            "it refuses a@example.com, b@example.com",
            id="recipients",
        ),
        pytest.param(
            lambda: MailServer(RCPT="250 fine", NEXT="550 no"),
            "it refuses b@example.com",
            id="one-recipient",
        ),
        pytest.param(lambda: MailServer(MAIL="501 no"), "it answers with 501", id="sender"),
        pytest.param(lambda: MailServer(DATA="554 no"), "it answers with 554", id="data"),
        pytest.param(lambda: MailServer(greeting="521 no"), "it answers with 521", id="greeting"),
        pytest.param(
            lambda: MailServer("STARTTLS", "AUTH PLAIN", STARTTLS="454 no"),
            "it answers with 454",
            id="no-tls",
        ),
        pytest.param(
            lambda: MailServer("STARTTLS", "AUTH PLAIN", STARTTLS="220 begin"),
            "no TLS connection to be trusted",
            id="broken-tls",
        ),
    ],
)
def test_a_mail_that_is_not_taken_is_an_error(
    tools: StepTools, server: Callable[[], MailServer], reason: str
) -> None:
    running = server()
    with serving(running):
        assert mail_failure(tools, mail(running.port)) == reason
    assert running.letter == b""
    if "STARTTLS" in running.extensions:
        assert not [line for line in running.seen if line.startswith("AUTH")]


def test_a_password_goes_nowhere_without_tls(
    tools: StepTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "_THIS_MACHINE", ())
    server = MailServer("AUTH PLAIN")
    with serving(server):
        reason = mail_failure(tools, mail(server.port))
    assert reason == "it offers no TLS, and the password needs it"
    assert not [line for line in server.seen if line.startswith(("AUTH", "MAIL"))]


def test_the_port_of_tls_is_spoken_to_in_tls(
    tools: StepTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = MailServer("AUTH PLAIN")
    monkeypatch.setattr(mailing, "_TLS_PORT", server.port)
    with serving(server):
        assert mail_failure(tools, mail(server.port)) == "no TLS connection to be trusted"


def test_a_mail_server_that_is_not_there_is_an_error(tools: StepTools) -> None:
    assert mail_failure(tools, mail(free_port())) == "connection refused"


def test_a_mail_server_that_does_not_answer_is_not_waited_for(
    tools: StepTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "TIMEOUT", 0.05)

    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent)
    with serving(server):
        reason = mail_failure(tools, mail(int(server.server_address[1])))
    assert reason == "no answer after 0.05s"


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "nobody"},
        {"to": ("läden@example.com",)},
        {"user": ""},
        {"to": ("a@example.com\nBcc: x@example.com",)},
        {"to": ("",)},
        {"subject": "a\nBcc: x@example.com"},
        {"alias": "a\r\nBcc: x@example.com"},
    ],
)
def test_a_mail_that_cannot_be_written_is_an_error(tools: StepTools, changes: Any) -> None:
    reason = mail_failure(tools, mail(1, **changes))
    assert reason == "an address or the subject is not valid"


# Commands


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def run(tools: StepTools, *command: str, timeout: float = LIMIT, **environment: str) -> Finished:
    return tools.run(command, environment=environment, timeout=timeout)


def test_a_command_runs_in_the_project_with_its_own_environment(
    tools: StepTools, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTER", "1")
    monkeypatch.setenv("BOTH", "outer")
    text = (
        "import os, sys;"
        "print(os.getcwd(), os.environ['OUTER'], os.environ['BOTH'], repr(sys.stdin.read()));"
        "print('grün', file=sys.stderr); sys.exit(3)"
    )
    finished = run(tools, *python(text), BOTH="inner", PYTHONUTF8="1")
    assert finished == Finished(3, f"{project.root.resolve()} 1 inner ''\n", "grün\n")


def test_a_command_is_no_shell(tools: StepTools) -> None:
    assert run(tools, "echo", "$HOME; *").output == "$HOME; *\n"


def test_a_program_of_the_project_is_found(tools: StepTools, project: Project) -> None:
    script = project.root / "test.sh"
    script.write_text("#!/bin/sh\necho here\n")
    script.chmod(0o700)
    assert run(tools, "./test.sh").output == "here\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-program",), "command no-such-program is not found"),
        (("./file",), "command ./file cannot be run: permission denied"),
        (("echo", "a\0b"), "command echo cannot be run: embedded null byte"),
    ],
)
def test_a_command_that_cannot_be_run_is_an_error(
    tools: StepTools, project: Project, command: tuple[str, ...], message: str
) -> None:
    (project.root / "file").write_text("text")
    with pytest.raises(StepError) as caught:
        run(tools, *command)
    assert caught.value.message == message


def test_a_command_that_takes_too_long_is_killed_with_its_group(
    tools: StepTools, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 600 & echo $! > {pids}; echo started; wait"
    finished = run(tools, "sh", "-c", script, timeout=1.0)
    assert finished == Finished(-signal.SIGKILL, "started\n", "", late=True)
    child = int(pids.read_text())
    until(lambda: is_gone(child))


def test_what_a_command_leaves_running_ends_with_it(
    tools: StepTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEFT_OPEN", 0.1)
    pids = tmp_path / "pids"
    finished = run(tools, "sh", "-c", f"sleep 600 & echo $! > {pids}; echo done")
    assert finished == Finished(0, "done\n", "")
    child = int(pids.read_text())
    until(lambda: is_gone(child))


def test_what_has_left_the_group_of_a_command_is_not_waited_for(
    tools: StepTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEFT_OPEN", 0.1)
    pids = tmp_path / "pids"
    text = (
        "import subprocess;"
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True);"
        f"open({str(pids)!r}, 'w').write(str(child.pid)); print('done', flush=True);"
        "import os; os._exit(0)"
    )
    finished = run(tools, *python(text))
    child = int(pids.read_text())
    alive = not is_gone(child)
    os.kill(child, signal.SIGKILL)
    assert finished == Finished(0, "done\n", "")
    assert alive


def test_the_last_of_a_long_output_is_kept(tools: StepTools) -> None:
    text = (
        "import sys; sys.stdout.write('a' * 5_000_000 + 'end');"
        "sys.stderr.write('b' * 2_000_000 + 'END')"
    )
    finished = run(tools, *python(text))
    assert (len(finished.output), len(finished.errors)) == (MOST_WRITTEN, MOST_WRITTEN)
    assert (finished.output[-4:], finished.errors[-4:]) == ("aend", "bEND")


def test_bytes_that_are_no_text_are_replaced_in_outputs(tools: StepTools) -> None:
    assert run(tools, "printf", r"a\377b").output == "a\ufffdb"


def test_a_command_is_stopped_together_with_this_process(project: Project) -> None:
    interrupts = Interrupts(lambda: None)
    tools = made(project, interrupts=interrupts)
    ready = project.root / "ready"
    caught: list[BaseException] = []

    def work() -> None:
        try:
            run(tools, "sh", "-c", f"touch {ready}; sleep 600", timeout=600)
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    with interrupts.handled():
        thread.start()
        until(ready.exists)
        os.kill(os.getpid(), signal.SIGINT)
        thread.join(LIMIT)
    assert not thread.is_alive()
    assert [str(error) for error in caught] == ["command sh was stopped"]


def test_a_command_that_ends_well_although_all_is_to_stop_has_finished(project: Project) -> None:
    interrupts = Interrupts(lambda: None)
    tools = made(project, interrupts=interrupts)
    ready, go = project.root / "ready", project.root / "go"
    script = f"trap '' INT; touch {ready}; until test -e {go}; do sleep 0.01; done; echo done"
    found: list[Finished] = []
    thread = threading.Thread(target=lambda: found.append(run(tools, "sh", "-c", script)))
    with interrupts.handled():
        thread.start()
        until(ready.exists)
        os.kill(os.getpid(), signal.SIGINT)
        go.touch()
        thread.join(LIMIT)
    assert found == [Finished(0, "done\n", "")]


# Clusters, other applications and this machine


CONFIG_MAP: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "uid": "ConfigMap-c",
        "name": "c",
        "namespace": "apps",
        "resourceVersion": "7",
    },
}


class ListingCluster(FakeCluster):
    """Lists and deletes too."""

    def objects(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[Any]:
        self.calls.append(("objects", api_version, kind, namespace, dict(labels)))
        return [CONFIG_MAP]

    def delete(self, wanted: Mapping[str, Any], resource_version: str) -> None:
        self.calls.append(("delete", wanted["metadata"]["name"], resource_version))
        if resource_version == "refused":
            raise ObjectRefused("it has changed")


def test_objects_are_read_and_listed(project: Project) -> None:
    cluster = ListingCluster(CONFIG_MAP)
    tools: Tools = made(project, clusters=lambda name: reached(name, cluster))
    assert tools.read("prod", CONFIG_MAP) == CONFIG_MAP
    assert tools.read("prod", {**CONFIG_MAP, "kind": "Secret"}) is None
    assert tools.objects("prod", "v1", "ConfigMap", "apps", {"a": "b"}) == [CONFIG_MAP]
    assert cluster.calls == [("objects", "v1", "ConfigMap", "apps", {"a": "b"})]


def test_an_object_is_deleted_as_it_is_now(project: Project) -> None:
    cluster = ListingCluster(CONFIG_MAP)
    tools = made(project, clusters=lambda name: reached(name, cluster))
    old = {**CONFIG_MAP, "metadata": {"name": "c", "resourceVersion": "1"}}
    tools.delete("prod", old)
    tools.delete("prod", {**old, "kind": "Secret"})
    assert cluster.calls == [("delete", "c", "7")]


def test_an_object_that_changes_meanwhile_is_an_error(project: Project) -> None:
    metadata = {**CONFIG_MAP["metadata"], "resourceVersion": "refused"}
    cluster = ListingCluster({**CONFIG_MAP, "metadata": metadata})
    tools = made(project, clusters=lambda name: reached(name, cluster))
    with pytest.raises(StepError, match=re.escape("it has changed")):
        tools.delete("prod", CONFIG_MAP)


def test_a_cluster_that_is_not_usable_is_an_error(project: Project) -> None:
    with pytest.raises(StepError, match="no cluster prod is joined"):
        made(project).read("prod", CONFIG_MAP)
    broken = FakeCluster(error=ClusterUnreachable("cluster prod cannot be reached"))
    tools = made(project, clusters=lambda name: reached(name, broken))
    with pytest.raises(StepError, match="cluster prod cannot be reached"):
        tools.read("prod", CONFIG_MAP)


def test_an_interrupt_stays_one(project: Project) -> None:
    def stopped(name: str) -> Reached:
        raise Interrupted("stopped at once")

    with pytest.raises(Interrupted):
        made(project, clusters=stopped).read("prod", CONFIG_MAP)


def test_the_phase_of_another_application_is_told(project: Project) -> None:
    tools = made(project, phase_of={"database": "running"}.get)
    assert (tools.phase_of("database"), tools.phase_of("queue")) == ("running", None)

    def broken(name: str) -> str | None:
        raise InvalidFile(f"{name}.gate.yaml is damaged")

    with pytest.raises(StepError, match=re.escape("queue.gate.yaml is damaged")):
        made(project, phase_of=broken).phase_of("queue")


def entry(kind: str, name: str, component: str | None = "web", **spec: Any) -> dict[str, Any]:
    labels = {"app.oam.dev/component": component} if component else None
    metadata = {"name": name, "namespace": "apps", "labels": labels}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **spec}


def test_what_makes_an_application_reachable_is_read_once_each(project: Project) -> None:
    live = [
        with_uid(each)
        for each in (
            entry("Service", "web", spec={"clusterIP": "10.0.0.1"}),
            entry("Ingress", "web"),
            entry("Service", "step", None),
            entry("Deployment", "web"),
        )
    ]
    east, west = FakeCluster(*live), FakeCluster()
    delivered = (
        ("east", entry("Deployment", "web")),
        ("east", entry("Service", "web")),
        ("east", entry("Service", "web")),
        ("west", entry("Service", "web")),
        ("east", entry("Ingress", "web")),
        ("east", entry("Service", "step", None)),
    )
    clusters = {"east": east, "west": west}
    tools = made(project, clusters=lambda name: reached(name, clusters[name]), delivered=delivered)
    web = {"cluster": "east", "component": "web"}
    found = [{**web, "object": live[0]}, {**web, "object": live[1]}]
    assert tools.endpoints(["web"]) == found
    step = {"cluster": "east", "component": "", "object": live[2]}
    assert tools.endpoints([]) == [*found, step]
    assert tools.endpoints(["other"]) == []


def test_variables_of_this_process(tools: StepTools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "https://hook")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("MISSING", raising=False)
    assert tools.variable("HOOK") == "https://hook"
    for name in ("EMPTY", "MISSING"):
        with pytest.raises(StepError) as caught:
            tools.variable(name)
        assert caught.value.message == f"environment variable {name} is not set"


def test_the_time_is_that_of_this_machine(tools: StepTools) -> None:
    before = time.time()
    assert before <= tools.now() <= time.time()
