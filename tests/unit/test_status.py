"""The status as a document and as a row."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.helpers import (
    V1,
    V2,
    deploy,
    deployment,
    manifest,
    resource,
    revision,
    store,
    suspend,
)
from velapulumi.clusters.health import Service
from velapulumi.definitions import Catalog
from velapulumi.engine.deployment import record_of
from velapulumi.errors import InvalidFile, UnknownApplication
from velapulumi.gate.file import Gate, update_gate
from velapulumi.gate.ledger import Ledger, Trust
from velapulumi.program.authority import Authority
from velapulumi.program.standing import Standing
from velapulumi.project import Project, StackName
from velapulumi.status.document import COLUMNS, age, status_document, status_row
from velapulumi.status.report import StageService, Status, read_status
from velapulumi.workflow.entries import Entry, Kind
from velapulumi.workflow.phases import Phase, Reason, StepPhase
from velapulumi.workflow.revision import step_id
from velapulumi.workflow.run import run_of
from velapulumi.workflow.steps import WorkflowStep

NOON = 1893499200.0  # 2030-01-01T12:00:00Z
STEPS = (deploy("staging"), suspend("ask", "look"), deploy("prod"))


def service(**changes: Any) -> Service:
    found = Service(
        "web", "webservice", "east", "default", "apps/v1", "Deployment", True, "Ready:1/1"
    )
    return replace(found, **changes)


def standing(
    *entries: Entry,
    steps: tuple[WorkflowStep, ...] = STEPS,
    holds: str = V1,
) -> Standing:
    """Where an application stands whose first stage holds a revision."""
    gate = Gate(application="shop").begin(revision(V1), steps)
    return Standing(
        application="shop",
        gate=gate,
        recorded=gate.revisions[0],
        entries=entries,
        run=run_of(entries, V1, 1),
        records={"staging": record_of(deployment(revision=holds))},
        clusters={},
        catalog=Catalog(),
        authority=Authority(Ledger("shop"), Trust()),
    )


def status(*services: StageService, health: str = "", of: Standing | None = None) -> Status:
    return Status(
        standing=of or standing(),
        namespace="team",
        health=health,
        created="2026-01-02T03:00:00Z",
        services=services,
    )


def entry(kind: Kind, step: str = "", at: float = 0, **fields: Any) -> Entry:
    return Entry(at=NOON + at, kind=kind, step=step, **fields)


BEGIN = Entry(at=NOON, kind=Kind.BEGIN, revision=V1, run=1)


def test_a_waiting_application_as_the_seed_shows_it() -> None:
    found = status_document(status(StageService("staging", service(), ("scaler",)), health="probe"))
    body = found.pop("status")
    assert found == {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "team"},
    }
    (entry,) = body["services"]
    uid = entry["scopes"][0].pop("uid")
    assert entry == {
        "env": "staging",
        "healthy": True,
        "message": "Ready:1/1 ",
        "name": "web",
        "scopes": [
            {
                "apiVersion": "core.oam.dev/v1alpha2",
                "kind": "HealthScope",
                "name": "probe",
                "namespace": "team",
            }
        ],
        "traits": [{"healthy": True, "type": "scaler"}],
        "workloadDefinition": {"apiVersion": "apps/v1", "kind": "Deployment"},
    }
    assert len(uid) == 36
    assert body["status"] == "workflowSuspending"
    assert body["workflow"] == {
        "appRevision": V1,
        "mode": "StepByStep",
        "steps": [
            {
                "id": step_id(V1, 1, "deploy-staging"),
                "name": "deploy-staging",
                "phase": "succeeded",
                "type": "deploy2env",
            },
            {
                "id": step_id(V1, 1, "ask"),
                "name": "ask",
                "phase": "succeeded",
                "type": "suspend",
            },
        ],
        "suspend": True,
        "terminated": False,
    }
    assert json.loads(json.dumps(body)) == body


def test_without_a_health_policy_there_is_no_scope_and_no_blank() -> None:
    (entry,) = status_document(status(StageService("staging", service(), ())))["status"]["services"]
    assert entry["message"] == "Ready:1/1"
    assert set(entry) == {"env", "healthy", "message", "name", "workloadDefinition"}


def test_an_empty_message_stays_empty() -> None:
    sick = StageService("staging", service(healthy=False, message=""), ("scaler",))
    (entry,) = status_document(status(sick, health="probe"))["status"]["services"]
    assert entry["message"] == ""
    assert entry["traits"] == [{"healthy": False, "type": "scaler"}]


def test_the_scope_of_an_application_keeps_its_uid() -> None:
    one = StageService("staging", service(), ())
    body = status_document(status(one, one, health="probe"))["status"]
    other = status_document(status(one, health="other"))["status"]
    uids = [entry["scopes"][0]["uid"] for entry in (*body["services"], *other["services"])]
    assert uids[0] == uids[1] != uids[2]


def workflow_of(found: Standing) -> dict[str, Any]:
    workflow = status_document(status(of=found))["status"]["workflow"]
    for step in workflow["steps"]:
        for each in (step, *step.get("subSteps", ())):
            assert len(each.pop("id")) == 10
    assert isinstance(workflow, dict)
    return workflow


def test_a_run_of_the_seed_s_kind_is_shown_without_its_course() -> None:
    waits = entry(
        Kind.START,
        "ask",
        phase=StepPhase.SUSPENDING,
        reason=Reason.SUSPEND,
        message="Suspended by field suspend",
    )
    done = entry(Kind.END, "deploy-staging", phase=StepPhase.SUCCEEDED)
    told = (BEGIN, entry(Kind.START, "deploy-staging"), done, waits)
    assert status_document(status(of=standing(*told))) == status_document(status())


def test_why_a_step_failed_or_was_skipped_is_told() -> None:
    found = workflow_of(
        standing(
            BEGIN,
            entry(Kind.START, "deploy-staging"),
            entry(
                Kind.END,
                "deploy-staging",
                phase=StepPhase.FAILED,
                reason=Reason.TIMEOUT,
                message="not healthy after 20s",
            ),
            entry(Kind.END, "ask", phase=StepPhase.SKIPPED, reason=Reason.SKIP),
        )
    )
    assert found["steps"][:2] == [
        {
            "name": "deploy-staging",
            "phase": "failed",
            "type": "deploy2env",
            "message": "not healthy after 20s",
            "reason": "Timeout",
        },
        {"name": "ask", "phase": "skipped", "type": "suspend", "reason": "Skip"},
    ]


GROUPED = (
    WorkflowStep(name="both", type="step-group"),
    WorkflowStep(name="tell", type="print-message-in-status", group="both", ordered=False),
    WorkflowStep(name="settle", type="suspend", group="both", ordered=False, duration=60),
)


def test_sub_steps_are_nested_and_a_newer_workflow_shows_its_course() -> None:
    told = (
        BEGIN,
        entry(Kind.START, "both"),
        entry(Kind.START, "tell"),
        entry(Kind.END, "tell", phase=StepPhase.SUCCEEDED, message="hello"),
        entry(
            Kind.START,
            "settle",
            phase=StepPhase.SUSPENDING,
            reason=Reason.SUSPEND,
            message="Suspended by field suspend",
        ),
    )
    parts = [
        {"name": "tell", "phase": "succeeded", "type": "print-message-in-status"}
        | {"message": "hello"},
        {"name": "settle", "phase": "suspending", "type": "suspend"}
        | {"message": "Suspended by field suspend", "reason": "Suspend"},
    ]
    assert workflow_of(standing(*told, steps=GROUPED)) == {
        "appRevision": V1,
        "mode": "StepByStep-DAG",
        "steps": [
            {"name": "both", "phase": "running", "type": "step-group", "subSteps": parts},
        ],
        "suspend": True,
        "terminated": False,
        "finished": False,
        "startTime": "2030-01-01T12:00:00Z",
    }


def test_a_run_that_is_over_says_when() -> None:
    told = (
        BEGIN,
        *(
            entry(Kind.END, step.name, 1, phase=StepPhase.SUCCEEDED)
            for step in (*GROUPED[1:], GROUPED[0])
        ),
        entry(Kind.FINISH, at=2, phase=StepPhase.SUCCEEDED),
    )
    found = workflow_of(standing(*told, steps=GROUPED))
    assert (found["finished"], found["startTime"], found["endTime"]) == (
        True,
        "2030-01-01T12:00:00Z",
        "2030-01-01T12:00:02Z",
    )


NOW = datetime(2026, 1, 2, 3, 5, 10, tzinfo=UTC)


def test_a_row_shows_the_first_service() -> None:
    sick = service(name="api", healthy=False, message="Ready:0/1 ")
    found = status(StageService("staging", sick, ()), StageService("staging", service(), ()))
    assert dict(zip(COLUMNS, status_row(found, NOW), strict=True)) == {
        "NAME": "shop",
        "COMPONENT": "api",
        "TYPE": "webservice",
        "PHASE": "workflowSuspending",
        "HEALTHY": "false",
        "STATUS": "Ready:0/1",
        "AGE": "5m10s",
    }


def test_a_row_without_services_has_empty_cells() -> None:
    row = status_row(status(of=standing(holds=V2)), NOW)
    assert row == ("shop", "", "", "runningWorkflow", "", "", "5m10s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (62.9, "62s"),
        (119, "119s"),
        (120, "2m"),
        (310, "5m10s"),
        (599, "9m59s"),
        (600, "10m"),
        (659, "10m"),
        (3600, "60m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 1200, "3h20m"),
        (8 * 3600 - 1, "7h59m"),
        (8 * 3600 + 1200, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (12 * 86400 + 5, "12d"),
    ],
)
def test_an_age_is_short(seconds: float, text: str) -> None:
    assert age(timedelta(seconds=seconds)) == text


def begin(project: Project, *revisions: str) -> None:
    def change(gate: Gate) -> Gate:
        for text in revisions:
            gate = gate.begin(revision(text), STEPS)
        return gate

    update_gate(project.gate_file("shop"), "shop", change)


def test_an_application_that_was_never_delivered_is_unknown(project: Project) -> None:
    with pytest.raises(UnknownApplication, match=r"^no application shop has been delivered here$"):
        read_status(project, "shop")


def test_the_records_tell_where_it_waits(project: Project) -> None:
    begin(project, V1)
    outputs = {
        "namespace": "team",
        "health": "probe",
        "services": [
            {"cluster": "east", "namespace": "default", "name": "web", "traits": ["scaler"]}
        ],
    }
    store(
        project, StackName("shop", "staging"), deployment(resource("east", manifest()), **outputs)
    )
    found = read_status(project, "shop")
    assert (found.namespace, found.health) == ("team", "probe")
    assert found.progress.waiting == (STEPS[1],)
    (entry,) = found.services
    assert (entry.stage, entry.traits, entry.service.healthy) == ("staging", ("scaler",), False)


@pytest.mark.parametrize(
    ("document", "phase"),
    [
        (deployment(resource("east", manifest())), Phase.SUSPENDING),
        (deployment(resource("east", manifest(), initErrors=["x"])), Phase.FAILED),
        (
            deployment(resource("east", manifest())) | {"pending_operations": [{}]},
            Phase.RUNNING_WORKFLOW,
        ),
        (deployment(revision=V2), Phase.RUNNING_WORKFLOW),
        ({}, Phase.RUNNING_WORKFLOW),
    ],
)
def test_the_phase_follows_the_first_stage(
    project: Project, document: dict[str, Any], phase: Phase
) -> None:
    begin(project, V1)
    store(project, StackName("shop", "staging"), document)
    assert read_status(project, "shop").progress.phase is phase


def test_stages_are_told_in_the_order_of_the_workflow(project: Project) -> None:
    begin(project, V1)
    for stage in ("prod", "old", "staging"):
        store(project, StackName("shop", stage), deployment(resource("east", manifest())))
    found = read_status(project, "shop")
    assert [entry.stage for entry in found.services] == ["staging", "prod", "old"]
    assert (found.namespace, found.health) == ("default", "")


def test_a_cluster_that_is_not_joined_is_the_reason(project: Project) -> None:
    begin(project, V1)
    store(project, StackName("shop", "staging"), deployment(resource("east", manifest())))
    (entry,) = read_status(project, "shop").services
    assert (entry.service.healthy, entry.service.reason) == (False, "no such cluster: east")


def test_a_damaged_stack_is_named(project: Project) -> None:
    begin(project, V1)
    path = store(project, StackName("shop", "staging"), "{")
    with pytest.raises(InvalidFile, match=f"^{path}: "):
        read_status(project, "shop")
