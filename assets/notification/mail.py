"""A notice as a mail, over a mail server of the company's: STARTTLS or TLS, in the clear on this machine alone.

The server's own words are never told on: they quote addresses.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Literal

from assets.addresses import is_loopback
from assets.delivery.sending import Retry
from assets.delivery.transports.contract import RetryableTransportError, TerminalTransportError
from assets.notification.channels import RETRY, TIMEOUT, PartlyTold
from assets.notification.notices import Notice, as_text


@dataclass(frozen=True)
class MailServer:
    """How the server is reached.

    Attributes:
        security: `starttls`, `tls`, or `none` for a server on this machine.
        certificate: the authorities to trust, in PEM, instead of this machine's.
        user: to log in as; empty for no login.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    certificate: Path | None = None
    user: str = ""
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Mail:
    """Mails notices."""

    server: MailServer
    sender: str
    recipients: tuple[str, ...]
    retry: Retry = RETRY

    @property
    def name(self) -> str:
        """As the settings call it."""
        return "email"

    def tell(self, notice: Notice) -> None:
        """Hand the notice to the server, trying again what may pass."""
        if self.server.security == "none" and not is_loopback(self.server.host):
            raise TerminalTransportError("settings", "A mail server on another machine needs starttls or tls.")
        message = composed(notice, self.sender, self.recipients)
        self.retry.call(lambda: self._send(message))

    def _send(self, message: EmailMessage) -> None:
        try:
            with self._connected() as server:
                refused = server.send_message(message)
        except ssl.SSLCertVerificationError:
            raise TerminalTransportError("certificate", "The mail server's certificate is not trusted.") from None
        except smtplib.SMTPAuthenticationError:
            raise TerminalTransportError("login", "The mail server refuses the login.") from None
        except smtplib.SMTPNotSupportedError:
            raise TerminalTransportError("starttls", "The mail server offers no STARTTLS, or no login.") from None
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(max(code for code, _ in error.recipients.values())) from None
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code) from None
        except (OSError, smtplib.SMTPException):
            raise RetryableTransportError("unreachable", "The mail server does not answer, or broke off.") from None
        if refused:
            some = f"{len(refused)} of the {len(self.recipients)} recipients"
            raise PartlyTold("recipients", f"The mail server refuses {some}; the others were told.")

    def _connected(self) -> smtplib.SMTP:
        server, trusted = self.server, self._trusted()
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT, context=trusted)
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
        try:
            if server.security == "starttls":
                connection.starttls(context=trusted)
            if server.user:
                connection.login(server.user, server.password or "")
        except BaseException:
            connection.close()
            raise
        return connection

    def _trusted(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.server.certificate)
        except (OSError, ssl.SSLError):
            raise TerminalTransportError("settings", "The mail server's certificate file cannot be read.") from None


def composed(notice: Notice, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """The mail: the same notice always gives the same id, so that mail programs fold a repeated one."""
    message = EmailMessage()
    message["Subject"] = notice.headline
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = format_datetime(notice.ended_at)
    message["Message-ID"] = f"<{notice.notice_id}@gallring.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(as_text(notice))
    return message


def _refusal(code: int) -> RetryableTransportError | TerminalTransportError:
    if 400 <= code < 500:
        return RetryableTransportError(f"smtp_{code}", f"The mail server does not take it now (SMTP {code}).")
    return TerminalTransportError(f"smtp_{code}", f"The mail server refuses it (SMTP {code}).")
