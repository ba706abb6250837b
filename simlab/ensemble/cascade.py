"""A gate in front of the dear methods: what the cheap ones are sure is a copy is decided by them alone.

There is no gate at the other end: far hashes say nothing about a crop or a rotation, so that whatever they were
trusted to turn away would cost copies.
"""

from dataclasses import dataclass, replace

import numpy as np

from simlab.ensemble import validation
from simlab.ensemble.classifier import CopyClassifier
from simlab.ensemble.validation import Sample
from simlab.methods import REGISTRY
from simlab.specs import parse

ALLOWED_LOSS = 0.002
"""Recall at :data:`FPR` that a cascade may lose against the full ensemble."""

FPR = 0.01
"""At which recall is meant."""

_MARGINS, _SPARE = (
    (2.0, 3.0, 4.0, 6.0, 8.0),
    2.0,
)  # nats above the others of other sources, and on top
_CAREFUL = 0.1  # quantile of what all methods would have said of the copies that pass, by what the cheap ones say


@dataclass(frozen=True)
class Gate:
    """The evidence of cheap methods alone, from which on the others are not asked.

    Attributes:
        columns: bool (d,), which methods are cheap.
        classifier: fitted to these alone, then scaled: a copy that passes is no less sure than with all methods.
        near: evidence in nats; what reaches it is a copy.
    """

    columns: np.ndarray
    classifier: CopyClassifier
    near: float

    def evidence(self, X: np.ndarray) -> np.ndarray:
        """Return what each method says by the cheap ones alone (n, d), 0 for the others."""
        found = np.zeros(X.shape)
        found[:, self.columns] = self.classifier.evidence(X[:, self.columns])
        return found

    def decided(self, evidence: np.ndarray) -> np.ndarray:
        """Return which sums of cheap evidence need no more (n,)."""
        return evidence >= self.near


def is_cheap(method: str) -> bool:
    """Return whether a method's features are compared many at a time, as hashes are; unknown columns are not."""
    calls = parse(method)
    return (
        len(calls) == 1
        and calls[0].name in REGISTRY
        and REGISTRY[calls[0].name].compare_many is not None
    )


def fit_gate(
    data: Sample, methods: list[str], full: np.ndarray
) -> tuple[Gate, np.ndarray, np.ndarray]:
    """Return the gate, and for every row, out of fold: the cascade's evidence, and whether it needed all methods.

    Args:
        full: out-of-fold evidence of all methods (n,).

    Raises:
        ValueError: no method is cheap, or all are.
    """
    columns = np.array([is_cheap(method) for method in methods])
    if columns.all() or not columns.any():
        kind = "dear" if columns.all() else "cheap"
        raise ValueError(
            f"cascade=True needs cheap methods (hashes) and dear ones (keypoints); there is no {kind} one"
        )
    cheap_data = replace(data, X=data.X[:, columns])
    cheap, found = validation.out_of_fold(cheap_data), full.copy()
    asked = np.ones(len(full), dtype=bool)
    for train, test in data.held_out():
        near, scale = _near(data, cheap, full, train)
        passed = test & (cheap >= near)
        found[passed], asked[passed] = scale * cheap[passed], False
    near, scale = _near(data, cheap, full, np.ones(len(full), dtype=bool))
    model = cheap_data.fit()
    model.coef_ = scale * model.coef_
    return Gate(columns, model, scale * near), found, asked


def _near(
    data: Sample, cheap: np.ndarray, full: np.ndarray, rows: np.ndarray
) -> tuple[float, float]:
    """The least evidence that decides, from these rows alone, infinite where none is safe; and how to scale it.

    It stands above every other that is rightly refused, by a margin: the least with which limits that were read off
    some folds lose no more on the others than is allowed, and some more, since a choice flatters itself.
    """
    label, weight, limit = data.label[rows], data.weight[rows], _limit(cheap, full, data, rows)
    splits = [
        (test & rows, _limit(cheap, full, data, train & rows)) for train, test in data.held_out()
    ]
    least = _recall(full[rows], label, weight) - ALLOWED_LOSS
    for margin in _MARGINS:
        sure = rows & data.label & (cheap >= limit + margin)
        scale = (
            max(1.0, float(np.quantile(full[sure] / cheap[sure], _CAREFUL))) if sure.any() else 1.0
        )
        found = full.copy()
        for test, other in splits:
            passed = test & (cheap >= other + margin)
            found[passed] = scale * cheap[passed]
        if _recall(found[rows], label, weight) >= least:
            return limit + margin + _SPARE, scale
    return np.inf, 1.0


def _limit(cheap: np.ndarray, full: np.ndarray, data: Sample, rows: np.ndarray) -> float:
    """The largest cheap evidence of an other that all methods refuse, and at least what makes them call a copy."""
    if data.label[rows].all() or not data.label[rows].any():
        return np.inf
    called = _threshold(full[rows], data.label[rows], data.weight[rows])
    return float(max(called, cheap[rows & ~data.label & (full <= called)].max(initial=0)))


def _recall(evidence: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    """Share of the copies with more evidence than all but :data:`FPR` of the others."""
    return float(
        np.average(evidence[label] > _threshold(evidence, label, weight), weights=weight[label])
    )


def _threshold(evidence: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    order = np.argsort(-evidence[~label], kind="stable")
    above = np.cumsum(weight[~label][order]) > FPR * weight[~label].sum() * (1 + 1e-9)
    return float(evidence[~label][order][above.argmax()])
