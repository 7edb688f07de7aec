"""``helm``: a Helm chart which Flux installs (follows KubeVela's fluxcd addon 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from velapulumi.definitions.base import ComponentDefinition, Context, Health, Manifest, Rendered
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.flux import BUCKET, GIT, Provider, SourceParameters, source
from velapulumi.spec import Many

WORKLOAD = ("helm.toolkit.fluxcd.io/v2beta1", "HelmRelease")
HELM = ("source.toolkit.fluxcd.io/v1beta2", "HelmRepository")
SOURCES = {"helm": HELM, "oci": HELM, "git": GIT, "oss": BUCKET}
SUCCEEDED = "Release reconciliation succeeded"


class HelmRepository(BaseParameters):
    """How to sign in to a repository of charts."""

    provider: Provider = Field("generic", description="Who keeps it and how to sign in.")


class ValuesFrom(BaseParameters):
    """A Secret or ConfigMap with values for the chart."""

    kind: Literal["Secret", "ConfigMap"] = Field(description="Kind of the object.")
    name: str = Field(description="Name of the object, in the namespace of the release.")
    valuesKey: str | None = Field(None, description="Key inside the object.")
    targetPath: str | None = Field(None, description="The one value which it sets.")
    optional: bool | None = Field(None, description="Whether it may be missing.")


class Parameters(SourceParameters):
    """Parameters of ``helm``."""

    repoType: Literal["helm", "git", "oss", "oci"] = Field(
        "helm", description="What kind of source has the chart."
    )
    chart: str = Field(description="Name of the chart, or its path in a git or oss source.")
    version: str = Field("*", description="Version of the chart, or a range of versions.")
    interval: str = Field("30s", description="Time between two looks at the chart.")
    installTimeout: str = Field("10m", description="How long to wait for the installation.")
    helmrepository: HelmRepository | None = Field(
        None, description="How to sign in, for repoType helm and oci."
    )
    valuesFiles: Many[str] | None = Field(
        None, description="Files of the source with values, the last one wins."
    )
    values: dict[str, Any] | None = Field(None, description="Values for the chart.")
    valuesFrom: Many[ValuesFrom] | None = Field(
        None, description="Secrets and ConfigMaps with values for the chart."
    )
    targetNamespace: str | None = Field(None, description="Namespace to install into.")
    releaseName: str | None = Field(None, description="Name of the release.")
    retries: int = Field(3, description="How often to try again after a failure.")
    upgradeCRD: bool = Field(False, description="Whether upgrades also replace the chart's CRDs.")


def render(parameters: Parameters, context: Context) -> Rendered:
    """The HelmRelease, and its source ``repo`` unless one that exists is used.

    Raises:
        RenderError: A parameter is missing which this kind of source needs.
    """
    workload = {
        "apiVersion": WORKLOAD[0],
        "kind": WORKLOAD[1],
        "metadata": {"name": context.name},
        "spec": _release(parameters, parameters.sourceName or context.name),
    }
    if parameters.sourceName:
        return Rendered(workload)
    kind = SOURCES[parameters.repoType]
    own = _repository(parameters) if kind == HELM else {}
    return Rendered(workload, {"repo": source(parameters, kind, context.name, own)})


def health(live: Mapping[str, Any]) -> Health:
    """Healthy when the first condition is true.

    The message is the part of KubeVela's which tells of the release, spelled as there.
    """
    status = live.get("status")
    if not status:
        return Health(False, "Creating helm release")
    conditions = list(status.get("conditions") or ())
    healthy = bool(conditions) and conditions[0].get("status") == "True"
    messages = [text for condition in conditions[:2] if (text := condition.get("message"))]
    if not messages:
        return Health(healthy, "Wating repository ready")
    if messages[0] == SUCCEEDED:
        return Health(healthy, "Create helm release successfully")
    message = f"Delivery helm release in progress, message: {', '.join(messages)}"
    return Health(healthy, message)


def _release(parameters: Parameters, source_name: str) -> Manifest:
    chart: Manifest = {
        "chart": parameters.chart,
        "version": parameters.version,
        "sourceRef": {"kind": SOURCES[parameters.repoType][1], "name": source_name},
        "interval": parameters.interval,
    }
    if parameters.valuesFiles is not None:
        chart["valuesFiles"] = list(parameters.valuesFiles)
    upgrade: Manifest = {"remediation": {"retries": parameters.retries}}
    if parameters.upgradeCRD:
        upgrade["crds"] = "CreateReplace"
    spec: Manifest = {
        "timeout": parameters.installTimeout,
        "interval": parameters.pullInterval,
        "chart": {"spec": chart},
        "install": {"remediation": {"retries": parameters.retries}},
        "upgrade": upgrade,
    }
    for field in ("targetNamespace", "releaseName", "values"):
        if (value := getattr(parameters, field)) is not None:
            spec[field] = value
    if parameters.valuesFrom is not None:
        spec["valuesFrom"] = [item.model_dump(exclude_none=True) for item in parameters.valuesFrom]
    return spec


def _repository(parameters: Parameters) -> Manifest:
    own: Manifest = {}
    if parameters.repoType == "oci":
        own["type"] = "oci"
    if parameters.helmrepository is not None:
        own["provider"] = parameters.helmrepository.provider
    return own


DEFINITION = ComponentDefinition(
    type="helm",
    parameters=Parameters,
    summary="A Helm chart, installed by Flux, which the cluster must have.",
    example={
        "url": "https://stefanprodan.github.io/podinfo",
        "chart": "podinfo",
        "version": "6.7.1",
        "values": {"replicaCount": 2},
    },
    takes_null=True,
    workload=WORKLOAD,
    render=render,
    health=health,
)
