"""What delivering a step would change, policies considered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from velapulumi.clusters.identity import Reached
from velapulumi.errors import ClusterUnreachable, VelapulumiError
from velapulumi.plan.changes import ObjectKey, Plan, plan_stage
from velapulumi.program.masking import SECRET, encoded
from velapulumi.program.prepare import Prepared
from velapulumi.program.record import SEALED
from velapulumi.program.registration import is_rendered, keys_of
from velapulumi.render.rules import registered

_REVISION = "app.oam.dev/revision"
_ANOTHER = {SEALED: "another value"}
_VALUES = ("data", "stringData")


def compare(prepared: Prepared) -> Plan:
    """Compare what a stage shall hold with what its stack has recorded.

    Objects that are only read are no change, whatever they hold. Fields that keep their live values
    are compared with the recorded ones. What is sealed in the stack counts as changed when the
    component's revision is another one; of a Secret the cluster tells, if it can be asked. An empty
    map or list is none, as the provider drops some.

    Args:
        prepared: The stage.
    """
    rules = prepared.application.loaded.rules
    record = prepared.application.records[prepared.stage.name]
    held = {ObjectKey.of(e.cluster, e.manifest): e for e in record.objects} if record else {}
    read = set(keys_of(record.read)) if record else set()
    wanted: dict[ObjectKey, Mapping[str, Any]] = {}
    for desired in prepared.desired:
        entry = desired.entry
        key = ObjectKey.of(entry.cluster, entry.manifest)
        treatment = rules.treatment_of(entry.manifest)
        if treatment.read_only and is_rendered(entry):
            read.add(key)
        present = held[key].manifest if key in held else None
        wanted[key] = registered(entry.manifest, present, treatment)
        if present is not None:
            cluster = prepared.clusters.get(entry.cluster) if is_rendered(entry) else None
            same = _live_alike(wanted[key], cluster)
            wanted[key] = _sealed_alike(wanted[key], present, same)
    return plan_stage(
        prepared.stage.name,
        [(key.cluster, full(manifest)) for key, manifest in wanted.items() if key not in read],
        [(key.cluster, full(entry.manifest)) for key, entry in held.items() if key not in read],
        {key for key, entry in held.items() if entry.retained},
    )


def _live_alike(
    manifest: Mapping[str, Any], cluster: Reached | VelapulumiError | None
) -> bool | None:
    """Whether a Secret's values are those in the cluster; None when that cannot be told."""
    if manifest["kind"] != SECRET or not isinstance(cluster, Reached):
        return None
    try:
        live = cluster.client.read(manifest)
    except ClusterUnreachable:
        return None
    return live is not None and encoded(manifest) == encoded(live)


def _sealed_alike(
    manifest: Mapping[str, Any], present: Mapping[str, Any], same: bool | None
) -> Mapping[str, Any]:
    """A manifest with nothing in the clear that the recorded one has sealed, or would seal."""
    revisions = {
        (each["metadata"].get("labels") or {}).get(_REVISION) for each in (manifest, present)
    }
    sealed = {key: value for key, value in present.items() if _is_sealed(value)}
    if len(revisions) > 1 if same is None else not same:
        sealed = dict.fromkeys(sealed, _ANOTHER)
    if manifest["kind"] == SECRET:
        values = {key: manifest[key] for key in _VALUES if manifest.get(key)}
        manifest = {key: value for key, value in manifest.items() if key not in _VALUES}
        if values and not sealed.keys() & set(_VALUES):
            sealed["data"] = _ANOTHER
    return {**manifest, **sealed}


def full(value: Any) -> Any:
    """A value without the empty maps and lists in it, as the provider drops some."""
    if isinstance(value, Mapping):
        below = {key: full(entry) for key, entry in value.items()}
        return {key: entry for key, entry in below.items() if entry not in ({}, [])}
    if isinstance(value, list):
        return [full(entry) for entry in value]
    return value


def _is_sealed(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {SEALED}
