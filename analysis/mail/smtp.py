"""Hand a stored message to the SMTP server, and tell apart what may be tried again (``outbox.failures``)."""

import base64
import smtplib
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.message import SafeMIMEMultipart, SafeMIMEText

from analysis.mail import links
from analysis.models import OutboxMessage
from analysis.outbox.failures import DeliveryError, Lost, Refused, TryLater

LONGEST_LINE = 998  # RFC 5322, 2.1.1
ACCEPTED = 250  # RFC 5321, 4.2.3


class PicturedMail(EmailMultiAlternatives):
    """multipart/alternative of text and multipart/related, which holds the HTML and the pictures it shows."""

    def __init__(self, *, html: str, pictures: dict[str, bytes], **fields: object) -> None:
        super().__init__(**fields)  # type: ignore[arg-type]
        self.html = html
        self.pictures = pictures

    def message(self, *args: Any, **options: Any) -> Any:
        """Build the message, with each header on one line: mail programs misread a folded List-Unsubscribe."""
        built = super().message(*args, **options)
        built.policy = built.policy.clone(max_line_length=LONGEST_LINE)
        return built

    def _create_alternatives(self, msg: MIMEBase) -> SafeMIMEMultipart:
        alternative = SafeMIMEMultipart(_subtype="alternative", encoding="utf-8")
        alternative.attach(msg)
        html = SafeMIMEText(self.html, "html", "utf-8")
        if not self.pictures:
            alternative.attach(html)
            return alternative
        related = SafeMIMEMultipart(_subtype="related", encoding="utf-8", type="text/html")
        related.attach(html)
        for name, png in self.pictures.items():
            related.attach(_inline_png(name, png))
        alternative.attach(related)
        return alternative


class Line:
    """One connection to the SMTP server, opened on first use and checked before each message.

    ``dead`` says that the server could not be reached, so that whoever has more to send can wait with it.
    """

    def __init__(self) -> None:
        self._backend = get_connection()
        self.dead = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hang_up()

    def send(self, message: OutboxMessage) -> int:
        """Send one message and return the code of an acceptance, or raise what became of it."""
        self._connect()
        try:
            self._backend.send_messages([compose(message)])
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            raise _verdict(code, text, forever=code >= 500, of_address=True) from error
        except smtplib.SMTPDataError as error:
            raise _verdict(error.smtp_code, error.smtp_error, forever=error.smtp_code >= 500) from error
        except smtplib.SMTPResponseException as error:
            # A refused sender or sign-in is the installation's fault and can be mended: try again.
            raise _verdict(error.smtp_code, error.smtp_error, forever=False) from error
        except OSError as error:
            self._hang_up()
            raise Lost(f"{type(error).__name__}: {error}") from error
        return ACCEPTED

    def _connect(self) -> None:
        try:
            if not self._answers():
                self._hang_up()
                self._backend.open()
        except (OSError, smtplib.SMTPException) as error:
            self.dead = True
            raise TryLater(
                f"The SMTP server {settings.EMAIL_HOST}:{settings.EMAIL_PORT} cannot be reached: {error}"
            ) from error

    def _answers(self) -> bool:
        connection = getattr(self._backend, "connection", None)
        if connection is None:
            return False
        try:
            return bool(connection.noop()[0] == 250)
        except (OSError, smtplib.SMTPException):
            return False

    def _hang_up(self) -> None:
        try:
            self._backend.close()
        except (OSError, smtplib.SMTPException):
            # What was accepted stays accepted; a failed goodbye changes nothing.
            self._backend.connection = None  # type: ignore[attr-defined]


def compose(message: OutboxMessage) -> PicturedMail:
    """Build the e-mail of a stored message, with the headers for one-click unsubscribe (RFC 8058)."""
    headers = {
        "Message-ID": message.message_id,
        "Date": format_datetime(message.created_at),
        "Auto-Submitted": "auto-generated",
    }
    if way_out := links.way_out(message):
        headers |= {"List-Unsubscribe": f"<{way_out}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return PicturedMail(
        subject=message.subject,
        body=message.text,
        to=[message.recipient],
        html=message.html,
        pictures={name: base64.b64decode(png) for name, png in message.pictures.items()},
        headers=headers,
    )


def _inline_png(name: str, png: bytes) -> MIMEImage:
    part = MIMEImage(png, "png")
    part.add_header("Content-ID", f"<{name}>")
    part.add_header("Content-Disposition", "inline", filename=f"{name.partition('@')[0]}.png")
    return part


def _verdict(code: int, text: bytes | str, *, forever: bool, of_address: bool = False) -> DeliveryError:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    said = f"The SMTP server answered {code} {words}"
    return Refused(said, code=code, is_gone=of_address) if forever else TryLater(said, code=code)
