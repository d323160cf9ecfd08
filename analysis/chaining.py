"""Put a model experiment's chain together: the decision, and what the stored moments and the plan add to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs
from scipy import stats

from analysis.decisions.chain import follow
from analysis.decisions.evidence import Evidence
from analysis.decisions.inputs import PairedFact, VariantCount
from analysis.decisions.look_at import disagreement, look_at
from analysis.decisions.offline import offline_gain
from analysis.decisions.readout import Readout
from analysis.decisions.way import Way, way
from analysis.decisions.worth import Terms, worth
from analysis.details import keeping
from analysis.details.schema import Detail
from analysis.examples.storing import paired_facts
from analysis.funnels import places, split
from analysis.looking import Course
from analysis.models import MomentSet
from analysis.moment_sets import Sets
from analysis.results.chain import Chain, FunnelSplit, Worth
from analysis.results.schema import TriggeredShare
from analysis.stats.settings import DEFAULTS
from experiments.domain.kinds import ExperimentKind
from experiments.domain.layers import read_ranges, size
from experiments.models import Experiment, ExperimentMetric, Variant
from experiments.models.experiment import WHOLE

CENTS = 100
MONTH_DAYS = 365.25 / 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Everything at hand when an experiment is analysed. ``counts`` are its variants as the decision sees them."""

    experiment: Experiment
    counts: Sequence[VariantCount]
    plan: Sequence[ExperimentMetric]
    variants: Sequence[Variant]
    readout: Readout
    sets: Sets
    at: Course
    triggered: TriggeredShare | None

    def paired(self, treatment: str) -> tuple[PairedFact, ...]:
        """Return what scores by example say of a treatment's model against the control's."""
        old = next(variant for variant in self.variants if variant.is_control).model_version
        new = self.variant(treatment).model_version
        return () if old is None or new is None or old.pk == new.pk else paired_facts(old, new)

    def variant(self, key: str) -> Variant:
        """Return a variant by its key."""
        return next(variant for variant in self.variants if variant.key == key)


def chains(known: Setting) -> list[Chain]:
    """Return one chain a treatment that serves a model version; none where no treatment names one.

    A holdback has none: its model's gain is on its way no more, and whether it lasts is another question.
    """
    if known.experiment.kind == ExperimentKind.HOLDBACK.value:
        return []
    control = next(count for count in known.counts if count.is_control)
    by_key = {count.key: count for count in known.counts}
    return [
        _chain(known, control, by_key[one.variant.key], one)
        for one in known.readout.evidence
        if one.variant.model_version is not None
    ]


def _chain(known: Setting, control: VariantCount, treatment: VariantCount, evidence: Evidence) -> Chain:
    found = way(
        evidence,
        offline_gain(control.offline, treatment.offline, known.paired(treatment.key)),
        known.readout.horizon,
        trustworthy=known.readout.health.trustworthy,
        currency=known.experiment.project.currency,
        unit_type=known.experiment.unit_type,
    )
    chain = follow(found)
    funnel = _funnel(known, found, control.key)
    return structs.replace(
        chain,
        look_at=look_at(found, chain.verdict, funnel, known.triggered, _details(known, found)),
        funnel=funnel,
        disagreement=disagreement(found, known.triggered),
        worth=_worth(known, found),
    )


def _details(known: Setting, found: Way) -> Mapping[str, Detail]:
    """Return the details of proxy and business metric; none before the end, as their tests are of one look."""
    horizon = known.readout.horizon
    if not found.trustworthy or (horizon.running and horizon.peeking):
        return {}
    return keeping.of_metrics(known.experiment, [one.plan.key for one in (found.proxy, found.business) if one])


def _funnel(known: Setting, found: Way, control: str) -> FunnelSplit | None:
    """Return the funnel at the level that this moment allows; none before a plan of one look may be read."""
    alpha = _level(known, found)
    cells = known.sets.get(MomentSet.By.BUCKET)
    if alpha is None or cells is None or not found.trustworthy or known.at.facts.until is not None:
        return None
    plans = {one.plan.key: one.plan for one in found.evidence.judged}
    steps = places([(use, plans[use.metric.key]) for use in known.plan])
    treatment = known.variant(found.evidence.variant.key).pk
    return split(steps, cells, known.variant(control).pk, treatment, known.experiment.unit_type, alpha)


def _level(known: Setting, found: Way) -> float | None:
    """Return the risk of each step's interval: where looks are planned, the business metric's at this one."""
    if known.at.looking is None:
        return None if known.readout.horizon.peeking else DEFAULTS.alpha
    boundary = None if found.business is None else found.business.comparison.boundary
    return None if boundary is None else 2 * float(stats.norm.sf(boundary))


def _worth(known: Setting, found: Way) -> Worth | None:
    if found.business is None or not found.trustworthy:
        return None
    experiment = known.experiment
    stated = experiment.monthly_units
    terms = Terms(
        monthly_cost=None if experiment.monthly_cost is None else experiment.monthly_cost / CENTS,
        monthly_units=stated or monthly_units(experiment, known.at.sums.total, known.readout.day),
        estimated=not stated,
        value_of_one=None if experiment.value_of_one is None else experiment.value_of_one / CENTS,
    )
    return worth(found.business, terms, experiment.project.currency, experiment.unit_type)


def monthly_units(experiment: Experiment, units: int, days: int) -> int:
    """Return how many units a month would bring if everyone took part, judged by those that came so far.

    Units a day times days in a month, over the share of traffic that the experiment takes.
    """
    share = experiment.allocation / WHOLE
    if experiment.layer_id:
        share *= size(read_ranges(experiment.layer_ranges)) / WHOLE
    return round(units / max(1, days) * MONTH_DAYS / share) if share > 0 else 0
