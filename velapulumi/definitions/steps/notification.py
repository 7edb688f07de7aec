"""``notification``: tell people by Lark, DingTalk, Slack or mail (follows KubeVela v1.10).

With several channels it sends to one at a time and remembers to which, so that nobody is told
twice when a later one fails. A status of 400 and above is an error, and so is an error number in
the answer of Lark or DingTalk. Its outputs have no values to take.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from velapulumi.definitions.base import Parameters as BaseParameters
from velapulumi.definitions.network.calls import (
    Confidential,
    answer_values,
    confidential_problems,
    origin_of,
    post,
    reveal,
)
from velapulumi.definitions.objects import Word
from velapulumi.definitions.pod.ports import PortNumber
from velapulumi.definitions.step import (
    Done,
    Mail,
    Result,
    StepContext,
    StepDefinition,
    StepError,
    Tools,
    Waiting,
)
from velapulumi.spec import Many, Path

_CHANNELS = ("lark", "dingding", "slack", "email")


def _not_empty(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not addresses:
        raise ValueError("must not be empty: name who gets the mail")
    return addresses


class LarkMessage(BaseParameters):
    """A message of Lark."""

    msg_type: str = Field(description="Kind of message, such as text, post or interactive.")
    content: str = Field(description="The message, as JSON in a string.")


class Lark(BaseParameters):
    """Lark."""

    url: Confidential = Field(description="URL of the bot.")
    message: LarkMessage = Field(description="The message.")


class DingText(BaseParameters):
    """A message of type text."""

    content: str = Field(description="The text.")


class DingLink(BaseParameters):
    """A message of type link, or one of feedCard."""

    text: str | None = Field(None, description="The text.")
    title: str | None = Field(None, description="Its title.")
    messageUrl: str | None = Field(None, description="Where it leads.")
    picUrl: str | None = Field(None, description="A picture.")


class DingMarkdown(BaseParameters):
    """A message of type markdown."""

    text: str = Field(description="The text.")
    title: str = Field(description="Its title.")


class DingAt(BaseParameters):
    """Who is mentioned."""

    atMobiles: Many[str] | None = Field(None, description="Telephone numbers.")
    isAtAll: bool | None = Field(None, description="Whether everybody is.")


class DingButton(BaseParameters):
    """A button of an actionCard."""

    title: str = Field(description="Its title.")
    actionURL: str = Field(description="Where it leads.")


class DingActionCard(BaseParameters):
    """A message of type actionCard."""

    text: str = Field(description="The text.")
    title: str = Field(description="Its title.")
    hideAvatar: str | None = Field(None, description='"1" hides the sender\'s picture.')
    btnOrientation: str | None = Field(None, description='"1" puts buttons side by side.')
    singleTitle: str | None = Field(None, description="Title of the only button.")
    singleURL: str | None = Field(None, description="Where it leads.")
    btns: Many[DingButton] | None = Field(None, description="Several buttons.")


class DingFeedCard(BaseParameters):
    """A message of type feedCard."""

    links: Many[DingLink] = Field(description="The links.")


class DingMessage(BaseParameters):
    """A message of DingTalk."""

    msgtype: Literal["text", "link", "markdown", "actionCard", "feedCard"] = Field(
        "text", description="Kind of message."
    )
    text: DingText | None = Field(None, description="Message of type text.")
    link: DingLink | None = Field(None, description="Message of type link.")
    markdown: DingMarkdown | None = Field(None, description="Message of type markdown.")
    at: DingAt | None = Field(None, description="Who is mentioned.")
    actionCard: DingActionCard | None = Field(None, description="Message of type actionCard.")
    feedCard: DingFeedCard | None = Field(None, description="Message of type feedCard.")


class DingTalk(BaseParameters):
    """DingTalk."""

    url: Confidential = Field(description="URL of the robot.")
    message: DingMessage = Field(description="The message.")


class SlackMessage(BaseParameters):
    """A message of Slack."""

    text: str = Field(description="The text.")
    blocks: Many[dict[str, Any]] | None = Field(None, description="Blocks of Slack's layout.")
    attachments: dict[str, Any] | None = Field(None, description="Attachments: blocks and color.")
    thread_ts: str | None = Field(None, description="Message it is an answer to.")
    mrkdwn: bool | None = Field(None, description="Whether the text is in Slack's markup.")


class Slack(BaseParameters):
    """Slack."""

    url: Confidential = Field(description="URL of the incoming webhook.")
    message: SlackMessage = Field(description="The message.")


class Sender(BaseParameters):
    """Who sends a mail, and by which server."""

    address: Word = Field(description="Address of the sender, and name to sign in with.")
    alias: str = Field("", description="Name shown as the sender.")
    password: Confidential = Field(description="Password to sign in with.")
    host: Word = Field(description="Name of the mail server.")
    port: PortNumber = Field(587, description="Its port; 465 means TLS from the start.")


class Content(BaseParameters):
    """What a mail says."""

    subject: str = Field(description="Subject.")
    body: str = Field(description="Text, in HTML.")


class Email(BaseParameters):
    """A mail."""

    sender: Sender = Field(alias="from", description="Who sends it.")
    to: Annotated[Many[str], AfterValidator(_not_empty)] = Field(description="Who gets it.")
    content: Content = Field(description="What it says.")


class Parameters(BaseParameters):
    """Parameters of ``notification``."""

    lark: Lark | None = Field(None, description="Message of Lark.")
    dingding: DingTalk | None = Field(None, description="Message of DingTalk.")
    slack: Slack | None = Field(None, description="Message of Slack.")
    email: Email | None = Field(None, description="Mail.")


def check(parameters: Parameters) -> Iterator[tuple[Path, str]]:
    """No channel at all, and Secrets whose cluster is not named."""
    if not _chosen(parameters):
        yield (), f"tells nobody: give one of {', '.join(_CHANNELS)}"
    for name in _chosen(parameters):
        channel = getattr(parameters, name)
        if isinstance(channel, Email):
            password = ("email", "from", "password")
            yield from confidential_problems(channel.sender.password, password)
        else:
            yield from confidential_problems(channel.url, (name, "url"))


def act(parameters: Parameters, context: StepContext, tools: Tools) -> Result:
    """Send to the next channel; waits while there is another.

    Raises:
        StepError: A URL or password cannot be found, or the message is not accepted.
    """
    sent = [name for name in _chosen(parameters) if name in context.memory.get("sent", ())]
    left = [name for name in _chosen(parameters) if name not in sent]
    if left:
        _send(getattr(parameters, left[0]), context, tools)
        sent.append(left[0])
    told = f"sent to {', '.join(sent)}"
    if left[1:]:
        return Waiting(f"{told}; {left[1]} is next", {"sent": sent})
    return Done(told)


def _chosen(parameters: Parameters) -> list[str]:
    return [name for name in _CHANNELS if getattr(parameters, name) is not None]


def _send(channel: Lark | DingTalk | Slack | Email, context: StepContext, tools: Tools) -> None:
    if isinstance(channel, Email):
        return _mail(channel, context, tools)
    url = reveal(channel.url, context, tools).strip()
    message = channel.message.model_dump(mode="json", exclude_none=True)
    meant = answer_values(post(url, message, context, tools)).get("body")
    field = {Lark: "code", DingTalk: "errcode"}.get(type(channel), "")
    if isinstance(meant, dict) and meant.get(field):
        raise StepError(f"{origin_of(url)} does not accept it: {field} {meant[field]}")
    return None


def _mail(email: Email, context: StepContext, tools: Tools) -> None:
    sender = email.sender
    tools.mail(
        Mail(
            host=sender.host,
            port=sender.port,
            user=sender.address,
            password=reveal(sender.password, context, tools),
            alias=sender.alias,
            to=email.to,
            subject=email.content.subject,
            body=email.content.body,
        )
    )


DEFINITION = StepDefinition(
    type="notification",
    parameters=Parameters,
    summary="Tell people by Lark, DingTalk, Slack or mail.",
    example={
        "slack": {
            "url": {"variable": "SLACK_WEBHOOK_URL"},
            "message": {"text": "shop is delivered"},
        }
    },
    check=check,
    act=act,
)
