"""``statefulset``: a StatefulSet with ports and, when they are exposed, a Service.

Follows KubeVela v1.10.
"""

from __future__ import annotations

from velapulumi.definitions.base import ComponentDefinition, Context, Rendered
from velapulumi.definitions.pod.service import (
    MappedServiceParameters,
    exposed,
    service_pod,
    service_pod_metadata,
)
from velapulumi.definitions.pod.workload import API_VERSION, service_health, workload


class Parameters(MappedServiceParameters):
    """Parameters of ``statefulset``."""


def render(parameters: Parameters, context: Context) -> Rendered:
    """The StatefulSet, and the Service ``statefulsetsExpose`` when a port is exposed.

    Raises:
        RenderError: A pod label contradicts one which velapulumi sets, or two ports have one name.
    """
    metadata = service_pod_metadata(parameters, context)
    spec = service_pod(parameters, context, parameters.args)
    return Rendered(
        workload("StatefulSet", context, metadata, spec),
        exposed(parameters, context, "statefulsetsExpose"),
    )


DEFINITION = ComponentDefinition(
    type="statefulset",
    parameters=Parameters,
    summary="A service whose pods keep their names, such as a database.",
    example={
        "image": "postgres:16.4",
        "ports": [{"port": 5432, "expose": True}],
        "env": [
            {"name": "POSTGRES_DB", "value": "shop"},
            {
                "name": "POSTGRES_PASSWORD",
                "valueFrom": {"secretKeyRef": {"name": "shop-db", "key": "password"}},
            },
        ],
        "volumeMounts": {
            "pvc": [
                {
                    "name": "data",
                    "mountPath": "/var/lib/postgresql/data",
                    "claimName": "shop-data",
                    "subPath": "data",
                }
            ]
        },
    },
    workload=(API_VERSION, "StatefulSet"),
    render=render,
    health=service_health,
)
