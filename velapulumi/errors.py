"""Every error velapulumi reports to a person, in one tree.

    VelapulumiError               VP000  exit 1
    ├── UsageProblem              VP100  exit 2   the command or the project is not as it must be
    │   ├── InvalidApplication    VP101  exit 2   the Application file has problems
    │   ├── InvalidKubeconfig     VP102  exit 2   a kubeconfig cannot be used
    │   ├── InvalidFile           VP103  exit 2   a file of the project is damaged
    │   ├── NoProject             VP104  exit 2   no Pulumi.yaml here or above
    │   ├── UnknownCluster        VP105  exit 2   no cluster is joined under that name
    │   ├── UnknownApplication    VP106  exit 2   the application has no stacks here
    │   ├── NotSupported          VP107  exit 2   valid for KubeVela, not done here
    │   ├── InvalidDefinition     VP108  exit 2   a definition of one's own cannot be used
    │   └── WrongProject          VP109  exit 2   the stacks belong to another project
    ├── ClusterProblem            VP200  exit 1   something is wrong with a cluster
    │   ├── ClusterUnreachable    VP201  exit 1   no answer, or the credentials are not accepted
    │   │   └── AccessDenied      VP207  exit 1   the cluster does not permit what was asked
    │   ├── WrongCluster          VP202  exit 1   not the cluster joined under that name
    │   ├── ClusterInUse          VP203  exit 1   a stack still has objects there
    │   ├── ObjectNotOurs         VP204  exit 1   an object exists that is not the application's
    │   ├── ObjectMissing         VP205  exit 1   an object that is only read does not exist
    │   └── ObjectRefused         VP206  exit 1   a cluster refuses a change of an object
    ├── DeliveryProblem           VP300  exit 1   the engine could not finish
    │   ├── EngineFailed          VP301  exit 1
    │   ├── StackLocked           VP302  exit 1   another run holds the stack
    │   ├── Unhealthy             VP303  exit 6   not healthy in time
    │   ├── RunInProgress         VP304  exit 1   another run delivers the application
    │   ├── StepFailed            VP305  exit 1   a step of the workflow has failed
    │   ├── PartlyDelivered       VP306  exit 7   done, but not on every cluster
    │   ├── RunEnded              VP307  exit 1   somebody has ended the run
    │   └── PlanChanged           VP308  exit 5   it is not what was shown any more
    ├── GateProblem               VP400  exit 4   promotion is held
    │   ├── WaitingForApproval    VP401  exit 4
    │   ├── PromotionRefused      VP402  exit 5   a gate before it is not open
    │   ├── LedgerDamaged         VP403  exit 5   the ledger says what nobody has signed
    │   ├── ApprovalStale         VP404  exit 5   it is not what was approved any more
    │   ├── ApprovalRejected      VP405  exit 5   somebody has said no
    │   ├── NotInForce            VP406  exit 5   the gate policy was changed and not adopted
    │   └── CheckoutRefused       VP407  exit 5   the checkout says what only the deliverer may
    ├── ToolProblem               VP500  exit 1   a tool is missing or cannot be made
    │   ├── ToolMissing           VP501  exit 1
    │   ├── PlaygroundProblem     VP502  exit 1   a local cluster does not start or stop
    │   └── SigningFailed         VP503  exit 1   a key does not sign
    └── Interrupted               VP900  exit 130

Each class has a stable ``code``, an ``exit_code`` and a ``next_step``: what to do now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class VelapulumiError(Exception):
    """Base of every error a person is meant to read.

    Args:
        message: What happened, naming the subject.
        next_step: What to do now; replaces the class's own when given.
    """

    code: ClassVar[str] = "VP000"
    exit_code: ClassVar[int] = 1
    next_step: str = ""

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        if next_step:
            self.next_step = next_step

    def __str__(self) -> str:
        return self.message


class UsageProblem(VelapulumiError):
    code = "VP100"
    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a file, with its place.

    Attributes:
        line: Line in the file, counted from 1.
        path: Where in the document, such as ``spec.components[0].name``; empty for the whole.
        message: What is wrong.
    """

    line: int
    path: str
    message: str


class InvalidApplication(UsageProblem):
    """The Application file has problems; all of them are listed, in file order."""

    code = "VP101"
    next_step = "Correct the file and run the command again; nothing was changed."

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems))
        count = len(self.problems)
        lines = [f"{file}: {count} problem{'s' if count != 1 else ''}"]
        for problem in self.problems:
            where = f"{problem.path}: " if problem.path else ""
            lines.append(f"  {file}:{problem.line}: {where}{problem.message}")
        super().__init__("\n".join(lines))


class InvalidKubeconfig(UsageProblem):
    code = "VP102"
    next_step = (
        "Give a kubeconfig whose current context names a cluster and a user with credentials."
    )


class InvalidFile(UsageProblem):
    code = "VP103"
    next_step = "Restore the file from version control, or correct it by hand."


class NoProject(UsageProblem):
    code = "VP104"
    next_step = "Change into a velapulumi project, or make one here with: velapulumi init"


class UnknownCluster(UsageProblem):
    code = "VP105"
    next_step = "See the joined ones with: velapulumi cluster list"


class UnknownApplication(UsageProblem):
    code = "VP106"
    next_step = "Deliver it first with: velapulumi up -f FILE"


class NotSupported(UsageProblem):
    code = "VP107"


class InvalidDefinition(UsageProblem):
    code = "VP108"
    next_step = "Correct the definition, or take it away; velapulumi show lists all types."


class WrongProject(UsageProblem):
    code = "VP109"
    next_step = (
        "Use the backend that this project was delivered with, or restore stacks/project.yaml "
        "from version control."
    )


class ClusterProblem(VelapulumiError):
    """Something is wrong with a cluster.

    Attributes:
        cluster: The one that has answered so; empty where it is not an answer of one.
    """

    code = "VP200"
    cluster = ""


class ClusterUnreachable(ClusterProblem):
    code = "VP201"
    next_step = "Bring the cluster back or renew its credentials, then run the command again."


class AccessDenied(ClusterUnreachable):
    code = "VP207"
    next_step = "Grant the right that the cluster names, then run the command again."


class WrongCluster(ClusterProblem):
    code = "VP202"
    next_step = (
        "Check what the endpoint points to; if the cluster was rebuilt on purpose, "
        "detach it and join it again."
    )


class ClusterInUse(ClusterProblem):
    code = "VP203"
    next_step = "Delete the application first with: velapulumi delete APP"


class ObjectNotOurs(ClusterProblem):
    code = "VP204"
    next_step = "Delete or rename the object, or deliver into another namespace."


class ObjectMissing(ClusterProblem):
    code = "VP205"
    next_step = "Create the object, or take it out of the read-only policy."


class ObjectRefused(ClusterProblem):
    """A cluster refuses a change of an object.

    Args:
        message: The subject, then everything the server says; may have several lines.
        next_step: What to do now; replaces the class's own when given.
        status: HTTP status of the answer; 0 when the refusal is not an answer of a server.
        reason: Kubernetes' word for it, such as ``Conflict`` or ``Invalid``; empty when it has
            none.
        causes: Field and message of each thing that is wrong. The field is written as the server
            writes it, such as ``.spec.replicas``, and is empty where there is none.
    """

    code = "VP206"
    next_step = "Correct what the cluster names, in the application or in the object; then repeat."

    def __init__(
        self,
        message: str,
        *,
        next_step: str = "",
        status: int = 0,
        reason: str = "",
        causes: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.status = status
        self.reason = reason
        self.causes = causes

    @property
    def dry_run_unsupported(self) -> bool:
        """Whether a webhook refused to be asked in a dry run; it may well permit the change."""
        # The API server's own words; it gives neither a reason nor a cause of its own for this.
        return self.status == 400 and "does not support dry run" in self.message


class DeliveryProblem(VelapulumiError):
    code = "VP300"


class EngineFailed(DeliveryProblem):
    code = "VP301"
    next_step = "Remove the cause and run the same command again; it goes on from where it stands."


class StackLocked(DeliveryProblem):
    code = "VP302"
    next_step = "Wait for the other run to end, then run the command again."


class Unhealthy(DeliveryProblem):
    code = "VP303"
    exit_code = 6
    next_step = (
        "Correct the application or the cluster and run the same command again; "
        "later stages were not touched."
    )


class RunInProgress(DeliveryProblem):
    code = "VP304"
    next_step = "Wait for that run to end, then run the command again."


class StepFailed(DeliveryProblem):
    code = "VP305"
    next_step = "Remove the cause and run the same command again; it goes on from the failed step."


class PartlyDelivered(DeliveryProblem):
    code = "VP306"
    exit_code = 7
    next_step = "Bring the clusters back and run the same command again; it takes them up, too."


class RunEnded(DeliveryProblem):
    code = "VP307"


class PlanChanged(DeliveryProblem):
    code = "VP308"
    exit_code = 5
    next_step = "Run the command again: it shows what it is now."


class GateProblem(VelapulumiError):
    code = "VP400"
    exit_code = 4


class WaitingForApproval(GateProblem):
    code = "VP401"


class PromotionRefused(GateProblem):
    code = "VP402"
    exit_code = 5


class LedgerDamaged(GateProblem):
    code = "VP403"
    exit_code = 5
    next_step = "Restore the ledger from version control, and find out who has changed it."


class ApprovalStale(GateProblem):
    code = "VP404"
    exit_code = 5


class ApprovalRejected(GateProblem):
    code = "VP405"
    exit_code = 5


class NotInForce(GateProblem):
    code = "VP406"
    exit_code = 5


class CheckoutRefused(GateProblem):
    code = "VP407"
    exit_code = 5
    next_step = "Take that out of the checkout, or set it on the machine that delivers."


class ToolProblem(VelapulumiError):
    code = "VP500"


class ToolMissing(ToolProblem):
    code = "VP501"
    next_step = (
        "See what is there with: velapulumi doctor, and get the rest with: velapulumi doctor --fix"
    )


class PlaygroundProblem(ToolProblem):
    code = "VP502"


class SigningFailed(ToolProblem):
    code = "VP503"
    next_step = "Check the key and its passphrase, agent or token, then run the command again."


class Interrupted(VelapulumiError):
    code = "VP900"
    exit_code = 130
    next_step = "Run the same command again; it goes on from where it stands."
