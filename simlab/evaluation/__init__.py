"""Evaluation: distances become numbers with intervals. Tables in, tables out; no pixels.

A pair is called a copy when ``distance <= threshold``. Here alone the sign is turned for
scikit-learn, whose scores grow with likeness. Rows whose status is "error" are left out;
``attrs["n_errors"]`` of a result counts them.

Read in this order: :mod:`~simlab.evaluation.sample` (the usable rows, and groups of them);
:mod:`~simlab.evaluation.resampling` (many weightings of the sources, and what is counted under
each) and :mod:`~simlab.evaluation.intervals` (what that leaves uncertain);
:mod:`~simlab.evaluation.metrics` (what is measured) and :mod:`~simlab.evaluation.estimates`
(measured, with intervals). On these stand :mod:`~simlab.evaluation.curves`,
:mod:`~simlab.evaluation.paired` (which method is better), :mod:`~simlab.evaluation.thresholds`,
:mod:`~simlab.evaluation.robustness` (where methods break) and :mod:`~simlab.evaluation.failures`
(the pairs behind a number). :mod:`~simlab.evaluation.exhaustive` counts every pair of hashes.
"""

from simlab.evaluation.curves import distance_histogram, hardest, pr_curve, roc_curve
from simlab.evaluation.estimates import evaluate
from simlab.evaluation.exhaustive import exhaustive_histogram
from simlab.evaluation.failures import judge, rivals
from simlab.evaluation.intervals import share_interval
from simlab.evaluation.metrics import METRICS
from simlab.evaluation.paired import compare, compare_designs, decided, hard_negatives, rank
from simlab.evaluation.robustness import (
    break_points,
    complementarity,
    label_audit,
    query_average_precision,
)
from simlab.evaluation.sample import smallest_fpr
from simlab.evaluation.thresholds import (
    at_threshold,
    choose_threshold,
    collection_table,
    prevalence_table,
)

__all__ = [
    "METRICS",
    "at_threshold",
    "break_points",
    "choose_threshold",
    "collection_table",
    "compare",
    "compare_designs",
    "complementarity",
    "decided",
    "distance_histogram",
    "evaluate",
    "exhaustive_histogram",
    "hard_negatives",
    "hardest",
    "judge",
    "label_audit",
    "pr_curve",
    "prevalence_table",
    "query_average_precision",
    "rank",
    "rivals",
    "roc_curve",
    "share_interval",
    "smallest_fpr",
]
