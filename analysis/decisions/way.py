"""One treatment's way from the offline gain to the business: which metrics speak for it."""

from dataclasses import dataclass

from analysis.decisions import story
from analysis.decisions.evidence import Evidence, Judged
from analysis.decisions.horizon import Horizon
from analysis.decisions.offline import OfflineGain
from analysis.results.schema import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is known of one treatment's way: the offline gain, the proxy and the business metric that speak for it."""

    evidence: Evidence
    offline: OfflineGain
    proxy: Judged | None
    business: Judged | None
    horizon: Horizon
    trustworthy: bool
    currency: str
    unit_type: str = "unit"

    @property
    def stage(self) -> str:
        """Return the proxy's word: "clicks"."""
        return "clicks" if self.proxy is None else story.stage(self.proxy.plan)


def way(
    evidence: Evidence, offline: OfflineGain, horizon: Horizon, *, trustworthy: bool, currency: str, unit_type: str
) -> Way:
    """Choose the proxy and the business metric: those that moved, else the first of each."""
    proxies, stars = story.proxies(evidence), story.north_stars(evidence)
    hurt = story.harmed(evidence)
    return Way(
        evidence=evidence,
        offline=offline,
        proxy=_first(proxies, Reading.BETTER),
        business=hurt[0] if hurt else _first(stars, Reading.BETTER),
        horizon=horizon,
        trustworthy=trustworthy,
        currency=currency,
        unit_type=unit_type,
    )


def _first(found: list[Judged], wanted: Reading) -> Judged | None:
    moved = [one for one in found if one.reading is wanted]
    return next(iter([*moved, *found]), None)
