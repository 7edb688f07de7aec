"""What others change or delete in a cluster: shown before it is put back, and nothing else is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.clusters import STAGING, Project
from tests.e2e.evidence import Audit, Write
from tests.e2e.test_policies import Story, app, config_map, deployment, secret

KINDS = {
    "configmaps": "ConfigMap",
    "jobs": "Job",
    "namespaces": "Namespace",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "statefulsets": "StatefulSet",
    "deployments": "Deployment",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
    "services": "Service",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
}


class Truth(Story):
    """A story in which nothing is written that was not said, and nothing by what only tells."""

    def __init__(self, project: Project, namespace: str) -> None:
        super().__init__(project, namespace)
        self.audit = Audit(project.clusters.values())
        self.written: frozenset[str] = frozenset()

    def plan(self, text: str, *more: str, code: int, file: str = "app.yaml") -> str:
        """The plan of an application, and why it is refused if it is; it writes nothing."""
        path = self.project.root / file
        path.write_text(text)
        with self.silence():
            done = self.project.run("plan", "-f", str(path), *more)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def refused(self, text: str, *more: str, code: int = 1, file: str = "app.yaml") -> str:
        """What a delivery is refused with before it writes anything."""
        with self.silence():
            return self.up(text, *more, code=code, file=file)

    def delivered(self, text: str, *more: str, file: str = "app.yaml") -> str:
        """Deliver; each object that is written must be named, and is in ``written``."""
        self.audit.new()
        shown = self.up(text, *more, file=file)
        self.written = frozenset(map(title, self.audit.new()))
        for each in self.written:
            assert each in shown, (each, shown)
        return shown

    def status(self, name: str = "shop") -> str:
        with self.silence():
            done = self.project.run("status", name)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Nothing is written to any cluster meanwhile."""
        self.audit.new()
        yield
        assert self.audit.new() == []

    def value(self, kind: str, name: str, part: str) -> Any:
        found = self.get(kind, name)
        assert found is not None
        return found[part]

    def uid(self, kind: str, name: str) -> str:
        return str(self.value(kind, name, "metadata")["uid"])


@pytest.fixture
def story(copied: Callable[[str], Project], namespace: str) -> Truth:
    return Truth(copied("project"), namespace)


def title(write: Write) -> str:
    """How people call what is written."""
    return f"{KINDS[write.resource]} {write.name}"


def section(shown: str, kind: str, name: str) -> str:
    """What a plan says of one object: its line and the lines below it that are indented more."""
    lines = iter(shown.splitlines())
    for line in lines:
        if f"{kind} " in line and re.search(rf"[ /]{name}(?![-\w.]| on )", line):
            depth = len(line) - len(line.lstrip())
            found = [line.strip()]
            for below in lines:
                if len(below) - len(below.lstrip()) <= depth:
                    break
                found.append(below.strip())
            return "\n".join(found)
    raise AssertionError(f"{kind} {name} is not in:\n{shown}")


NAMED = {
    "ConfigMap edited": "data.a: by hand → b (changed by kubectl-edit at",
    "Deployment scaled": "spec.replicas: 3 → 1 (changed by kubectl (scale))",
    "Deployment image": "- theirs:9\n+ nginx",
}
"""What is said of each object that others have changed."""


def test_drift_is_shown_with_its_manager_and_mended_and_nothing_else(story: Truth) -> None:
    objects = {
        "data": [config_map("gone", a="b"), config_map("edited", a="b"), config_map("same", a="b")],
        "web": [deployment("scaled"), deployment("image"), deployment("left")],
    }
    once = {"rules": [{"selector": {"resourceNames": ["left"]}, "strategy": {"path": ["*"]}}]}
    text = app(story.namespace, objects, ("apply-once", {"enable": True, **once}))
    story.up(text)
    story.kubectl("delete", "configmap", "gone")
    story.kubectl("scale", "deployment", "scaled", "--replicas=3")
    story.kubectl("scale", "deployment", "left", "--replicas=4")
    story.kubectl("set", "image", "deployment", "image", "main=theirs:9")
    patch = '{"data": {"a": "by hand", "other": "stays"}}'
    story.kubectl("patch", "configmap", "edited", "--field-manager=kubectl-edit", "-p", patch)
    same = story.get("configmap", "same")

    told = story.status()
    assert f"ConfigMap {story.namespace}/gone on {STAGING} was deleted in the cluster" in told
    assert "data.a is by hand, delivered was b (changed by kubectl-edit at " in told
    assert "spec.replicas is 3, delivered was 1 (changed by kubectl (scale))" in told
    assert "image is theirs:9, delivered was nginx (changed by kubectl-set at " in told
    for shown in (story.plan(text, code=3), story.delivered(text)):
        assert "not healthy" not in shown
        assert f"ConfigMap {story.namespace}/same" not in shown
        assert section(shown, "+ ConfigMap", "gone").endswith(
            "(create again: deleted in the cluster by others)\n"
            "data.a: b\n… 8 more fields, all with plan --full"
        )
        for title, words in NAMED.items():
            found = section(shown, *title.split())
            assert found.startswith("~ "), found
            assert "(put back: changed in the cluster)" in found
            assert words in found
    assert story.written == {
        f"{kind} {story.namespace}/{name}"
        for kind, name in (*map(str.split, NAMED), ("ConfigMap", "gone"))
    }
    assert "6 unchanged" in story.plan(text, code=0)
    assert story.get("configmap", "same") == same
    assert story.value("configmap", "gone", "data") == {"a": "b"}
    assert story.value("configmap", "edited", "data") == {"a": "b", "other": "stays"}
    assert story.value("deployment", "scaled", "spec")["replicas"] == 1
    assert story.value("deployment", "left", "spec")["replicas"] == 4
    pod = story.value("deployment", "image", "spec")["template"]["spec"]
    assert pod["containers"][0]["image"] == "nginx"


@pytest.mark.exhaustive
def test_drift_in_lists_that_others_extend_and_in_secrets_is_mended(story: Truth) -> None:
    """The position of an element in the cluster is another one than in the file."""

    def text(value: str) -> str:
        web = deployment("web", env=[{"name": "A", "value": "ours"}])
        web["metadata"]["annotations"] = {"value": value}
        key = {**secret("key", "b3Vycw=="), "immutable": False}
        key["metadata"] = {"name": "key", "annotations": {"value": value}}
        return app(story.namespace, {"main": [web, key]})

    story.up(text("1"))
    said = []
    for number in ("1", "2"):
        sidecar = {"name": "side", "image": "envoy", "env": [{"name": "A", "value": "theirs"}]}
        pod = {"spec": {"template": {"spec": {"containers": [sidecar]}}}}
        story.kubectl("patch", "deployment", "web", "-p", json.dumps(pod))
        story.kubectl("set", "env", "deployment", "web", "-c", "main", "A=theirs")
        story.kubectl("patch", "secret", "key", "-p", '{"stringData": {"key": "theirs"}}')
        names = [each["name"] for each in containers(story)]
        assert names == ["side", "main"]

        said.append(story.status())
        for shown in (story.plan(text(number), code=3), story.delivered(text(number))):
            web, key = (
                section(shown, *each) for each in (("Deployment", "web"), ("Secret", "key"))
            )
            _, changed = web.split("env[0].value (changed by kubectl-set at ", 1)
            assert changed.splitlines()[1:3] == ["- theirs", "+ ours"]
            assert "data.key: [secret] → [another secret] (changed by kubectl-patch at " in key
            assert "dGhlaXJz" not in shown
            assert ('annotations.value: "1" → "2"' in web) == (number == "2")
        side, main = containers(story)
        assert (side["env"][0]["value"], main["env"][0]["value"]) == ("theirs", "ours")
        assert story.value("secret", "key", "data") == {"key": "b3Vycw=="}
        assert "2 unchanged" in story.plan(text(number), code=0)
    for told in said:
        assert "env[0].value is theirs, delivered was ours (changed by kubectl-set at " in told
        assert "dGhlaXJz" not in told


@pytest.mark.exhaustive
def test_drift_in_what_a_list_knows_its_elements_by_is_mended(story: Truth) -> None:
    """A port that others have changed is another element of its list for the server."""

    def text(image: str) -> str:
        ports = [{"name": "http", "containerPort": 8080}]
        web = deployment("web", image=image, ports=ports)
        named = a_service("named", {"name": "http", "port": 80})
        bare = a_service("bare", {"port": 80})
        return app(story.namespace, {"main": [web, named, bare]})

    pod = "/spec/template/spec/containers/0/ports/0/containerPort"
    story.up(text("nginx:1"))
    for number in ("1", "2"):
        for kind, name, path in (
            ("deployment", "web", pod),
            ("service", "named", "/spec/ports/0/port"),
            ("service", "bare", "/spec/ports/0/port"),
        ):
            patch = [{"op": "replace", "path": path, "value": 9999}]
            story.kubectl("patch", kind, name, "--type=json", "-p", json.dumps(patch))
        desired = text(f"nginx:{number}")
        for shown in (story.plan(desired, code=3), story.delivered(desired)):
            assert shown.count("9999 → 80 ") == 2
            assert re.search(r"containerPort \(changed by .*:\n +- 9999\n +\+ 8080\n", shown)
        (port,) = containers(story)[0]["ports"]
        assert port["containerPort"] == 8080
        for name in ("named", "bare"):
            (port,) = story.value("service", name, "spec")["ports"]
            assert port["port"] == 80
        assert "3 unchanged" in story.plan(desired, code=0)


def a_service(name: str, port: dict[str, Any]) -> dict[str, Any]:
    spec = {"selector": {"app": "web"}, "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def containers(story: Truth) -> list[dict[str, Any]]:
    pod = story.value("deployment", "web", "spec")["template"]["spec"]
    found: list[dict[str, Any]] = pod["containers"]
    return found


def test_what_is_applied_once_is_shown_with_what_the_application_says(story: Truth) -> None:
    once = {"rules": [{"selector": {"resourceNames": ["left"]}, "strategy": {"path": ["*"]}}]}
    objects = {"web": [deployment("left")]}
    text = app(story.namespace, objects, ("apply-once", {"enable": True, **once}))
    story.up(text)
    story.kubectl("scale", "deployment", "left", "--replicas=4")
    assert section(story.plan(text, code=0), "Deployment", "left").splitlines()[1:] == [
        "spec.replicas: 4 (the application says 1; owned by kubectl (scale))"
    ]


def test_what_a_controller_scales_is_left_whatever_else_is_updated(story: Truth) -> None:
    def text(image: str, replicas: int = 1) -> str:
        return app(story.namespace, {"main": [deployment("web", replicas, image=image)]})

    def told(replicas: int) -> str:
        who = "kube-controller-manager (scale)"
        return f"spec.replicas: 5 (the application says {replicas}; owned by {who})"

    title = f"Deployment {story.namespace}/web"
    story.up(text("nginx:1"))
    scaled(story, "web", 5)
    left = f"= {title} (left as it is)\n{told(1)}"
    assert section(story.plan(text("nginx:1"), code=0), "Deployment", "web") == left
    with story.silence():
        story.up(text("nginx:1"))
    image = "spec.template.spec.containers[0].image: nginx:1 → nginx:2"
    updated = section(story.delivered(text("nginx:2")), "Deployment", "web")
    assert updated == f"~ {title}\n{image}\n{told(1)}"
    web = story.value("deployment", "web", "spec")
    assert (web["replicas"], web["template"]["spec"]["containers"][0]["image"]) == (5, "nginx:2")
    assert section(story.plan(text("nginx:2"), code=0), "Deployment", "web") == left
    two = section(story.plan(text("nginx:2", replicas=2), code=3), "Deployment", "web")
    assert two.splitlines()[1:] == [told(2)]


def test_a_conflict_names_field_manager_and_values_and_exactly_these_are_taken(
    story: Truth,
) -> None:
    def text(**data: str) -> str:
        objects = [config_map("data", a="b", **data), config_map("beside", a=str(data))]
        return app(story.namespace, {"main": objects})

    story.up(text())
    applied(story, config_map("data", theirs="argo says", beside="too"), manager="argo")
    patch = '{"data": {"edited": "by hand"}}'
    story.kubectl("patch", "configmap", "data", "--field-manager=kubectl-edit", "-p", patch)
    new = text(theirs="ours", edited="ours")
    for shown in (story.plan(new, code=1), story.refused(new)):
        assert "data.theirs is 'argo says' and held by argo at " in shown
        assert "data.edited is 'by hand' and held by kubectl-edit at " in shown
        assert shown.count("; the application wants 'ours'") >= 2
        assert "--take-fields" in shown
    taken = section(story.delivered(new, "--take-fields"), "ConfigMap", "data")
    data = {"a": "b", "theirs": "ours", "edited": "ours", "beside": "too"}
    assert story.value("configmap", "data", "data") == data
    assert "data.edited: by hand → ours" in taken
    assert "data.theirs: argo says → ours" in taken
    assert len(taken.splitlines()) == 3, taken
    assert "2 unchanged" in story.plan(new, code=0)


def scaled(story: Truth, name: str, replicas: int) -> None:
    """Scale a Deployment as a HorizontalPodAutoscaler does."""
    patch = json.dumps({"spec": {"replicas": replicas}})
    story.kubectl(
        "patch", "deployment", name, "--subresource=scale", "--type=merge", "-p", patch,
        "--field-manager=kube-controller-manager",
    )  # fmt: skip


def applied(story: Truth, manifest: dict[str, Any], *, manager: str) -> None:
    """Apply something on the server, as a field manager."""
    path = story.project.root / "theirs.yaml"
    path.write_text(json.dumps(manifest))
    story.kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", str(path))


def test_values_of_a_secret_that_others_change_or_take_away_are_put_back(story: Truth) -> None:
    def text(value: str) -> str:
        values = {"kept": value, "gone": "b3Vycw==", "set": "b3Vycw=="}
        key = {**secret("key", ""), "data": values, "immutable": False}
        return app(story.namespace, {"main": [key]})

    def touch() -> None:
        theirs = '{"data": {"set": "dGhlaXJz", "more": "eA=="}}'
        gone = '[{"op": "remove", "path": "/data/gone"}]'
        story.kubectl("patch", "secret", "key", "-p", theirs)
        story.kubectl("patch", "secret", "key", "--type=json", "-p", gone)

    story.up(text("b3Vycw=="))
    for value in ("b3Vycw==", "YW5vdGhlcg=="):
        touch()
        told = story.status()
        where = f"Secret {story.namespace}/key on {STAGING}"
        assert f"{where}: data.gone was removed by others\n" in told
        assert f"{where}: data.set was set by kubectl-patch at " in told
        assert "data.more" not in told
        assert "data.kept" not in told
        shown = story.plan(text(value), code=3)
        assert "data.gone: (none) → [secret] (changed in the cluster)" in shown
        assert "data.set: [secret] → [another secret] (changed by kubectl-patch at " in shown
        assert ("data.kept: [secret] → [another secret]\n" in shown) == (value != "b3Vycw==")
        assert story.delivered(text(value))
        assert story.value("secret", "key", "data") == {
            "kept": value,
            "gone": "b3Vycw==",
            "set": "b3Vycw==",
            "more": "eA==",
        }
        assert "1 unchanged" in story.plan(text(value), code=0)
        assert "data." not in story.status()
