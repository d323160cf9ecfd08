"""How exposures and events meet, in words. Nothing here holds an id: alerts and mails outlive an erasure."""

from dataclasses import dataclass

from analysis.decisions.wording import percent
from analysis.joining.reading import Joining, field_of, shapes
from analysis.stats.left_out import Uneven
from experiments.domain.units import UnitType
from experiments.pages.formats import p_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, by a key that stays the same while it lasts."""

    key: str
    sentence: str
    what_to_do: str


def findings(joining: Joining) -> list[Finding]:
    """Return what is wrong with how exposures and events meet, the gravest first."""
    found = []
    if joining.never_meet:
        found.append(_never_meet(joining))
    if joining.mostly_without_unit:
        found.append(_without_unit(joining))
    if joining.is_uneven:
        found.append(_uneven(joining))
    return found


def in_general(joining: Joining) -> list[str]:
    """Return the sentences that hold whether or not anything is wrong."""
    unit, met = joining.unit_type.value, joining.met
    said = [
        f"{joining.exposed:,} {unit}s were exposed a day ago or earlier; {joining.silent:,} of them "
        f"({percent(joining.silent / joining.exposed)}) have sent no event that a metric counts."
        if joining.exposed
        else f"No {unit} was exposed a day ago or earlier."
    ]
    if not met.events:
        return [*said, f"None of the events that metrics count ({_listed(joining.names)}) came in the last two days."]
    said.append(
        f"The newest {met.events:,} events that metrics count come from {met.units:,} {unit}s; "
        f"{met.exposed:,} of them were exposed."
        if met.exposed
        else f"The newest {met.events:,} events that metrics count come from {met.units:,} {unit}s; none was exposed."
    )
    if met.exposed and met.unexposed:
        said.append(
            f"The other {met.unexposed:,} have no variant, as it must be for those whom the experiment does not reach."
        )
    if met.without_unit:
        said.append(f"{met.without_unit:,} of these events carry no {unit} ({joining.field}) and count for nobody.")
    return said


def _never_meet(joining: Joining) -> Finding:
    unit = joining.unit_type.value
    exposures, events = shapes(joining.met)
    alike = "both look alike" if exposures == events else f"exposures name {unit}s by {exposures}, events by {events}"
    other = field_of(UnitType.USER if joining.unit_type is UnitType.DEVICE else UnitType.DEVICE)
    swapped = joining.met.by_other_id > joining.met.events / 2
    return Finding(
        key="never-meet",
        sentence=f"No {unit} of {joining.exposed:,} exposed is among the {joining.met.units:,} with "
        f"{_listed(joining.names)}: {alike}.",
        what_to_do=f"The events carry the exposures' ids, but as {other}: send them as {joining.field}."
        if swapped
        else f"Send the same id as {joining.field} with exposures and with events; until then every result is empty.",
    )


def _without_unit(joining: Joining) -> Finding:
    share = percent(joining.met.without_unit / joining.met.events)
    return Finding(
        key="without-unit",
        sentence=f"{share} of the newest {joining.met.events:,} events that metrics count ({_listed(joining.names)}) "
        f"carry no {joining.unit_type.value}.",
        what_to_do=f"Send {joining.field} with every event: one without it counts for nobody.",
    )


def _uneven(joining: Joining) -> Finding:
    chance = p_value(joining.silence.p_value) if isinstance(joining.silence, Uneven) else ""
    chance = chance if chance.startswith("<") else f"= {chance}"
    shares = ", ".join(f"{one.name} {percent(one.share or 0.0)}" for one in joining.variants)
    return Finding(
        key="uneven",
        sentence=f"Variants differ in how many {joining.unit_type.value}s are never heard of after their exposure: "
        f"{shares} (p {chance}).",
        what_to_do="See whether events are lost in one variant (a page without its tracking, a crash after exposure), "
        "or whether it is exposed earlier than the others. Where neither is so, the variant keeps people from acting.",
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")
