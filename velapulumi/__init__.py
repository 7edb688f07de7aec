"""Deliver one application to many Kubernetes clusters, stage by stage."""

__version__ = "0.1.0"
