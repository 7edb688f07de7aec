"""The tools velapulumi runs, and Kubernetes clusters on this machine to rehearse deliveries on.

`find_engine` and `find_cluster_tools` only look; `ensure_engine`, `ensure_cluster_tools` and
`ensure_cue` get what is missing. The clusters are in `velapulumi.playground.clusters`.
"""

from velapulumi.playground.resolve import (
    ClusterTools,
    Engine,
    ensure_cluster_tools,
    ensure_cue,
    ensure_engine,
    find_cluster_tools,
    find_engine,
)

__all__ = [
    "ClusterTools",
    "Engine",
    "ensure_cluster_tools",
    "ensure_cue",
    "ensure_engine",
    "find_cluster_tools",
    "find_engine",
]
