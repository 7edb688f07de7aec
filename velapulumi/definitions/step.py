"""What a workflow step type is: what it does, or which objects it makes.

A step type either acts (it calls something and says how that went) or renders objects, which are
delivered like those of a component. A few types do neither: the workflow itself runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from velapulumi.definitions.base import (
    ComponentDefinition,
    Context,
    Definition,
    Health,
    Manifest,
    P,
    Rendered,
)
from velapulumi.spec import Path

NO_CLUSTER = (
    "names no cluster: there is no control plane here whose own cluster it could be, "
    "name a joined one"
)
"""The problem of a step that must name a cluster and does not."""


@dataclass(frozen=True)
class Done:
    """The step has succeeded.

    Attributes:
        message: What is shown beside it.
        values: What its ``outputs`` may take values from, such as ``{"response": …}``.
        secret: Whether the values must not be written where a team shares its files.
    """

    message: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    secret: bool = False


@dataclass(frozen=True)
class Waiting:
    """The step has to be asked again later.

    Attributes:
        message: What it waits for.
        memory: Handed to it when it is asked again; plain values.
    """

    message: str
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The step has failed, and trying it again is of no use."""

    message: str


Result: TypeAlias = Done | Waiting | Failed


class StepError(Exception):
    """Something went wrong on the way; the step is tried again, up to ten times.

    Args:
        message: What went wrong.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class StepContext:
    """What an acting step knows beside its parameters.

    Attributes:
        app_name: Name of the Application.
        app_namespace: Namespace of the Application.
        app_revision: Name of its revision, such as ``shop-v3``.
        application: The Application as written, without its status.
        name: Name of the step.
        id: Names this step of this run, the same when it is repeated after an interruption; for
            receivers that must not do a thing twice.
        memory: What it left when it was last ``Waiting``; empty at first.
    """

    app_name: str
    app_namespace: str
    app_revision: str
    application: Manifest
    name: str
    id: str
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: its status code, headers (names in small letters) and text."""

    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Finished:
    """A command that has ended.

    Attributes:
        code: Its exit code; the negative number of the signal that ended it.
        output: What it wrote to its standard output, at most the last MiB.
        errors: What it wrote to its standard error, likewise.
        late: Whether it had not ended in time and was killed.
    """

    code: int
    output: str
    errors: str
    late: bool = False


@dataclass(frozen=True)
class Mail:
    """A message and the server that takes it.

    Attributes:
        host: Name of the server.
        port: Its port; 465 means TLS from the start, others are asked for STARTTLS.
        user: Who signs in and sends.
        password: With which password.
        alias: Name shown as the sender; empty for none.
        to: Addresses it goes to.
        subject: Its subject.
        body: Its text.
    """

    host: str
    port: int
    user: str
    password: str
    alias: str
    to: Sequence[str]
    subject: str
    body: str


class Tools(Protocol):
    """What an acting step may do in the world; each method raises StepError when it cannot."""

    def now(self) -> float:
        """Seconds since 1970."""

    def read(self, cluster: str, manifest: Manifest) -> Manifest | None:
        """The object a manifest names (apiVersion, kind, metadata) on a joined cluster."""

    def objects(
        self, cluster: str, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[Manifest]:
        """The objects of a kind that carry the labels."""

    def delete(self, cluster: str, manifest: Manifest) -> None:
        """Delete an object and what hangs on it; one that is not there is no error."""

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = {},
        body: str | None = None,
        timeout: float = 30,
    ) -> Answer:
        """Send an HTTP request; any status code is an answer."""

    def mail(self, message: Mail) -> None:
        """Send a mail."""

    def run(
        self, command: Sequence[str], *, environment: Mapping[str, str], timeout: float
    ) -> Finished:
        """Run a local command, without a shell, in the project's folder."""

    def variable(self, name: str) -> str:
        """The value of an environment variable of this process."""

    def phase_of(self, application: str) -> str | None:
        """The phase of another application of the project, such as ``running``; None without."""

    def endpoints(self, components: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Services and Ingresses the application has delivered so far, as live objects.

        Args:
            components: Only of these components; all when empty.

        Returns:
            Mappings with ``cluster``, ``component`` and ``object``.
        """


@dataclass(frozen=True)
class Target:
    """Where a step's objects go.

    Attributes:
        cluster: Name of the cluster.
        namespace: The namespace; that of the application when empty.
        topology: Name of the topology policy that tells the clusters instead.
    """

    cluster: str = ""
    namespace: str = ""
    topology: str = ""


def _no_problems(_: Any) -> Iterable[tuple[Path, str]]:
    return ()


def _healthy(_: Mapping[str, Any]) -> Health:
    return Health(True, "")


@dataclass(frozen=True, kw_only=True)
class StepDefinition(Definition[P]):
    """A workflow step type.

    Attributes:
        check: Problems of valid parameters, as path below ``properties`` and message.
        act: Does what the step is for, or says that it has to be asked again. It may be called
            again after an interruption. May raise StepError.
        render: Makes objects instead, as a component does; may raise RenderError.
        target: Where the objects go.
        health: Judges the live workload; the step waits until it is healthy.
    """

    check: Callable[[P], Iterable[tuple[Path, str]]] = _no_problems
    act: Callable[[P, StepContext, Tools], Result] | None = None
    render: Callable[[P, Context], Rendered] | None = None
    target: Callable[[P], Target] = field(default=lambda _: Target())
    health: Callable[[Mapping[str, Any]], Health] = _healthy

    def as_component(self) -> ComponentDefinition[P]:
        """The definition of the component that the objects of a rendering step are."""
        assert self.render is not None
        return ComponentDefinition(
            type=self.type,
            parameters=self.parameters,
            summary=self.summary,
            example=self.example,
            workload=None,
            render=self.render,
            health=self.health,
        )
