"""``affinity``: which nodes the pods prefer and tolerate (follows KubeVela v1.10)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.pod.template import POD_KINDS, pod_patch
from velapulumi.spec import Many

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


class Expression(BaseParameters):
    """A condition on a label."""

    key: str = Field(description="Name of the label.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"] = Field(
        "In", description="How the label is compared."
    )
    values: Many[str] | None = Field(None, description="Values for In and NotIn.")


class LabelSelector(BaseParameters):
    """Conditions on labels, which all must hold."""

    matchLabels: dict[str, str] | None = Field(None, description="Labels with their values.")
    matchExpressions: Many[Expression] | None = Field(None, description="Further conditions.")


class PodTerm(BaseParameters):
    """Pods, and what is near to them."""

    labelSelector: LabelSelector | None = Field(None, description="Which pods.")
    namespace: str | None = Field(None, description="Their namespace, one more beside namespaces.")
    namespaces: Many[str] | None = Field(None, description="Their namespaces; the own if absent.")
    topologyKey: str = Field(description="Label which nodes near to each other share.")
    namespaceSelector: LabelSelector | None = Field(
        None, description="Which namespaces, by their labels."
    )

    def written(self) -> Manifest:
        """The term as Kubernetes takes it, which knows only ``namespaces``."""
        term: Manifest = self.model_dump(mode="json", exclude_none=True, exclude={"namespace"})
        if self.namespace is not None:
            term["namespaces"] = [*(self.namespaces or ()), self.namespace]
        return term


class WeightedPodTerm(BaseParameters):
    """A preference about pods."""

    weight: int = Field(ge=1, le=100, description="Weight of the preference.")
    podAffinityTerm: PodTerm = Field(description="The pods.")


class PodAffinity(BaseParameters):
    """Nearness to other pods."""

    required: Many[PodTerm] | None = Field(None, description="What must hold.")
    preferred: Many[WeightedPodTerm] | None = Field(None, description="What is preferred.")

    def written(self) -> Manifest:
        """The affinity as Kubernetes takes it."""
        result: Manifest = {}
        if self.required is not None:
            result[REQUIRED] = [term.written() for term in self.required]
        if self.preferred is not None:
            result[PREFERRED] = [
                {"weight": item.weight, "podAffinityTerm": item.podAffinityTerm.written()}
                for item in self.preferred
            ]
        return result


class NodeCondition(BaseParameters):
    """A condition on a node."""

    key: str = Field(description="Name of the label or field.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        "In", description="How it is compared."
    )
    values: Many[str] | None = Field(None, description="Values, for operators which need them.")


class NodeTerm(BaseParameters):
    """Conditions on a node, which all must hold."""

    matchExpressions: Many[NodeCondition] | None = Field(None, description="Its labels.")
    matchFields: Many[NodeCondition] | None = Field(None, description="Its fields.")


class NodeTerms(BaseParameters):
    """Terms of which one must hold."""

    nodeSelectorTerms: Many[NodeTerm] = Field(description="The terms.")


class WeightedNodeTerm(BaseParameters):
    """A preference about nodes."""

    weight: int = Field(ge=1, le=100, description="Weight of the preference.")
    preference: NodeTerm = Field(description="The nodes.")


class NodeAffinity(BaseParameters):
    """Nodes the pods run on."""

    required: NodeTerms | None = Field(None, description="What must hold.")
    preferred: Many[WeightedNodeTerm] | None = Field(None, description="What is preferred.")

    def written(self) -> Manifest:
        """The affinity as Kubernetes takes it."""
        names = {"required": REQUIRED, "preferred": PREFERRED}
        given = self.model_dump(mode="json", exclude_none=True)
        return {names[field]: value for field, value in given.items()}


class Toleration(BaseParameters):
    """A taint the pods tolerate."""

    key: str | None = Field(None, description="Key of the taint; all when absent.")
    operator: Literal["Equal", "Exists"] = Field("Equal", description="How it is compared.")
    value: str | None = Field(None, description="Value of the taint, for Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="Effect of the taint; all when absent."
    )
    tolerationSeconds: int | None = Field(
        None, description="How long pods stay, for NoExecute; for good when absent."
    )


class Parameters(BaseParameters):
    """Parameters of ``affinity``."""

    podAffinity: PodAffinity | None = Field(None, description="Pods to be near to.")
    podAntiAffinity: PodAffinity | None = Field(None, description="Pods to be far from.")
    nodeAffinity: NodeAffinity | None = Field(None, description="Nodes to run on.")
    tolerations: Many[Toleration] | None = Field(None, description="Taints to tolerate.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """Set the affinity and the tolerations."""
    given = {
        "podAffinity": parameters.podAffinity,
        "podAntiAffinity": parameters.podAntiAffinity,
        "nodeAffinity": parameters.nodeAffinity,
    }
    affinity = {name: value.written() for name, value in given.items() if value is not None}
    patch: Manifest = {"affinity": affinity} if affinity else {}
    if parameters.tolerations is not None:
        patch["tolerations"] = [
            toleration.model_dump(exclude_none=True) for toleration in parameters.tolerations
        ]
    return TraitResult(patch=pod_patch(workload, patch))


DEFINITION = TraitDefinition(
    type="affinity",
    parameters=Parameters,
    summary="Which nodes the pods prefer and which taints they tolerate.",
    example={
        "podAntiAffinity": {
            "preferred": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "labelSelector": {"matchLabels": {"app.oam.dev/component": "web"}},
                        "topologyKey": "kubernetes.io/hostname",
                    },
                }
            ]
        },
        "tolerations": [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}],
    },
    apply=apply,
    applies_to=POD_KINDS,
)
