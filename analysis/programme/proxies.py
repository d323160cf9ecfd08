"""Which proxies can we trust? Every metric against the business metric, over all experiments that are over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import numpy as np

from analysis.programme import details, mixtures, past, vectors, wording
from analysis.programme.choice import Known, Question, known_metrics, settled, within
from analysis.programme.facts import bare, slope_fact
from analysis.programme.schema import Left, Proxies, ProxyFinding, Trust
from analysis.programme.table import Rows, Table
from analysis.stats.multiplicity import Correction, correct
from analysis.stats.programme.archive import FEWEST as FEWEST_FOR_ARCHIVE
from analysis.stats.programme.effects import Programme, typical_noise
from analysis.stats.programme.quality import Composite, composite
from analysis.stats.programme.study import Study, study
from analysis.stats.unavailable import NotComputable
from experiments.models import Project

ALPHA = 0.05
ORDER = {trust: place for place, trust in enumerate(Trust)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Studied:
    """One proxy with what the statistics found, before it is put into words."""

    proxy: Known
    programme: Programme | NotComputable
    rows: Rows
    study: Study | NotComputable


def read(project: Project, asked: Question, now: datetime) -> Proxies:
    """Answer a question from the vectors as they are now."""
    known, every = known_metrics(project), [*vectors.load(project, now), *past.load(project)]
    star = project.north_star.key if project.north_star is not None else ""
    asked = settled(asked, every, known, star)
    chosen = within(every, asked, now)
    families = vectors.families(project)
    if asked.business not in known:
        return _nothing(project, families, vectors.broken(project))
    table = Table.of(chosen, set(known), asked.business)
    studied = [_studied(table, known[key], asked.business) for key in table.metrics if key != asked.business]
    findings = _findings(studied, known[asked.business])
    return _answer(table, known, asked, studied, findings, families, vectors.broken(project))


def _answer(
    table: Table,
    known: Mapping[str, Known],
    asked: Question,
    studied: Sequence[Studied],
    findings: Sequence[ProxyFinding],
    families: list[str],
    broken: int,
) -> Proxies:
    business = known[asked.business]
    shown = sorted(findings, key=lambda one: (ORDER[one.trust], -abs(one.quality or 0.0), one.name))
    headline, explanation = wording.headline(business.name, shown)
    wanted = asked.proxy if any(one.metric == asked.proxy for one in shown) else (shown[0].metric if shown else "")
    detail = None
    for one in studied:
        if one.proxy.key == wanted and isinstance(one.programme, Programme) and isinstance(one.study, Study):
            finding = next(found for found in shown if found.metric == wanted)
            detail = details.detail(table, one.rows, one.programme, one.study, finding, one.proxy, business, asked)
    return Proxies(
        business=business.key,
        business_name=business.name,
        headline=headline if shown else "There is nothing to compare yet.",
        explanation=explanation,
        experiments=len(table.vectors),
        findings=shown,
        detail=detail,
        mixture=mixtures.mixture(table, business, asked.units),
        warnings=_warnings(table, business, detail is not None),
        left=Left(
            broken=broken,
            early=sum(one.stopped_early for one in table.vectors),
            without_metric=sum(business.key not in one.metrics for one in table.vectors),
        ),
        families=families,
        metrics={key: known[key].name for key in table.metrics},
    )


def _nothing(project: Project, families: list[str], broken: int) -> Proxies:
    return Proxies(
        business=None,
        business_name="",
        headline="There is nothing to compare yet.",
        explanation="",
        experiments=0,
        findings=[],
        detail=None,
        mixture=None,
        warnings=[],
        left=Left(broken=broken, early=0, without_metric=0),
        families=families,
        metrics={},
        reason=f"No experiment of {project.name} is over yet and may be believed.",
    )


def _studied(table: Table, proxy: Known, business: str) -> Studied:
    programme, rows = table.programme([proxy.key, business])
    if isinstance(programme, NotComputable):
        return Studied(proxy=proxy, programme=programme, rows=rows, study=programme)
    found = study(programme, alpha=ALPHA, groups=table.groups[rows])
    if not isinstance(found, NotComputable):
        is_past = np.array([bool(table.vectors[row].past) for row in rows])
        found = replace(found, user_level=past.user_level_of_own(programme, is_past, found.user_level))
    return Studied(proxy=proxy, programme=programme, rows=rows, study=found)


def _findings(studied: Sequence[Studied], business: Known) -> list[ProxyFinding]:
    """Put what was found into words; how many proxies were asked counts against each."""
    asked = [_p_of(one.study) for one in studied]
    adjusted = correct(asked, Correction.BENJAMINI_HOCHBERG, ALPHA).adjusted
    return [_finding(one, business, p) for one, p in zip(studied, adjusted, strict=True)]


def _p_of(found: Study | NotComputable) -> float | None:
    """Return the p-value of a slope that can be told at all; the others do not count as asked."""
    if isinstance(found, NotComputable) or not found.identified.identified:
        return None
    return None if isinstance(found.p_value, NotComputable) else found.p_value


def _finding(one: Studied, business: Known, adjusted: float | None) -> ProxyFinding:
    found = one.study
    if isinstance(found, NotComputable):
        return _unknown(one, found)
    sides = one.proxy.sign * business.sign
    fact = ProxyFinding(
        metric=one.proxy.key,
        name=one.proxy.name,
        trust=_trust(found, adjusted, sides),
        sentence="",
        experiments=found.identified.experiments,
        independent=_independent(found),
        strength=_finite(found.identified.strength),
        signal=_finite(found.identified.signal),
        missing=found.identified.missing,
        user_level=slope_fact("user_level", found.user_level),
        naive=slope_fact("naive", found.naive),
        corrected=slope_fact("corrected", found.corrected),
        p_value=None if isinstance(found.p_value, NotComputable) else found.p_value,
        adjusted_p_value=adjusted,
        correlation=found.correlation,
        sign_agreement=_agreement(found, sides),
        quality=_quality(one, found),
    )
    said = wording.of_proxy(one.proxy.name, business.name, fact.trust, fact)
    return msgspec.structs.replace(fact, sentence=said)


def _unknown(one: Studied, why: NotComputable) -> ProxyFinding:
    return ProxyFinding(
        metric=one.proxy.key,
        name=one.proxy.name,
        trust=Trust.UNIDENTIFIED,
        sentence=f"Not identified: {why.reason}.",
        experiments=len(one.rows),
        independent=len(one.rows),
        strength=None,
        signal=None,
        missing=None,
        user_level=bare("user_level", why.reason),
        naive=bare("naive", why.reason),
        corrected=bare("corrected", why.reason),
    )


def _trust(found: Study, adjusted: float | None, sides: float) -> Trust:
    if not found.identified.identified or isinstance(found.corrected, NotComputable):
        return Trust.UNIDENTIFIED
    value = found.corrected.value * sides
    if adjusted is not None and adjusted < ALPHA:
        return Trust.TRUSTED if value > 0 else Trust.MISLEADING
    clear = not isinstance(found.p_value, NotComputable) and found.p_value < ALPHA
    return Trust.HINTED if clear else Trust.UNRELATED


def _independent(found: Study) -> int:
    signal = found.identified.signal
    if not np.isfinite(signal) or signal <= 0:
        return found.identified.experiments
    return round(found.identified.strength / signal)


def _agreement(found: Study, sides: float) -> float | None:
    """Return how often a gain in the one is a gain in the other; for a metric that is better when lower, turned."""
    if found.sign_agreement is None:
        return None
    return found.sign_agreement if sides > 0 else 1 - found.sign_agreement


def _quality(one: Studied, found: Study) -> float | None:
    if isinstance(one.programme, NotComputable):
        return None
    noise = typical_noise(one.programme.covariances[:, 0, 0])
    best = composite(found.fitted, [[noise]])
    return best.quality if isinstance(best, Composite) else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _warnings(table: Table, business: Known, told: bool) -> list[str]:
    """Say what the reader must know of the collection itself."""
    said = []
    over = [one for one in table.vectors if one.ended_at is not None and not one.past]
    if len(over) >= FEWEST_FOR_ARCHIVE and all(one.shipped for one in over):
        said.append(
            f"Every one of the {len(over)} experiments that ended was shipped. An archive of winners hides slopes "
            "that are there and shows some that are not: keep what failed as well."
        )
    elif told and (picked := details.picked_over(table, business)):
        said.append(picked)
    if imported := sum(bool(one.past) for one in table.vectors):
        said.append(
            f"{imported} of {len(table.vectors)} treatments were imported: whether their split was as planned could "
            "not be checked, and how far the noise of two metrics goes together was assumed."
        )
    repeats = len(table.groups) - len(np.unique(table.groups))
    if repeats:
        said.append(
            f"{repeats} of {len(table.groups)} treatments share a control or try the same model version again; each "
            "such set counts once in every interval."
        )
    return said
