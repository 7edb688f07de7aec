"""What was approved is what runs: each fact it was bound to, changed before it is delivered."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.clusters import PROD, STAGING, Cluster, Project
from tests.e2e.evidence import is_write_of

ALTERED = Path(__file__).with_name("altered.py")
APP = f"""\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop, namespace: NAMESPACE}}
spec:
  components:
  - {{name: web, type: webservice, properties: {{image: "web:NUMBER"}}}}
  - name: key
    type: k8s-objects
    properties:
      objects:
      - {{apiVersion: v1, kind: Secret, metadata: {{name: key}}, stringData: {{a: hunter2}}}}
  policies:
  - {{name: staging, type: topology, properties: {{clusters: [{STAGING}]}}}}
  - {{name: prod, type: topology, properties: {{clusters: [{PROD}]}}}}
  - {{name: health, type: health, properties: {{probeInterval: 1, probeTimeout: 20}}}}
  workflow:
    steps:
    - {{name: staging, type: deploy, properties: {{policies: [staging]}}}}
    - {{name: ask, type: suspend}}
    - {{name: prod, type: deploy, properties: {{policies: [prod]}}}}
"""


@dataclass
class Shop:
    """An application that waits for approval."""

    project: Project
    namespace: str
    number: int = 0

    def next(self) -> None:
        """Deliver another content to staging."""
        self.number += 1
        self.write()
        done = self.up()
        assert done.returncode == 4, done.stderr

    def write(self) -> None:
        text = APP.replace("NAMESPACE", self.namespace).replace("NUMBER", str(self.number))
        self.project.write(text)

    def up(self, *altered: str) -> subprocess.CompletedProcess[str]:
        if not altered:
            return self.project.run("up", "-f", "app.yaml")
        return subprocess.run(
            [sys.executable, str(ALTERED), *altered, "up", "-f", "app.yaml"],
            cwd=self.project.root,
            env=self.project.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def approve(self, *args: str) -> None:
        done = self.project.run("approve", "shop", "-y", *args)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("Approved ask for shop-v"), done.stdout

    @property
    def prod(self) -> Cluster:
        return self.project.clusters[PROD]

    def kubectl(self, *args: str) -> str:
        return self.prod.kubectl("-n", self.namespace, *args)

    def file(self, suffix: str) -> Path:
        return self.project.root / "stacks" / f"shop.{suffix}"

    def writes(self) -> int:
        """How often we have changed anything in the second cluster, by its audit log."""
        events = map(json.loads, self.prod.audit_log.read_text().splitlines())
        return sum(is_write_of(self.prod.user, event) for event in events)

    def images(self) -> str:
        deployment = self.prod.deployments(self.namespace)["web"]
        image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        return image


@pytest.fixture
def shop(project: Project, namespace: str) -> Shop:
    """Delivered everywhere once."""
    made = Shop(project, namespace)
    made.next()
    made.approve()
    done = made.up()
    assert done.returncode == 0, done.stderr
    assert made.writes() > 0
    return made


@dataclass
class Mutation:
    """A fact changed, what is said of it, and how it is changed back; None when it cannot be."""

    name: str
    change: Callable[[Shop], Callable[[], object] | None]
    says: str
    altered: tuple[str, ...] = ()


def edited(path: Path, change: Callable[[str], str]) -> Callable[[], object]:
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_text(after)
    return lambda: path.write_text(before)


def manager(shop: Shop) -> str:
    """The field manager of the engine, in whose name a change meets no conflict."""
    live = json.loads(
        shop.kubectl("get", "deployment", "web", "-o", "json", "--show-managed-fields")
    )
    names = [entry["manager"] for entry in live["metadata"]["managedFields"]]
    return next(name for name in names if name.startswith("pulumi"))


def relabelled(shop: Shop) -> Callable[[], object]:
    def label(value: str) -> str:
        patch = json.dumps({"metadata": {"labels": {"app.oam.dev/component": value}}})
        return shop.kubectl(
            "patch", "deployment", "web", "--type=merge", "-p", patch,
            f"--field-manager={manager(shop)}",
        )  # fmt: skip

    label("someone-else")
    return lambda: label("web")


def deleted(shop: Shop) -> None:
    shop.kubectl("delete", "deployment", "web")


def resecreted(shop: Shop) -> None:
    shop.kubectl("patch", "secret", "key", "-p", '{"stringData": {"a": "two"}}')


def recorded(shop: Shop) -> Callable[[], object]:
    """Somebody changes the stack's state file."""
    backend = shop.project.root / ".velapulumi" / "backend" / ".pulumi" / "stacks"
    (path,) = backend.rglob("shop.prod.json")

    def change(text: str) -> str:
        return text.replace(f'"image":"web:{shop.number - 1}"', '"image":"web:forged"')

    return edited(path, change)


def another_authority(shop: Shop) -> Callable[[], object]:
    """Another certificate is trusted beside the cluster's own."""
    credentials = shop.project.root / ".velapulumi" / "credentials"
    (path,) = credentials.glob(f"{PROD}*")
    import base64

    def change(text: str) -> str:
        document = yaml.safe_load(text)
        cluster = document["clusters"][0]["cluster"]
        own = base64.b64decode(cluster["certificate-authority-data"])
        cluster["certificate-authority-data"] = base64.b64encode(own + own).decode()
        return yaml.safe_dump(document)

    return edited(path, change)


def the_plan(shop: Shop) -> Path:
    approved = json.loads(
        json.loads(shop.file("ledger.jsonl").read_text().splitlines()[-1])["body"]
    )
    return shop.file("plans") / f"{approved['plan']}.json"


def plan_edited(shop: Shop) -> Callable[[], object]:
    return edited(the_plan(shop), lambda text: text.replace('"update"', '"none"'))


def plan_of_another_stage(shop: Shop) -> Callable[[], object]:
    return edited(the_plan(shop), lambda text: text.replace('"prod"', '"other"'))


def plan_lost(shop: Shop) -> Callable[[], object]:
    path = the_plan(shop)
    text = path.read_text()
    path.unlink()
    return lambda: path.write_text(text)


def ledger_edited(shop: Shop) -> Callable[[], object]:
    def change(text: str) -> str:
        return re.sub(r'(.*\\"plan\\":\\")[0-9a-f]', r"\g<1>x", text, count=1)

    return edited(shop.file("ledger.jsonl"), change)


def ledger_cut(shop: Shop) -> Callable[[], object]:
    """The use of the first approval is gone, which the stack knows of, and all after it."""
    return edited(shop.file("ledger.jsonl"), lambda text: "".join(text.splitlines(True)[:2]))


def ledger_begun_anew(shop: Shop) -> Callable[[], object]:
    """Somebody without the old ledger says yes in one of their own."""
    restore = edited(shop.file("ledger.jsonl"), lambda text: "")
    shop.file("ledger.jsonl").unlink()
    done = shop.project.run("approve", "shop", "-y")
    assert done.returncode != 0, done.stdout
    return restore


def a_policy(shop: Shop) -> Callable[[], object]:
    path = shop.project.root / "gates" / "revoked_keys"
    path.parent.mkdir(exist_ok=True)
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBv5eM2Kjc5B5X2Yl0pDk1yQkq3F2cq6d3n6U8yqg1bE\n"
    path.write_text(key)
    return path.unlink


NOTHING: Callable[[Shop], None] = lambda shop: None  # noqa: E731
CUT = "the ledger was cut or rewritten since stage prod was delivered"
WEB, KEY = f"Deployment NS/web on {PROD}", f"Secret NS/key on {PROD}"
MUTATIONS = (
    Mutation("velapulumi", NOTHING, "the version of velapulumi: approved", ("velapulumi", "9")),
    Mutation("engine", NOTHING, "the version of engine: approved was", ("engine", "9")),
    Mutation("provider", NOTHING, "the version of provider: approved was", ("provider", "9")),
    Mutation("time", NOTHING, "waits at ask", ("clock", "90000")),
    Mutation("live field", relabelled, f"{WEB} has been changed in the cluster"),
    Mutation("state", recorded, f"{WEB} has been changed in the stack"),
    Mutation("authority", another_authority, f"the certificate authority of cluster {PROD}"),
    Mutation("plan edited", plan_edited, "is not what its digest says"),
    Mutation("plan replaced", plan_of_another_stage, "is not the plan that was approved"),
    Mutation("plan lost", plan_lost, "the approved plan is not kept"),
    Mutation("ledger edited", ledger_edited, "shop.ledger.jsonl:"),
    Mutation("ledger cut", ledger_cut, CUT),
    Mutation("ledger begun anew", ledger_begun_anew, CUT),
    Mutation("keys", a_policy, "policy or keys in the folder gates are not those in force"),
    Mutation("live secret", resecreted, f"{KEY} has been changed in the cluster"),
    Mutation("live object", deleted, f"{WEB} has been deleted in the cluster"),
)


OFTEN = ("velapulumi", "time", "live field", "state", "plan edited", "ledger cut", "live object")
"""Those of every run; without a cluster the comparison is tested with all facts every time."""


def test_each_fact_changed_after_the_approval_is_refused_and_nothing_written(shop: Shop) -> None:
    for mutation in MUTATIONS:
        if mutation.name in OFTEN:
            check_mutation(shop, mutation)


@pytest.mark.exhaustive
def test_every_other_fact_changed_after_the_approval_is_refused_too(shop: Shop) -> None:
    for mutation in MUTATIONS:
        if mutation.name not in OFTEN:
            check_mutation(shop, mutation)


def check_mutation(shop: Shop, mutation: Mutation) -> None:
    shop.next()
    shop.approve()
    before, image = shop.writes(), shop.images()
    back = mutation.change(shop)
    found = shop.up(*mutation.altered)
    assert found.returncode in (2, 4, 5), (mutation.name, found.stderr)
    assert found.returncode != 4 or mutation.name == "time"
    text = (found.stderr + found.stdout).replace(f"{shop.namespace}/", "NS/")
    assert mutation.says in text, (mutation.name, text)
    assert shop.writes() == before, mutation.name
    if mutation.name != "live object":
        assert shop.images() == image
    if back is not None:
        back()
    elif not mutation.altered:
        shop.approve()
    done = shop.up()
    assert done.returncode == 0, (mutation.name, done.stderr)
    assert shop.writes() > before
    assert shop.images() == f"web:{shop.number}"


def test_by_hand_the_same_is_refused(shop: Shop) -> None:
    shop.next()
    shop.approve()
    back = relabelled(shop)
    before = shop.writes()
    preview = shop.project.pulumi("preview", "--stack", "shop.prod")
    text = f"Deployment {shop.namespace}/web on {PROD} has been changed in the cluster"
    assert "an update would be refused" in preview.stdout
    assert text in preview.stdout
    refused = shop.project.pulumi("up", "--yes", "--skip-preview", "--stack", "shop.prod")
    assert refused.returncode != 0
    assert f"[VP404] stage prod is not as it was approved at ask:\n  - {text}" in re.sub(
        r"\n +(?=-)", "\n  ", refused.stdout + refused.stderr
    )
    assert shop.writes() == before
    back()
    done = shop.project.pulumi("up", "--yes", "--skip-preview", "--stack", "shop.prod")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.images() == "web:2"
    kinds = [json.loads(json.loads(line)["body"])["kind"] for line in lines(shop)]
    assert kinds == ["trust", "approve", "use", "approve", "use"]
    again = shop.up()
    assert (again.returncode, again.stdout.endswith("; no change.\n")) == (0, True), again.stderr


def lines(shop: Shop) -> list[str]:
    return shop.file("ledger.jsonl").read_text().splitlines()


def test_a_plan_right_after_up_is_empty_and_one_before_it_is_what_is_approved(shop: Shop) -> None:
    after = shop.project.run("plan", "-f", "app.yaml", "-o", "json")
    assert after.returncode == 0, after.stderr
    assert changes(json.loads(after.stdout)) == []
    shop.next()
    before = shop.project.run("plan", "-f", "app.yaml", "--stage", "prod", "-o", "json")
    assert before.returncode == 3, before.stderr
    found = [(each["kind"], each["operation"]) for each in changes(json.loads(before.stdout))]
    assert found == [("Deployment", "update"), ("Secret", "update")]
    assert "hunter2" not in before.stdout
    assert "aHVudGVyMg" not in before.stdout
    shop.approve()
    assert the_plan(shop).read_text().strip() == before.stdout.strip()
    markdown = shop.project.run("plan", "-f", "app.yaml", "-o", "markdown").stdout
    assert re.match(rf"### Plan [0-9a-f]{{12}}: shop-v{shop.number}:[0-9a-f]{{16}}\n", markdown)
    assert "    spec.template.spec.containers[0].image: web:1 → web:2\n" in markdown


def changes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        each
        for content in plan["contents"].values()
        for each in content["objects"]
        if each.get("operation", "none") not in ("none", "read")
    ]


@pytest.mark.exhaustive
def test_what_others_have_changed_is_approved_with_the_change_and_put_back(shop: Shop) -> None:
    shop.next()
    shop.kubectl("set", "image", "deployment", "web", "web=theirs:9")
    shop.kubectl("patch", "secret", "key", "-p", '{"data": {"a": "b3RoZXI="}}')
    asked = shop.project.run("approve", "shop", "-y")
    assert asked.returncode == 0, asked.stderr
    assert re.search(
        r"image \(changed by kubectl-set at .*; delivered was web:1\):\n", asked.stderr
    )
    assert "2 of 2 fields shown" in asked.stderr
    assert "data.a: [secret] → [another secret] (changed by kubectl-patch" in asked.stderr
    preview = shop.project.pulumi("preview", "--stack", "shop.prod")
    assert preview.returncode == 0, preview.stdout
    done = shop.up()
    assert done.returncode == 0, done.stderr
    assert shop.images() == "web:2"
    assert shop.kubectl("get", "secret", "key", "-o", "jsonpath={.data.a}") == "aHVudGVyMg=="
    after = shop.project.run("plan", "-f", "app.yaml")
    assert (after.returncode, "2 unchanged" in after.stdout) == (0, True), after.stdout


def test_a_rejection_ends_it_until_somebody_approves_again(shop: Shop) -> None:
    shop.next()
    shop.approve()
    assert shop.project.run("reject", "shop", "-y", "-m", "not on a Friday").returncode == 0
    found = shop.up()
    assert found.returncode == 5
    assert "ask was rejected by" in found.stderr
    assert "not on a Friday" in found.stderr
    assert shop.images() == "web:1"
    shop.approve()
    assert shop.up().returncode == 0


@pytest.mark.exhaustive
def test_what_was_interrupted_goes_on_under_the_same_approval(shop: Shop) -> None:
    """The first update meets a pod that does not get ready; then it does."""
    shop.next()
    shop.approve()
    shop.prod.kubectl("-n", shop.namespace, "create", "quota", "none", "--hard=pods=0")
    first = shop.up("clock", "0")
    assert first.returncode == 6, first.stderr
    shop.prod.kubectl("-n", shop.namespace, "delete", "quota", "none")
    again = shop.up("clock", "90000")
    assert again.returncode == 0, again.stderr
    assert shop.images() == "web:2"


@pytest.mark.exhaustive
def test_a_failed_delivery_goes_back_where_that_was_approved_with_it(shop: Shop) -> None:
    before = shop.prod.deployments(shop.namespace)["web"]
    shop.next()
    shop.approve("--with-rollback")
    shop.prod.kubectl("-n", shop.namespace, "create", "quota", "none", "--hard=pods=0")
    found = shop.up()
    assert found.returncode == 6, found.stderr
    revision = before["metadata"]["labels"]["app.oam.dev/appRevision"]
    assert f"Going back to {revision}:" in found.stderr
    assert f"Next: shop went back to {revision}:" in found.stderr
    after = shop.prod.deployments(shop.namespace)["web"]
    assert after["spec"] == before["spec"]
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    verdict = shop.project.run("audit", "verify", "shop")
    assert verdict.returncode == 0, verdict.stderr
    shop.next()
    shop.approve()
    again = shop.up()
    assert again.returncode == 6
    assert "Going back" not in again.stderr


POLICY = """\
apiVersion: velapulumi.dev/v1
kind: GatePolicy
roles: {release: [alice, bob], sre: [carol]}
stages:
- stages: [prod]
  approvals: [{role: release, count: 2}]
  breakGlass: {role: sre}
  auto: {only: [image]}
changes: {role: sre}
"""


def allow(shop: Shop, *names: str) -> None:
    """Put a policy and the keys of some people into the project."""
    gates, keys = shop.project.root / "gates", shop.project.root / "keys"
    gates.mkdir(exist_ok=True)
    keys.mkdir(exist_ok=True)
    (gates / "policy.yaml").write_text(POLICY)
    with (gates / "allowed_signers").open("a") as signers:
        for name in names:
            key = keys / name
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
            subprocess.run(command, check=True)
            signers.write(f"{name} {key.with_suffix('.pub').read_text()}")


def said(shop: Shop, *args: str, by: str) -> str:
    done = shop.project.run(*args, "--key", str(shop.project.root / "keys" / by))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_policy_asks_for_people_and_some_changes_for_nobody(shop: Shop) -> None:
    allow(shop, "alice", "bob", "carol")
    adopted = shop.project.run("trust", "adopt", "shop")
    assert adopted.returncode == 0, adopted.stderr
    shop.number += 1
    shop.write()
    file = shop.project.root / "app.yaml"
    file.write_text(file.read_text().replace("hunter2", "hunter3"))
    waits = shop.up()
    assert waits.returncode == 4
    assert "0 of 2 approvals by role release" in waits.stderr
    unsigned = shop.project.run("approve", "shop", "-y")
    assert unsigned.returncode == 2
    assert "has to be signed" in unsigned.stderr
    assert "by carol for dan" in said(shop, "request", "shop", "--for", "dan", by="carol")
    for by, code in (("carol", 4), ("alice", 4), ("alice", 4), ("bob", 0)):
        assert f"by {by}" in said(shop, "approve", "shop", "-y", by=by)
        done = shop.up()
        assert done.returncode == code, done.stderr
    assert "approved by alice, bob\n" in done.stderr
    assert shop.images() == "web:2"

    shop.number = 3
    text = file.read_text().replace("web:2", "web:3")
    file.write_text(text)
    nobody = shop.up()
    assert nobody.returncode == 0, nobody.stderr
    assert "approved by the gate policy\n" in nobody.stderr
    assert shop.images() == "web:3"

    file.write_text(text.replace("web:3", "web:4").replace("hunter3", "hunter4"))
    assert shop.up().returncode == 4
    said(shop, "approve", "shop", "-y", "--break-glass", "-m", "prod is down", by="carol")
    past = shop.up()
    assert past.returncode == 0, past.stderr
    assert "approved by carol, PAST THE POLICY (break-glass)\n" in past.stderr
    assert "opened PAST THE POLICY by carol" in shop.project.run("status", "shop").stderr
    verdict = shop.project.run("audit", "verify", "shop")
    assert verdict.returncode == 0, verdict.stderr
