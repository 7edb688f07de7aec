"""Who a project is: its stacks say it, a file only repeats it."""

from __future__ import annotations

import pytest

from tests.unit.helpers import PROJECT_ID, deployment, manifest, marked, resource, store
from velapulumi.engine.deployment import record_of
from velapulumi.engine.record import StageRecord
from velapulumi.errors import InvalidFile, WrongProject
from velapulumi.program.identity import claim_project_id, project_id
from velapulumi.project import Project, StackName

OTHER = "ffeeddccbbaa9988"


def record(project: str = "") -> StageRecord:
    outputs = {"project": project} if project else {}
    return record_of(deployment(resource("east", manifest()), **outputs))


def test_a_project_without_stacks_has_no_identity_whatever_its_file_says(project: Project) -> None:
    assert project_id(project, []) == ""
    assert project_id(project, [None]) == ""
    claim_project_id(project, OTHER)
    assert project_id(project, [None]) == ""


def test_the_stacks_say_it(project: Project) -> None:
    assert project_id(project, [record(PROJECT_ID), None, record()]) == PROJECT_ID
    claim_project_id(project, PROJECT_ID)
    assert project_id(project, [record(PROJECT_ID)]) == PROJECT_ID


def test_stacks_of_an_earlier_version_have_what_the_file_says(project: Project) -> None:
    assert project_id(project, [record()]) == ""
    claim_project_id(project, PROJECT_ID)
    assert project_id(project, [record()]) == PROJECT_ID


def test_a_first_delivery_that_was_killed_has_begun(project: Project) -> None:
    """The stack has nothing yet, and what was under way may be live."""
    begun = {"type": "creating", "resource": resource("east", manifest())}
    killed = record_of({**deployment(), "pending_operations": [begun]})
    assert killed.pending
    claim_project_id(project, PROJECT_ID)
    assert project_id(project, [killed]) == PROJECT_ID
    # The engine that goes on leaves only the stack itself.
    forgotten = record_of({"resources": [{"type": "pulumi:pulumi:Stack"}]})
    assert not forgotten.pending
    assert project_id(project, [forgotten]) == PROJECT_ID
    assert project_id(project, [record_of({})]) == ""


def test_a_first_delivery_that_failed_says_it_by_the_marks_of_its_objects(project: Project) -> None:
    """As in a pipeline that begins with a fresh checkout: the file is not committed yet."""
    failed = record_of({"resources": [resource("east", marked(manifest()))]})
    assert project_id(project, [failed]) == PROJECT_ID


def test_a_stack_that_does_not_say_it_leaves_it_to_the_others(project: Project) -> None:
    held = deployment(resource("east", manifest()), project=PROJECT_ID)
    store(project, StackName("blog", "prod"), held)
    assert project_id(project, [record()]) == PROJECT_ID


def test_other_stacks_of_the_project_say_it_to_a_new_application(project: Project) -> None:
    held = deployment(resource("east", manifest()), project=PROJECT_ID)
    store(project, StackName("blog", "prod"), held)
    assert project_id(project, [None]) == PROJECT_ID


def test_a_file_that_says_otherwise_is_refused(project: Project) -> None:
    claim_project_id(project, OTHER)
    with pytest.raises(WrongProject, match=f"says project {OTHER}"):
        project_id(project, [record(PROJECT_ID)])
    with pytest.raises(WrongProject, match="are of 2 projects"):
        project_id(project, [record(PROJECT_ID), record(OTHER)])


def test_an_identity_is_drawn_once_and_written_down(project: Project) -> None:
    drawn = claim_project_id(project, "")
    assert len(drawn) == 16
    assert set(drawn) <= set("0123456789abcdef")
    assert drawn in project.identity_file.read_text()
    before = project.identity_file.stat().st_mtime_ns
    assert claim_project_id(project, drawn) == drawn
    assert project.identity_file.stat().st_mtime_ns == before
    assert claim_project_id(project, PROJECT_ID) == PROJECT_ID
    assert PROJECT_ID in project.identity_file.read_text()


def test_a_damaged_file_is_told(project: Project) -> None:
    project.identity_file.parent.mkdir(parents=True, exist_ok=True)
    project.identity_file.write_text("id: nonsense\n")
    with pytest.raises(InvalidFile):
        project_id(project, [record()])
