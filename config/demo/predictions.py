"""What the shop's models predict for a shopper: the chance of a click, sent with the exposure as its score.

Pure, and without draws of its own: the same shop gives the same scores, and what shoppers do is not touched by them.
"""

import numpy as np

from config.demo.shop import DAY_SECONDS, Floats, Integers, Pages, Shoppers

DRIFTS_AFTER_DAYS = 10
"""A drifting model has a sound launch week, and some sound days after it."""
NOISE = 0.4


def scores(people: Shoppers, pages: Pages, variant: Integers, drift: float = 0.0) -> Floats:
    """Return the score of every page, 0 to 1, shape (pages,).

    A model knows a shopper's own click share with some noise. With ``drift``, the treatments' scores change by that
    share of themselves after ten days, as if a feature had stopped arriving.
    """
    score = people.click_share[pages.shopper] * np.exp(NOISE * pages.value_noise)
    drifted = (variant[pages.shopper] > 0) & (pages.second >= DRIFTS_AFTER_DAYS * DAY_SECONDS)
    return np.clip(np.where(drifted, score * (1 + drift), score), 0.0, 1.0)
