"""All that is known of one treatment: each metric of the plan with its comparison and reading."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.decisions import wording
from analysis.decisions.inputs import MetricPlan
from analysis.results.schema import Comparison, Reading, VariantFact
from analysis.stats.equivalence import Size
from experiments.domain.metrics import MetricRole


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One metric of one treatment. ``denominator_moved``: a ratio whose denominator the treatment changed."""

    plan: MetricPlan
    comparison: Comparison
    denominator_moved: bool = False

    @property
    def reading(self) -> Reading:
        """Return the comparison's reading."""
        return self.comparison.reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One treatment with everything judged about it. ``subject`` is how sentences call it."""

    variant: VariantFact
    subject: str
    judged: tuple[Judged, ...]

    def having(self, role: MetricRole, *readings: Reading) -> list[Judged]:
        """Return the metrics of a role, of all readings or of the given ones."""
        return [one for one in self.judged if one.plan.role is role and (not readings or one.reading in readings)]

    @property
    def primaries(self) -> list[Judged]:
        """Return the metrics that the plan decides by."""
        return self.having(MetricRole.PRIMARY)

    @property
    def too_small(self) -> list[Judged]:
        """Return the primary metrics whose change is shown to be smaller than what matters, significant or not."""
        small = Size.NEGLIGIBLE.value
        return [one for one in self.primaries if one.comparison.size == small]

    @property
    def gains(self) -> list[Judged]:
        """Return the primary metrics that are better."""
        return self.having(MetricRole.PRIMARY, Reading.BETTER)

    @property
    def losses(self) -> list[Judged]:
        """Return the primary metrics that are worse."""
        return self.having(MetricRole.PRIMARY, Reading.WORSE)

    @property
    def crossed(self) -> list[Judged]:
        """Return the guardrails that are shown to be beyond their limit."""
        return [one for one in self.having(MetricRole.GUARDRAIL) if one.comparison.margin_crossed is True]

    @property
    def strained(self) -> list[Judged]:
        """Return the guardrails that are worse, but not shown to be beyond their limit."""
        worse = self.having(MetricRole.GUARDRAIL, Reading.WORSE)
        return [one for one in worse if one.comparison.margin_crossed is not True]

    @property
    def slipping(self) -> list[Judged]:
        """Return the guardrails that are worse and not shown to stay within their limit."""
        return [one for one in self.strained if one.comparison.margin_crossed is None]

    @property
    def unproven(self) -> list[Judged]:
        """Return the guardrails that are neither worse nor shown to stay within their limit."""
        guardrails = self.having(MetricRole.GUARDRAIL)
        return [one for one in guardrails if one.comparison.margin_crossed is None and one.reading is not Reading.WORSE]

    @property
    def side_damage(self) -> list[Judged]:
        """Return the secondary metrics that are worse.

        A ratio whose denominator moved is none of them: more clicks with as many purchases lower purchases per click,
        and nobody is worse off.
        """
        worse = self.having(MetricRole.SECONDARY, Reading.WORSE)
        return [one for one in worse if not one.denominator_moved]


def subject(variant: VariantFact, experiment_name: str, *, alone: bool) -> str:
    """Return how sentences call a treatment: by its own name, its model, or its experiment."""
    if not wording.is_generic(variant.name):
        return wording.opening(variant.name)
    if variant.model_version:
        return wording.opening(variant.model_version)
    if alone and experiment_name and not experiment_name.endswith("?"):
        return wording.opening(experiment_name)
    return "The treatment" if alone else wording.opening(variant.name)


def names(judged: Sequence[Judged], most: int = 2) -> str:
    """Return the metrics' names inside a sentence, the first ``most`` of them."""
    found = [wording.inside(one.plan.name) for one in judged]
    if len(found) <= most:
        return wording.listed(found)
    rest = len(found) - most
    return f"{', '.join(found[:most])} and {rest} other metric{'s' if rest > 1 else ''}"
