"""The numbers of an ensemble: columns of distances, each calibrated to evidence, weighed, added up.

Nothing here needs scikit-learn, whose import takes a search longer than its cache does.
"""

import numpy as np
from numpy import ndarray
from scipy.special import logit

from simlab.ensemble.calibration import fit_calibration, nonnegative_logistic

_SHRINK = 0.1  # ridge on the weights: half a pair's worth


class WeighedEvidence:
    """What columns of distances say for a copy. NaN is a method that abstains: it adds nothing.

    Attributes:
        calibrations_: from distance to evidence, one per column.
        coef_: weights (d,), none negative.
        bias_: nats added to each column's evidence before it is weighed, which makes the sum a
            calibrated one.
        prevalence_: share of copies in training, by weight.
    """

    def learn(self, X: ndarray, label: ndarray, weight: ndarray) -> "WeighedEvidence":
        """Return this, fitted to distances (n, d), bool labels (n,), and weights, 0 for no row.

        Raises:
            ValueError: all labels are alike.
        """
        counted = weight > 0
        X = X[counted]
        label = label[counted]
        weight = weight[counted]
        if label.all() or not label.any():
            raise ValueError("y holds one class; copies and non-copies (two classes) are needed")
        self.prevalence_ = float(weight[label].sum() / weight.sum())
        self.calibrations_ = [fit_calibration(column, label, weight) for column in X.T]
        self._weigh(self.calibrated(X), label, weight)
        return self

    def calibrated(self, X) -> ndarray:
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
    def solve(evidence, label, weight, **options) -> ndarray:
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

    def evidence(self, X: ndarray) -> ndarray:
        """Return what each column adds to the evidence, in nats (n, d); 0 where it is NaN."""
        return self.weighed(X, self.calibrated(X))

    def weighed(self, X: ndarray, calibrated: ndarray) -> ndarray:
        """Return the same, where :meth:`calibrated` has been asked."""
        has_curve = np.array([len(calibration.knots) > 0 for calibration in self.calibrations_])
        known = ~np.isnan(X) & has_curve
        return self.coef_ * (calibrated + self.bias_ * known)
