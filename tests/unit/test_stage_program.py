"""What a stage registers; tests/laws has the provider, the exports and the gate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks
from pulumi.runtime.stack import run_pulumi_func

from tests.unit.helpers import (
    PROJECT_ID,
    SEED,
    FakeCluster,
    deployment,
    joined,
    kubeconfig,
    manifest,
    parsed,
    reached,
    store,
)
from velapulumi.clusters.registry import Registry
from velapulumi.errors import (
    ObjectNotOurs,
    ObjectRefused,
    ToolMissing,
    UnknownCluster,
    VelapulumiError,
)
from velapulumi.program.application import read_application
from velapulumi.project import Project, StackName
from velapulumi.render import Placement
from velapulumi.stage import program
from velapulumi.stage.desired import Portion, desired_objects
from velapulumi.stage.manifest import Manifest
from velapulumi.stage.prepare import Prepared


class Recorder(mocks.Mocks):
    """Takes down what is registered and gives back what was asked for."""

    def __init__(self) -> None:
        self.registered: list[mocks.MockResourceArgs] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.registered.append(args)
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> Any:
        return {}


Run = Callable[..., list[mocks.MockResourceArgs]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a program against a monitor that only takes down, and closes the loops it opens."""
    loops: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def note() -> asyncio.AbstractEventLoop:
        loops.append(make())
        return loops[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", note)

    def start(work: Callable[[], None], *, preview: bool = False) -> list[mocks.MockResourceArgs]:
        recorder = Recorder()

        async def session() -> None:
            mocks.set_mocks(recorder, project="test", stack="example-app.x", preview=preview)
            await run_pulumi_func(work)

        asyncio.run(session())
        return recorder.registered

    yield start
    for loop in loops:
        loop.close()


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, pulumi.ResourceOptions]:
    """The options of every object that is registered, by name."""
    found: dict[str, pulumi.ResourceOptions] = {}

    class Noting(Manifest):
        def __init__(self, name: str, manifest: Any, opts: pulumi.ResourceOptions) -> None:
            found[name] = opts
            super().__init__(name, manifest, opts)

    monkeypatch.setattr(program, "Manifest", Noting)
    return found


def prepared(
    project: Project,
    stage: str = "prod",
    *places: str,
    change: Callable[[dict[str, Any]], None] = lambda document: None,
    client: FakeCluster | None = None,
) -> Prepared:
    """A stage of the seed's application on the given clusters, each joined and empty."""
    document = yaml.safe_load(SEED)
    change(document)
    file = project.root / "app.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    application = read_application(project, file)
    if places:
        found = application.workflow.stages[stage]
        moved = tuple(Placement(name, "default") for name in places)
        environments = {
            step: replace(environment, placements=moved)
            for step, environment in found.environments.items()
        }
        stages = {**application.workflow.stages, stage: replace(found, environments=environments)}
        application = replace(application, workflow=replace(application.workflow, stages=stages))
    registry = Registry(project)
    clusters = {}
    for name in {*places, "cluster-staging", "cluster-prod"}:
        registry.add(joined(name), parsed(kubeconfig(), project.root))
        clusters[name] = reached(name, client or FakeCluster())
    found = application.workflow.stages[stage]
    return Prepared(application, found, found.steps[-1], clusters)


def test_each_cluster_has_one_provider_and_its_own_objects(project: Project, run: Run) -> None:
    stage = prepared(project, "prod", "east", "west")
    found = run(lambda: program.deliver_stage(stage), preview=True)
    providers = [entry for entry in found if entry.typ == "pulumi:providers:kubernetes"]
    assert {entry.name: entry.inputs["clusterIdentifier"] for entry in providers} == {
        "east": "uid-east",
        "west": "uid-west",
    }
    objects = [entry for entry in found if entry not in providers]
    assert {entry.name for entry in objects} == {
        f"{cluster}/default/{name}"
        for cluster in ("east", "west")
        for name in ("hello-world-server", "data-worker")
    }
    for entry in objects:
        assert f"::{entry.name.partition('/')[0]}::" in (entry.provider or "")


def waits(options: dict[str, pulumi.ResourceOptions], name: str) -> list[str]:
    earlier: Any = options[name].depends_on or ()
    return [resource._name for resource in earlier]


def test_components_follow_each_other_in_their_own_cluster(
    project: Project, run: Run, options: dict[str, pulumi.ResourceOptions]
) -> None:
    stage = prepared(project, "prod", "east", "west")
    run(lambda: program.deliver_stage(stage), preview=True)
    for cluster in ("east", "west"):
        assert waits(options, f"{cluster}/default/hello-world-server") == []
        assert waits(options, f"{cluster}/default/data-worker") == [
            f"{cluster}/default/hello-world-server"
        ]


def parallel(document: dict[str, Any]) -> None:
    document["spec"]["workflow"]["steps"][2]["properties"]["parallel"] = True


def dependent(document: dict[str, Any]) -> None:
    parallel(document)
    document["spec"]["components"][0]["dependsOn"] = ["data-worker"]


@pytest.mark.parametrize(
    ("change", "server", "worker"),
    [(parallel, [], []), (dependent, ["cluster-prod/default/data-worker"], [])],
    ids=["parallel", "dependsOn"],
)
def test_in_parallel_only_what_is_depended_on_is_waited_for(
    project: Project,
    run: Run,
    options: dict[str, pulumi.ResourceOptions],
    change: Callable[[dict[str, Any]], None],
    server: list[str],
    worker: list[str],
) -> None:
    stage = prepared(project, change=change)
    run(lambda: program.deliver_stage(stage), preview=True)
    assert waits(options, "cluster-prod/default/hello-world-server") == server
    assert waits(options, "cluster-prod/default/data-worker") == worker


@pytest.mark.parametrize(("timeout", "patience"), [(None, "10s"), (2.5, "2.5s")])
def test_an_object_gets_the_time_of_the_policy_or_the_one_given(
    project: Project,
    run: Run,
    options: dict[str, pulumi.ResourceOptions],
    timeout: float | None,
    patience: str,
) -> None:
    stage = prepared(project)
    run(lambda: program.deliver_stage(stage, timeout), preview=True)
    times = [entry.custom_timeouts for entry in options.values()]
    assert [(time.create, time.update) for time in times if time] == [(patience, patience)] * 2


@pytest.mark.parametrize(
    ("api_version", "kind", "token"),
    [
        ("v1", "ConfigMap", "kubernetes:core/v1:ConfigMap"),
        ("apps/v1", "Deployment", "kubernetes:apps/v1:Deployment"),
        ("example.org/v1beta1", "Shop", "kubernetes:example.org/v1beta1:Shop"),
    ],
)
def test_an_object_has_the_type_of_its_kind(
    run: Run, api_version: str, kind: str, token: str
) -> None:
    wanted = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "x"},
        "data": {"a": "b"},
    }
    (found,) = run(lambda: Manifest("x", wanted, pulumi.ResourceOptions()) and None)
    assert (found.typ, found.name) == (token, "x")
    assert dict(found.inputs) == wanted


def attempt(
    run: Run, work: Callable[[], None], *, preview: bool = False
) -> tuple[VelapulumiError, list[mocks.MockResourceArgs]]:
    caught: list[VelapulumiError] = []

    def program() -> None:
        with pytest.raises(VelapulumiError) as info:
            work()
        caught.append(info.value)

    found = run(program, preview=preview)
    return caught[0], found


@pytest.mark.parametrize("preview", [False, True])
def test_an_object_of_somebody_else_stops_it_before_anything(
    project: Project, run: Run, preview: bool
) -> None:
    foreign = manifest("hello-world-server")
    foreign["metadata"]["labels"] = {"team": "red"}
    stage = prepared(project, "staging", client=FakeCluster(foreign))
    error, found = attempt(run, lambda: program.deliver_stage(stage), preview=preview)
    assert isinstance(error, ObjectNotOurs)
    assert found == []
    assert not project.gate_file("example-app").exists()


def test_an_unknown_cluster_stops_it_before_anything(project: Project, run: Run) -> None:
    stage = prepared(project, "staging")
    unknown = UnknownCluster("no such cluster: cluster-staging")
    stage = replace(stage, clusters={**stage.clusters, "cluster-staging": unknown})
    error, found = attempt(run, lambda: program.deliver_stage(stage))
    assert (error, found) == (unknown, [])
    assert not project.gate_file("example-app").exists()


def test_why_health_cannot_be_told_is_no_traceback(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ToolMissing("there is no cue")

    monkeypatch.setattr(program, "judge", fail)
    stage = prepared(project, "staging")
    with pytest.raises(pulumi.RunError, match="there is no cue"):
        run(lambda: program.deliver_stage(stage))


def test_what_is_told_of_a_secret_is_none(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[asyncio.Task[bool]] = []

    class Sealed(Manifest):
        @property
        def live(self) -> pulumi.Output[dict[str, Any]]:
            return pulumi.Output.secret(super().live)

    def export(name: str, value: Any) -> None:
        if name == "services":
            found.append(asyncio.ensure_future(value.is_secret()))

    monkeypatch.setattr(program, "Manifest", Sealed)
    monkeypatch.setattr(pulumi, "export", export)
    stage = prepared(project, "staging")
    run(lambda: program.deliver_stage(stage))
    assert [task.result() for task in found] == [False]


def left_behind() -> FakeCluster:
    live = manifest("hello-world-server")
    live["metadata"]["labels"]["app.oam.dev/name"] = "example-app"
    live["metadata"]["labels"]["velapulumi.dev/project"] = PROJECT_ID
    live["metadata"]["managedFields"] = [{"manager": "pulumi-kubernetes-1a", "operation": "Apply"}]
    return FakeCluster(live)


def hold_prod(project: Project) -> None:
    """Let another stage of the application keep who the project is."""
    held = {"application": "example-app", "namespace": "default", "project": PROJECT_ID}
    store(project, StackName("example-app", "prod"), deployment(**held))


def begun(stage: Prepared) -> Prepared:
    """The stage as a run left it that had begun to deliver it, and was killed."""
    application = stage.application
    return replace(stage, application=replace(application, unfinished={stage.step.name}))


@pytest.mark.parametrize("preview", [False, True])
def test_only_an_update_takes_over_and_begins(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch, preview: bool
) -> None:
    monkeypatch.setattr("velapulumi.stage.resources._hooks", lambda *_: None)  # needs an engine
    client = left_behind()
    hold_prod(project)
    stage = begun(prepared(project, "staging", client=client))
    found = run(lambda: program.deliver_stage(stage), preview=preview)
    assert len(found) == (2 if preview else 3)
    assert client.calls == []  # it is taken over when it is its turn
    assert project.gate_file("example-app").exists() is not preview
    assert project.identity_file.exists() is not preview


@pytest.mark.parametrize("preview", [False, True])
def test_what_no_run_had_begun_to_make_is_not_taken_over(
    project: Project, run: Run, preview: bool
) -> None:
    client = left_behind()
    hold_prod(project)
    stage = prepared(project, "staging", client=client)
    error, found = attempt(run, lambda: program.deliver_stage(stage), preview=preview)
    assert isinstance(error, ObjectNotOurs)
    assert "no stack of this backend holds it" in error.message
    assert (found, client.calls) == ([], [])
    assert not project.gate_file("example-app").exists()
    assert not project.identity_file.exists()


def test_what_is_given_up_is_written_before_the_engine_is_told_anything(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a stack that has forgotten it would tell nobody that it is still to be done."""

    def fail(*_: Any) -> None:
        raise ObjectRefused("not now")

    monkeypatch.setattr(program, "release", fail)
    stage = prepared(project, "staging")
    error, found = attempt(run, lambda: program.deliver_stage(stage))
    assert (error.message, found) == ("not now", [])
    done = []
    for name in ("note", "release"):
        monkeypatch.setattr(program, name, lambda *_, name=name: done.append(name))
    run(lambda: program.deliver_stage(stage))
    assert done == ["note", "release"]  # what was approved is gone then
    done.clear()
    assert len(run(lambda: program.deliver_stage(stage), preview=True)) > 0
    assert done == []


def test_a_preview_warns_of_what_an_update_is_refused_for(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    stage = prepared(project)
    run(lambda: program.deliver_stage(stage), preview=True)
    assert warnings == [f"an update would be refused: {reason}" for reason in stage.missing]
    assert len(warnings) == 2


def test_a_stack_without_configuration_is_told_what_to_set(
    project: Project, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root)
    caught: list[str] = []

    def work() -> None:
        with pytest.raises(pulumi.RunError) as info:
            program.main()
        caught.append(str(info.value))

    assert run(work) == []
    assert caught == [
        "[VP100] stack example-app.x has no velapulumi:application and velapulumi:stage\n"
        "Next: Set both with: pulumi config set --stack example-app.x KEY VALUE"
    ]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"application": "gone.yaml", "stage": "x"}, "[VP100] Application file gone.yaml is not "),
        ({"application": "app.yaml", "stage": "prod"}, "whose stack is example-app.prod"),
        ({"application": "app.yaml", "stage": "x"}, "no step of its workflow delivers stage x"),
    ],
)
def test_a_stack_that_is_not_its_stages_is_refused(
    project: Project,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, str],
    message: str,
) -> None:
    (project.root / "app.yaml").write_text(SEED)
    monkeypatch.chdir(project.root)
    values = {f"velapulumi:{key}": value for key, value in config.items()}
    caught: list[str] = []

    def work() -> None:
        pulumi.runtime.set_all_config(values)
        try:
            with pytest.raises(pulumi.RunError) as info:
                program.main()
        finally:
            pulumi.runtime.set_all_config({})
        caught.append(str(info.value))

    assert run(work) == []
    assert message in caught[0]


def test_prepare_needs_no_other_file_than_the_application(project: Project) -> None:
    path: Path = project.root / "app.yaml"
    path.write_text(SEED)
    application = read_application(project, path)
    assert str(application.stack("prod")) == "example-app.prod"
    stage = application.workflow.stages["prod"]
    portion = Portion(stage.steps, stage.steps[-1])
    names = application.revision.names
    holding = desired_objects(application.loaded, names, stage, portion, None, {})
    assert [item.entry.component for item in holding.objects] == [
        "hello-world-server",
        "data-worker",
    ]
    assert application.records == {"staging": None, "prod": None}
    assert application.reread() == application
