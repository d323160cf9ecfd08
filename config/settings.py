"""Settings of one Truelift installation, all from the environment (docs/settings.md)."""

import os
import secrets
from pathlib import Path

from config import env, paths

# Before numpy is imported: our sums are many and small. Threads inside one gain nothing, and fight for cores with the
# processes beside it: on a busy machine, one thread was nine times as fast as two.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

HOME = paths.home()
ENVIRONMENT = os.environ.get("TRUELIFT_ENV", "development")
DEVELOPMENT = ENVIRONMENT == "development"
DEBUG = os.environ.get("TRUELIFT_DEBUG") == "1"


def _secret_key() -> str:
    """Return the installation's secret, made on first use and readable by its owner alone."""
    if key := os.environ.get("TRUELIFT_SECRET_KEY"):
        return key
    HOME.mkdir(parents=True, exist_ok=True)
    file = HOME / "secret_key"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text()
    with os.fdopen(descriptor, "w") as handle:
        key = secrets.token_urlsafe(50)
        handle.write(key)
    return key


SECRET_KEY = _secret_key()
REGISTRY_HOSTS = tuple(filter(None, os.environ.get("TRUELIFT_REGISTRY_HOSTS", "").split(",")))
BASE_URL = os.environ.get("TRUELIFT_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = os.environ.get("TRUELIFT_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "config",
    "experiments",
    "assignment",
    "events",
    "analysis",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "config.security.ContentSecurityPolicyMiddleware",
    "config.errors.OddRequestMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "experiments.pages.kept.KeepTypedMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "experiments.pages.once.ActOnceMiddleware",
    "experiments.pages.opened.OlderTabMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [paths.REPOSITORY / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "experiments.pages.context.navigation",
            ],
            "builtins": [
                "experiments.pages.addresses",
                "experiments.pages.formats",
                "experiments.pages.terms",
                "experiments.pages.opened",
                "analysis.charts.drawn",
                "analysis.pages.peeks",
                "analysis.overview.tags",
            ],
        },
    },
]

FORM_RENDERER = "experiments.forms.drawing.WrittenFields"

DATABASES = {
    "default": {
        **env.database_settings(os.environ.get("DATABASE_URL") or paths.embedded_database_url(HOME)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("REDIS_URL") or paths.embedded_redis_url(HOME)
CELERY_BROKER_URL = env.broker_url(REDIS_URL)

AUTH_USER_MODEL = "experiments.User"
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"
CSRF_FAILURE_VIEW = "experiments.pages.kept.csrf_failure"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.ScryptPasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

SECURE_HTTPS = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = SECURE_HTTPS
CSRF_COOKIE_SECURE = SECURE_HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("TRUELIFT_STATIC_ROOT") or HOME / "static")
GUIDE_ROOT = paths.REPOSITORY / "docs" / "user-guide"
STATICFILES_DIRS = [paths.REPOSITORY / "templates" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False

EMAIL_URL = os.environ.get("EMAIL_URL", "")
globals().update(env.email_settings(EMAIL_URL))
DEFAULT_FROM_EMAIL = os.environ.get("TRUELIFT_FROM_EMAIL", "Truelift <results@truelift.localhost>")
EMAIL_TIMEOUT = 20
WEBHOOK_PRIVATE = os.environ.get("TRUELIFT_WEBHOOK_PRIVATE", "0") in ("1", "yes", "on", "true")
RETENTION_DAYS = int(os.environ.get("TRUELIFT_RETENTION_DAYS", "400"))

PAGES = os.environ.get("TRUELIFT_PAGES", "1") not in ("0", "no", "off", "false")
MOST_STREAMS = int(os.environ.get("TRUELIFT_MOST_STREAMS", "500"))
STREAM_SECONDS = float(os.environ.get("TRUELIFT_STREAM_SECONDS", "60"))
STREAM_PING_SECONDS = float(os.environ.get("TRUELIFT_STREAM_PING_SECONDS", "30"))
PAYLOAD_MAX_AGE = int(os.environ.get("TRUELIFT_PAYLOAD_MAX_AGE", "30"))
METRICS_TOKEN = os.environ.get("TRUELIFT_METRICS_TOKEN", "")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {
            "()": "config.logs.KeylessFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["console"], "level": os.environ.get("TRUELIFT_LOG_LEVEL", "INFO")},
}
