"""The Pulumi program: one stage of one application, whoever runs it.

``pulumi up`` runs it from ``__main__.py``; ``velapulumi up`` runs the same function in its own
process. It refuses, before it registers anything, a stage whose turn has not come or whose clusters
are not the ones that were joined.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes import Provider

from velapulumi.clusters.health import judge
from velapulumi.clusters.identity import Reached
from velapulumi.clusters.registry import Registry
from velapulumi.clusters.sharing import join
from velapulumi.definitions import Catalog
from velapulumi.engine.record import APPROVAL, DELIVERY, FORMAT, FORMAT_VERSION, OWED
from velapulumi.engine.values import plain
from velapulumi.errors import ApprovalStale, ClusterUnreachable, UsageProblem, VelapulumiError
from velapulumi.plan.fields import written
from velapulumi.plan.operation import Operation
from velapulumi.program.application import read_application
from velapulumi.program.authority import read_authority
from velapulumi.program.identity import PROJECT_OUTPUT, claim_project_id
from velapulumi.project import ALLOW_UNKNOWN, CONFIG_NAMESPACE, Project, StackName, find_project
from velapulumi.render import RenderedObject
from velapulumi.stage.approval import Use, authorize, note
from velapulumi.stage.desired import Desired
from velapulumi.stage.facts import decide_stage
from velapulumi.stage.look import Look
from velapulumi.stage.manifest import Manifest
from velapulumi.stage.operations import Decision
from velapulumi.stage.prepare import Prepared, prepare
from velapulumi.stage.refusals import check_going, refuse
from velapulumi.stage.release import LEFT_BEHIND, release, released
from velapulumi.stage.resources import (
    Mode,
    Registration,
    known_before,
    previewed,
    registrations,
    resource_options,
    write_beside,
)
from velapulumi.stage.shown import Shown, check_shown
from velapulumi.stage.taking import owed_names
from velapulumi.workflow.gates import guards

DEFAULT_TIMEOUT = 300.0


def main() -> None:
    """Run the stage that the selected stack's configuration names.

    Raises:
        pulumi.RunError: The stage cannot be delivered; the text says why and what to do.
    """
    try:
        deliver_stage(_from_config())
    except VelapulumiError as error:
        lines = [f"[{error.code}] {error.message}"]
        if error.next_step:
            lines.append(f"Next: {error.next_step}")
        raise pulumi.RunError("\n".join(lines)) from error


def deliver_stage(
    prepared: Prepared,
    timeout: float | None = None,
    shown: Shown | None = None,
) -> None:
    """Register everything one stage holds.

    A preview shows the whole difference and warns of what an update would still be refused for.

    Args:
        prepared: The stage and what is known of it.
        timeout: Seconds each object may take to get ready; the health policy's when not given.
        shown: What was shown to be done; what differs from it is refused. A run by hand has
            nothing of that.

    Raises:
        PlanChanged: Something else would be done than was shown, or than was decided.
        VelapulumiError: The stage may not be delivered, or not now.
    """
    application = prepared.application
    prepared.check_clusters()
    previews = pulumi.runtime.is_dry_run()
    look = Look(application.project, prepared.clusters)
    if not previews:
        if prepared.first and prepared.missing:
            application.begin()  # so that somebody can approve it
        prepared.check_promotion()
    decided = decide_stage([prepared], look)
    decisions = [decision for _, decision in decided]
    refuse(decisions)
    if not previews:
        check_going(decisions)
    uses: tuple[Use, ...] = ()
    if previews:
        _warn_of_approval(prepared, look)
        _warn_of_drift(decisions)
    else:
        uses = authorize(prepared, look)
        check_shown(decisions, shown)
    clusters = _answering(prepared, decisions, look)
    project_id = application.project_id
    if not previews:
        project_id = claim_project_id(application.project, project_id)
    handles = prepared.handles(each.key for each in decisions)
    found = registrations(decided, handles, project_id, application.revision.name)
    if previews:
        found = tuple(map(previewed, found))
    else:
        if prepared.first:
            application.begin()
        note(application, uses)
        write_beside(found, clusters, project_id)
        # Before the engine forgets anything, and not after: see the module of release.
        release(application.full_name, released(decisions), clusters)
    for reason in prepared.missing:
        pulumi.log.warn(f"an update would be refused: {reason}")
    stale = (reached.warning for reached in clusters.values() if reached.warning)
    for warning in (*application.loaded.warnings, *stale, *prepared.holding.pending):
        pulumi.log.warn(warning)
    stage = prepared.stage.name
    if left := owed_names(decisions, application.records[stage], application.delivered_keys(stage)):
        pulumi.export(OWED, left)
    resources = _register(prepared, found, handles, clusters, timeout, project_id)
    if not previews:
        _join(application.full_name, resources, clusters)


def _warn_of_approval(prepared: Prepared, look: Look) -> None:
    """Tell in a preview what an update would be refused for; it is not noted that it begins."""
    if not prepared.missing:
        try:
            authorize(prepared, look)
        except ApprovalStale as error:
            pulumi.log.warn(f"an update would be refused: {error.message}")


def _warn_of_drift(decisions: Iterable[Decision]) -> None:
    """Tell in a preview what an update puts back: the engine compares with its stack alone."""
    for each in decisions:
        if fields := [written(drifted.path) for drifted in each.drift if not drifted.left]:
            where = f"{each.key} on {each.key.cluster}"
            pulumi.log.warn(f"{where}: an update puts back {', '.join(fields)}, changed by others")


def _anchor(prepared: Prepared) -> Mapping[str, Any]:
    """The entries of the ledger that the stage is delivered under, or was the last time."""
    application, stage = prepared.application, prepared.stage.name
    record, run = application.records[stage], application.run.number
    before = record.approval if record else {}
    gates = guards(application.workflow.steps, prepared.step)
    plans = {application.decision(gate.name).plan for gate in gates}
    fresh = read_authority(application.project, application.name, run)
    return fresh.anchor(stage, plans, str(application.revision), run) or before


def _from_config() -> Prepared:
    config = pulumi.Config(CONFIG_NAMESPACE)
    project = find_project()
    file, stage = config.get("application"), config.get("stage")
    stack = pulumi.get_stack()
    if not file or not stage:
        raise UsageProblem(
            f"stack {stack} has no {CONFIG_NAMESPACE}:application and {CONFIG_NAMESPACE}:stage",
            next_step=f"Set both with: pulumi config set --stack {stack} KEY VALUE",
        )
    application = read_application(
        project,
        _existing(project, file),
        allow_unknown=bool(config.get_bool(ALLOW_UNKNOWN)),
    )
    expected = StackName(application.name, stage)
    if stack != str(expected):
        raise UsageProblem(
            f"stack {stack} is configured for stage {stage} of application {application.name}, "
            f"whose stack is {expected}"
        )
    return prepare(application, stage, collecting=application.succeeded)


def _existing(project: Project, file: str) -> Path:
    path = project.root / file
    if not path.is_file():
        raise UsageProblem(f"Application file {file} is not there")
    return path


def _answering(prepared: Prepared, decisions: Sequence[Decision], look: Look) -> dict[str, Reached]:
    """The clusters of a stage's objects that have answered.

    Raises:
        VelapulumiError: One cannot be used, and something is to be done there.
    """
    found: dict[str, Reached] = {}
    names = {*prepared.stage.clusters, *(each.key.cluster for each in decisions)}
    for name in sorted(names):
        cluster = look.clusters.get(name)
        if isinstance(cluster, Reached):
            found[name] = cluster
        elif not isinstance(cluster, ClusterUnreachable | None) and name not in prepared.without:
            raise cluster
    for each in decisions:
        if each.operation is Operation.OWED and _is_given_up(each):
            cluster = look.clusters[each.key.cluster]
            unread = ClusterUnreachable(each.facts.live.detail)
            raise cluster if isinstance(cluster, VelapulumiError) else unread
    return found


def _is_given_up(each: Decision) -> bool:
    """Whether the stage no longer holds an object, and the engine would not delete it."""
    facts = each.facts
    going = facts.wanted is None and not facts.stays and facts.pruned
    return going and (facts.read is not None or bool(facts.recorded and facts.recorded.retained))


def _register(
    prepared: Prepared,
    found: Sequence[Registration],
    handles: Mapping[str, str],
    clusters: Mapping[str, Reached],
    timeout: float | None,
    project_id: str,
) -> list[tuple[Registration, Manifest]]:
    application = prepared.application
    registry = Registry(application.project)
    anchor = _anchor(prepared)
    first = [pulumi.ComponentResource(DELIVERY, "delivery", {APPROVAL: anchor})] if anchor else []
    used = {handle: name for name, handle in handles.items()}
    used |= {each.handle: each.decision.key.cluster for each in found}
    providers = {
        handle: _provider(registry, name, handle, first, silent=name not in clusters)
        for handle, name in sorted(used.items())
    }
    health = application.loaded.health
    seconds = timeout or (health.probe_timeout if health else DEFAULT_TIMEOUT)
    patience = pulumi.CustomTimeouts(create=f"{seconds:g}s", update=f"{seconds:g}s")
    services: list[pulumi.Output[dict[str, Any]]] = []
    registered: list[tuple[Registration, Manifest]] = []
    for each in found:
        cluster = each.decision.key.cluster
        provider = pulumi.ResourceOptions(provider=providers[each.handle])
        known = known_before(each, provider)
        options = pulumi.ResourceOptions.merge(
            provider,
            pulumi.ResourceOptions(
                depends_on=[*known, *_waits_for(each.desired, registered)],
                custom_timeouts=patience,
            ),
        )
        further = resource_options(each, clusters.get(cluster), seconds)
        resource = Manifest(
            each.name, each.manifest, pulumi.ResourceOptions.merge(options, further)
        )
        registered.append((each, resource))
        if each.desired.entry.role == "WORKLOAD":
            services.append(_service(each.desired, resource, application.catalog))
    pulumi.export("application", application.name)
    pulumi.export("namespace", application.loaded.application.namespace)
    pulumi.export("stage", prepared.stage.name)
    pulumi.export("health", health.name if health else "")
    pulumi.export("revision", str(application.revision))
    pulumi.export("steps", prepared.delivered)
    pulumi.export("objects", [_reference(each) for each in found if each.mode is not Mode.READ])
    pulumi.export(LEFT_BEHIND, [_left_name(each) for each in found if each.left_behind])
    pulumi.export(PROJECT_OUTPUT, project_id)
    pulumi.export(FORMAT, FORMAT_VERSION)
    pulumi.export("services", pulumi.Output.all(*services))
    pulumi.export(
        "clusters",
        [
            {"name": handles.get(name, name), "endpoint": joined.endpoint, "uid": joined.uid}
            for name in prepared.stage.clusters
            for joined in (registry.get(name),)
        ],
    )
    return registered


def _join(
    name: str, resources: Sequence[tuple[Registration, Manifest]], clusters: Mapping[str, Reached]
) -> None:
    """Join what is shared from now on.

    It waits for the engine, so that its stack tells of everything that is to be undone one day.
    """
    for each, resource in resources:
        if each.joins:
            client = clusters[each.decision.key.cluster].client
            resource.id.apply(_reported(partial(join, client, each.manifest, name)))


def _reported(work: Callable[[], None]) -> Callable[[object], None]:
    """Work for when the engine is done with something; why it fails is told without a traceback."""

    def reported(_: object) -> None:
        try:
            work()
        except VelapulumiError as error:
            raise pulumi.RunError(f"[{error.code}] {error.message}") from error

    return reported


def _provider(
    registry: Registry,
    name: str,
    handle: str,
    first: Sequence[pulumi.Resource],
    *,
    silent: bool,
) -> Provider:
    """The provider of one cluster, and so all its objects, after what the stack has to say first.

    Of a silent cluster nothing is changed.
    """
    kubeconfig = registry.kubeconfig(name)
    return Provider(
        handle,
        kubeconfig=pulumi.Output.secret(json.dumps(kubeconfig)),
        context=kubeconfig["current-context"],
        cluster_identifier=registry.get(name).uid,
        enable_server_side_apply=True,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        skip_update_unreachable=silent,
        opts=pulumi.ResourceOptions(depends_on=first),
    )


def _waits_for(
    desired: Desired, registered: list[tuple[Registration, Manifest]]
) -> list[pulumi.Resource]:
    """What must be ready before an object is applied, in its own placement.

    A ``deploy2env`` step goes component by component; with ``parallel``, and in a ``deploy`` step,
    only what ``dependsOn`` asks for counts. Some traits' objects wait for their own workload.
    """
    return [
        resource for earlier, resource in registered if _is_awaited(earlier.desired.entry, desired)
    ]


def _is_awaited(earlier: RenderedObject, desired: Desired) -> bool:
    entry = desired.entry
    if (earlier.cluster, earlier.target) != (entry.cluster, entry.target):
        return False
    if desired.waits_for is None and earlier.component != entry.component:
        return True
    own = entry.after_workload and earlier.component == entry.component
    return earlier.component in (desired.waits_for or ()) or (own and earlier.role == "WORKLOAD")


def _service(
    desired: Desired, resource: Manifest, catalog: Catalog
) -> pulumi.Output[dict[str, Any]]:
    """What is exported of a workload: nothing of it that is secret, as the data of a Secret is."""
    entry = desired.entry

    def describe(live: dict[str, Any]) -> dict[str, Any]:
        try:
            health = judge(entry.component_type, plain(live), catalog)
        except VelapulumiError as error:
            raise pulumi.RunError(f"[{error.code}] {error.message}") from error
        return {
            "name": entry.component,
            "type": entry.component_type,
            "cluster": entry.cluster,
            "namespace": entry.namespace,
            "workload": {
                "apiVersion": entry.manifest["apiVersion"],
                "kind": entry.manifest["kind"],
            },
            "traits": list(desired.traits),
            "healthy": health.healthy,
            "message": health.message,
        }

    return pulumi.Output.unsecret(resource.live.apply(describe))


def _left_name(each: Registration) -> str:
    key = each.decision.key
    return f"{each.handle} {each.manifest['apiVersion']} {key}"


def _reference(each: Registration) -> dict[str, str]:
    key = each.decision.key
    return {
        "cluster": each.handle,
        "apiVersion": each.manifest["apiVersion"],
        "kind": key.kind,
        "namespace": key.namespace,
        "name": key.name,
    }
