"""Which objects the resource-rule policies of an application treat in a special way.

The policies are garbage-collect, apply-once, shared-resource, read-only, take-over and
resource-update; the semantics are KubeVela's (v1.10). All is told from the labels, the kind and the
name of a rendered object, so that objects which a stack has recorded are judged as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from velapulumi.definitions import Manifest
from velapulumi.definitions.rules.fieldpath import (
    Parts,
    parse_field_path,
    value_at,
    with_value_at,
)
from velapulumi.spec import Path, not_supported

if TYPE_CHECKING:
    from velapulumi.definitions.policies import apply_once, garbage_collect, resource_update
    from velapulumi.definitions.rules.selector import Rule

GARBAGE_COLLECT = "garbage-collect"
APPLY_ONCE = "apply-once"
SHARED_RESOURCE = "shared-resource"
READ_ONLY = "read-only"
TAKE_OVER = "take-over"
RESOURCE_UPDATE = "resource-update"
DEBUG = "debug"

ORPHANS: Parts = ("metadata", "annotations", "pulumi.com/deletionPropagationPolicy")
"""Where the engine's provider is told what becomes of what hangs on a deleted object."""

NO_WAIT: Parts = ("metadata", "annotations", "pulumi.com/skipAwait")
"""Where the engine's provider is told not to wait until an object is ready."""

FORCED: Parts = ("metadata", "annotations", "pulumi.com/patchForce")
"""Where the engine's provider is told to take fields from others."""

SHARERS: Parts = ("metadata", "annotations", "app.oam.dev/shared-by")
"""Where an object names the applications that share it, the owner first."""

PROJECT = "velapulumi.dev/project"
"""The label that marks an object as one of a project; its value is the project's identity."""

MARK: Parts = ("metadata", "labels", PROJECT)
"""Where that label stands."""

TAKEN: Parts = ("metadata", "annotations", "velapulumi.dev/taken-over")
"""Where an object that was taken over keeps what it was before, as JSON."""

LAST_APPLIED: Parts = (
    "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration",
)  # fmt: skip
"""Where ``kubectl apply`` repeats an object, the values of a Secret among it."""

_NAME, _NAMESPACE = "app.oam.dev/name", "app.oam.dev/namespace"


@dataclass(frozen=True)
class Treatment:
    """What the policies of an application say about one object.

    Attributes:
        stays: Whether it stays until the application is deleted, rendered or not.
        never_deleted: Whether it is left behind by an update and by the deletion alike.
        orphans: Whether what hangs on it stays when it is deleted.
        kept: Paths of the fields whose live values are kept.
        frozen: Whether it is left as it is once it is there.
        shared: Whether other applications may hold it too.
        read_only: Whether it must exist and is never written.
        take_over: Whether it is taken over from whoever has it.
        replaced: Whether fields that others have set go when it is updated.
        recreated: Paths of the fields whose change makes it anew.
    """

    stays: bool = False
    never_deleted: bool = False
    orphans: bool = False
    kept: tuple[Parts, ...] = ()
    frozen: bool = False
    shared: bool = False
    read_only: bool = False
    take_over: bool = False
    replaced: bool = False
    recreated: tuple[Parts, ...] = ()


@dataclass(frozen=True)
class Rules:
    """The rules of all resource policies of an application.

    Attributes:
        collect: Rules of garbage-collect.
        keep_legacy: Whether all other objects stay until the application is deleted.
        keep: Rules of apply-once, as far as it is enabled.
        mends_drift: Whether an update brings back what somebody has deleted.
        share: Rules of shared-resource.
        read: Rules of read-only.
        adopt: Rules of take-over.
        update: Rules of resource-update.
    """

    collect: tuple[garbage_collect.Rule, ...] = ()
    keep_legacy: bool = False
    keep: tuple[apply_once.Rule, ...] = ()
    mends_drift: bool = True
    share: tuple[Rule, ...] = ()
    read: tuple[Rule, ...] = ()
    adopt: tuple[Rule, ...] = ()
    update: tuple[resource_update.Rule, ...] = ()

    @classmethod
    def of(cls, policies: Iterable[tuple[str, Any]]) -> Rules:
        """The rules of policies; several of one type count as one with the rules of all.

        Args:
            policies: Type and valid parameters of each policy, in order; other types are ignored.
        """
        by_type: dict[str, list[Any]] = {}
        for kind, parameters in policies:
            by_type.setdefault(kind, []).append(parameters)

        def rules(kind: str) -> tuple[Any, ...]:
            return tuple(rule for entry in by_type.get(kind, ()) for rule in entry.rules)

        enabled = any(entry.enable for entry in by_type.get(APPLY_ONCE, ()))
        return cls(
            collect=rules(GARBAGE_COLLECT),
            keep_legacy=any(entry.keepLegacyResource for entry in by_type.get(GARBAGE_COLLECT, ())),
            keep=rules(APPLY_ONCE) if enabled else (),
            mends_drift=not enabled or bool(rules(APPLY_ONCE)),
            share=rules(SHARED_RESOURCE),
            read=rules(READ_ONLY),
            adopt=rules(TAKE_OVER),
            update=rules(RESOURCE_UPDATE),
        )

    def treatment_of(self, manifest: Mapping[str, Any]) -> Treatment:
        """What the rules say about an object; the first rule of a policy that selects it counts.

        Args:
            manifest: The object as it is rendered, or as a stack has recorded it.
        """
        if self == NO_RULES:
            return NOTHING_SPECIAL
        collect = _first(self.collect, manifest)
        keep = _first(self.keep, manifest)
        update = _first(self.update, manifest)
        lifetime = "onAppDelete" if self.keep_legacy else "onAppUpdate"
        if collect is not None:
            lifetime = collect.strategy
        paths = keep.strategy.path if keep is not None and keep.strategy.on_update else ()
        return Treatment(
            stays=lifetime == "onAppDelete",
            never_deleted=lifetime == "never",
            orphans=collect is not None and collect.propagation == "orphan",
            kept=tuple(parse_field_path(path) for path in paths if path != "*"),
            frozen="*" in paths,
            shared=_first(self.share, manifest) is not None,
            read_only=_first(self.read, manifest) is not None,
            take_over=_first(self.adopt, manifest) is not None,
            replaced=update is not None and update.strategy.op == "replace",
            recreated=tuple(
                map(parse_field_path, update.strategy.recreateFields if update else ())
            ),
        )


NO_RULES = Rules()
"""No special treatment for any object."""

NOTHING_SPECIAL = Treatment()
"""The treatment of an object that no rule selects."""


def registered(
    manifest: Manifest, present: Mapping[str, Any] | None, treatment: Treatment
) -> Manifest:
    """An object as it is put into a stack.

    Args:
        manifest: The object as it is rendered.
        present: The object as it is now, in its cluster or in the stack; None when there is none.
        treatment: What the rules say about it.
    """
    if treatment.frozen and present is not None:
        return dict(present)
    if not _is_waited_for(manifest):
        manifest = with_value_at(NO_WAIT, manifest, "true")
    if treatment.orphans:
        manifest = with_value_at(ORPHANS, manifest, "orphan")
    if treatment.shared:
        named = sharers_of(present) if present is not None else ()
        names = dict.fromkeys((*named, owner_of(manifest)))
        manifest = with_value_at(SHARERS, manifest, ",".join(names))
    return manifest


def orphans(manifest: Mapping[str, Any]) -> bool:
    """Whether an object says that what hangs on it stays when it is deleted.

    The engine's provider reads it in any case of letters.

    Args:
        manifest: The object, as the cluster has it.
    """
    said = value_at(ORPHANS, manifest)
    return isinstance(said, str) and said.lower() == "orphan"


def _is_waited_for(manifest: Manifest) -> bool:
    """Whether it is ready only when more than its being there is seen.

    A Service is ready when it has an address, which only a load balancer takes time to get; an
    Ingress and a claim when they are there, as for KubeVela. The provider would watch endpoints for
    ten seconds at least, and wait for ever where no controller writes the status of an Ingress.
    """
    if manifest["kind"] == "Service":
        return bool(value_at(("spec", "type"), manifest) == "LoadBalancer")
    return manifest["kind"] not in ("Ingress", "PersistentVolumeClaim")


def owner_of(manifest: Mapping[str, Any]) -> str:
    """The application an object belongs to, ``<namespace>/<name>``; empty when to none."""
    labels = manifest["metadata"].get("labels") or {}
    return f"{labels.get(_NAMESPACE)}/{labels[_NAME]}" if labels.get(_NAME) else ""


def project_of(manifest: Mapping[str, Any]) -> str:
    """The identity of the project that an object is marked with; empty when it has no mark."""
    labels = manifest["metadata"].get("labels") or {}
    return str(labels.get(PROJECT) or "")


def ownership(application: str) -> dict[str, str | None]:
    """The labels that say which application an object belongs to.

    Args:
        application: ``<namespace>/<name>``; empty for none, then the labels are null.
    """
    namespace, _, name = application.rpartition("/")
    return {_NAME: name or None, _NAMESPACE: namespace or None}


def sharers_of(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The applications that share an object, ``<namespace>/<name>`` each, the owner first."""
    text = value_at(SHARERS, manifest)
    names = text.split(",") if isinstance(text, str) else ()
    return tuple(name.strip() for name in names if name.strip())


def refusals(kind: str) -> Iterator[tuple[Path, str]]:
    """What a policy asks for and is not done here, as path below the policy and message.

    Args:
        kind: Type of the policy.
    """
    if kind == DEBUG:
        advice = (
            "leave it out; velapulumi dry-run shows what is rendered, velapulumi status where the "
            "workflow stands, and pulumi stack export what a stage holds"
        )
        yield ("type",), not_supported("a policy of type debug", advice)


def remarks(kind: str, parameters: Any) -> Iterator[tuple[Path, str]]:
    """What a person should know about the valid parameters of a policy.

    Args:
        kind: Type of the policy.
        parameters: Its parameters.

    Yields:
        Path below ``properties`` and message, for everything that has no effect.
    """
    if kind == GARBAGE_COLLECT:
        if parameters.applicationRevisionLimit is not None:
            yield (
                ("applicationRevisionLimit",),
                "has no effect: revisions are kept in version control, not in a cluster",
            )
        if parameters.continueOnFailure:
            yield (
                ("continueOnFailure",),
                "has no effect: objects are removed only when their stage has been updated",
            )
    if kind == APPLY_ONCE and parameters.rules and not parameters.enable:
        yield ("rules",), "have no effect while enable is false"
    if kind in _WITH_RULES:
        for index, rule in enumerate(parameters.rules):
            if rule.selector.selects_nothing:
                yield ("rules", index, "selector"), "has no condition and so selects nothing"


_WITH_RULES = (
    GARBAGE_COLLECT, APPLY_ONCE, SHARED_RESOURCE, READ_ONLY, TAKE_OVER, RESOURCE_UPDATE,
)  # fmt: skip


def _first(rules: tuple[Any, ...], manifest: Mapping[str, Any]) -> Any:
    """The first rule that selects an object; None without any."""
    return next((rule for rule in rules if rule.selector.matches(manifest)), None)
