from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """Register the ``analysis`` package with Django."""

    name = "analysis"
