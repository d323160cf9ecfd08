"""A result on A4 pages: the verdict, the checks and every metric with its interval, drawn by matplotlib."""

import textwrap
from collections.abc import Iterator
from datetime import UTC
from io import BytesIO

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from analysis.charts.interval import HEIGHT, WIDTH, Mark
from analysis.pages.table import Row, Table, table
from analysis.results.schema import Results
from experiments.pages.formats import day, moment, number, p_value

PAGE = (8.27, 11.69)
LEFT, RIGHT, TOP, BOTTOM = 0.08, 0.92, 0.94, 0.07
ROW, LINE = 0.034, 0.0165
TONES = {"good": "#0b6e5f", "bad": "#b3381d", "warn": "#8a5a00", "flat": "#5b6673"}
TEXT, MUTED, RULE = "#16191d", "#59616b", "#d9dde3"
WRAP = 98
MARK = (0.60, 0.745)
"""From where to where on the page an interval's drawing goes."""


def as_pdf(results: Results) -> bytes:
    """Return the pages."""
    writer = _Writer(results)
    writer.heading()
    writer.verdict()
    writer.metrics(table(results))
    writer.ending()
    return writer.finished()


class _Writer:
    """Write from the top of a page down, and go on on the next one."""

    def __init__(self, results: Results) -> None:
        self.results = results
        self.pages: list[Figure] = []
        self.y = self.zero = 0.0
        self._next_page()

    @property
    def page(self) -> Figure:
        """Return the page that is written on."""
        return self.pages[-1]

    def heading(self) -> None:
        """Write what the experiment is and where it stands."""
        facts = self.results.experiment
        self.lines(facts.name, size=17, weight="bold", wrap=58)
        if facts.hypothesis:
            self.lines(facts.hypothesis, colour=MUTED)
        units = sum(variant.units for variant in self.results.variants)
        until = "" if self.results.data_up_to is None else f" · data up to {moment(self.results.data_up_to)}"
        state = f"{facts.status.capitalize()}, day {facts.day} of {facts.planned_days}"
        self.lines(f"{state} · {number(units)} {facts.unit_type}s{until}", colour=MUTED)
        self.space()

    def verdict(self) -> None:
        """Write the answer and the checks that it rests on."""
        said = self.results.verdict
        self.lines(said.headline, size=13, weight="bold", colour=TONES[said.tone], wrap=60)
        self.lines(said.explanation)
        if said.next_step:
            self.lines(f"Next: {said.next_step}")
        for chain in self.results.chains:
            self.lines(f"Did the model’s gain reach the business? {chain.label}. {chain.sentence}")
        self.space()
        for check in self.results.health.checks:
            sign = {True: "✓", False: "!", None: "–"}[check.ok]
            tail = f" {check.what_to_do}" if check.ok is False else ""
            tone = {True: TONES["good"], False: TONES["bad"], None: MUTED}[check.ok]
            self.lines(f"{sign} {check.name}: {check.summary}{tail}", size=8.5, colour=tone, wrap=112)
        self.space()

    def metrics(self, found: Table) -> None:
        """Write one row a metric and treatment."""
        self.zero = found.scale.zero
        for place, group in enumerate(found.groups):
            self._room(3 * ROW)
            self._text(LEFT, group.title, size=9, weight="bold", colour=MUTED)
            for x, title in (
                (((0.36, "Control"), (0.45, "Treatment"), (0.58, "Change"), (0.805, "p"))) if place == 0 else ()
            ):
                self._text(x, title, size=8, colour=MUTED, side="right")
            self.y -= LINE
            for row in group.rows:
                self._row(row, several=found.several)
            self.space()
        withheld = "Changes are withheld: a failed health check says that they would mislead."
        self.lines(withheld if found.withheld else found.intervals, size=8.5, colour=MUTED, wrap=112)
        for text in found.warnings:
            self.lines(f"– {text}", size=8.5, colour=MUTED, wrap=112)

    def ending(self) -> None:
        """Number the pages, and say on each what they are of."""
        as_of = self.results.as_of.astimezone(UTC)
        said = f"{self.results.experiment.key} as of {moment(as_of)} · engine {self.results.engine_version}"
        for place, page in enumerate(self.pages, start=1):
            page.text(LEFT, BOTTOM / 2, said, fontsize=7.5, color=MUTED)
            page.text(RIGHT, BOTTOM / 2, f"{place} of {len(self.pages)}", fontsize=7.5, color=MUTED, ha="right")

    def finished(self) -> bytes:
        """Return the file."""
        buffer, facts = BytesIO(), self.results.experiment
        named = {"Title": f"{facts.name}, {day(self.results.as_of.date())}", "Creator": "Truelift"}
        with PdfPages(buffer, metadata={**named, "CreationDate": self.results.as_of}) as file:
            for page in self.pages:
                file.savefig(page)
        return buffer.getvalue()

    def lines(
        self, text: str, *, size: float = 9.5, weight: str = "normal", colour: str = TEXT, wrap: int = WRAP
    ) -> None:
        """Write a paragraph, broken into lines."""
        for line in textwrap.wrap(text, wrap) or [""]:
            height = LINE * size / 9.5
            self._room(height)
            self._text(LEFT, line, size=size, weight=weight, colour=colour)
            self.y -= height

    def space(self) -> None:
        """Leave a line free."""
        self.y -= LINE

    def _row(self, row: Row, *, several: bool) -> None:
        self._room(ROW)
        self._rule()
        middle = self.y - ROW * 0.45
        name = row.metric.name if not several else f"{row.metric.name}, {row.treatment}"
        for place, line in enumerate(_within(name)):
            self._text(LEFT, line, size=9, weight="bold", at=middle - place * LINE * 0.8)
        for x, text in ((0.36, row.control_value), (0.45, row.value), (0.58, row.change), (0.805, _p(row))):
            self._text(x, text, size=9, at=middle, side="right")
        self._text(0.58, row.interval, size=7, colour=MUTED, at=middle - LINE * 0.75, side="right")
        self._text(0.82, row.reading, size=7.5, weight="bold", colour=TONES[row.tone], at=middle)
        if row.mark is not None:
            self._mark(row.mark, middle, TONES[row.tone])
        self.y -= ROW

    def _mark(self, mark: Mark, middle: float, colour: str) -> None:
        left, right = MARK
        axes = self.page.add_axes((left, middle - 0.006, right - left, 0.016))
        axes.set_xlim(0, WIDTH)
        axes.set_ylim(0, HEIGHT)
        axes.axis("off")
        axes.plot([mark.left, mark.right], [HEIGHT / 2] * 2, color=colour, linewidth=2)
        if mark.dot is not None:
            axes.plot([mark.dot], [HEIGHT / 2], marker="o", markersize=4, color=colour)
        axes.axvline(self.zero, color=MUTED, linewidth=0.7)
        if mark.limit is not None:
            axes.axvline(mark.limit, color=TONES["warn"], linewidth=0.8, linestyle=(0, (2, 2)))

    def _text(
        self, x: float, text: str, *, size: float, weight: str = "normal", colour: str = TEXT, at: float | None = None,
        side: str = "left",
    ) -> None:  # fmt: skip
        y = self.y if at is None else at
        # A dollar sign would begin a formula.
        self.page.text(
            x, y, text, fontsize=size, fontweight=weight, color=colour, ha=side, va="center", parse_math=False
        )

    def _rule(self) -> None:
        axes = self.page.add_axes((LEFT, self.y, RIGHT - LEFT, 0.001))
        axes.axis("off")
        axes.axhline(0, color=RULE, linewidth=0.6)

    def _room(self, height: float) -> None:
        if self.y - height < BOTTOM:
            self._next_page()

    def _next_page(self) -> None:
        self.pages.append(Figure(figsize=PAGE))
        self.y = TOP


def _p(row: Row) -> str:
    return p_value(row.comparison.p_value) if row.interval else ""


def _within(name: str) -> Iterator[str]:
    yield from textwrap.wrap(name, 24)[:2]
