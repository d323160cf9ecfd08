"""From votes to a result: which ranker is preferred, and how many people an A/B test would have needed."""

import math
from datetime import datetime, timedelta

from django.db import transaction
from scipy import stats

from analysis import pipeline
from analysis.designed.frame import Parts, framed, is_over, variant_fact
from analysis.interleaving.verdict import Counts, Story, checks, reading, verdict
from analysis.interleaving.votes import LATE_CHOICE, Asked, Votes, votes
from analysis.results import latest
from analysis.results.designs import InterleavingResult, PreferenceDay
from analysis.results.schema import Comparison, Results, Srm
from analysis.stats.interleaving import Preference, preference_of, sensitivity
from analysis.stats.settings import DEFAULTS
from analysis.stats.srm import SplitTest, split_test
from analysis.stats.unavailable import NotComputable
from experiments.domain.designs.interleaving import InterleavingDesign
from experiments.domain.designs.stored import read as read_design
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import day_of
from experiments.models import Experiment

POWER = 0.8


def design_of(experiment: Experiment) -> InterleavingDesign:
    """Return which events tell what.

    Raises:
        TypeError: the experiment is of another kind.
    """
    design = read_design(ExperimentKind(experiment.kind), experiment.design)
    if not isinstance(design, InterleavingDesign):
        raise TypeError(f"{experiment.key} is a {experiment.kind} and no interleaving.")
    return design


def read(experiment: Experiment, as_of: datetime) -> Results | None:
    """Return the result of what was shown and chosen since the start."""
    since = experiment.counts_from
    if since is None:
        return None
    design = design_of(experiment)
    end = since + timedelta(days=experiment.planned_days)
    asked = Asked(
        project=experiment.project_id,
        key=experiment.key,
        unit_type=experiment.unit_type,
        design=design,
        since=since,
        until=min(experiment.stopped_at or as_of, as_of, end),
    )
    with transaction.atomic():
        found = votes(asked)
    return _results(experiment, design, found, as_of)


def _results(experiment: Experiment, design: InterleavingDesign, found: Votes, as_of: datetime) -> Results:
    preferred = preference_of(found.users)
    first = split_test(
        {"control": found.differing - found.treatment_first, "treatment": found.treatment_first},
        {"control": 1, "treatment": 1},
    )
    counts = Counts(
        impressions=found.impressions,
        differing=found.differing,
        choices=found.for_control + found.for_treatment,
        orphans=found.orphans,
        strangers=found.strangers,
        unreadable=found.unreadable,
    )
    variants = list(experiment.variants.select_related("model_version"))
    story = Story(
        control=variants[0].name,
        treatment=variants[1].name,
        unit_type=experiment.unit_type,
        # Choices of the last lists are waited for.
        is_over=is_over(experiment, as_of - LATE_CHOICE) if experiment.stopped_at is None else True,
        day=min(experiment.planned_days, day_of(experiment.counts_from, experiment.stopped_at, as_of)),
        planned_days=experiment.planned_days,
    )
    checked = checks(first, counts)
    harmful = any(check.ok is False and check.key != "orphans" for check in checked)
    said = reading(preferred, story, DEFAULTS.alpha, trustworthy=not harmful)
    users = found.users.users
    parts = Parts(
        verdict=verdict(preferred, said, story),
        checks=checked,
        variants=[variant_fact(v, users if v.is_control else 0, None, 0.5) for v in variants],
        srm=_srm(first, found),
        data_up_to=pipeline.data_up_to(experiment, as_of),
        more={"interleaving": _result(found, preferred, _beside(experiment, design, preferred))},
    )
    return framed(experiment, as_of, parts)


def _srm(first: SplitTest | NotComputable, found: Votes) -> Srm:
    known = first if isinstance(first, SplitTest) else None
    return Srm(
        p_value=known.p_value if known else None,
        counts={"control": found.differing - found.treatment_first, "treatment": found.treatment_first},
        expected=known.expected if known else {},
        threshold=DEFAULTS.srm_threshold,
    )


Beside = tuple[str, float | None, float | None, str]
"""An A/B test's name, the units it needs, how many times as many that is, and why not where it is not known."""


def _beside(experiment: Experiment, design: InterleavingDesign, preferred: Preference | NotComputable) -> Beside:
    if not design.beside:
        return "", None, None, ""
    other = Experiment.objects.filter(project=experiment.project_id, key=design.beside).first()
    snapshot = latest.latest(other) if other is not None else None
    if other is None or snapshot is None:
        return design.beside, None, None, f"there is no result of an experiment {design.beside!r} yet"
    primary = next((m for m in latest.results_of(snapshot).metrics if m.role == "primary" and m.comparisons), None)
    if primary is None or isinstance(preferred, NotComputable):
        return other.name, None, None, "one of the two has no result yet"
    one = primary.comparisons[0]
    variance = _unit_variance(one)
    if variance is None or one.p_value is None or one.difference is None or one.p_value >= DEFAULTS.alpha:
        return other.name, None, None, f"{other.name} has found no clear difference in {primary.name} yet"
    if preferred.p_value >= DEFAULTS.alpha:
        return other.name, None, None, "no clear preference is seen yet"
    needs = sensitivity(preferred, one.difference, variance)
    if isinstance(needs, NotComputable):
        return other.name, None, None, needs.reason
    return other.name, needs.separate, needs.ratio, ""


def _unit_variance(one: Comparison) -> float | None:
    """Return the variance of the A/B test's metric between units, from its standard error."""
    if one.standard_error is None or min(one.n, one.control_n) < 2:
        return None
    return one.standard_error**2 / (1 / one.n + 1 / one.control_n)


def _result(found: Votes, preferred: Preference | NotComputable, beside: Beside) -> InterleavingResult:
    known = preferred if isinstance(preferred, Preference) else None
    name, separate, ratio, reason = beside
    return InterleavingResult(
        users=found.users.users,
        impressions=found.impressions,
        differing=found.differing,
        for_treatment=found.for_treatment,
        for_control=found.for_control,
        users_for_treatment=found.users.ahead,
        users_for_control=found.users.behind,
        users_undecided=found.users.users - found.users.ahead - found.users.behind,
        value=known.value if known else None,
        interval=known.interval if known else None,
        p_value=known.p_value if known else None,
        sign_p_value=known.sign_p_value if known else None,
        days=[_day(day, preference_of(users), users.users) for day, users in found.days],
        needed=_needed(known) if known else None,
        beside=name,
        separate=separate,
        ratio=ratio,
        beside_reason=reason,
    )


def _needed(preferred: Preference) -> float | None:
    """Return how many units show such a preference: (z_alpha/2 + z_beta)² spread² / value²."""
    if preferred.value == 0:
        return None
    z = float(stats.norm.isf(DEFAULTS.alpha / 2) + stats.norm.ppf(POWER))
    return math.ceil(z**2 * preferred.spread**2 / preferred.value**2)


def _day(day: object, found: Preference | NotComputable, users: int) -> PreferenceDay:
    known = found if isinstance(found, Preference) else None
    return PreferenceDay(
        day=day,  # type: ignore[arg-type]  # a date, as the database gives it
        users=users,
        value=known.value if known else None,
        interval=known.interval if known else None,
    )
