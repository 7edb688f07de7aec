"""The plan document: all that a change is, as one value with one name, its SHA-256.

Whoever approves says yes to exactly this value; whoever delivers makes it once more of what is
there then, and compares. It holds no time and no order that the reading of it could change.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError

from velapulumi.errors import InvalidFile
from velapulumi.plan.canonical import canonical, digest
from velapulumi.plan.operation import Cause, Operation
from velapulumi.spec.model import Many, StrictModel, explain


class Base(StrictModel):
    """What an object is before the change.

    Attributes:
        live: Digest of the fields in the cluster that the application owns; empty when the object
            is not there.
        recorded: Digest of what the stack holds; empty when it holds nothing.
    """

    live: str = ""
    recorded: str = ""


class PlannedField(StrictModel):
    """A field that changes.

    Attributes:
        path: Where it is, part by part.
        before: Its value before; null when it is not there.
        after: Its value afterwards; null when it goes.
        left: Whether it keeps its value before, as the application leaves that to others.
        managers: Who has changed it in the cluster; no part of what is approved.
    """

    path: Many[str | int]
    before: Any = None
    after: Any = None
    left: bool = False
    managers: Many[str] = Field((), exclude=True)


class Refusal(StrictModel):
    """Why an object cannot be delivered.

    Attributes:
        code: Code of the error, such as ``VP204``.
        message: What is wrong.
        next_step: What to do.
    """

    code: str
    message: str
    next_step: str = ""


REFUSED = "refused: "
"""What a remark begins with that tells why a cluster would refuse an object."""


class PlannedObject(StrictModel):
    """An object of a stage on one cluster.

    Attributes:
        api_version: Its API version.
        kind: Its kind.
        namespace: Its namespace, empty when it has none.
        name: Its name.
        component: The component it belongs to.
        operation: What happens to it.
        cause: Why, where it does not go without saying.
        desired: Digest of what it shall be; empty when it goes.
        normalised: The same without empty maps and lists, some of which a stack does not keep;
            empty when that is no other.
        base: What it is before.
        fields: The fields that change, but the labels that change with every revision.
        drift: The fields that others have changed in the cluster: from what is there to what the
            application wants.
        content: What is created, replaced or taken over, without secrets.
        other: The stage or application that it comes from or goes to.
        images: The images of its containers.
        irreversible: What of the operation cannot be taken back.
        refusal: Why it cannot be delivered.
        notes: What is to be known beside that; no part of what is approved.
        remarks: What the cluster says of it; no part of what is approved.
    """

    model_config = ConfigDict(populate_by_name=True)

    api_version: str = Field(alias="apiVersion")
    kind: str
    namespace: str = ""
    name: str
    component: str = ""
    operation: Operation = Operation.NONE
    cause: Cause | None = None
    desired: str = ""
    normalised: str = ""
    base: Base = Base()
    fields: Many[PlannedField] = ()
    drift: Many[PlannedField] = ()
    content: Any = None
    other: str = ""
    images: Many[str] = ()
    irreversible: Many[str] = ()
    refusal: Refusal | None = None
    notes: Many[str] = Field((), exclude=True)
    remarks: Many[str] = Field((), exclude=True)

    @property
    def title(self) -> str:
        """Kind, namespace and name."""
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"

    @property
    def refused_by_cluster(self) -> tuple[str, ...]:
        """Why its cluster would refuse it, in the cluster's words; empty when it would not."""
        said = (text for text in self.remarks if text.startswith(REFUSED))
        return tuple(text.removeprefix(REFUSED) for text in said)

    @property
    def is_refused(self) -> bool:
        """Whether it cannot be delivered as it is."""
        return bool(self.refusal or self.refused_by_cluster)


class ReverseStep(StrictModel):
    """What brings one object back to what it was.

    Attributes:
        object: Kind, namespace and name.
        operation: What that takes.
        desired: Digest of what it is then; empty when it goes.
        fields: The fields that get their live values back, of an object that was taken over.
        irreversible: What of it does not come back.
    """

    object: str
    operation: Operation
    desired: str = ""
    fields: Many[PlannedField] = ()
    irreversible: Many[str] = ()


class ClusterPlan(StrictModel):
    """What a stage is on one cluster.

    Attributes:
        cluster: Its name.
        uid: Its identity: UID of ``kube-system``.
        ca: SHA-256 of the certificate authority that its API server is trusted by; empty for none.
        reached: Whether it answered; if not, what was before is not told.
        left: Whether the stage delivers nothing there any more and only holds old objects.
        objects: What the stage holds there, and what goes.
        reverse: What brings it back.
    """

    cluster: str
    uid: str
    ca: str = ""
    reached: bool = True
    left: bool = False
    objects: Many[PlannedObject] = ()
    reverse: Many[ReverseStep] = ()

    @property
    def changed(self) -> tuple[PlannedObject, ...]:
        """The objects to which anything happens."""
        return tuple(each for each in self.objects if not each.operation.is_quiet)

    @property
    def content(self) -> dict[str, Any]:
        """What happens on it, which another cluster may share."""
        dumped = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return {key: value for key, value in dumped.items() if key in _CONTENT}


_CONTENT = ("objects", "reverse")


class StagePlan(StrictModel):
    """What delivering a stage does.

    Attributes:
        stage: Its name.
        steps: The steps of the workflow that deliver it.
        before: The revision it holds before; empty for none that is complete.
        broken: The revisions whose objects it holds, when none of them is complete.
        requires: What the gate policy asks for, a phrase each.
        pending: What cannot be told yet: inputs whose value the delivery itself brings.
        late: The components with inputs that what the gate opens brings itself: what they become is
            told by the revision alone.
        clusters: What it is on each cluster, by name.
    """

    stage: str
    steps: Many[str]
    before: str = ""
    broken: Many[str] = ()
    requires: Many[str] = ()
    pending: Many[str] = ()
    late: Many[str] = ()
    clusters: Many[ClusterPlan] = ()

    @property
    def empty(self) -> bool:
        """Whether it changes nothing."""
        return not self.pending and not any(cluster.changed for cluster in self.clusters)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Why objects of it cannot be delivered."""
        return tuple(
            each.refusal for cluster in self.clusters for each in cluster.objects if each.refusal
        )

    @property
    def irreversible(self) -> tuple[str, ...]:
        """What cannot be taken back, a sentence each."""
        return tuple(
            f"{each.title} on {cluster.cluster}: {phrase}"
            for cluster in self.clusters
            for each in cluster.objects
            for phrase in each.irreversible
        )


class Tools(StrictModel):
    """The versions of what makes and does the change."""

    velapulumi: str
    engine: str
    provider: str


class PlanDocument(StrictModel):
    """A plan.

    Attributes:
        application: The application.
        namespace: Its namespace.
        project: The identity of the project; empty before its first delivery.
        revision: What is delivered, ``<application>-v<N>:<hash>``.
        tools: By which versions.
        trust: Digest of gate policy, allowed signers and revoked keys that are in force; empty
            when there are none.
        key: Names the key that secret values are hidden with; empty when there are none.
        stages: The stages in the order of delivery.
    """

    model_config = ConfigDict(populate_by_name=True)

    api_version: Literal["velapulumi.dev/v2"] = Field("velapulumi.dev/v2", alias="apiVersion")
    kind: Literal["Plan"] = "Plan"
    application: str
    namespace: str
    project: str = ""
    revision: str
    tools: Tools
    trust: str = ""
    key: str = ""
    stages: Many[StagePlan] = ()

    @property
    def empty(self) -> bool:
        """Whether it changes nothing."""
        return all(stage.empty for stage in self.stages)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Why objects of it cannot be delivered."""
        return tuple(refusal for stage in self.stages for refusal in stage.refusals)

    @cached_property
    def tree(self) -> dict[str, Any]:
        """The plan with a digest in the place of what happens on each cluster."""
        return self._tree[0]

    @cached_property
    def value(self) -> dict[str, Any]:
        """The plan as maps, lists, text and numbers: the tree, and what its digests stand for."""
        tree, contents = self._tree
        return {**tree, "contents": contents}

    @cached_property
    def _tree(self) -> tuple[dict[str, Any], dict[str, Any]]:
        head = {"apiVersion": self.api_version, "kind": self.kind}
        tree = head | self.model_dump(
            mode="json", by_alias=True, exclude_defaults=True, exclude={"stages"}
        )
        contents: dict[str, Any] = {}
        tree["stages"] = []
        for stage in self.stages:
            dumped = stage.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            for cluster in dumped.get("clusters", ()):
                content = {key: cluster.pop(key) for key in _CONTENT if key in cluster}
                cluster["content"] = digest(content)
                contents[cluster["content"]] = content
            tree["stages"].append(dumped)
        return tree, contents

    @property
    def text(self) -> bytes:
        """The plan's canonical form."""
        return canonical(self.value)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the tree, and so of all that it stands for: the plan's name."""
        return digest(self.tree)

    def stage(self, name: str) -> StagePlan | None:
        """The plan of a stage; None when it is not in it."""
        return next((stage for stage in self.stages if stage.stage == name), None)


def read_plan(content: bytes, name: str) -> PlanDocument:
    """Read a plan document.

    Args:
        content: Its bytes.
        name: What to call it in messages.

    Raises:
        InvalidFile: It is none.
    """
    try:
        value = json.loads(content)
        if isinstance(value, dict) and value.get("apiVersion") == _EARLIER:
            raise InvalidFile(
                f"{name}: is a plan of an earlier version of velapulumi",
                next_step="Look at the change as it is now and approve that.",
            )
        return PlanDocument.model_validate_json(json.dumps(_resolved(value, name)))
    except ValidationError as error:
        path, message = explain(PlanDocument, error)[0]
        where = ".".join(str(part) for part in path)
        raise InvalidFile(f"{name}: {f'{where}: ' if where else ''}{message}") from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InvalidFile(f"{name}: not a plan: {error}") from error


_EARLIER = "velapulumi.dev/v1"


def _resolved(value: Any, name: str) -> dict[str, Any]:
    """A plan with what its digests stand for in their places.

    Raises:
        InvalidFile: A digest stands for something else.
    """
    contents = value.pop("contents")
    for told, content in contents.items():
        if digest(content) != told:
            raise InvalidFile(f"{name}: contents.{told[:12]}: is not what its digest says")
    for stage in value.get("stages", ()):
        for cluster in stage.get("clusters", ()):
            cluster |= contents[cluster.pop("content")]
    resolved: dict[str, Any] = value
    return resolved
