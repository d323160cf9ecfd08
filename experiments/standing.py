"""What the newest result says, noted here by the package that makes results, so that set-up pages can say it."""

from datetime import datetime

from experiments.domain.conclusions import Choice, ConclusionState, is_against
from experiments.models import Conclusion, Experiment, Standing


def note(
    experiment: Experiment,
    *,
    snapshot: int,
    as_of: datetime,
    recommendation: str,
    trustworthy: bool,
    tone: str,
    headline: str,
) -> None:
    """Keep what a new result says, in the transaction that stores it."""
    Standing.objects.update_or_create(
        experiment=experiment,
        defaults={
            "snapshot": snapshot,
            "as_of": as_of,
            "recommendation": recommendation,
            "trustworthy": trustworthy,
            "tone": tone,
            "headline": headline,
        },
    )


def forget(experiment: Experiment) -> None:
    """Forget it: with a new phase the old result says nothing of what counts now."""
    Standing.objects.filter(experiment=experiment).delete()


def against_shipping(experiment: Experiment) -> str:
    """Return why nothing of the experiment is shipped yet: the rule does not say so, and no second person has agreed.

    Empty where the rule says so, where it has said nothing, or where "ship" was concluded.
    """
    standing = Standing.objects.filter(experiment=experiment).first()
    if standing is None or not is_against(standing.recommendation, Choice.SHIP):
        return ""
    held = Conclusion.objects.filter(experiment=experiment, state=ConclusionState.MADE.value).first()
    if held is not None and held.decision == Choice.SHIP:
        return ""
    return (
        f"The rule says of {experiment.name}: {standing.recommendation}. To ship it all the same, conclude it with "
        "“ship” first; a second person has to agree."
    )
