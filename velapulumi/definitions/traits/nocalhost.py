"""``nocalhost``: development in the cluster with Nocalhost (follows KubeVela v1.10)."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from velapulumi.definitions.base import Context, Manifest, TraitDefinition, TraitResult
from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.network.service import service
from velapulumi.definitions.pod.ports import PortNumber
from velapulumi.spec import Many

ANNOTATION = "dev.nocalhost"
_IMAGES = {"go": "golang", "java": "java", "python": "python", "node": "node", "ruby": "ruby"}


class Commands(BaseParameters):
    """Commands of the development container."""

    run: Many[str] = Field(("sh", "run.sh"), description="Runs the program.")
    debug: Many[str] = Field(("sh", "debug.sh"), description="Runs it for debugging.")


class Debug(BaseParameters):
    """How to debug."""

    remoteDebugPort: PortNumber | None = Field(None, description="Port of the debugger.")


class Sync(BaseParameters):
    """What files are kept equal."""

    type: str = Field("send", description="Direction: send or sendReceive.")
    filePattern: Many[str] = Field(("./",), description="Files to keep equal.")
    ignoreFilePattern: Many[str] = Field(
        (".git", ".vscode", ".idea", ".gradle", "build"), description="Files to leave out."
    )


class Variable(BaseParameters):
    """One environment variable."""

    name: str = Field(description="Name of the variable.")
    value: str = Field(description="Its value.")


class Directory(BaseParameters):
    """A directory which outlives the development container."""

    path: str = Field(description="Directory in the container.")
    capacity: str = Field(description='Size, such as "1Gi".')


class Limits(BaseParameters):
    """Upper limits of the development container."""

    memory: str = Field("2Gi", description="Memory.")
    cpu: str = Field("2", description="CPU.")


class Requests(BaseParameters):
    """Requests of the development container."""

    memory: str = Field("512Mi", description="Memory.")
    cpu: str = Field("0.5", description="CPU.")


class Resources(BaseParameters):
    """Resources of the development container."""

    limits: Limits = Field(Limits(), description="Upper limits.")
    requests: Requests = Field(Requests(), description="Requests.")


class Parameters(BaseParameters):
    """Parameters of ``nocalhost``."""

    port: PortNumber = Field(description="Port of the Service and of the container.")
    serviceType: str = Field("deployment", description="Kind of workload, as Nocalhost calls it.")
    gitUrl: str | None = Field(None, description="Repository of the source code.")
    image: str = Field(
        description="Image of the development container, or go, java, python, node or ruby."
    )
    shell: str = Field("bash", description="Shell of the terminal.")
    workDir: str = Field("/home/nocalhost-dev", description="Directory of the source code.")
    storageClass: str | None = Field(None, description="StorageClass of the directories.")
    command: Commands = Field(Commands(), description="How to run and debug.")
    debug: Debug | None = Field(None, description="Debugger.")
    hotReload: bool = Field(True, description="Whether a changed file starts the program anew.")
    sync: Sync = Field(Sync(), description="What files are kept equal.")
    env: Many[Variable] | None = Field(None, description="Environment variables.")
    portForward: Many[str] | None = Field(
        None, description="Ports as local:remote; the port to itself when absent."
    )
    persistentVolumeDirs: Many[Directory] | None = Field(
        None, description="Directories which stay."
    )
    resources: Resources = Field(Resources(), description="Resources of the container.")


def apply(parameters: Parameters, context: Context, workload: Manifest) -> TraitResult:
    """The annotations Nocalhost reads, and the output ``nocalhostService``."""
    development = {
        "name": context.name,
        "serviceType": parameters.serviceType,
        "containers": [{"name": context.name, "dev": _container(parameters)}],
    }
    annotations = {
        ANNOTATION: json.dumps(development, separators=(",", ":"), ensure_ascii=False),
        f"{ANNOTATION}/application-name": context.app_name,
        f"{ANNOTATION}/application-namespace": context.namespace,
    }
    front = service(
        context.name, context, [{"port": parameters.port, "targetPort": parameters.port}]
    )
    front["spec"]["type"] = "ClusterIP"
    return TraitResult({"metadata": {"annotations": annotations}}, {"nocalhostService": front})


def _container(parameters: Parameters) -> dict[str, Any]:
    """The development container in the order of keys which KubeVela writes."""
    given = parameters.model_dump(mode="json", exclude_none=True)
    language = _IMAGES.get(parameters.image)
    if language:
        given["image"] = f"nocalhost-docker.pkg.coding.net/nocalhost/dev-images/{language}:latest"
    given.setdefault("portForward", [f"{parameters.port}:{parameters.port}"])
    order = (
        "shell",
        "workDir",
        "resources",
        "gitUrl",
        "image",
        "storageClass",
        "persistentVolumeDirs",
        "command",
        "debug",
        "sync",
        "env",
        "portForward",
        "hotReload",
    )
    return {key: given[key] for key in order if key in given}


DEFINITION = TraitDefinition(
    type="nocalhost",
    parameters=Parameters,
    summary="Development in the cluster with Nocalhost.",
    example={"port": 9080, "image": "go", "gitUrl": "https://github.com/example/app.git"},
    apply=apply,
    applies_to=("Deployment", "StatefulSet", "DaemonSet", "Job"),
)
