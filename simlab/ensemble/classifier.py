"""The core of the ensemble as a scikit-learn estimator: columns of distances, copies or not."""

import numpy as np
from numpy import ndarray
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from simlab.ensemble.weighing import WeighedEvidence


class CopyClassifier(ClassifierMixin, WeighedEvidence, BaseEstimator):
    """Calls a pair a copy from several distances, each calibrated to evidence, weighed, added up.

    A larger distance in any column never makes a copy more probable. NaN is a method that abstains:
    it adds no evidence. The second class (in sorted order) is the copies.

    Attributes:
        calibrations_, coef_, bias_, prevalence_: as of :class:`WeighedEvidence`.
        classes_, n_features_in_: as usual.

    >>> model = CopyClassifier().fit([[1.0], [2.0], [8.0], [9.0]], [1, 1, 0, 0])
    >>> model.predict([[0.0], [10.0]])
    array([1, 0])
    """

    def fit(self, X, y, sample_weight=None) -> "CopyClassifier":
        """Return the estimator, fitted to distances (n, d) and two classes.

        Raises:
            ValueError: y does not hold two classes, or X infinite values.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y[weight > 0])
        if len(self.classes_) > 2:
            raise ValueError(
                f"Only binary classification is supported: {len(self.classes_)} classes are given"
            )
        # of one class alone, all labels are alike
        return self.learn(X, y == self.classes_[-1], weight)

    def evidence(self, X) -> ndarray:
        """Return what each column adds to the evidence, in nats (n, d); 0 where it is NaN."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False, ensure_all_finite="allow-nan")
        return super().evidence(X)

    def decision_function(self, X) -> ndarray:
        """Return the log odds of a copy at the training prevalence (n,)."""
        return self.evidence(X).sum(axis=1) + logit(self.prevalence_)

    def predict_proba(self, X) -> ndarray:
        """Return the probabilities of the two classes (n, 2)."""
        odds = self.decision_function(X)
        return np.column_stack([expit(-odds), expit(odds)])

    def predict(self, X) -> ndarray:
        """Return the more probable class (n,)."""
        odds = self.decision_function(X)
        return self.classes_[(odds > 0).astype(int)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        # columns must fall with likeness; general data that rise score no better than chance
        tags.classifier_tags.poor_score = True
        return tags
