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

from simlab.stubs import names_in_stub

__getattr__, __dir__, __all__ = names_in_stub(__name__, __file__)
