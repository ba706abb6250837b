"""From score tables to answers: curves, metrics and pairs that go wrong. Tables in, tables out; no pixels.

A pair is called a copy when ``distance <= threshold``. Here alone the sign is turned for scikit-learn, whose
scores grow with likeness. Rows whose status is "error" are left out; ``attrs["n_errors"]`` of a result counts
them.
"""

from simlab.evaluation.curves import distance_histogram, hardest, pr_curve, roc_curve
from simlab.evaluation.metrics import METRICS, evaluate

__all__ = ["METRICS", "distance_histogram", "evaluate", "hardest", "pr_curve", "roc_curve"]
