"""Against look-alikes: one method that can hold a copy back, however much speaks for it.

Methods that see the same layout agree on two fills of one form for the same reason. Added up, they
drown the one method that sees the difference. So there are two ways not to be a copy, and both must
be improbable: to be unrelated, which the weighed sum speaks against, and to be a look-alike, which
the guard's method alone speaks against.
"""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from simlab.ensemble.calibration import Calibration

LOOK_ALIKES = 60.0
"""Look-alikes for every copy that are expected among pictures that can be laid on each other."""

UNDECIDED = -0.04
"""The highest log odds of a copy, a probability of .49, where methods disagree and the guard has no
evidence."""


@dataclass(frozen=True)
class Guard:
    """The method that tells copies from look-alikes, and what its distance is worth.

    Attributes:
        method: its column of a score table.
        calibration: from its distance to evidence, in nats, for a copy against a look-alike.
        per_copy: look-alikes that are expected for every copy.
    """

    method: str
    calibration: Calibration
    per_copy: float

    def held_back(self, distance: ndarray, log_odds: ndarray, contested: ndarray) -> ndarray:
        """Return what look-alikes take from log odds of a copy, 0 or less, in nats (n,).

        With odds a : 1 of a copy against an unrelated pair and b : 1 against a look-alike, those
        against both are 1 : 1/a + 1/b. A NaN distance abstains: 0; but where the methods do not
        agree then, nothing is left that could decide, and a copy is not the more probable.

        Args:
            distance: of the guard's method.
            contested: where one of the other methods speaks against a copy, bool (n,).
        """
        against_look_alike = self.calibration(distance) - np.log(self.per_copy)
        both = -np.logaddexp(-log_odds, -against_look_alike)
        undecided = np.where(contested, np.minimum(UNDECIDED - log_odds, 0.0), 0.0)
        return np.where(np.isnan(distance), undecided, both - log_odds)
