"""The workflow step types, with tools that only take down what is asked of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from velapulumi.definitions import (
    Answer,
    Context,
    Done,
    Failed,
    Finished,
    Health,
    Mail,
    Rendered,
    RenderError,
    Result,
    StepContext,
    StepDefinition,
    StepError,
    Target,
    Waiting,
    find,
    types_of,
)
from velapulumi.definitions.network.calls import origin_of, public_url
from velapulumi.definitions.network.endpoints import address_of
from velapulumi.definitions.step import NO_CLUSTER

APPLICATION = {"kind": "Application", "metadata": {"name": "shop"}}
CONTEXT = StepContext("shop", "apps", "shop-v3", APPLICATION, "tell", "key-1")
RENDERING = Context("shop", "apps", "shop-v3", "tell", "tell-v1", "prod", "web")
HOOK = "https://user:pass@hooks.example.com:8443/services/T1?token=t"
JSON_HEADERS = {"Content-Type": "application/json", "Idempotency-Key": "key-1"}
KEY = {"Idempotency-Key": "key-1"}


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@dataclass
class FakeTools:
    """Answers as told and takes down what is asked."""

    live: Mapping[tuple[str, str, str, str], Any] = field(default_factory=dict)
    listed: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    answer: Answer | StepError = field(default_factory=lambda: Answer(200, {}, "ok"))
    finished: Finished = field(default_factory=lambda: Finished(0, "", ""))
    variables: Mapping[str, str] = field(default_factory=dict)
    phases: Mapping[str, str] = field(default_factory=dict)
    reachable: Sequence[Mapping[str, Any]] = ()
    time: float = 1000.0
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def read(self, cluster: str, manifest: dict[str, Any]) -> Any:
        metadata = manifest["metadata"]
        key = (cluster, manifest["kind"], metadata["namespace"], metadata["name"])
        self.asked.append(("read", *key))
        return self.live.get(key)

    def objects(
        self, cluster: str, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[Any]:
        self.asked.append(("objects", cluster, api_version, kind, namespace, dict(labels)))
        return self.listed.get(kind, ())

    def delete(self, cluster: str, manifest: dict[str, Any]) -> None:
        self.asked.append(("delete", cluster, manifest["metadata"]["name"]))

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        body: str | None = None,
        timeout: float = 30,
    ) -> Answer:
        self.asked.append((method, url, dict(headers), body))
        if isinstance(self.answer, StepError):
            raise self.answer
        return self.answer

    def mail(self, message: Mail) -> None:
        self.asked.append(("mail", message))

    def run(
        self, command: Sequence[str], *, environment: Mapping[str, str], timeout: float
    ) -> Finished:
        self.asked.append(("run", tuple(command), dict(environment), timeout))
        return self.finished

    def variable(self, name: str) -> str:
        return self.variables[name]

    def phase_of(self, application: str) -> str | None:
        return self.phases.get(application)

    def endpoints(self, components: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        return [
            each for each in self.reachable if not components or each["component"] in components
        ]


def definition(name: str) -> StepDefinition[Any]:
    found = find(StepDefinition, name)
    assert found is not None
    return found


def parameters(name: str, properties: Mapping[str, Any]) -> Any:
    read, problems = definition(name).read(properties)
    assert problems == []
    return read


def act(
    name: str, properties: Mapping[str, Any], tools: FakeTools, context: StepContext = CONTEXT
) -> Result:
    found = definition(name)
    assert found.act is not None
    assert found.render is None
    return found.act(parameters(name, properties), context, tools)


def render(name: str, properties: Mapping[str, Any], context: Context = RENDERING) -> Rendered:
    found = definition(name)
    assert found.render is not None
    assert found.act is None
    return found.as_component().render(parameters(name, properties), context)


def problems_of(name: str, properties: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """The problems of reading parameters, or else of checking them."""
    read, problems = definition(name).read(properties)
    return problems if read is None else list(definition(name).check(read))


RUN_BY_THE_WORKFLOW = {
    "apply-component",
    "builtin-apply-component",
    "deploy",
    "deploy2env",
    "step-group",
    "suspend",
}


@pytest.mark.parametrize("name", types_of(StepDefinition))
def test_a_type_acts_or_renders_or_is_run_by_the_workflow_and_its_example_is_complete(
    name: str,
) -> None:
    found = definition(name)
    ways = [found.act is not None, found.render is not None, name in RUN_BY_THE_WORKFLOW]
    assert sum(ways) == 1
    assert problems_of(name, found.example) == []


# Problems


SECRET_URL = {"secretRef": {"name": "hook", "key": "url"}}
MESSAGE = {"text": "hello"}
SENDER: dict[str, Any] = {
    "address": "a@example.com",
    "host": "smtp.example.com",
    "password": {"value": "p"},
}
EMAIL: dict[str, Any] = {
    "from": SENDER,
    "to": ["b@example.com"],
    "content": {"subject": "S", "body": "B"},
}
ONE_WAY = "needs exactly one of value, secretRef and variable"


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        pytest.param("read-object", {"name": "x"}, [(("cluster",), NO_CLUSTER)], id="read"),
        pytest.param("read-object", {"name": "x", "cluster": "prod"}, [], id="read-fine"),
        pytest.param(
            "read-object", {"name": "", "cluster": "c"}, [(("name",), "must not be empty")], id="no"
        ),
        pytest.param("clean-jobs", {}, [(("cluster",), NO_CLUSTER)], id="clean-cluster"),
        pytest.param(
            "clean-jobs",
            {"cluster": "prod", "labelselector": {}},
            [
                (
                    ("labelselector",),
                    "must name a label: every Job and Pod of the namespace would be deleted",
                )
            ],
            id="clean-all",
        ),
        pytest.param(
            "webhook",
            {"url": SECRET_URL},
            [(("url", "secretRef", "cluster"), NO_CLUSTER)],
            id="webhook-secret",
        ),
        pytest.param("webhook", {"url": {"value": HOOK}}, [], id="webhook-fine"),
        pytest.param("webhook", {"url": {}}, [(("url",), ONE_WAY)], id="webhook-no-url"),
        pytest.param(
            "webhook",
            {"url": {"value": HOOK, "variable": "HOOK"}},
            [(("url",), ONE_WAY)],
            id="webhook-two-urls",
        ),
        pytest.param(
            "notification",
            {},
            [((), "tells nobody: give one of lark, dingding, slack, email")],
            id="nobody",
        ),
        pytest.param(
            "notification",
            {
                "slack": {"url": SECRET_URL, "message": MESSAGE},
                "email": {**EMAIL, "from": {**SENDER, "password": SECRET_URL}},
            },
            [
                (("slack", "url", "secretRef", "cluster"), NO_CLUSTER),
                (("email", "from", "password", "secretRef", "cluster"), NO_CLUSTER),
            ],
            id="notification-secrets",
        ),
        pytest.param(
            "notification",
            {"email": {**EMAIL, "to": []}},
            [(("email", "to"), "must not be empty: name who gets the mail")],
            id="mail-to-nobody",
        ),
        pytest.param(
            "run", {"command": []}, [(("command",), "must begin with a program")], id="no-command"
        ),
        pytest.param(
            "run",
            {"command": ["", "x"]},
            [(("command",), "must begin with a program")],
            id="no-program",
        ),
        pytest.param(
            "run",
            {"command": ["x"], "timeout": "1min"},
            [(("timeout",), 'failed to parse duration 1min: unknown unit "min"')],
            id="run-timeout",
        ),
        pytest.param(
            "suspend",
            {"duration": "1min"},
            [(("duration",), 'failed to parse duration 1min: unknown unit "min"')],
            id="suspend",
        ),
        pytest.param("suspend", {"duration": "30s"}, [], id="suspend-fine"),
        pytest.param(
            "check-metrics",
            {"query": "up", "condition": "about 1"},
            [(("condition",), 'must be a comparison with a number, such as ">=0.99"')],
            id="condition",
        ),
        pytest.param(
            "export2secret",
            {"secretName": "s", "cluster": "prod"},
            [(("data",), "is missing")],
            id="secret-without-data",
        ),
        pytest.param(
            "export2secret",
            {"secretName": "s", "kind": "docker-registry"},
            [(("dockerRegistry",), "is missing, kind docker-registry needs it")],
            id="secret-without-registry",
        ),
        pytest.param(
            "export2secret",
            {
                "secretName": "s",
                "data": {},
                "dockerRegistry": {"username": "u", "password": "p"},
            },
            [(("dockerRegistry",), "has no effect with kind generic")],
            id="secret-with-registry",
        ),
        pytest.param(
            "export2config",
            {"configName": "c", "data": {"n": 5}},
            [(("data", "n"), 'must be a string, is the number 5: write "5" in quotes')],
            id="config-number",
        ),
        pytest.param(
            "apply-deployment",
            {"image": "i", "replicas": -1},
            [(("replicas",), "must be at least 0, is -1")],
            id="replicas",
        ),
        pytest.param(
            "step-group", {"a": 1}, [(("a",), "is an unknown field")], id="group-parameter"
        ),
        pytest.param(
            "apply-component", {}, [(("component",), "is missing")], id="component-missing"
        ),
    ],
)
def test_problems(name: str, properties: dict[str, Any], expected: list[Any]) -> None:
    assert problems_of(name, properties) == expected


# What acts


CONFIG_MAP = {"kind": "ConfigMap", "data": {"cpu": "1"}}
READ = {"apiVersion": "v1", "kind": "ConfigMap", "name": "limits", "cluster": "prod"}


def test_an_object_is_read_and_waited_for() -> None:
    tools = FakeTools(live={("prod", "ConfigMap", "default", "limits"): CONFIG_MAP})
    values = {
        "value": CONFIG_MAP,
        "output": {"value": CONFIG_MAP, "$returns": {"value": CONFIG_MAP}},
    }
    assert act("read-object", READ, tools) == Done(values=values)
    missing = act("read-object", {**READ, "namespace": "apps"}, tools)
    assert missing == Waiting("wait for ConfigMap limits in namespace apps to be on cluster prod")


def test_what_a_secret_holds_is_secret() -> None:
    tools = FakeTools(live={("prod", "Secret", "default", "limits"): {"kind": "Secret"}})
    result = act("read-object", {**READ, "kind": "Secret"}, tools)
    assert isinstance(result, Done)
    assert result.secret


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("database", Done()),
        ("queue", Waiting("wait for app queue to be running")),
        ("unknown", Waiting("wait for app unknown to be running")),
        ("shop", Failed("app shop cannot wait for itself to be running")),
    ],
)
def test_another_application_is_waited_for(name: str, expected: Result) -> None:
    tools = FakeTools(phases={"database": "running", "queue": "runningWorkflow", "shop": "running"})
    assert act("depends-on-app", {"name": name, "namespace": "default"}, tools) == expected


RESPONSE = {"response": {"body": "ok", "header": {}, "statusCode": 200}}


@pytest.mark.parametrize(
    ("data", "body"),
    [
        pytest.param(None, APPLICATION, id="application"),
        pytest.param({}, {}, id="empty"),
        pytest.param({"text": "grün", "none": None}, {"text": "grün", "none": None}, id="data"),
    ],
)
def test_a_webhook_posts_json(data: Any, body: Any) -> None:
    tools = FakeTools()
    properties = {"url": {"value": HOOK}} | ({} if data is None else {"data": data})
    assert act("webhook", properties, tools) == Done(values=RESPONSE)
    ((method, url, headers, sent),) = tools.asked
    assert (method, url, headers, json.loads(sent)) == ("POST", HOOK, JSON_HEADERS, body)


def test_a_webhook_that_is_not_accepted_is_an_error_that_does_not_tell_the_url() -> None:
    tools = FakeTools(answer=Answer(400, {}, ""))
    with pytest.raises(StepError) as caught:
        act("webhook", {"url": {"value": HOOK}}, tools)
    expected = "https://hooks.example.com:8443 does not accept it: status 400"
    assert caught.value.message == expected


FROM_SECRET = {"secretRef": {"name": "hook", "key": "url", "cluster": "prod"}}
HELD = ("prod", "Secret", "apps", "hook")


@pytest.mark.parametrize(
    ("url", "tools"),
    [
        pytest.param({"value": HOOK}, FakeTools(), id="value"),
        pytest.param({"variable": "HOOK"}, FakeTools(variables={"HOOK": HOOK}), id="variable"),
        pytest.param(
            FROM_SECRET,
            FakeTools(live={HELD: {"data": {"url": encoded(f"{HOOK}\n")}}}),
            id="secret",
        ),
    ],
)
def test_a_url_may_be_kept_elsewhere(url: Any, tools: FakeTools) -> None:
    act("webhook", {"url": url}, tools)
    assert tools.asked[-1][1] == HOOK


@pytest.mark.parametrize(
    ("live", "message"),
    [
        pytest.param({}, "cluster prod has no Secret hook in namespace apps", id="no-secret"),
        pytest.param(
            {HELD: {"kind": "Secret"}},
            "Secret hook in namespace apps on cluster prod has no key url",
            id="no-data",
        ),
        pytest.param(
            {HELD: {"data": {"url": encoded(b"\xff\xfe")}}},
            "Secret hook in namespace apps on cluster prod: what is under key url is no text",
            id="bytes",
        ),
        pytest.param(
            {HELD: {"data": {"url": "***"}}},
            "Secret hook in namespace apps on cluster prod: what is under key url is no text",
            id="no-base64",
        ),
    ],
)
def test_a_secret_that_does_not_hold_the_url_is_an_error(live: Any, message: str) -> None:
    with pytest.raises(StepError) as caught:
        act("webhook", {"url": FROM_SECRET}, FakeTools(live=live))
    assert caught.value.message == message


def answered(body: Any, **fields: Any) -> dict[str, Any]:
    return {"body": body, "header": {"etag": "1"}, "statusCode": 200, **fields}


@pytest.mark.parametrize(
    ("body", "values"),
    [
        pytest.param("text", {"response": answered("text")}, id="text"),
        pytest.param(
            '{"stars": 5}',
            {"response": answered('{"stars": 5}', stars=5), "body": {"stars": 5}},
            id="map",
        ),
        pytest.param('{"body": 1}', {"response": answered(1), "body": {"body": 1}}, id="own-body"),
        pytest.param("[1]", {"response": answered("[1]"), "body": [1]}, id="list"),
        pytest.param("NaN", {"response": answered("NaN")}, id="nan"),
        pytest.param("1e999", {"response": answered("1e999")}, id="without-end"),
        pytest.param(r'"\ud800"', {"response": answered(r'"\ud800"')}, id="half-character"),
        pytest.param("[" * 99999, {"response": answered("[" * 99999)}, id="too-deep"),
    ],
)
def test_the_answer_to_a_request_gives_values(body: str, values: Any) -> None:
    tools = FakeTools(answer=Answer(200, {"etag": "1"}, body))
    assert act("request", {"url": HOOK}, tools) == Done(values=values)
    assert tools.asked == [("GET", HOOK, KEY, None)]


@pytest.mark.parametrize(
    ("properties", "headers", "body"),
    [
        pytest.param({}, KEY, None, id="none"),
        pytest.param({"body": {"a": None}}, JSON_HEADERS, '{"a": null}', id="body"),
        pytest.param({"header": {"A": "b"}}, {**KEY, "A": "b"}, None, id="header"),
        pytest.param(
            {"body": {}, "header": {"content-type": "x", "IDEMPOTENCY-KEY": "mine"}},
            {"content-type": "x", "IDEMPOTENCY-KEY": "mine"},
            "{}",
            id="own-headers",
        ),
    ],
)
def test_a_request_is_sent_as_told(properties: Any, headers: Any, body: Any) -> None:
    tools = FakeTools()
    act("request", {"url": HOOK, "method": "PUT", **properties}, tools)
    assert tools.asked == [("PUT", HOOK, headers, body)]


@pytest.mark.parametrize("status", [401, 500])
def test_a_request_with_a_status_over_400_is_an_error(status: int) -> None:
    with pytest.raises(StepError) as caught:
        act("request", {"url": HOOK}, FakeTools(answer=Answer(status, {}, "")))
    shown = "https://hooks.example.com:8443/services/T1"
    assert caught.value.message == f"request of {shown} is fail: {status}"


def test_a_request_with_status_400_is_done() -> None:
    result = act("request", {"url": HOOK}, FakeTools(answer=Answer(400, {}, "")))
    assert isinstance(result, Done)


@pytest.mark.parametrize(
    ("url", "origin", "public"),
    [
        (HOOK, "https://hooks.example.com:8443", "https://hooks.example.com:8443/services/T1"),
        ("http://[::1]:80/a#b", "http://[::1]:80", "http://[::1]:80/a"),
        ("http://Host", "http://host", "http://host"),
        ("secret", "the URL", "the URL"),
        ("http:///path", "the URL", "the URL"),
        ("http://[::1", "the URL", "the URL"),
        ("http://host:port/", "the URL", "the URL"),
    ],
)
def test_of_a_url_only_so_much_is_told(url: str, origin: str, public: str) -> None:
    assert (origin_of(url), public_url(url)) == (origin, public)


LARK = {"url": {"value": "https://lark"}, "message": {"msg_type": "text", "content": "{}"}}
DING = {"url": {"value": "https://ding"}, "message": {"text": {"content": "hello"}}}
SLACK = {"url": {"value": "https://slack"}, "message": MESSAGE}
CARD = {"title": "T", "text": "X", "btns": [{"title": "Go", "actionURL": "u"}]}


@pytest.mark.parametrize(
    ("channel", "url", "body"),
    [
        pytest.param({"lark": LARK}, "https://lark", LARK["message"], id="lark"),
        pytest.param(
            {"dingding": DING},
            "https://ding",
            {"msgtype": "text", "text": {"content": "hello"}},
            id="dingding",
        ),
        pytest.param(
            {
                "dingding": {
                    **DING,
                    "message": {"msgtype": "actionCard", "actionCard": CARD, "at": {}},
                }
            },
            "https://ding",
            {"msgtype": "actionCard", "actionCard": CARD, "at": {}},
            id="dingding-card",
        ),
        pytest.param({"slack": SLACK}, "https://slack", MESSAGE, id="slack"),
        pytest.param(
            {"slack": {**SLACK, "message": {**MESSAGE, "mrkdwn": False, "blocks": [{"a": 1}]}}},
            "https://slack",
            {**MESSAGE, "mrkdwn": False, "blocks": [{"a": 1}]},
            id="slack-blocks",
        ),
    ],
)
def test_a_notification_is_posted(channel: Any, url: str, body: Any) -> None:
    tools = FakeTools()
    (name,) = channel
    assert act("notification", channel, tools) == Done(f"sent to {name}")
    ((method, asked, headers, sent),) = tools.asked
    assert (method, asked, headers, json.loads(sent)) == ("POST", url, JSON_HEADERS, body)


def test_a_notification_is_mailed() -> None:
    tools = FakeTools(variables={"PASSWORD": " secret "})
    sender = {**SENDER, "alias": "Shop", "password": {"variable": "PASSWORD"}, "port": 465}
    assert act("notification", {"email": {**EMAIL, "from": sender}}, tools) == Done("sent to email")
    mail = Mail(
        host="smtp.example.com",
        port=465,
        user="a@example.com",
        password=" secret ",
        alias="Shop",
        to=("b@example.com",),
        subject="S",
        body="B",
    )
    assert tools.asked == [("mail", mail)]


def test_mail_goes_to_port_587_unless_told() -> None:
    tools = FakeTools()
    act("notification", {"email": EMAIL}, tools)
    assert (tools.asked[0][1].port, tools.asked[0][1].alias) == (587, "")


def test_several_channels_are_told_one_after_the_other_and_none_twice() -> None:
    properties = {"email": EMAIL, "slack": SLACK, "lark": LARK}
    tools = FakeTools()
    first = act("notification", properties, tools)
    assert first == Waiting("sent to lark; slack is next", {"sent": ["lark"]})
    context = replace(CONTEXT, memory={"sent": ["lark"]})
    with pytest.raises(StepError, match=r"https://slack does not accept it: status 503"):
        act("notification", properties, FakeTools(answer=Answer(503, {}, "")), context)
    second = act("notification", properties, tools, context)
    assert second == Waiting("sent to lark, slack; email is next", {"sent": ["lark", "slack"]})
    context = replace(CONTEXT, memory={"sent": ["lark", "slack"]})
    third = act("notification", properties, tools, context)
    assert third == Done("sent to lark, slack, email")
    assert [asked[0] for asked in tools.asked] == ["POST", "POST", "mail"]
    everything = replace(CONTEXT, memory={"sent": ["lark", "slack", "email"]})
    assert act("notification", properties, tools, everything) == third
    assert len(tools.asked) == 3


@pytest.mark.parametrize(
    ("channel", "body", "message"),
    [
        pytest.param({"lark": LARK}, '{"code": 19001}', "https://lark .*: code 19001", id="lark"),
        pytest.param(
            {"dingding": DING}, '{"errcode": 310000}', "https://ding .*: errcode 310000", id="ding"
        ),
    ],
)
def test_an_error_number_in_an_answer_is_an_error(channel: Any, body: str, message: str) -> None:
    with pytest.raises(StepError, match=message):
        act("notification", channel, FakeTools(answer=Answer(200, {}, body)))


@pytest.mark.parametrize(
    ("channel", "body"),
    [
        pytest.param({"lark": LARK}, '{"code": 0}', id="lark"),
        pytest.param({"dingding": DING}, '{"errcode": 0}', id="ding"),
        pytest.param({"slack": SLACK}, '{"code": 5}', id="slack"),
        pytest.param({"lark": LARK}, "[1]", id="list"),
    ],
)
def test_an_answer_without_an_error_number_is_fine(channel: Any, body: str) -> None:
    result = act("notification", channel, FakeTools(answer=Answer(200, {}, body)))
    assert isinstance(result, Done)


def test_a_message_is_shown_and_can_be_taken() -> None:
    expected = Done("half way", {"message": "half way"})
    assert act("print-message-in-status", {"message": "half way"}, FakeTools()) == expected


# Endpoints


def service(
    kind: str, ports: Sequence[Any], status: Mapping[str, Any] | None = None, name: str = "web"
) -> Any:
    live = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "apps", "uid": "u1", "resourceVersion": "7"},
        "spec": {"type": kind, "ports": ports},
    }
    if status is not None:
        live["status"] = status
    return {"cluster": "prod", "component": name, "object": live}


REF = {"kind": "Service", "apiVersion": "v1", "namespace": "apps", "name": "web", "uid": "u1"}
REF |= {"resourceVersion": "7"}
HTTP_PORT = {"name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP"}
UDP_PORT = {"port": 53, "nodePort": 30053, "protocol": "UDP"}
BALANCED = {"loadBalancer": {"ingress": [{"hostname": "lb.example.com", "ip": "192.0.2.1"}]}}


def endpoint(host: str, port: int, **more: Any) -> dict[str, Any]:
    return {"protocol": "TCP", "appProtocol": "http", "host": host, "port": port, **more}


def dns(host: str, port: int, **more: Any) -> dict[str, Any]:
    return {**endpoint(host, port, **more), "protocol": "UDP", "appProtocol": ""}


def ingress(spec: Mapping[str, Any], **more: Any) -> Any:
    metadata = {"name": "web", "namespace": "apps", **more.pop("metadata", {})}
    live = {"kind": "Ingress", "metadata": metadata, "spec": spec, **more}
    return {"cluster": "prod", "component": "web", "object": live}


PATHS = {"http": {"paths": [{"path": "/shop"}, {"path": ""}]}}
ANNOTATED = {
    "annotations": {
        "ingress.controller/host": "gate",
        "ingress.controller/http-port": "8000",
        "ingress.controller/https-port": "wrong",
    }
}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(
            service("LoadBalancer", [HTTP_PORT, UDP_PORT], BALANCED),
            [
                endpoint("lb.example.com", 80, portName="http"),
                endpoint("192.0.2.1", 80, portName="http"),
                dns("lb.example.com", 53),
                dns("192.0.2.1", 53),
            ],
            id="load-balancer",
        ),
        pytest.param(service("LoadBalancer", [HTTP_PORT], {}), [], id="no-address-yet"),
        pytest.param(service("LoadBalancer", [HTTP_PORT]), [], id="no-status-yet"),
        pytest.param(
            service("NodePort", [HTTP_PORT, UDP_PORT]),
            [endpoint("10.0.0.1", 30080, portName="http"), dns("10.0.0.1", 30053)],
            id="node-port",
        ),
        pytest.param(
            service("ClusterIP", [HTTP_PORT]),
            [endpoint("web.apps", 80, portName="http", inner=True)],
            id="cluster-ip",
        ),
        pytest.param(service("ExternalName", []), [], id="no-ports"),
        pytest.param(
            ingress({"rules": [{"host": "shop.example.com", **PATHS}]}),
            [endpoint("shop.example.com", 80, path="/shop"), endpoint("shop.example.com", 80)],
            id="ingress",
        ),
        pytest.param(
            ingress(
                {
                    "rules": [{"host": "a", **PATHS}, {"host": "b", **PATHS}],
                    "tls": [{"hosts": ["b"]}],
                },
                metadata=ANNOTATED,
            ),
            [
                endpoint("a", 8000, path="/shop"),
                endpoint("a", 8000),
                {**endpoint("b", 443, path="/shop"), "appProtocol": "https"},
                {**endpoint("b", 443), "appProtocol": "https"},
            ],
            id="ingress-tls-and-ports",
        ),
        pytest.param(
            ingress({"rules": [PATHS], "tls": [{}]}, metadata=ANNOTATED),
            [
                {**endpoint("gate", 443, path="/shop"), "appProtocol": "https"},
                {**endpoint("gate", 443), "appProtocol": "https"},
            ],
            id="ingress-tls-for-all",
        ),
        pytest.param(
            ingress({"rules": [PATHS]}, status=BALANCED),
            [endpoint("lb.example.com", 80, path="/shop"), endpoint("lb.example.com", 80)],
            id="ingress-address",
        ),
        pytest.param(ingress({"rules": [PATHS]}), [], id="ingress-without-host"),
        pytest.param(ingress({"rules": [{"host": "a"}]}), [], id="ingress-without-paths"),
        pytest.param(ingress({}), [], id="ingress-without-rules"),
        pytest.param(
            {"cluster": "prod", "component": "web", "object": {"kind": "ConfigMap"}},
            [],
            id="other-kind",
        ),
    ],
)
def test_endpoints_are_collected(entry: Any, expected: list[Any]) -> None:
    nodes = [{"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}}]
    tools = FakeTools(reachable=[entry], listed={"Node": nodes})
    result = act("collect-service-endpoints", {}, tools)
    if not expected:
        assert result == Waiting("wait for an endpoint of shop")
        return
    assert isinstance(result, Done)
    found = result.values["outputs"]["endpoints"]
    assert [each["endpoint"] for each in found] == expected
    assert {(each["cluster"], each["component"]) for each in found} == {("prod", "web")}
    assert result.values["value"]["endpoints"] == found
    assert result.values["value"]["endpoint"] == expected[0]
    assert tools.asked in ([], [("objects", "prod", "v1", "Node", "", {})])


def test_an_endpoint_names_its_object_and_gives_a_url() -> None:
    tools = FakeTools(reachable=[service("ClusterIP", [{"port": 8080}])])
    result = act("collect-service-endpoints", {"protocal": "https"}, tools)
    one = {
        "endpoint": endpoint("web.apps", 8080, inner=True),
        "ref": REF,
        "cluster": "prod",
        "component": "web",
    }
    url = "https://web.apps:8080"
    assert result == Done(
        url,
        {
            "outputs": {"endpoints": [one]},
            "value": {"endpoints": [one], "endpoint": one["endpoint"], "url": url},
        },
    )


def test_the_url_of_an_ipv6_address_has_brackets() -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "2001:db8::1"}]}}
    tools = FakeTools(reachable=[service("LoadBalancer", [HTTP_PORT], status)])
    result = act("collect-service-endpoints", {}, tools)
    assert isinstance(result, Done)
    assert result.values["value"]["url"] == "http://[2001:db8::1]:80"


@pytest.mark.parametrize(
    ("properties", "hosts"),
    [
        pytest.param({}, ["web.apps", "lb.example.com", "192.0.2.1"], id="all"),
        pytest.param({"name": "shop", "outer": True}, ["lb.example.com", "192.0.2.1"], id="outer"),
        pytest.param({"components": ["web"]}, ["web.apps"], id="component"),
        pytest.param({"port": 53}, ["lb.example.com", "192.0.2.1"], id="port"),
        pytest.param({"portName": "http"}, ["web.apps"], id="port-name"),
        pytest.param({"portName": "dns"}, [], id="none"),
    ],
)
def test_endpoints_are_chosen(properties: Any, hosts: list[str]) -> None:
    entries = [
        service("ClusterIP", [HTTP_PORT]),
        service("LoadBalancer", [UDP_PORT], BALANCED, "dns"),
    ]
    result = act("collect-service-endpoints", properties, FakeTools(reachable=entries))
    if not hosts:
        assert result == Waiting("wait for an endpoint of shop")
        return
    assert isinstance(result, Done)
    assert [each["endpoint"]["host"] for each in result.values["outputs"]["endpoints"]] == hosts
    many = len(hosts)
    assert (f"first of {many} endpoints: " in result.message) == (many > 1)


def test_endpoints_of_components_and_of_others_are_told() -> None:
    waiting = act("collect-service-endpoints", {"components": ["a", "b"]}, FakeTools())
    assert waiting == Waiting("wait for an endpoint of a, b")
    failed = act("collect-service-endpoints", {"name": "other"}, FakeTools())
    assert failed == Failed(
        "endpoints of app other cannot be collected, only those of shop itself: leave out name"
    )


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([], ""),
        ([{}], ""),
        ([{"status": {}}], ""),
        ([{"status": {"addresses": [{"type": "Hostname", "address": "n"}]}}], ""),
        (
            [
                {"status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}},
                {"status": {"addresses": [{"type": "ExternalIP", "address": "192.0.2.9"}]}},
            ],
            "192.0.2.9",
        ),
    ],
)
def test_an_address_of_the_nodes(nodes: list[Any], expected: str) -> None:
    assert address_of(nodes) == expected


# Metrics


def result(kind: str, *results: Any) -> Answer:
    found = list(results) if kind != "scalar" else results[0]
    document = {"status": "success", "data": {"resultType": kind, "result": found}}
    return Answer(200, {}, json.dumps(document))


def sample(number: str) -> dict[str, Any]:
    return {"metric": {}, "value": [1000, number]}


METRICS = {
    "query": "sum(up) > 0",
    "metricEndpoint": "http://prometheus:9090/base/",
    "condition": ">=0.99",
}
BAD = "the result is 0.5 and should be >=0.99"


@pytest.mark.parametrize(
    ("number", "memory", "expected"),
    [
        pytest.param(
            "1",
            {},
            Waiting("the result is 1 and should be >=0.99, for 0s of 5m", {"good": 1000.0}),
            id="good-at-first",
        ),
        pytest.param(
            "1",
            {"good": 701.0},
            Waiting("the result is 1 and should be >=0.99, for 4m59s of 5m", {"good": 701.0}),
            id="good-not-long-enough",
        ),
        pytest.param(
            "1",
            {"good": 700.0},
            Done("the result is 1 and should be >=0.99, for 5m", {"value": 1.0}),
            id="good-long-enough",
        ),
        pytest.param(
            "1",
            {"bad": 1.0},
            Waiting("the result is 1 and should be >=0.99, for 0s of 5m", {"good": 1000.0}),
            id="good-again",
        ),
        pytest.param(
            "0.5", {}, Waiting(f"{BAD}, for 0s of 2m", {"bad": 1000.0}), id="bad-at-first"
        ),
        pytest.param(
            "0.5",
            {"bad": 881.0},
            Waiting(f"{BAD}, for 1m59s of 2m", {"bad": 881.0}),
            id="bad-not-long-enough",
        ),
        pytest.param("0.5", {"bad": 880.0}, Failed(f"{BAD}, for 2m"), id="bad-long-enough"),
        pytest.param(
            "0.5",
            {"good": 1.0},
            Waiting(f"{BAD}, for 0s of 2m", {"bad": 1000.0}),
            id="bad-again",
        ),
        pytest.param(
            "1",
            {"good": 2000.0},
            Waiting("the result is 1 and should be >=0.99, for 0s of 5m", {"good": 2000.0}),
            id="clock-set-back",
        ),
    ],
)
def test_metrics_must_be_good_for_a_while(number: str, memory: Any, expected: Result) -> None:
    tools = FakeTools(answer=result("vector", sample(number)))
    assert act("check-metrics", METRICS, tools, replace(CONTEXT, memory=memory)) == expected
    asked = "http://prometheus:9090/base/api/v1/query?query=sum%28up%29+%3E+0"
    assert tools.asked == [("GET", asked, {}, None)]


@pytest.mark.parametrize(
    ("condition", "number", "good"),
    [
        (">= 0.99", "0.99", True),
        (">=0.99", "0.98", False),
        (">1", "+Inf", True),
        ("<1", "-Inf", True),
        ("<=1", "1", True),
        (" == -1.5e1 ", "-15", True),
        ("!=0", "1", True),
        ("!=0", "0", False),
        ("!=0", "NaN", False),
        (">.5", "0.6", True),
    ],
)
def test_conditions_of_metrics(condition: str, number: str, good: bool) -> None:
    properties = {**METRICS, "condition": condition, "duration": "0s", "failDuration": "0s"}
    answer = result("scalar", [1000, number])
    outcome = act("check-metrics", properties, FakeTools(answer=answer))
    assert isinstance(outcome, Done if good else Failed)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(result("vector"), "the query gives 0 results, it must give one number"),
        pytest.param(
            result("vector", sample("1"), sample("2")),
            "the query gives 2 results, it must give one number",
        ),
        pytest.param(result("matrix"), "the query gives matrix, it must give one number"),
        pytest.param(
            Answer(400, {}, '{"status": "error", "error": "parse error"}'),
            "Prometheus at http://prometheus:9090/base cannot answer the query: "
            "status 400: parse error",
        ),
        pytest.param(
            Answer(502, {}, "<html>"),
            "Prometheus at http://prometheus:9090/base cannot answer the query: status 502",
        ),
        pytest.param(
            Answer(200, {}, "[" * 99999),
            "Prometheus at http://prometheus:9090/base cannot answer the query: status 200",
        ),
        *(
            pytest.param(
                Answer(200, {}, text),
                "Prometheus at http://prometheus:9090/base does not answer as Prometheus does",
            )
            for text in [
                '{"status": "success"}',
                '{"status": "success", "data": []}',
                '{"status": "success", "data": {"resultType": "scalar", "result": [1]}}',
                '{"status": "success", "data": {"resultType": "scalar", "result": [1, "x"]}}',
                '{"status": "success", "data": {"resultType": "vector", "result": [{}]}}',
            ]
        ),
    ],
)
def test_what_is_no_number_is_an_error(answer: Answer, message: str) -> None:
    with pytest.raises(StepError) as caught:
        act("check-metrics", METRICS, FakeTools(answer=answer))
    assert caught.value.message == message


# Jobs and commands


@pytest.mark.parametrize(
    ("properties", "namespace", "labels"),
    [
        pytest.param({}, "apps", {"workflow.oam.dev/name": "shop"}, id="defaults"),
        pytest.param({"namespace": "x", "labelselector": {"a": "b"}}, "x", {"a": "b"}, id="given"),
    ],
)
def test_jobs_and_pods_are_deleted(properties: Any, namespace: str, labels: Any) -> None:
    named = {kind: [{"metadata": {"name": f"{kind}-1"}}] for kind in ("Job", "Pod")}
    named["Pod"] += [{"metadata": {"name": "Pod-2"}}]
    tools = FakeTools(listed=named)
    outcome = act("clean-jobs", {"cluster": "prod", **properties}, tools)
    assert outcome == Done("deleted 1 Job and 2 Pods")
    assert tools.asked == [
        ("objects", "prod", "batch/v1", "Job", namespace, labels),
        ("delete", "prod", "Job-1"),
        ("objects", "prod", "v1", "Pod", namespace, labels),
        ("delete", "prod", "Pod-1"),
        ("delete", "prod", "Pod-2"),
    ]


@pytest.mark.parametrize(
    ("finished", "expected"),
    [
        pytest.param(
            Finished(0, "v1\nv2\n\n", "noise"), Done(values={"output": "v1\nv2", "code": 0}), id="0"
        ),
        pytest.param(
            Finished(3, "out", "first\nlast\n\n"), Failed("test.sh ended with code 3: last"), id="3"
        ),
        pytest.param(Finished(1, "out", ""), Failed("test.sh ended with code 1"), id="silent"),
        pytest.param(Finished(-15, "", "x"), Failed("test.sh was ended by signal 15"), id="signal"),
        pytest.param(
            Finished(-9, "", "", late=True),
            Failed("test.sh had not ended after 90s and was killed"),
            id="late",
        ),
    ],
)
def test_a_command_is_run(finished: Finished, expected: Result) -> None:
    tools = FakeTools(finished=finished)
    properties = {"command": ["test.sh", "-v"], "env": {"A": "b"}, "timeout": "90s"}
    assert act("run", properties, tools) == expected
    environment = {"A": "b", "VELAPULUMI_STEP_ID": "key-1"}
    assert tools.asked == [("run", ("test.sh", "-v"), environment, 90.0)]


def test_a_command_may_take_ten_minutes() -> None:
    tools = FakeTools()
    act("run", {"command": ["x"], "env": {"VELAPULUMI_STEP_ID": "mine"}}, tools)
    assert tools.asked == [("run", ("x",), {"VELAPULUMI_STEP_ID": "key-1"}, 600.0)]


# What renders


STEP_LABEL = {"workflow.oam.dev/step-name": "shop-tell"}


def deployment(replicas: int, **container: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "tell"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": STEP_LABEL},
            "template": {
                "metadata": {"labels": STEP_LABEL},
                "spec": {"containers": [{"name": "tell", "image": "nginx", **container}]},
            },
        },
    }


OBJECT = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"a": None}}
SIGN_IN = '{"auths":{"https://index.docker.io/v1/":{"username":"u","password":"p","auth":"dTpw"}}}'
REGISTRY = {"kind": "docker-registry", "dockerRegistry": {"username": "u", "password": "p"}}


def secret(data: Mapping[str, str], **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": data,
        **more,
    }


def exported(name: str = "shop", namespace: str = "apps") -> tuple[dict[str, Any], dict[str, Any]]:
    metadata = {"name": name, "namespace": namespace}
    ports = [{"protocol": "TCP", "port": 80, "targetPort": 8080}]
    subset = {"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 8080}]}
    return (
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"type": "ClusterIP", "ports": ports},
        },
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]},
    )


EXPORT_SERVICE = {"ip": "192.0.2.1", "port": 80, "targetPort": 8080}


@pytest.mark.parametrize(
    ("name", "properties", "objects", "target"),
    [
        pytest.param(
            "apply-object", {"value": OBJECT, "cluster": "prod"}, [OBJECT], Target("prod"), id="obj"
        ),
        pytest.param(
            "apply-deployment", {"image": "nginx"}, [deployment(1)], Target(), id="deployment"
        ),
        pytest.param(
            "apply-deployment",
            {"image": "nginx", "replicas": 0, "cmd": ["a", "b"], "cluster": "prod"},
            [deployment(0, command=["a", "b"])],
            Target("prod"),
            id="deployment-command",
        ),
        pytest.param(
            "export2config",
            {"configName": "c", "namespace": "x", "data": {"a": "b"}, "cluster": "prod"},
            [
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "c"},
                    "data": {"a": "b"},
                }
            ],
            Target("prod", "x"),
            id="config",
        ),
        pytest.param(
            "export2secret",
            {"secretName": "s", "namespace": "x", "data": {"a": "b"}, "cluster": "prod"},
            [secret({"a": "b"})],
            Target("prod", "x"),
            id="secret",
        ),
        pytest.param(
            "export2secret",
            {"secretName": "s", "data": {"a": "b"}, "type": "Opaque"},
            [secret({"a": "b"}, type="Opaque")],
            Target(),
            id="secret-type",
        ),
        pytest.param(
            "export2secret",
            {"secretName": "s", **REGISTRY},
            [secret({".dockerconfigjson": SIGN_IN}, type="kubernetes.io/dockerconfigjson")],
            Target(),
            id="secret-registry",
        ),
        pytest.param(
            "export2secret",
            {"secretName": "s", **REGISTRY, "data": {"a": "b"}, "type": "own"},
            [secret({"a": "b", ".dockerconfigjson": SIGN_IN}, type="own")],
            Target(),
            id="secret-registry-type",
        ),
        pytest.param(
            "export-data",
            {"data": {"a": "b"}, "topology": "all"},
            [
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": "shop", "namespace": "apps"},
                    "data": {"a": "b"},
                }
            ],
            Target(topology="all"),
            id="data",
        ),
        pytest.param(
            "export-data",
            {"data": {"a": "b"}, "kind": "Secret", "name": "n", "namespace": "x"},
            [
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "metadata": {"name": "n", "namespace": "x"},
                    "stringData": {"a": "b"},
                }
            ],
            Target(namespace="x"),
            id="data-secret",
        ),
        pytest.param(
            "export-service",
            {**EXPORT_SERVICE, "topology": "all"},
            exported(),
            Target(topology="all"),
            id="service",
        ),
        pytest.param(
            "export-service",
            {**EXPORT_SERVICE, "name": "n", "namespace": "x"},
            exported("n", "x"),
            Target(namespace="x"),
            id="service-named",
        ),
    ],
)
def test_objects_and_where_they_go(
    name: str, properties: Any, objects: Sequence[Any], target: Target
) -> None:
    rendered = render(name, properties)
    assert [rendered.workload, *rendered.outputs.values()] == list(objects)
    assert definition(name).target(parameters(name, properties)) == target


def test_only_an_ip_address_can_be_exported() -> None:
    with pytest.raises(RenderError) as caught:
        render("export-service", {**EXPORT_SERVICE, "ip": "web.apps"})
    assert caught.value.path == ("ip",)
    assert caught.value.message == '"web.apps" is no IP address, and only such can be exported'


def test_a_name_too_long_for_the_label_of_a_deployment_is_refused() -> None:
    with pytest.raises(RenderError, match="give the step a shorter name"):
        render("apply-deployment", {"image": "i"}, replace(RENDERING, name="s" * 59))
    assert render("apply-deployment", {"image": "i"}, replace(RENDERING, name="s" * 58))


@pytest.mark.parametrize(
    ("status", "replicas", "expected"),
    [
        pytest.param({}, 2, Health(False, "Ready:0/2"), id="starts"),
        pytest.param(
            {"readyReplicas": 2, "observedGeneration": 3}, 2, Health(True, "Ready:2/2"), id="ready"
        ),
        pytest.param(
            {"readyReplicas": 2, "observedGeneration": 2}, 2, Health(False, "Ready:2/2"), id="old"
        ),
        pytest.param({"observedGeneration": 3}, 0, Health(True, "Ready:0/0"), id="none-wanted"),
    ],
)
def test_health_of_a_deployment(status: Any, replicas: int, expected: Health) -> None:
    live = {"metadata": {"generation": 3}, "spec": {"replicas": replicas}, "status": status}
    assert definition("apply-deployment").as_component().health(live) == expected


@pytest.mark.parametrize(
    "name", ["apply-object", "export2config", "export2secret", "export-data", "export-service"]
)
def test_other_objects_are_not_waited_for(name: str) -> None:
    assert definition(name).health({"kind": "Service"}) == Health(True, "")


def test_the_old_name_of_apply_component_is_deprecated() -> None:
    old, new = definition("builtin-apply-component"), definition("apply-component")
    assert (old.parameters, old.deprecated) == (new.parameters, "apply-component")
