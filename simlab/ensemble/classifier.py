"""The core of the ensemble as a scikit-learn estimator on (X, y): columns of distances, copies or not."""

import numpy as np
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from simlab.ensemble.calibration import fit_calibration, nonnegative_logistic

_SHRINK = 0.1  # ridge on the weights: half a pair's worth


class CopyClassifier(ClassifierMixin, BaseEstimator):
    """Calls a pair a copy from several distances: each calibrated to evidence, then weighed and added up.

    A larger distance in any column never makes a copy more probable. NaN is a method that abstains: it adds no
    evidence. The second class (in sorted order) is the copies.

    Attributes:
        calibrations_: from distance to evidence, one per column.
        coef_: weights (n_features_in_,), none negative.
        bias_: nats added to each column's evidence before it is weighed, which makes the sum a calibrated one.
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
        if (kind := type_of_target(y, input_name="y", raise_unknown=True)) not in (
            "binary",
            "multiclass",
        ):
            raise ValueError(f"Unknown label type: {kind}")
        X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0]
        self.classes_ = np.unique(y)
        if len(self.classes_) > 2:
            raise ValueError(
                f"Only binary classification is supported: {len(self.classes_)} classes are given"
            )
        if len(self.classes_) < 2:
            raise ValueError("y holds one class; copies and non-copies (two classes) are needed")
        label = y == self.classes_[1]
        self.prevalence_ = float(weight[label].sum() / weight.sum())
        self.calibrations_ = [fit_calibration(column, label, weight) for column in X.T]
        self._weigh(X, label, weight)
        return self

    def evidence(self, X) -> np.ndarray:
        """Return what each column adds to the evidence, in nats (n, d); 0 where it is NaN."""
        check_is_fitted(self)
        # a search that finds no candidate asks about no pair
        options = {"ensure_all_finite": "allow-nan", "ensure_min_samples": 0}
        X = validate_data(self, X, dtype=np.float64, reset=False, **options)
        known = ~np.isnan(X) & np.array([len(c.knots) > 0 for c in self.calibrations_])
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

    def calibrated(self, X) -> np.ndarray:
        """Return each column's evidence before it is weighed (n, d)."""
        return np.column_stack(
            [c(column) for c, column in zip(self.calibrations_, np.asarray(X).T)]
        )

    @staticmethod
    def solve(evidence, label, weight) -> np.ndarray:
        """Return the intercept and the weights that fit calibrated evidence."""
        basis = np.column_stack([np.ones(len(evidence)), evidence])
        penalty = np.diag([1e-6] + [_SHRINK] * evidence.shape[1])
        lower = np.append(-np.inf, np.zeros(evidence.shape[1]))
        # as they come: where copies are rare, the near tail of the many others decides
        return nonnegative_logistic(basis, label, weight, penalty, lower)

    def _weigh(self, X, label, weight) -> None:
        intercept, *coef = self.solve(self.calibrated(X), label, weight)
        self.coef_ = np.array(coef)
        intercept -= logit(self.prevalence_)
        # shared out, so that a method that abstains takes its part of the intercept with it
        self.bias_ = float(intercept / self.coef_.sum()) if self.coef_.sum() > 0 else 0.0
