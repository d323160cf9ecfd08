"""Count another version of a metric in a started experiment: everything is counted anew, and said so."""

from analysis.refreshing import request_refresh
from analysis.rollup.retention import is_closed
from experiments.metric_versions import MetricError, use_version
from experiments.models import Experiment, ExperimentMetric, MetricVersion, User


def choose_version(use: ExperimentMetric, user: User | None, version: MetricVersion, why: str) -> bool:
    """Count by another version and ask for a refresh; return whether this call did it.

    Raises
    ------
    MetricError
        In a draft, without a reason, or where the log lacks days of the experiment.
    """
    if said := why_not(use.experiment):
        raise MetricError(said)
    chosen = use_version(use, user, version, why)
    if chosen:
        request_refresh(use.experiment, user)
    return chosen


def why_not(experiment: Experiment) -> str:
    """Say why nothing of the experiment can be counted anew; empty where it can."""
    if not is_closed(experiment):
        return ""
    return f"Events of {experiment.name} are no longer in the log, so nothing of it can be counted anew."
