"""Where an app runs: each API key belongs to one environment, and only production is analysed."""

from enum import StrEnum


class Environment(StrEnum):
    """One of a project's environments."""

    PRODUCTION = "production"
    STAGING = "staging"
    DEVELOPMENT = "development"

    @property
    def is_analysed(self) -> bool:
        """Say whether events of this environment count: what people try out elsewhere is no evidence."""
        return self is Environment.PRODUCTION


def all_environments() -> list[str]:
    """Return every environment's name: what a new experiment is served in."""
    return [environment.value for environment in Environment]
