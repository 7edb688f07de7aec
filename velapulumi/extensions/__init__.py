"""Definitions of one's own: Python in a project's folder, and KubeVela's own with CUE templates."""

from velapulumi.extensions.catalog import catalog_of

__all__ = ["catalog_of"]
