"""Traits which meet the workload, other traits or each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from velapulumi.definitions import (
    ComponentDefinition,
    Context,
    Manifest,
    Parameters,
    TraitDefinition,
    TraitResult,
    find,
)
from velapulumi.render import Placement, ResolvedComponent, ResolvedTrait, RevisionNames
from velapulumi.render.labels import Inherited
from velapulumi.render.objects import ComponentError, RenderedObject, render_component
from velapulumi.spec import parse_application

APPLICATION = parse_application(
    """\
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: app}
spec: {components: [{name: c, type: worker, properties: {image: i}}]}
""",
    "app.yaml",
)
ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}


class NoParameters(Parameters):
    """None."""


def trait(
    name: str,
    patch: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Manifest] | None = None,
    **more: Any,
) -> ResolvedTrait:
    def apply(parameters: NoParameters, context: Context, workload: Manifest) -> TraitResult:
        return TraitResult(patch or {}, outputs or {})

    definition = TraitDefinition(
        type=name, parameters=NoParameters, summary="s", example={}, apply=apply, **more
    )
    return ResolvedTrait(definition, NoParameters())


def resolved(*traits: ResolvedTrait) -> ResolvedComponent:
    worker = find(ComponentDefinition, "worker")
    assert worker is not None
    component = APPLICATION.components[0]
    parameters, problems = worker.read(component.properties)
    assert problems == []
    return ResolvedComponent(component, worker, parameters, traits)


def rendered(*traits: ResolvedTrait) -> list[RenderedObject]:
    place, revision = Placement("c1", "ns"), RevisionNames("app-v1")
    return list(
        render_component(APPLICATION, resolved(*traits), place, revision, Inherited({}, {}))
    )


def test_patches_are_unified_one_after_the_other() -> None:
    first = trait("first", {"spec": {"strategy": {"type": "Recreate"}}})
    second = trait("second", {"spec": {"strategy": {"type": "Recreate"}, "paused": True}})
    (item,) = rendered(first, second)
    spec = item.manifest["spec"]
    assert (spec["strategy"], spec["paused"]) == ({"type": "Recreate"}, True)


def test_conflicting_patch_is_an_error_at_the_trait() -> None:
    with pytest.raises(ComponentError, match="conflicting values 'apps/v1' and 'v2'") as caught:
        rendered(trait("bad", {"apiVersion": "v2"}))
    assert caught.value.path == ("traits", 0)
    assert caught.value.message.startswith("invalid patch trait bad into workload: apiVersion:")


def test_outputs_are_labelled_and_cluster_scoped_kinds_lose_the_namespace() -> None:
    _, role = rendered(trait("rbac", outputs={"role": ROLE}))
    metadata = role.manifest["metadata"]
    assert metadata["name"] == "c"
    assert "namespace" not in metadata
    assert (role.namespace, role.role, role.trait, role.key) == ("", "TRAIT", "rbac", "role")
    labels = metadata["labels"]
    assert labels["app.oam.dev/resourceType"] == "TRAIT"
    assert labels["trait.oam.dev/type"] == "rbac"
    assert labels["trait.oam.dev/resource"] == "role"
    assert "workload.oam.dev/type" not in labels


def test_what_kubectl_has_noted_is_left_out_of_every_object() -> None:
    """It repeats the object, the values of a Secret among it, and no stack encrypts it."""
    noted = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "other": "stays"}
    outputs = {"role": {**ROLE, "metadata": {"name": "role", "annotations": noted}}}
    item, role = rendered(trait("noted", {"metadata": {"annotations": noted}}, outputs))
    for each in (item, role):
        assert each.manifest["metadata"]["annotations"] == {"other": "stays"}


def test_an_object_without_a_name_of_its_own_is_refused() -> None:
    drawn = {**ROLE, "metadata": {"generateName": "run-"}}
    with pytest.raises(ComponentError, match="ClusterRole with generateName run-: ") as caught:
        rendered(trait("rbac", outputs={"role": drawn}))
    assert caught.value.path == ("traits", 0, "properties")
    named = {**ROLE, "metadata": {"generateName": "run-", "name": "run"}}
    _, role = rendered(trait("rbac", outputs={"role": named}))
    assert role.manifest["metadata"]["name"] == "run"


def test_two_traits_may_use_one_key() -> None:
    other = {**ROLE, "metadata": {"name": "other"}}
    _, first, second = rendered(trait("a", outputs={"x": ROLE}), trait("b", outputs={"x": other}))
    assert (first.key, second.key) == ("x", "x")


def test_two_traits_of_one_type_which_make_the_same_object_are_an_error() -> None:
    with pytest.raises(ComponentError) as caught:
        rendered(trait("a", outputs={"x": ROLE}), trait("a", outputs={"y": ROLE}))
    assert caught.value.path == ("traits", 1)
    assert caught.value.message == "ClusterRole c is made by an earlier trait of type a already"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param(
            {"applies_to": ("DaemonSet",)},
            "trait a does not apply to a Deployment, it is for: DaemonSet",
            id="kind",
        ),
        pytest.param(
            {"conflicts_with": ("b",)},
            "trait a conflicts with trait b: keep one of them",
            id="conflict",
        ),
    ],
)
def test_trait_out_of_place_is_an_error_at_its_type(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ComponentError) as caught:
        rendered(trait("a", **more), trait("b", applies_to=("Deployment",)))
    assert (caught.value.path, caught.value.message) == (("traits", 0, "type"), message)


def test_patch_of_outputs_changes_objects_made_before() -> None:
    def apply(parameters: NoParameters, context: Context, workload: Manifest) -> TraitResult:
        return TraitResult(patch_outputs={"role": {"rules": []}, "other": {"x": 1}})

    patching = TraitDefinition(
        type="patching", parameters=NoParameters, summary="s", example={}, apply=apply
    )
    _, role = rendered(
        trait("rbac", outputs={"role": ROLE}), ResolvedTrait(patching, NoParameters())
    )
    assert role.manifest["rules"] == []
    assert role.trait == "rbac"


def test_a_trait_sees_the_objects_made_before() -> None:
    seen: list[dict[str, Manifest]] = []

    def apply(parameters: NoParameters, context: Context, workload: Manifest) -> TraitResult:
        seen.append(dict(context.outputs))
        return TraitResult()

    looking = TraitDefinition(
        type="looking", parameters=NoParameters, summary="s", example={}, apply=apply
    )
    rendered(
        ResolvedTrait(looking, NoParameters()),
        trait("rbac", outputs={"role": ROLE}),
        ResolvedTrait(looking, NoParameters()),
    )
    assert seen == [{}, {"role": ROLE}]
