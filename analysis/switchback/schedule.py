"""Which region has which variant when: the split of the edge itself, so that it needs no report. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from assignment.engine.bucketing import bucket_ranges, choose
from assignment.engine.hashing import bucket_of
from experiments.domain.designs.switchback import SwitchbackDesign, block_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One region's block. ``switched`` says whether the block before had the other variant."""

    region: str
    block: int
    begins: datetime
    treated: bool
    switched: bool


def treated(salt: str, weights: Sequence[int], allocation: int, region: str, block: int) -> bool:
    """Say whether a region's block has the treatment, as the edge answers for its ``block_id``."""
    return choose(bucket_of(salt, block_id(region, block)), bucket_ranges(weights, allocation)) == 1


def slots(
    design: SwitchbackDesign, salt: str, weights: Sequence[int], allocation: int, since: datetime, until: datetime
) -> list[Slot]:
    """Return every region's whole blocks within [since, until), in order of region and time."""
    first = design.block_at(since - timedelta(microseconds=1)) + 1
    last = design.block_at(until)
    found = []
    for region in design.places:
        before: bool | None = None
        for block in range(first, last):
            now = treated(salt, weights, allocation, region, block)
            found.append(
                Slot(
                    region=region,
                    block=block,
                    begins=design.begins(block),
                    treated=now,
                    # Before the first block everybody had the control.
                    switched=now != before if before is not None else now,
                )
            )
            before = now
    return found
