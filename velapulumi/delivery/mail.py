"""Sending mail by SMTP."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import closing, suppress
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime

from velapulumi.definitions import Mail, StepError

TIMEOUT = 30.0
"""Seconds to wait for each answer of a server."""

_TLS_PORT = 465
_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


def send_mail(message: Mail) -> None:
    """Send a mail.

    The password goes over TLS only, except to a server of this machine; a server that asks for
    none gets none.

    Args:
        message: The mail and its server.

    Raises:
        StepError: An address is not valid, or the server does not take it.
    """
    title = f"mail by {message.host}:{message.port} has failed"
    try:
        letter = _letter(message)
    except (ValueError, IndexError, MessageError):
        raise StepError(f"{title}: an address or the subject is not valid") from None
    try:
        _post(message, letter)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise StepError(f"{title}: {_reason(error)}") from None


def _letter(message: Mail) -> EmailMessage:
    """The mail, with its text as HTML like KubeVela's.

    Raises:
        ValueError, IndexError, MessageError: An address or a header is not valid.
    """
    letter = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    for address in (message.user, *message.to):
        address.encode("ascii")
    letter["From"] = Address(message.alias, addr_spec=message.user)
    letter["To"] = [Address(addr_spec=address) for address in message.to]
    letter["Subject"] = message.subject
    letter["Date"] = localtime()
    letter.set_content(message.body, subtype="html")
    return letter


def _post(message: Mail, letter: EmailMessage) -> None:
    """Hand the mail to its server.

    Raises:
        SMTPException, OSError, ValueError: The server does not take it.
    """
    context = ssl.create_default_context()
    place = message.host, message.port
    safe = message.port == _TLS_PORT
    if safe:
        server: smtplib.SMTP = smtplib.SMTP_SSL(*place, timeout=TIMEOUT, context=context)
    else:
        server = smtplib.SMTP(*place, timeout=TIMEOUT)
    with closing(server):
        server.ehlo()
        if not safe and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
            safe = True
        if server.has_extn("auth"):
            if not safe and message.host not in _THIS_MACHINE:
                raise smtplib.SMTPNotSupportedError("it offers no TLS, and the password needs it")
            server.login(message.user, message.password)
        _hand_over(server, message, letter)
        with suppress(smtplib.SMTPException, OSError):
            server.quit()  # it has been taken, whatever is answered now


def _hand_over(server: smtplib.SMTP, message: Mail, letter: EmailMessage) -> None:
    """Hand a mail over for all who get it, or for none: it will be tried again.

    Raises:
        SMTPException, OSError: The server does not take it.
    """
    code, text = server.mail(message.user)
    if code != 250:
        raise smtplib.SMTPSenderRefused(code, text, message.user)
    answers = {address: server.rcpt(address) for address in message.to}
    refused = {address: answer for address, answer in answers.items() if answer[0] // 10 != 25}
    if refused:
        raise smtplib.SMTPRecipientsRefused(refused)
    code, text = server.data(letter.as_bytes())
    if code != 250:
        raise smtplib.SMTPDataError(code, text)


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "user and password are not accepted"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"it refuses {', '.join(sorted(error.recipients))}"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers with {error.smtp_code}"
    if isinstance(error, ssl.SSLError):
        return "no TLS connection to be trusted"
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return f"no answer after {TIMEOUT:g}s"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return f"{text[:1].lower()}{text[1:]}"
