"""Interleaving: two rankers share one list, and clicks say whose results people prefer."""

from collections.abc import Iterator

from msgspec import Struct

from experiments.domain.metrics import MetricKind

LONGEST_LIST = 200
SHOWN_EVENT, CLICKED_EVENT, ITEM_PROPERTY = "Ranking Shown", "Ranking Clicked", "item_id"


class InterleavingDesign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events tell what was shown and chosen. ``beside`` is an A/B test of the same rankers, for comparison."""

    shown_event: str = SHOWN_EVENT
    clicked_event: str = CLICKED_EVENT
    item_property: str = ITEM_PROPERTY
    length: int = 10
    beside: str = ""

    def problems(self, variants: int, metric: MetricKind | None) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong)."""
        del metric
        if variants != 2:
            yield "variants", f"There are {variants} rankers; interleaving compares exactly two."
        for name, text in (("shown_event", "a list was shown"), ("clicked_event", "an item was chosen")):
            if not getattr(self, name).strip():
                yield name, f"Name the event that says that {text}."
        if self.shown_event == self.clicked_event:
            yield "clicked_event", "Lists shown and items chosen need events of different names."
        if not self.item_property.strip():
            yield "item_property", "Name the property that holds the item that was chosen."
        if not 1 <= self.length <= LONGEST_LIST:
            yield "length", f"A list of {self.length} items: it has 1 to {LONGEST_LIST}."
