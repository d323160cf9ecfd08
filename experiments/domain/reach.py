"""Of all units, who takes part: what the holdout and a layer leave, and the share of that which the traffic takes."""

from dataclasses import dataclass

from experiments.domain.shares import WHOLE, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of all units, in ten-thousandths; ``tone`` tells it from its neighbours in a bar."""

    words: str
    size: int
    tone: int

    @property
    def share(self) -> str:
        """Return its size in words."""
        return percent(self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Who takes part. All shares are in ten-thousandths; ``layer`` is the part of a layer, the whole without one."""

    traffic: int
    held_out: int = 0
    layer: int = WHOLE
    units: str = "users"
    variants: tuple[tuple[str, int], ...] = ()

    @property
    def open(self) -> int:
        """Return what the holdout leaves."""
        return WHOLE - self.held_out

    @property
    def taking_part(self) -> int:
        """Return the share of all units that are in the experiment, rounded to a ten-thousandth."""
        return round(self.open * self.layer * self.traffic / WHOLE**2)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return all units divided; the parts add up to the whole."""
        in_layer = round(self.open * self.layer / WHOLE)
        found = (
            Part(words="Take part", size=self.taking_part, tone=0),
            Part(words="Left out by the share of traffic", size=in_layer - self.taking_part, tone=3),
            Part(words="In the layer's other parts", size=self.open - in_layer, tone=2),
            Part(words="In the holdout", size=self.held_out, tone=1),
        )
        return tuple(part for part in found if part.size)

    @property
    def sentence(self) -> str:
        """Say who takes part, and in which variant."""
        said = f"{percent(self.taking_part)} of all {self.units} take part"
        if len(self.variants) > 1:
            shares = [f"{percent(round(self.taking_part * weight / WHOLE))} {name}" for name, weight in self.variants]
            said += f": {', '.join(shares)}"
        return f"{said}."
