"""The results page of designed kinds: what they share with the ordinary one, and each kind's own block."""

from collections.abc import Callable
from typing import Protocol

from analysis.bandits.page import bandit_page
from analysis.interleaving.page import interleaving_page
from analysis.offpolicy.page import off_policy_page
from analysis.results.schema import Results
from analysis.switchback.page import switchback_page
from experiments.domain.designs.offpolicy import LogSource
from experiments.domain.kinds import DESIGNED, ExperimentKind
from experiments.models import Experiment

TEMPLATE = "designs/results.html"
ORDINARY = "results/results.html"


class Block(Protocol):
    """What a kind's template shows, and whether it draws charts."""

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Return what the result rests on, by name."""

    @property
    def template(self) -> str:
        """Return the template's name."""

    @property
    def draws(self) -> bool:
        """Say whether the page needs the scripts of charts."""


BLOCKS: tuple[Callable[[Results], Block | None], ...] = (
    off_policy_page,
    interleaving_page,
    bandit_page,
    switchback_page,
)


def block_of(results: Results) -> Block | None:
    """Return the kind's own block of a result, or None for an ordinary one."""
    return next((found for make in BLOCKS if (found := make(results)) is not None), None)


def takes_file(experiment: Experiment) -> bool:
    """Say whether its results come from files that people give."""
    return experiment.kind == ExperimentKind.OFF_POLICY and experiment.design.get("source") == LogSource.FILE


def template_of(experiment: Experiment) -> str:
    """Return the template of an experiment's results page."""
    return TEMPLATE if experiment.kind in DESIGNED else ORDINARY
