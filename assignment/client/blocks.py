"""The unit of a switchback: one region for one stretch of time."""

from datetime import UTC, datetime

from experiments.domain.designs.switchback import SwitchbackDesign
from experiments.domain.designs.switchback import block_id as named


def block_id(region: str = "", *, minutes: int, at: datetime | None = None) -> str:
    """Return the ``block_id`` of a region now, or at a moment; ask ``decide`` with ``{"block_id": …}``.

    Parameters
    ----------
    region
        As the experiment's plan spells it; empty where the whole market takes turns together.
    minutes
        How long a block is in the plan.
    at
        A moment with its zone; now by default.
    """
    moment = datetime.now(UTC) if at is None else at
    return named(region, SwitchbackDesign(block_minutes=minutes).block_at(moment))
