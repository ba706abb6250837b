"""The core of the ensemble as a scikit-learn estimator: columns of distances, copies or not."""

import numpy as np
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from simlab.ensemble.calibration import fit_calibration, nonnegative_logistic

_SHRINK = 0.1  # ridge on the weights: half a pair's worth


class CopyClassifier(ClassifierMixin, BaseEstimator):
    """Calls a pair a copy from several distances, each calibrated to evidence, weighed, added up.

    A larger distance in any column never makes a copy more probable. NaN is a method that abstains:
    it adds no evidence. The second class (in sorted order) is the copies.

    Attributes:
        calibrations_: from distance to evidence, one per column.
        coef_: weights (n_features_in_,), none negative.
        bias_: nats added to each column's evidence before it is weighed, which makes the sum a
            calibrated one.
        prevalence_: share of copies in training, by weight.
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
        counted = weight > 0
        X = X[counted]
        y = y[counted]
        weight = weight[counted]
        self.classes_ = _two_classes(y)
        label = y == self.classes_[1]
        self.prevalence_ = float(weight[label].sum() / weight.sum())
        self.calibrations_ = [fit_calibration(column, label, weight) for column in X.T]
        self._weigh(self.calibrated(X), label, weight)
        return self

    def calibrated(self, X) -> np.ndarray:
        """Return each column's evidence before it is weighed (n, d)."""
        columns = np.asarray(X).T
        pairs = zip(self.calibrations_, columns)
        return np.column_stack([calibration(column) for calibration, column in pairs])

    def _weigh(self, evidence, label, weight) -> None:
        intercept, *coef = self.solve(evidence, label, weight)
        self.coef_ = np.array(coef)
        total = self.coef_.sum()
        # shared out, so that a method that abstains takes its part of the intercept with it
        rest = intercept - logit(self.prevalence_)
        self.bias_ = float(rest / total) if total > 0 else 0.0

    def temper(self, slope: float, offset: float) -> None:
        """Make the sum of the evidence ``slope * sum + offset``, where no method abstains."""
        self.coef_ = slope * self.coef_
        total = self.coef_.sum()
        if total > 0:
            self.bias_ += offset / float(total)

    @staticmethod
    def solve(evidence, label, weight, **options) -> np.ndarray:
        """Return the intercept and the weights that fit calibrated evidence.

        Args:
            options: `start` and `tolerance` of
                :func:`~simlab.ensemble.calibration.nonnegative_logistic`.
        """
        n_methods = evidence.shape[1]
        basis = np.column_stack([np.ones(len(evidence)), evidence])
        penalty = np.diag([1e-6] + [_SHRINK] * n_methods)
        lower = np.append(-np.inf, np.zeros(n_methods))
        # as they come: where copies are rare, the near tail of the many others decides
        return nonnegative_logistic(basis, label, weight, penalty, lower, **options)

    def evidence(self, X) -> np.ndarray:
        """Return what each column adds to the evidence, in nats (n, d); 0 where it is NaN."""
        check_is_fitted(self)
        # a search that finds no candidate asks about no pair
        options = {"ensure_all_finite": "allow-nan", "ensure_min_samples": 0}
        X = validate_data(self, X, dtype=np.float64, reset=False, **options)
        has_curve = np.array([len(calibration.knots) > 0 for calibration in self.calibrations_])
        known = ~np.isnan(X) & has_curve
        return self.coef_ * (self.calibrated(X) + self.bias_ * known)

    def decision_function(self, X) -> np.ndarray:
        """Return the log odds of a copy at the training prevalence (n,)."""
        return self.evidence(X).sum(axis=1) + logit(self.prevalence_)

    def predict_proba(self, X) -> np.ndarray:
        """Return the probabilities of the two classes (n, 2)."""
        odds = self.decision_function(X)
        return np.column_stack([expit(-odds), expit(odds)])

    def predict(self, X) -> np.ndarray:
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


def _two_classes(y: np.ndarray) -> np.ndarray:
    classes = np.unique(y)
    if len(classes) > 2:
        raise ValueError(
            f"Only binary classification is supported: {len(classes)} classes are given"
        )
    if len(classes) < 2:
        raise ValueError("y holds one class; copies and non-copies (two classes) are needed")
    return classes
