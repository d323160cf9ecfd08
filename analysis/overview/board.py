"""The board: a column for each stage of life, the newest of each, and how many there are."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from analysis.overview.finding import of_known_stages
from analysis.overview.rows import Row, unmarked
from experiments.domain.stages import Stage
from experiments.models import Project

MOST_IN_A_COLUMN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One stage with its newest experiments, of ``count`` in all."""

    stage: Stage
    rows: list[Row]
    count: int

    @property
    def more(self) -> int:
        """Return how many are not shown."""
        return self.count - len(self.rows)


def columns(
    project: Project, newest: Iterable[tuple[int, str]], counts: Mapping[Stage, int], now: datetime
) -> list[Column]:
    """Return the board of what was ``placed``, newest first, in one query whatever the number."""
    shown: dict[int, str] = {}
    seen: Counter[str] = Counter()
    for pk, stage in newest:
        seen[stage] += 1
        if seen[stage] <= MOST_IN_A_COLUMN:
            shown[pk] = stage
    by_stage: dict[Stage, list[Row]] = {stage: [] for stage in Stage}
    for made in unmarked(project, of_known_stages(shown), now):
        by_stage[made.stage].append(made)
    return [Column(stage=stage, rows=rows, count=counts.get(stage, 0)) for stage, rows in by_stage.items()]
