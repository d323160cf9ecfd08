"""The board: a column for each stage of life, the newest of each, and how many there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Window
from django.db.models.functions import Coalesce, RowNumber

from analysis.overview.finding import Found, of_known_stages
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


def columns(project: Project, found: Found, counts: Mapping[Stage, int], now: datetime) -> list[Column]:
    """Return the board of what was found, in two queries whatever the number: which they are, and what they say."""
    newest = Coalesce("stopped_at", "started_at", "created_at").desc()
    place = Window(RowNumber(), partition_by=F("stage"), order_by=[newest, F("pk").desc()])
    first = found.annotate(place=place).filter(place__lte=MOST_IN_A_COLUMN).order_by("place")
    shown = of_known_stages(dict(first.values_list("pk", "stage")))
    by_stage: dict[Stage, list[Row]] = {stage: [] for stage in Stage}
    for made in unmarked(project, shown, now):
        by_stage[made.stage].append(made)
    return [Column(stage=stage, rows=rows, count=counts.get(stage, 0)) for stage, rows in by_stage.items()]
