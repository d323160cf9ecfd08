"""Turn the environment's URLs into settings, or say in one line what is wrong with them."""

from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

EMAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


class SettingError(Exception):
    """An environment variable cannot be used; the message says what was got and what is allowed."""


def database_settings(url: str) -> dict[str, Any]:
    """Parse ``DATABASE_URL`` with libpq's own rules into Django's database settings."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise SettingError(
            f"DATABASE_URL is {redact(url)!r}; it must start with postgresql://, "
            "for example postgresql://user:password@localhost:5432/truelift."
        )
    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items()}
    except ProgrammingError as error:
        raise SettingError(f"DATABASE_URL cannot be read: {str(error).strip()}") from error
    if not parts.get("dbname"):
        raise SettingError("DATABASE_URL names no database; add it after the host: postgresql://user@host/truelift.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "OPTIONS": parts,
    }


def broker_url(url: str) -> str:
    """Turn ``REDIS_URL`` into the form that Celery's transport expects."""
    if url.startswith("unix://"):
        return "redis+socket://" + url.removeprefix("unix://")
    if url.startswith(("redis://", "rediss://")):
        return url
    raise SettingError(
        f"REDIS_URL is {redact(url)!r}; it must start with redis://, rediss:// or unix://, "
        "for example redis://localhost:6379/0."
    )


def email_settings(url: str) -> dict[str, Any]:
    """Parse ``EMAIL_URL`` (smtp, smtp+tls, smtps) into Django's e-mail settings."""
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    parts = urlsplit(url)
    if parts.scheme not in EMAIL_PORTS or not parts.hostname:
        raise SettingError(
            f"EMAIL_URL is {redact(url)!r}; it must look like smtp://host:25, "
            "smtp+tls://user:password@host:587 or smtps://user:password@host:465."
        )
    try:
        port = parts.port or EMAIL_PORTS[parts.scheme]
    except ValueError as error:
        raise SettingError(f"EMAIL_URL has no usable port: {error}.") from error
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    }


def redact(url: str) -> str:
    """Return the URL without its password, fit for a log."""
    head, at, tail = url.rpartition("@")
    if not at or ":" not in head.removeprefix("postgresql:").removeprefix("redis:"):
        return url
    scheme, _, login = head.partition("://")
    return f"{scheme}://{login.partition(':')[0]}:…@{tail}"
