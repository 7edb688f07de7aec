"""What the resource-rule policies ask of the engine, and of the clusters once it is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import pulumi

from velapulumi.clusters.identity import Reached
from velapulumi.clusters.ownership import replace
from velapulumi.clusters.sharing import join
from velapulumi.definitions.rules.fieldpath import Parts
from velapulumi.errors import VelapulumiError
from velapulumi.plan.changes import ObjectKey
from velapulumi.program.manifest import Manifest
from velapulumi.program.prepare import Prepared
from velapulumi.program.record import UNWATCHED
from velapulumi.program.registration import Mode, Registration
from velapulumi.program.release import forgotten, full_name, release


def special_options(entry: Registration, cluster: Reached | None) -> pulumi.ResourceOptions:
    """What the policies ask of the engine for one object.

    Args:
        entry: The object.
        cluster: Its cluster; None when that does not answer and the object stays as it is.
    """
    treatment = entry.treatment
    if entry.mode is Mode.READ:
        metadata = entry.manifest["metadata"]
        place = [metadata["namespace"]] if metadata.get("namespace") else []
        return pulumi.ResourceOptions(id="/".join([*place, metadata["name"]]))
    options = pulumi.ResourceOptions()
    if entry.retained:
        options.retain_on_delete = True
    if entry.mode in (Mode.LEAVE, Mode.UNWATCH):
        options.ignore_changes = ["*" if entry.mode is Mode.LEAVE else UNWATCHED]
        return options
    if treatment.recreated:
        options.replace_on_changes = [_property_path(path) for path in treatment.recreated]
        options.delete_before_replace = True
    if treatment.replaced and cluster is not None:
        name = f"replace {full_name(_key(entry))}"
        hook = pulumi.ResourceHook(name, lambda _: replace(cluster.client, entry.manifest))
        options.hooks = pulumi.ResourceHookBinding(before_update=[hook])
    return options


def settle(
    prepared: Prepared,
    resources: list[tuple[Registration, Manifest]],
    clusters: Mapping[str, Reached],
) -> None:
    """Say on objects of others that the application shares them, and on those it gives up that not.

    Both wait for the engine, so that its stack tells of everything that is to be undone one day.

    Args:
        prepared: The stage.
        resources: Its objects, registered.
        clusters: Their clusters, and those of what the stage gives up.
    """
    application = prepared.application.loaded.application
    name = f"{application.namespace}/{application.name}"

    for entry, resource in resources:
        if entry.joins:
            client = clusters[entry.entry.cluster].client
            resource.id.apply(_told(partial(join, client, entry.manifest, name)))
    record = prepared.application.records[prepared.stage.name]
    if record is None:
        return
    gone = forgotten(record, {_key(entry) for entry, _ in resources})
    if gone:
        pulumi.Output.all(*(resource.id for _, resource in resources)).apply(
            _told(partial(release, name, record, gone, clusters))
        )


def _told(work: Callable[[], None]) -> Callable[[object], None]:
    """Work for when the engine is done with something; why it fails is told without a traceback."""

    def told(_: object) -> None:
        try:
            work()
        except VelapulumiError as error:
            raise pulumi.RunError(f"[{error.code}] {error.message}") from error

    return told


def _property_path(path: Parts) -> str:
    """A field's path as the engine writes it."""
    keys = (f"[{part}]" if isinstance(part, int) else f"[{json.dumps(part)}]" for part in path)
    return "".join(keys)


def _key(entry: Registration) -> ObjectKey:
    return ObjectKey.of(entry.entry.cluster, entry.entry.manifest)


def left_behind(entries: Iterable[Registration]) -> list[str]:
    """The full names of the objects that are never deleted."""
    return [full_name(_key(entry)) for entry in entries if entry.left_behind]
