from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """Register the ``analysis`` package with Django, and its word on ramps with the schedule."""

    name = "analysis"

    def ready(self) -> None:
        """Have results asked before traffic grows; set-up itself knows of none."""
        from analysis.ramp_guard import objection
        from experiments.schedule import guard_ramps

        guard_ramps(objection)
