"""Definitions of component, trait, policy and step types: one small module each."""

from velapulumi.definitions.base import (
    ClusterVersion,
    ComponentDefinition,
    Context,
    Definition,
    Health,
    Manifest,
    Parameters,
    PolicyDefinition,
    Rendered,
    RenderError,
    StepDefinition,
    TraitDefinition,
    TraitResult,
)
from velapulumi.definitions.patch import Marker, PatchConflict, RetainKeys, unify
from velapulumi.definitions.registry import find, types_of

__all__ = [
    "ClusterVersion",
    "ComponentDefinition",
    "Context",
    "Definition",
    "Health",
    "Manifest",
    "Marker",
    "Parameters",
    "PatchConflict",
    "PolicyDefinition",
    "RenderError",
    "Rendered",
    "RetainKeys",
    "StepDefinition",
    "TraitDefinition",
    "TraitResult",
    "find",
    "types_of",
    "unify",
]
