"""Rows of a list of experiments: where each stands, what it says, and its interval on one scale for all."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from analysis.charts.interval import Mark, Scale, mark, scale_for
from analysis.models import Glance, HoldbackWatch
from experiments.domain.kinds import ExperimentKind
from experiments.domain.lifecycle import Status, day_of
from experiments.domain.stages import Stage
from experiments.models import Experiment, Project, Standing
from experiments.pages.addresses import of_each
from experiments.pages.formats import bounds

TONES = {
    Stage.READY: "good",
    Stage.WRAP_UP: "warn",
    Stage.RUNNING: "live",
    Stage.DRAFT: "flat",
    Stage.CONCLUDED: "flat",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One experiment of a list; ``href`` leads to its results, or to its plan while there are none.

    ``has_faded``: it is the holdback of a launch whose lift is gone, which its result over the whole time does not say.
    """

    experiment: Experiment
    stage: Stage
    day: int
    href: str
    standing: Standing | None
    glance: Glance | None
    mark: Mark | None = None
    has_faded: bool = False

    @property
    def stage_tone(self) -> str:
        """Return how the stage is coloured."""
        return TONES[self.stage]

    @property
    def when(self) -> str:
        """Say how far it is, beside the stage."""
        one = self.experiment
        if one.status == Status.DRAFT:
            return ""
        if one.status == Status.PAUSED:
            return f"paused on day {self.day}"
        if one.status == Status.RUNNING:
            return f"day {self.day} of {one.planned_days}" if self.day <= one.planned_days else f"day {self.day}"
        return f"{self.day} days" if self.day != 1 else "1 day"

    @property
    def done(self) -> int:
        """Return how much of the planned time is over, in percent."""
        return min(100, round(100 * self.day / max(1, self.experiment.planned_days)))

    @property
    def waiting(self) -> str:
        """Say why there is nothing to read yet; empty where there is."""
        if self.standing is not None:
            return ""
        return "Not started" if self.experiment.status == Status.DRAFT else "Waiting for the first data"

    @property
    def tone(self) -> str:
        """Return how its sentence is coloured."""
        if self.has_faded:
            return "bad"
        return self.standing.tone if self.standing else "flat"

    @property
    def says(self) -> str:
        """Say what it comes to, or why there is nothing to read yet."""
        if self.has_faded:
            return "The lift that was shipped is gone."
        return self.standing.headline if self.standing else self.waiting

    @property
    def change(self) -> str:
        """Return the primary change in words, or why there is none."""
        if self.glance is None or self.standing is None:
            return ""
        return self.glance.change if self.standing.trustworthy else "withheld"

    @property
    def interval(self) -> str:
        """Return the interval of the change in words."""
        return bounds(self.glance.interval) if self.glance else ""

    @property
    def about(self) -> str:
        """Say which metric the change is of, its interval, and of several treatments which one is shown."""
        seen = self.glance
        if seen is None or not seen.change:
            return ""
        interval = bounds(seen.interval)
        named = f"{seen.metric_name}, {interval}" if interval else seen.metric_name
        return f"{named}; {seen.shown_variant}, best of {seen.treatments}" if seen.shown_variant else named

    @property
    def reading_tone(self) -> str:
        """Return how the change is coloured: only where it is clear, and still there."""
        if self.has_faded:
            return "flat"
        reading = self.glance.reading if self.glance else ""
        return {"Better": "good", "Worse": "bad"}.get(reading, "flat")


def rows(project: Project, experiments: Sequence[Experiment], now: datetime) -> tuple[list[Row], Scale | None]:
    """Return the rows of experiments found ``with_results``, and the one scale of their intervals."""
    made = unmarked(project, experiments, now)
    intervals = [i for one in made if one.glance and (i := one.glance.interval) is not None]
    if not intervals:
        return made, None
    scale = scale_for(intervals, [one.glance.lift for one in made if one.glance and one.glance.lift is not None])
    return [_marked(one, scale) for one in made], scale


def unmarked(project: Project, experiments: Sequence[Experiment], now: datetime, *, glances: bool = True) -> list[Row]:
    """Return the rows of experiments found ``with_results``, without their intervals, or also without their numbers."""
    return plain(project, experiments, now, _faded(experiments), glances=glances)


def plain(
    project: Project,
    experiments: Iterable[Experiment],
    now: datetime,
    faded: Collection[int] = (),
    *,
    glances: bool = True,
) -> list[Row]:
    """Return the rows of experiments, of which holdbacks by pk have ``faded``."""
    plan, results = (of_each(name, project.slug) for name in ("experiment_detail", "experiment_results"))
    made = []
    for one in experiments:
        standing: Standing | None = getattr(one, "standing", None)
        is_plan = standing is None and one.status == Status.DRAFT
        made.append(
            Row(
                experiment=one,
                stage=Stage(one.stage),  # type: ignore[attr-defined]  # annotated by experiments.staging
                day=day_of(one.counts_from, one.stopped_at, now),
                href=(plan if is_plan else results)(one.key),
                standing=standing,
                glance=getattr(standing, "glance", None) if standing and glances else None,
                has_faded=one.pk in faded,
            )
        )
    return made


def _marked(one: Row, scale: Scale) -> Row:
    if one.glance is None or (interval := one.glance.interval) is None:
        return one
    return replace(one, mark=mark(scale, interval, one.glance.lift))


def _faded(experiments: Sequence[Experiment]) -> set[int]:
    """Return which of them are holdbacks of launches whose lift is gone."""
    holdbacks = [one.pk for one in experiments if one.kind == ExperimentKind.HOLDBACK and one.status != Status.STOPPED]
    if not holdbacks:
        return set()
    seen = HoldbackWatch.objects.filter(holdback__in=holdbacks, decayed_at__isnull=False)
    return set(seen.values_list("holdback", flat=True))
