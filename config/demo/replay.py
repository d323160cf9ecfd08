"""Replay the Open Bandit log into a project of its own, and say what the product makes of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analysis.results.schema import Results
from config.demo import bandit
from config.demo.bandit import Expected
from config.demo.catalogue import MetricFacts
from config.demo.client import AppClient, ShopError
from config.demo.drive import send_all
from config.demo.progress import Reporter
from config.demo.project import ensure_metric, ensure_project, start_in_the_past
from config.demo.report import z_of
from events import partitions
from experiments import lifecycle
from experiments.domain.lifecycle import Status
from experiments.domain.metrics import DisplayUnit, MetricKind, MetricRole
from experiments.domain.units import UnitType
from experiments.models import Experiment, Project, User
from experiments.setup import ExperimentPlan, MetricPlan, VariantPlan, create_experiment

PROJECT_SLUG = "open-bandit"
CLICKED = MetricFacts(
    key="click-through",
    name="Click-through",
    description="Share of impressions that were clicked.",
    kind=MetricKind.PROPORTION,
    event="Product Clicked",
    display_unit=DisplayUnit.PERCENT,
    truth="",
)
HYPOTHESIS = (
    "Items that Bernoulli Thompson sampling chooses are clicked more often than random ones. (Two campaigns of one log "
    "are looked at: for 5 % over both, judge each p-value at 2.5 %.)"
)
ALPHA = 0.05


def ensure_bandit_project(user: User) -> Project:
    """Return the project of the real data."""
    return ensure_project(PROJECT_SLUG, "Open Bandit (real data)", user, currency="JPY")


def ensure_campaign(project: Project, user: User, campaign: str) -> Experiment:
    """Return a campaign's experiment, made when it is missing, as it ran in November 2019."""
    experiment = Experiment.objects.filter(project=project, key=bandit.experiment_key(campaign)).first()
    if experiment is None:
        metric = MetricPlan(metric=ensure_metric(project, user, CLICKED), role=MetricRole.PRIMARY)
        plan = ExperimentPlan(
            key=bandit.experiment_key(campaign),
            name=f"Thompson sampling for the campaign “{campaign}”",
            hypothesis=HYPOTHESIS,
            unit_type=UnitType.IMPRESSION,
            planned_days=bandit.DAYS,
            variants=tuple(VariantPlan(key=key, name=name, weight=5000) for key, name in bandit.POLICIES),
            metrics=(metric,),
        )
        experiment = create_experiment(project, user, plan)
    start_in_the_past(experiment, user, bandit.STARTED)
    return experiment


async def send(client: AppClient, title: str, campaign: str, reporter: Reporter) -> None:
    """Send one campaign's impressions and clicks; sending them again counts nothing twice."""
    rows = list(bandit.impressions(campaign))
    total = len(rows) + sum(row.clicked for row in rows)
    await send_all(client, (total, bandit.events(rows, title)), reporter, f"campaign {campaign}: events")


def close(experiment: Experiment, user: User) -> None:
    """Stop a campaign's experiment when its week was over."""
    partitions.ensure(bandit.STARTED.date(), bandit.STOPPED.date())
    if experiment.status == Status.RUNNING:
        lifecycle.stop(experiment, user, "The log ends here.", at=bandit.STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the product reports for one campaign."""

    campaign: str
    impressions: tuple[int, int]
    control: float
    treatment: float
    z: float
    p_value: float

    @property
    def expected(self) -> Expected:
        """Return what an independent computation found."""
        return bandit.EXPECTED[self.campaign]

    @property
    def as_expected(self) -> bool:
        """Say whether the product agrees with it."""
        figures = (self.control, self.treatment, self.z, self.p_value)
        return self.impressions == (10_000, 10_000) and bandit.agrees(self.expected, *figures)


def read(campaign: str, results: Results) -> Replayed:
    """Take a campaign's figures from the product's results."""
    comparison = results.metrics[0].comparisons[0]
    if comparison.value is None or comparison.control_value is None or comparison.p_value is None:
        raise ShopError(f"The product computed no comparison for campaign {campaign}: {comparison.warnings}")
    return Replayed(
        campaign=campaign,
        impressions=(comparison.control_n, comparison.n),
        control=comparison.control_value,
        treatment=comparison.value,
        z=z_of(comparison),
        p_value=comparison.p_value,
    )


def lines(found: Mapping[str, Replayed]) -> Iterator[str]:
    """Write the figures, one line a campaign, and the lesson that they teach."""
    for campaign, row in found.items():
        yield (
            f"{campaign}: click-through {percent(row.control)} (random) → {percent(row.treatment)} "
            f"(Thompson sampling), z {row.z:.3f}, p {decimal(row.p_value)}, {sum(row.impressions):,} impressions"
            f"{'' if row.as_expected else f'; EXPECTED {row.expected}'}"
        )
    yield from lesson({campaign: row.p_value for campaign, row in found.items()})


def lesson(p_values: Mapping[str, float]) -> Iterator[str]:
    """Say what looking at several campaigns does to a p-value below 5 %."""
    reached = [campaign for campaign, p_value in p_values.items() if p_value < ALPHA]
    if len(p_values) < 2:
        yield (
            "This is one of several campaigns of the log. Whoever looks at several and reports the best finds "
            "differences where there are none: replay all of them to see the adjusted p-values."
        )
        return
    tested = ", ".join(p_values)
    from statsmodels.stats.multitest import multipletests  # with pandas: a second that no start should take

    for method, name in (("holm", "Holm"), ("bonferroni", "Bonferroni")):
        adjusted = multipletests(list(p_values.values()), alpha=ALPHA, method=method)[1]
        figures = ", ".join(f"{c} {decimal(float(p))}" for c, p in zip(p_values, adjusted, strict=True))
        yield f"{name}-adjusted p over {len(p_values)} campaigns ({tested}): {figures}"
        if method == "holm":
            surviving = [c for c, p in zip(p_values, adjusted, strict=True) if p < ALPHA]
    yield (
        f"{len(reached)} of {len(p_values)} campaigns reaches 5 % by itself, {len(surviving) or 'none'} after the "
        "adjustment: with every further campaign that one looks at, one “significant” result by chance becomes more "
        "likely. Choose the campaign before looking, or judge the adjusted p-value."
    )


def percent(share: float) -> str:
    """Write a small share without its leading zero, as the paper's tables do: .46 %."""
    return f"{100 * share:.2f} %".removeprefix("0")


def decimal(p_value: float) -> str:
    """Write a p-value with three significant digits and no leading zero: .0315."""
    return f"{p_value:.3g}".removeprefix("0")
