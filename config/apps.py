from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Register the ``config`` package with Django."""

    name = "config"
