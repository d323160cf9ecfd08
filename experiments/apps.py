from django.apps import AppConfig


class ExperimentsConfig(AppConfig):
    """Register the ``experiments`` package with Django."""

    name = "experiments"
