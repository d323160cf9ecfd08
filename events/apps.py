from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Register the ``events`` package with Django."""

    name = "events"
