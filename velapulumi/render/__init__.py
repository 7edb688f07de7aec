"""From an Application to the Kubernetes objects of each of its environments."""

from velapulumi.render.components import ResolvedComponent, ResolvedTrait, resolve
from velapulumi.render.environments import Environment
from velapulumi.render.inputs import with_inputs
from velapulumi.render.loading import (
    HealthPolicy,
    Loaded,
    base_environment,
    load,
    parse,
    shown_environments,
)
from velapulumi.render.merge import merge
from velapulumi.render.objects import (
    RenderedObject,
    RevisionNames,
    recorded_object,
    render_environment,
    render_placed,
)
from velapulumi.render.placement import LOCAL, Placement
from velapulumi.render.references import references_of
from velapulumi.render.surroundings import NOTHING_ELSE, ClusterFacts, Surroundings

__all__ = [
    "LOCAL",
    "NOTHING_ELSE",
    "ClusterFacts",
    "Environment",
    "HealthPolicy",
    "Loaded",
    "Placement",
    "RenderedObject",
    "ResolvedComponent",
    "ResolvedTrait",
    "RevisionNames",
    "Surroundings",
    "base_environment",
    "load",
    "merge",
    "parse",
    "recorded_object",
    "references_of",
    "render_environment",
    "render_placed",
    "resolve",
    "shown_environments",
    "with_inputs",
]
