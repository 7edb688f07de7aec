"""From an Application to the Kubernetes objects of each of its environments."""

from velapulumi.render.components import ResolvedComponent, ResolvedTrait
from velapulumi.render.environments import LOCAL, Environment, Placement
from velapulumi.render.loading import HealthPolicy, Loaded, base_environment, load, parse
from velapulumi.render.merge import merge
from velapulumi.render.objects import RenderedObject, RevisionNames, render_environment

__all__ = [
    "LOCAL",
    "Environment",
    "HealthPolicy",
    "Loaded",
    "Placement",
    "RenderedObject",
    "ResolvedComponent",
    "ResolvedTrait",
    "RevisionNames",
    "base_environment",
    "load",
    "merge",
    "parse",
    "render_environment",
]
