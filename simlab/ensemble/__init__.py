"""The ensemble: several distances become one, with the probability of a copy.

Read in this order: :mod:`~simlab.ensemble.model` (:class:`Ensemble`, on score tables: fit, ask,
save); :mod:`~simlab.ensemble.weighing` (on arrays: evidence is weighed and added up) and
:mod:`~simlab.ensemble.classifier` (:class:`CopyClassifier`, the same as an estimator of
scikit-learn); :mod:`~simlab.ensemble.calibration` (one distance becomes evidence);
:mod:`~simlab.ensemble.validation` (every pair scored by a model that saw neither of its sources);
:mod:`~simlab.ensemble.reading` (what that says: weights, merit, reliability);
:mod:`~simlab.ensemble.recipe` (the fitted numbers as JSON, and back).
"""

from simlab.stubs import names_in_stub

__getattr__, __dir__, __all__ = names_in_stub(__name__, __file__)
