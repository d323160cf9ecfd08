from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Register the ``config`` package with Django."""

    name = "config"

    def ready(self) -> None:
        """Load the Celery application: a task queued from a page must go to our broker, not to Celery's default one."""
        from config import celery  # noqa: F401
