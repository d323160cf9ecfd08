"""A gain that "stopped": how often that is said of one that went on, and found of one that did not."""

import math
from collections.abc import Iterator

import numpy as np

from analysis.stats.mover import Located, difference
from benchmarks.calibration.figures import Figure, at_most, scenario, seeded
from benchmarks.calibration.samples import Array

Z = 1.959964
CASES = ((1.0, 0.0), (0.5, 0.0), (0.5, 0.5), (2.0, 0.3))
"""Standard error of the proxy over that of the business metric, and the correlation of their noise."""


def stopped(proxy: Array, business: Array, errors: tuple[float, float]) -> Array:
    """Say for each run whether a proxy's gain is found and the business metric is shown to fall short of it."""
    near, far = (Z * error for error in errors)
    said = np.zeros(len(proxy), dtype=bool)
    for run in np.flatnonzero((proxy > near) & (np.abs(business) < far)):
        x, y = float(proxy[run]), float(business[run])
        short = difference(Located(value=y, low=y - far, high=y + far), Located(value=x, low=x - near, high=x + near))
        said[run] = short.high < 0
    return said


@scenario
def stopped_gains() -> Iterator[Figure]:
    runs = 20_000
    for ratio, correlation in CASES:
        random = seeded(f"stopped {ratio} {correlation}")
        one, two = random.normal(size=(2, runs))
        noise = correlation * one + math.sqrt(1 - correlation**2) * two
        truth = 2.5 * ratio
        proxy = truth + ratio * one
        row = {"method": "Stopped gain", "runs": runs}
        where = f"proxy's error {ratio:g} of the business's, noise correlated {correlation:g}"
        wrong = stopped(proxy, truth + noise, (ratio, 1.0)).mean()
        yield Figure(**row, scenario=f"the business gained as much; {where}", what="said to have stopped",
                     measured=wrong, **at_most(0.025, runs))  # fmt: skip
        naive = ((proxy > Z * ratio) & (np.abs(truth + noise) < Z)).mean()
        if ratio <= 1:
            yield Figure(**row, scenario=f"the business gained as much; {where}", what="“not significant” says so",
                         measured=naive, low=0.2, control=True)  # fmt: skip
    random = seeded("stopped truly")
    proxy, business = 6 + 0.5 * random.normal(size=runs), random.normal(size=runs)
    row = {"method": "Stopped gain", "runs": runs, "scenario": "gain of 6 business errors, none of it arrived"}
    yield Figure(**row, what="said to have stopped", measured=stopped(proxy, business, (0.5, 1.0)).mean(), low=0.9)
