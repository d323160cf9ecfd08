"""Switchback: regions switch between variants in time, for markets whose units disturb each other."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from experiments.domain.metrics import MetricKind

SHORTEST_BLOCK, LONGEST_BLOCK = 5, 7 * 24 * 60
MOST_REGIONS, LONGEST_REGION = 500, 80
MEASURED = (MetricKind.COUNT, MetricKind.SUM, MetricKind.RATIO, MetricKind.MEAN)
"""Metrics that a block has: shares of units are none, because nobody is exposed to a block."""
SEPARATOR = "|"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SwitchbackDesign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a block is, what is left out after a switch, and where an event names its region.

    ``regions`` are those that are randomised apart; an event of another region counts for none. Without any there is
    one block for the whole market at a time, and no property is looked at.
    """

    block_minutes: int = 60
    burn_in_minutes: int = 10
    region_property: str = "region"
    regions: tuple[str, ...] = ()

    def problems(self, variants: int, metric: MetricKind | None) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong)."""
        if metric is not None and metric not in MEASURED:
            yield (
                "metric",
                "A block has totals, ratios and means: choose a metric that counts events, adds up or divides.",
            )
        if variants != 2:
            yield "variants", f"There are {variants} variants; a switchback takes turns between exactly two."
        if not SHORTEST_BLOCK <= self.block_minutes <= LONGEST_BLOCK:
            yield "block_minutes", f"A block of {self.block_minutes} minutes: {SHORTEST_BLOCK} to {LONGEST_BLOCK} are."
        if not 0 <= self.burn_in_minutes <= self.block_minutes // 2:
            yield (
                "burn_in_minutes",
                f"{self.burn_in_minutes} minutes are left out after a switch; at most half a block can be.",
            )
        if self.regions and not self.region_property.strip():
            yield "region_property", "Name the property of your events that holds the region."
        yield from self._region_problems()

    def _region_problems(self) -> Iterator[tuple[str, str]]:
        if len(self.regions) > MOST_REGIONS:
            yield "regions", f"There are {len(self.regions)} regions; at most {MOST_REGIONS} are possible."
        if len(set(self.regions)) < len(self.regions):
            yield "regions", "A region is there twice."
        for region in self.regions:
            if not region.strip() or len(region) > LONGEST_REGION or SEPARATOR in region:
                yield "regions", f"{region[:90]!r} is no region: 1 to {LONGEST_REGION} characters, none of them a |."

    @property
    def places(self) -> tuple[str, ...]:
        """Return the regions, or the one empty name of the whole market."""
        return self.regions or ("",)

    def block_at(self, at: datetime) -> int:
        """Return the number of the block that a moment lies in; blocks are counted from 1970, in UTC."""
        return (at - EPOCH) // timedelta(minutes=self.block_minutes)

    def begins(self, block: int) -> datetime:
        """Return when a block begins."""
        return EPOCH + block * timedelta(minutes=self.block_minutes)


def block_id(region: str, block: int) -> str:
    """Return the unit's id: ``berlin|493021``, or ``|493021`` for the whole market."""
    return f"{region}{SEPARATOR}{block}"
