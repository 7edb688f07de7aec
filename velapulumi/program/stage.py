"""The Pulumi program: one stage of one application, whoever runs it.

``pulumi up`` runs it from ``__main__.py``; ``velapulumi up`` runs the same function in its own
process. It refuses, before it registers anything, a stage whose turn has not come or whose clusters
are not the ones that were joined.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi_kubernetes import Provider

from velapulumi.clusters.health import judge
from velapulumi.clusters.identity import Reached, reach
from velapulumi.clusters.ownership import take_over
from velapulumi.clusters.registry import Registry
from velapulumi.definitions import Catalog
from velapulumi.errors import ApprovalStale, ClusterUnreachable, UsageProblem, VelapulumiError
from velapulumi.plan.changes import ObjectKey
from velapulumi.program.application import read_application
from velapulumi.program.approval import Use, authorize, note
from velapulumi.program.authority import ANCHOR, read_authority
from velapulumi.program.desired import Desired
from velapulumi.program.manifest import Manifest
from velapulumi.program.prepare import Prepared, prepare
from velapulumi.program.record import plain
from velapulumi.program.registration import Registration, Registrations, find_registrations
from velapulumi.program.release import LEFT_BEHIND, forgotten
from velapulumi.program.special import left_behind, settle, special_options
from velapulumi.project import ALLOW_UNKNOWN, CONFIG_NAMESPACE, Project, StackName, find_project
from velapulumi.render import RenderedObject

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


def deliver_stage(prepared: Prepared, timeout: float | None = None) -> None:
    """Register everything one stage holds.

    A preview shows the whole difference and warns of what an update would still be refused for.

    Args:
        prepared: The stage and what is known of it.
        timeout: Seconds each object may take to get ready; the health policy's when not given.

    Raises:
        VelapulumiError: The stage may not be delivered, or not now.
    """
    clusters = prepared.check_clusters()
    if not pulumi.runtime.is_dry_run():
        if prepared.first and prepared.missing:
            prepared.application.begin()  # so that somebody can approve it
        prepared.check_promotion()
        prepared.check_namespaces()
        uses = authorize(prepared)
    else:
        uses = _warn_of_approval(prepared)
    further, silent = _further_clusters(prepared, clusters)
    clusters |= further
    found = find_registrations(prepared, clusters)
    if not pulumi.runtime.is_dry_run():
        if prepared.first:
            prepared.application.begin()
        note(prepared.application, uses)
        take_over(found.leftovers)
    for reason in prepared.missing:
        pulumi.log.warn(f"an update would be refused: {reason}")
    stale = (reached.warning for reached in clusters.values() if reached.warning)
    for warning in (*prepared.application.loaded.warnings, *stale, *prepared.holding.pending):
        pulumi.log.warn(warning)
    resources = _register(prepared, found, clusters, silent, timeout)
    if not pulumi.runtime.is_dry_run():
        settle(prepared, resources, clusters)


def _warn_of_approval(prepared: Prepared) -> tuple[Use, ...]:
    """Tell in a preview what an update would be refused for; it is not noted that it begins."""
    if not prepared.missing:
        try:
            authorize(prepared)
        except ApprovalStale as error:
            pulumi.log.warn(f"an update would be refused: {error.message}")
    return ()


def _anchor(prepared: Prepared) -> Mapping[str, Any] | None:
    """The entry of the ledger that the stage is delivered under, or was the last time."""
    application, stage = prepared.application, prepared.stage.name
    record = application.records[stage]
    before = record.outputs.get(ANCHOR) if record else None
    fresh = read_authority(application.project, application.name, application.run.number)
    return fresh.anchor(stage) or before


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


def _further_clusters(
    prepared: Prepared, known: Mapping[str, Reached]
) -> tuple[dict[str, Reached], frozenset[str]]:
    """Clusters that are no place of the stage now and still have objects of it.

    Returns:
        Those that can be used, and the names of those that cannot: what is there stays as it is.

    Raises:
        VelapulumiError: One cannot be used, and something is to be given up there.
    """
    record = prepared.application.records[prepared.stage.name]
    held = {ObjectKey.of(d.entry.cluster, d.entry.manifest) for d in prepared.desired}
    wanted = {desired.entry.cluster for desired in prepared.desired} - known.keys()
    given_up = {e.cluster for e in forgotten(record, held)} - known.keys() if record else set()
    found, silent = {}, set()
    for name, cluster in reach(prepared.application.project, wanted | given_up).items():
        if isinstance(cluster, Reached):
            found[name] = cluster
        elif name in given_up or not isinstance(cluster, ClusterUnreachable):
            raise cluster
        else:
            silent.add(name)
    return found, frozenset(silent)


def _register(
    prepared: Prepared,
    found: Registrations,
    clusters: Mapping[str, Reached],
    silent: frozenset[str],
    timeout: float | None,
) -> list[tuple[Registration, Manifest]]:
    application = prepared.application
    registry = Registry(application.project)
    providers = {
        name: _provider(registry, name, silent=name in silent)
        for name in sorted({*clusters, *silent})
    }
    health = application.loaded.health
    seconds = timeout or (health.probe_timeout if health else DEFAULT_TIMEOUT)
    patience = pulumi.CustomTimeouts(create=f"{seconds:g}s", update=f"{seconds:g}s")
    services: list[pulumi.Output[dict[str, Any]]] = []
    registered: list[tuple[Registration, Manifest]] = []
    for entry in found.objects:
        options = pulumi.ResourceOptions(
            provider=providers[entry.entry.cluster],
            depends_on=_waits_for(entry.desired, registered),
            custom_timeouts=patience,
        )
        special = special_options(entry, clusters.get(entry.entry.cluster))
        resource = Manifest(
            _resource_name(entry.entry),
            entry.manifest,
            pulumi.ResourceOptions.merge(options, special),
        )
        registered.append((entry, resource))
        if entry.entry.role == "WORKLOAD":
            services.append(_service(entry.desired, resource, application.catalog))
    pulumi.export("application", application.name)
    pulumi.export("namespace", application.loaded.application.namespace)
    pulumi.export("stage", prepared.stage.name)
    pulumi.export("health", health.name if health else "")
    pulumi.export("revision", str(application.revision))
    pulumi.export("steps", prepared.delivered)
    pulumi.export("objects", [_reference(desired.entry) for desired in prepared.desired])
    pulumi.export(LEFT_BEHIND, left_behind(found.objects))
    if anchor := _anchor(prepared):
        pulumi.export(ANCHOR, anchor)
    pulumi.export("services", pulumi.Output.all(*services))
    pulumi.export(
        "clusters",
        [
            {"name": name, "endpoint": joined.endpoint, "uid": joined.uid}
            for name in prepared.stage.clusters
            for joined in (registry.get(name),)
        ],
    )
    return registered


def _provider(registry: Registry, name: str, *, silent: bool) -> Provider:
    """The provider of one cluster; of a silent one nothing is changed."""
    kubeconfig = registry.kubeconfig(name)
    return Provider(
        name,
        kubeconfig=pulumi.Output.secret(json.dumps(kubeconfig)),
        context=kubeconfig["current-context"],
        cluster_identifier=registry.get(name).uid,
        enable_server_side_apply=True,
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
        skip_update_unreachable=silent,
    )


def _waits_for(
    desired: Desired, registered: list[tuple[Registration, Manifest]]
) -> list[pulumi.Resource]:
    """What must be ready before an object is applied, in its own placement.

    A ``deploy2env`` step goes component by component; with ``parallel``, and in a ``deploy`` step,
    only what ``dependsOn`` asks for counts. Some traits' objects wait for their own workload.
    """
    entry = desired.entry
    return [
        resource
        for earlier, resource in registered
        if (earlier.entry.cluster, earlier.entry.target) == (entry.cluster, entry.target)
        and (
            (desired.waits_for is None and earlier.entry.component != entry.component)
            or earlier.entry.component in (desired.waits_for or ())
            or (
                entry.after_workload
                and earlier.entry.component == entry.component
                and earlier.entry.role == "WORKLOAD"
            )
        )
    ]


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


def _resource_name(entry: RenderedObject) -> str:
    metadata = entry.manifest["metadata"]
    namespace = metadata.get("namespace")
    place = f"{namespace}/" if namespace else ""
    return f"{entry.cluster}/{place}{metadata['name']}"


def _reference(entry: RenderedObject) -> dict[str, str]:
    metadata = entry.manifest["metadata"]
    return {
        "cluster": entry.cluster,
        "apiVersion": entry.manifest["apiVersion"],
        "kind": entry.manifest["kind"],
        "namespace": metadata.get("namespace") or "",
        "name": metadata["name"],
    }
