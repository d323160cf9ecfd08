"""What one message says, free of any channel: e-mail, Slack, Teams and signed JSON are written from the same words."""

from dataclasses import dataclass, field
from datetime import datetime

GLYPHS = {"good": "✓", "bad": "!", "warn": "!", "flat": "–"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One occurrence in words.

    ``kind`` is the machine's word, ``title`` the people's. ``sentence`` is the finding, ``facts`` are label and text.
    ``url`` leads to the page where one acts, whose name is ``link``.
    """

    kind: str
    title: str
    sentence: str
    url: str
    link: str
    project: str
    happened_at: datetime
    severity: str = "note"
    tone: str = "flat"
    experiment: str = ""
    experiment_key: str = ""
    explanation: str = ""
    next_step: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    occurrence: int | None = None

    @property
    def glyph(self) -> str:
        """Return the mark that says the tone without colour."""
        return GLYPHS.get(self.tone, "–")

    @property
    def subject(self) -> str:
        """State the finding, with the experiment's name unless the sentence has it."""
        if not self.experiment or self.experiment.lower() in self.sentence.lower():
            return self.sentence
        return f"{self.experiment}: {self.sentence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Several occurrences in one message, the most urgent first. ``why`` says why they come together."""

    title: str
    why: str
    project: str
    url: str
    entries: tuple[Told, ...] = field(default=())

    @property
    def subject(self) -> str:
        """State the first finding and how many more there are."""
        more = len(self.entries) - 1
        return f"{self.entries[0].subject} (and {more} more)"


Message = Told | Gathered
