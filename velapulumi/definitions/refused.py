"""Workflow step types of KubeVela that are not run here, each with what to use instead."""

from __future__ import annotations

from collections.abc import Mapping

_TERRAFORM = "run Terraform beside it, in a step of type run"
_CONFIG = "use export2config or export2secret, and read-object"
_JOB = "use a step of type run"

REFUSED_STEPS: Mapping[str, str] = {
    "apply-application": "use deploy or apply-component",
    "apply-application-in-parallel": "use deploy",
    "apply-remaining": "use deploy or apply-component",
    "apply-terraform-config": _TERRAFORM,
    "apply-terraform-provider": _TERRAFORM,
    "build-push-image": "build the image before, or in a step of type run",
    "create-config": _CONFIG,
    "delete-config": _CONFIG,
    "deploy-cloud-resource": _TERRAFORM,
    "deploy2runtime": "use deploy with a topology policy",
    "generate-jdbc-connection": "use read-object on the Secret that holds the connection",
    "list-config": _CONFIG,
    "read-app": "use depends-on-app, or read-object",
    "read-config": _CONFIG,
    "restart-workflow": "run `velapulumi workflow restart` from a scheduler",
    "share-cloud-resource": "use read-object and export2secret",
    "vela-cli": _JOB,
}
