"""The ensemble: several distances weighed to one, with a probability.

:class:`Ensemble` takes score tables; :class:`CopyClassifier` is its core, a scikit-learn estimator on arrays.
"""

from simlab.ensemble.classifier import CopyClassifier
from simlab.ensemble.model import Ensemble

__all__ = ["CopyClassifier", "Ensemble"]
