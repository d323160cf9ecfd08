from django.apps import AppConfig


class AssignmentConfig(AppConfig):
    """Register the ``assignment`` package with Django."""

    name = "assignment"
