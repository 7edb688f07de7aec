"""``service-account``: the identity of the pods and what it may do (follows KubeVela v1.10)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.patch import RetainKeys
from velapulumi.definitions.pod.template import POD_KINDS, pod_patch
from velapulumi.spec import Many

RBAC = "rbac.authorization.k8s.io"


class Privileges(BaseParameters):
    """What the account may do with some resources."""

    verbs: Many[str] = Field(description='Verbs, such as "get" and "list".')
    apiGroups: Many[str] | None = Field(None, description='API groups; "" is the core one.')
    resources: Many[str] | None = Field(None, description='Resources, such as "secrets".')
    resourceNames: Many[str] | None = Field(None, description="Names; all when absent.")
    nonResourceURLs: Many[str] | None = Field(None, description="Paths of the API server.")
    scope: Literal["namespace", "cluster"] = Field(
        "namespace", description="Whether they hold in the namespace or the whole cluster."
    )

    def rule(self) -> Manifest:
        """The rule of a role, with the lists which are given."""
        lists = {
            "verbs": self.verbs,
            "apiGroups": self.apiGroups,
            "resources": self.resources,
            "resourceNames": self.resourceNames,
            "nonResourceURLs": self.nonResourceURLs,
        }
        return {key: list(value) for key, value in lists.items() if value is not None}


class Parameters(BaseParameters):
    """Parameters of ``service-account``."""

    name: str = Field(description="Name of the ServiceAccount.")
    create: bool = Field(False, description="Whether to make it.")
    privileges: Many[Privileges] | None = Field(None, description="What it may do.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the pods' account; the account and its roles with their bindings are outputs.

    The cluster's roles are named by namespace and account, parted by a colon.
    """
    outputs: dict[str, Manifest] = {}
    if parameters.create:
        outputs["service-account"] = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": parameters.name},
        }
    rules: dict[str, list[Manifest]] = {"cluster": [], "namespace": []}
    for privileges in parameters.privileges or ():
        rules[privileges.scope].append(privileges.rule())
    account = {"kind": "ServiceAccount", "name": parameters.name}
    if rules["cluster"]:
        name = f"{context.namespace}:{parameters.name}"
        subject = {**account, "namespace": context.namespace}
        outputs["cluster-role"] = _role("ClusterRole", name, rules["cluster"])
        outputs["cluster-role-binding"] = _binding("ClusterRole", name, subject)
    if rules["namespace"]:
        outputs["role"] = _role("Role", parameters.name, rules["namespace"])
        outputs["role-binding"] = _binding("Role", parameters.name, account)
    patch = pod_patch(workload, {"serviceAccountName": RetainKeys(parameters.name)})
    return TraitResult(patch, outputs)


def _role(kind: str, name: str, rules: Sequence[Manifest]) -> Manifest:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "rules": list(rules),
    }


def _binding(role: str, name: str, subject: Manifest) -> Manifest:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{role}Binding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": role, "name": name},
        "subjects": [subject],
    }


DEFINITION = TraitDefinition(
    type="service-account",
    parameters=Parameters,
    summary="The ServiceAccount of the pods and what it may do.",
    example={
        "name": "reader",
        "create": True,
        "privileges": [{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]}],
    },
    apply=apply,
    applies_to=POD_KINDS,
)
