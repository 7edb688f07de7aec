"""Every tool: its version, which other versions fit, and how it is built.

This module is data; `resolve` looks tools up, `download` and `build` get them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PULUMI_VERSION = "3.259.0"
PROVIDER_VERSION = "4.25.0"
KUBERNETES_VERSION = "1.36.3"
ETCD_VERSION = "3.6.14"
KWOK_VERSION = "0.8.0"
CUE_VERSION = "0.17.1"
GO_SERIES = "1.26"

PULUMI = "pulumi"
LANGUAGE_HOST = "pulumi-language-python"
LANGUAGE_EXECUTOR = "pulumi-language-python-exec"
PROVIDER = "pulumi-resource-kubernetes"

Version = tuple[int, int, int]


def parse_version(text: str) -> Version | None:
    """The numbers of a version such as ``1.36.3``; None when it is none."""
    parts = text.split(".")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


@dataclass(frozen=True)
class Tool:
    """A program velapulumi runs.

    Attributes:
        name: File name.
        module: Name of the module it is built from.
        wants: The versions that fit, in words.
        fits: Tells whether a version fits.
        asks: Arguments that make it print its version.
    """

    name: str
    module: str
    wants: str
    fits: Callable[[Version], bool]
    asks: tuple[str, ...] = ("--version",)


def _kubernetes(version: Version) -> bool:
    return version[:2] == (1, 36)


def _kwok(version: Version) -> bool:
    return version[:2] == (0, 8)


def _tool(name: str, asks: tuple[str, ...] = ("--version",)) -> Tool:
    return Tool(name, "kubernetes", "1.36.x", _kubernetes, asks)


ENGINE_TOOLS = (
    Tool(
        PULUMI,
        "pulumi",
        ">=3.259,<4, its Python language host beside it",
        lambda version: (3, 259, 0) <= version < (4, 0, 0),
        ("version",),
    ),
    Tool(
        PROVIDER,
        "provider",
        PROVIDER_VERSION,
        lambda version: version == parse_version(PROVIDER_VERSION),
        ("-version",),
    ),
)
CLUSTER_TOOLS = (
    _tool("kube-apiserver"),
    _tool("kube-controller-manager"),
    _tool("kube-scheduler"),
    _tool("kubectl", ("version", "--client")),
    Tool("etcd", "etcd", ">=3.6", lambda version: version >= (3, 6, 0)),
    Tool("kwok", "kwok", "0.8.x", _kwok),
    Tool("kwokctl", "kwok", "0.8.x", _kwok),
)
CUE = Tool("cue", "cue", "0.17.x", lambda version: version[:2] == (0, 17), ("version",))
"""Evaluates definitions with CUE templates; needed by projects that have one only."""


@dataclass(frozen=True)
class Recipe:
    """How one Go module becomes binaries.

    Attributes:
        name: Folder below ``toolchain/``.
        version: Version of what it makes.
        outputs: File names it makes.
        package: What ``go build`` is given; ``tool`` stands for all tools of the module.
        stamps: Linker variables to set, ``PATH.NAME=VALUE``.
        source: Module that `needs` is taken from.
        needs: File of `source` that belongs to the result, or to what is compiled.
    """

    name: str
    version: str
    outputs: tuple[str, ...]
    package: str
    stamps: tuple[str, ...] = ()
    source: str = ""
    needs: str = ""


_KUBERNETES_STAMPS = tuple(
    f"{package}.{name}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for name, value in (
        ("gitVersion", f"v{KUBERNETES_VERSION}"),
        ("gitMajor", KUBERNETES_VERSION.split(".")[0]),
        ("gitMinor", KUBERNETES_VERSION.split(".")[1]),
        ("gitTreeState", "clean"),
    )
)

# The longest builds come first, so that the last ones to end are short.
RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "provider",
            PROVIDER_VERSION,
            (PROVIDER,),
            ".",
            (
                "github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version="
                f"{PROVIDER_VERSION}",
            ),
            "github.com/pulumi/pulumi-kubernetes/provider/v4",
            "cmd/pulumi-resource-kubernetes/schema.json",
        ),
        Recipe(
            "kubernetes",
            KUBERNETES_VERSION,
            ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"),
            "tool",
            _KUBERNETES_STAMPS,
        ),
        Recipe(
            "pulumi",
            PULUMI_VERSION,
            (PULUMI,),
            "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
            (f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}",),
        ),
        Recipe("kwok", KWOK_VERSION, ("kwok", "kwokctl"), "tool"),
        Recipe("etcd", ETCD_VERSION, ("etcd",), "go.etcd.io/etcd/server/v3"),
        Recipe(
            "language-python",
            PULUMI_VERSION,
            (LANGUAGE_HOST, LANGUAGE_EXECUTOR),
            "github.com/pulumi/pulumi/sdk/python/cmd/pulumi-language-python/v3",
            (),
            "github.com/pulumi/pulumi/sdk/v3",
            "python/cmd/pulumi-language-python-exec",
        ),
        Recipe("cue", CUE_VERSION, ("cue",), "cuelang.org/go/cmd/cue"),
    )
}
