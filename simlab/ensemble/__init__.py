"""The ensemble: several distances become one, with the probability of a copy.

Read in this order: :mod:`~simlab.ensemble.model` (:class:`Ensemble`, on score tables: fit, ask,
save); :mod:`~simlab.ensemble.classifier` (:class:`CopyClassifier`, on arrays: evidence is weighed
and added up); :mod:`~simlab.ensemble.calibration` (one distance becomes evidence);
:mod:`~simlab.ensemble.validation` (every pair scored by a model that saw neither of its sources);
:mod:`~simlab.ensemble.reading` (what that says: weights, merit, reliability);
:mod:`~simlab.ensemble.recipe` (the fitted numbers as JSON, and back).
"""

from simlab.ensemble.classifier import CopyClassifier
from simlab.ensemble.model import Ensemble

__all__ = ["CopyClassifier", "Ensemble"]
