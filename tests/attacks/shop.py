"""A governed application that was delivered everywhere once, and who may do what about it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clusters import PROD, STAGING, Cluster, Project
from tests.e2e.evidence import Audit, Write

POLICY = """\
apiVersion: velapulumi.dev/v1
kind: GatePolicy
roles: {release: [alice, bob], sre: [carol]}
stages:
- clusters: [cluster-prod]
  approvals: [{role: release, count: COUNT}]
  requesterMayApprove: true
changes: {role: sre}
"""

APP = f"""\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop, namespace: NAMESPACE}}
spec:
  components:
  - name: web
    type: webservice
    properties: {{image: "web:NUMBER", ports: [{{port: 80, expose: true}}]}}
  policies:
  - {{name: staging, type: topology, properties: {{clusters: [{STAGING}]}}}}
  - {{name: prod, type: topology, properties: {{clusters: [{PROD}]}}}}
  - {{name: health, type: health, properties: {{probeInterval: 1, probeTimeout: 60}}}}
  workflow:
    steps:
    - {{name: staging, type: deploy, properties: {{policies: [staging]}}}}
    - {{name: prod, type: deploy, properties: {{policies: [prod]}}}}
"""


@dataclass
class Shop:
    """An application under a policy. The author may change every file of its project.

    Attributes:
        project: Its project.
        namespace: Its namespace in both clusters.
        keys: Where the approvers have their keys: the author has none of them.
    """

    project: Project
    namespace: str
    keys: Path

    def key(self, name: str) -> Path:
        path = self.keys / name
        if not path.exists():
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
            subprocess.run(command, check=True)
        return path

    def govern(self, count: int = 1) -> None:
        """Put the policy and the keys in force."""
        gates = self.project.root / "gates"
        gates.mkdir(exist_ok=True)
        (gates / "policy.yaml").write_text(POLICY.replace("COUNT", str(count)))
        publics = (self.key(name).with_suffix(".pub").read_text() for name in ("alice", "bob"))
        carol = self.key("carol").with_suffix(".pub").read_text()
        lines = [f"{name} {key}" for name, key in zip(("alice", "bob"), publics, strict=True)]
        (gates / "allowed_signers").write_text("".join([*lines, f"carol {carol}"]))

    def write(self, number: int, text: str = APP) -> str:
        """Write the Application file."""
        text = text.replace("NAMESPACE", self.namespace).replace("NUMBER", str(number))
        self.project.write(text)
        return text

    def up(self) -> subprocess.CompletedProcess[str]:
        return self.project.run("up", "-f", "app.yaml")

    def approve(self, *names: str, application: str = "shop") -> None:
        for name in names:
            done = self.project.run("approve", application, "-y", "--key", str(self.key(name)))
            assert done.returncode in (0, 5), done.stdout + done.stderr

    def deliver(self, *names: str) -> None:
        """The honest way: up, approve, up."""
        waits = self.up()
        assert waits.returncode == 4, waits.stdout + waits.stderr
        self.approve(*names)
        done = self.up()
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def prod(self) -> Cluster:
        return self.project.clusters[PROD]

    def image(self) -> str:
        deployment = self.prod.deployments(self.namespace)["web"]
        image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        return image

    def file(self, suffix: str) -> Path:
        return self.project.root / "stacks" / f"shop.{suffix}"

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Nothing is written to the governed cluster meanwhile."""
        audit = Audit([self.prod])
        yield
        written: list[Write] = audit.new()
        assert written == []

    def refused(self, *codes: int) -> str:
        """What ``up`` says when it may not go on; the governed cluster is not touched."""
        with self.untouched():
            done = self.up()
        assert done.returncode in codes, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def forge(self, **fields: Any) -> str:
        """Append an unsigned line to the ledger, as whoever can write files; gives its hash."""
        from velapulumi.gate.ledger import Trust, append

        path = self.file("ledger.jsonl")
        return append(path, "shop", {"by": "mallory", **fields}, None, Trust).head

    def ledger(self) -> list[dict[str, Any]]:
        lines = self.file("ledger.jsonl").read_text().splitlines()
        return [json.loads(json.loads(line)["body"]) for line in lines]
