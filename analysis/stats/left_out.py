"""Left out unevenly: is a share of units that should not depend on the variant larger in one than in another?"""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from analysis.stats.settings import DEFAULTS, Settings
from analysis.stats.unavailable import NotComputable


@dataclass(frozen=True, slots=True, kw_only=True)
class Uneven:
    """How the parts lie: ``p_value`` is that of the treatment most unlike control, corrected for their number."""

    p_value: float
    shares: tuple[float, ...]
    uneven: bool


def uneven(parts: Sequence[int], wholes: Sequence[int], settings: Settings = DEFAULTS) -> Uneven | NotComputable:
    """Compare each treatment's share with control's by Fisher's exact test, which holds for a handful as for millions.

    Args:
        parts: units in question by variant, control first.
        wholes: all units by variant, the parts among them.
        settings: the level of data checks, which are looked at daily.

    Raises:
        ValueError: a part is larger than its whole.
    """
    if any(not 0 <= part <= whole for part, whole in zip(parts, wholes, strict=True)):
        raise ValueError(f"parts of {list(parts)} out of wholes of {list(wholes)}; a part lies within its whole")
    if len(parts) < 2 or min(wholes) == 0:
        return NotComputable("a variant has no units yet")
    control, of_control = parts[0], wholes[0]
    least = min(
        float(stats.fisher_exact([[part, whole - part], [control, of_control - control]]).pvalue)
        for part, whole in zip(parts[1:], wholes[1:], strict=True)
    )
    p_value = min(1.0, least * (len(parts) - 1))
    return Uneven(
        p_value=p_value,
        shares=tuple(part / whole for part, whole in zip(parts, wholes, strict=True)),
        uneven=p_value < settings.check_alpha,
    )
