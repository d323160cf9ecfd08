"""Who e-mails are from."""

from email.utils import parseaddr

from django.conf import settings


def sender_domain() -> str:
    """Return the domain of the sender's address, for message ids."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "truelift.localhost"
