"""When enough starts were followed, and how likely it is that a lower minimum was missed.

Both follow from how often the minima of an image were met. docs/search.md has the study that the
numbers here come from, and how well the stated chance holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SAME_COST = 0.1
"""Minima whose costs differ by no more than this, in nats x 2, count as equally low."""

NEAR_COST = 0.3
"""A minimum above the lowest by more than `SAME_COST` and at most this is a rival."""

LOW_COST = 0.5
"""A minimum above the lowest by at most this is a low one."""

FEWEST = 48
"""Starts that every image takes."""

EARLY_HITS, HITS = 12, 6
"""How often the lowest minimum must have been met, in fewer than `EARLY` starts and in more."""

EARLY = 192
"""Starts below which the lowest minimum must have been met more often."""

SINGLES = 0.02
"""Largest share of the starts that may have ended at low minima met only once."""

RIVALLED = 352
"""Starts that an image with a rival takes, because other minima may lie as close below."""

MAJORITY = 0.6
"""A lowest minimum that this share of the starts ended at needs no more because of a rival."""

HOPELESS = 384
"""Starts after which an image is given up if its lowest minimum was met only once: there are too
many minima to count them."""

CONSTANT, PER_ROOT_HIT, PER_LOG_SINGLE, PER_LOG_START = 1.14, -1.20, 0.51, -0.39
"""Log odds that a lower minimum was missed: a logistic regression on the study's searches."""


@dataclass(frozen=True)
class Evidence:
    """How often the minima of one image were met.

    Attributes:
        starts: Starts followed (n).
        hits: How many of them ended at a minimum within `SAME_COST` of the lowest.
        singles: Low minima met only once.
        rival: Whether a minimum lies close above the lowest, as `NEAR_COST` says.
    """

    starts: int
    hits: int
    singles: int
    rival: bool

    @classmethod
    def of(cls, starts: int, costs: np.ndarray, counts: np.ndarray) -> Evidence:
        """The evidence of minima that were told apart.

        Args:
            starts: Starts followed, failed ones included.
            costs: J of each minimum, finite. [M]
            counts: How many starts ended there. [M]
        """
        if len(costs) == 0:
            return cls(starts, 0, 0, rival=False)
        gaps = costs - costs.min()
        return cls(
            starts=starts,
            hits=int(counts[gaps <= SAME_COST].sum()),
            singles=int((counts[gaps <= LOW_COST] == 1).sum()),
            rival=bool(((gaps > SAME_COST) & (gaps <= NEAR_COST)).any()),
        )

    @property
    def enough(self) -> bool:
        """Whether a lower minimum is unlikely, or the minima are too many to count."""
        if self.hits <= 1 and self.starts >= HOPELESS:
            return True
        rivalled = self.rival and self.hits < MAJORITY * self.starts
        return (
            self.starts >= (RIVALLED if rivalled else FEWEST)
            and self.hits >= (EARLY_HITS if self.starts < EARLY else HITS)
            and self.singles <= SINGLES * self.starts
        )

    @property
    def missed(self) -> float:
        """Estimated probability that there is a minimum lower by more than `SAME_COST`."""
        odds = math.exp(
            CONSTANT
            + PER_ROOT_HIT * math.sqrt(self.hits)
            + PER_LOG_SINGLE * math.log1p(self.singles)
            + PER_LOG_START * math.log(max(self.starts, 1))
        )
        return odds / (1 + odds)
