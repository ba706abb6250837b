"""The ensemble: several distances become one, with the probability of a copy.

Read in this order: :mod:`~simlab.ensemble.model` (:class:`Ensemble`, on score tables: fit, ask,
save); :mod:`~simlab.ensemble.weighing` (on arrays: evidence is weighed and added up) and
:mod:`~simlab.ensemble.classifier` (:class:`CopyClassifier`, the same as an estimator of
scikit-learn); :mod:`~simlab.ensemble.calibration` (one distance becomes evidence);
:mod:`~simlab.ensemble.validation` (every pair scored by a model that saw neither of its sources);
:mod:`~simlab.ensemble.reading` (what that says: weights, merit, reliability);
:mod:`~simlab.ensemble.recipe` (the fitted numbers as JSON, and back).
"""

import importlib
from typing import TYPE_CHECKING, Any

from simlab.ensemble.model import Ensemble

if TYPE_CHECKING:
    from simlab.ensemble.classifier import CopyClassifier

__all__ = ["CopyClassifier", "Ensemble"]


def __getattr__(name: str) -> Any:
    # scikit-learn is imported when it is asked for: a search does without
    if name == "CopyClassifier":
        return importlib.import_module("simlab.ensemble.classifier").CopyClassifier
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
