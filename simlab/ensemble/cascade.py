"""A gate in front of the dear methods: what the cheap ones are sure of is decided by them alone."""

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

_GRID = np.linspace(0, 1, 41)


@dataclass(frozen=True)
class Gate:
    """The evidence of cheap methods alone, beyond which the others are not asked.

    Attributes:
        columns: bool (d,), which methods are cheap.
        classifier: fitted to these alone.
        far, near: evidence in nats; at most `far` is no copy, at least `near` is one.
    """

    columns: np.ndarray
    classifier: CopyClassifier
    far: float
    near: float

    def evidence(self, X: np.ndarray) -> np.ndarray:
        """Return what each method says by the cheap ones alone (n, d), 0 for the others."""
        found = np.zeros(X.shape)
        found[:, self.columns] = self.classifier.evidence(X[:, self.columns])
        return found

    def decided(self, evidence: np.ndarray) -> np.ndarray:
        """Return which sums of cheap evidence need no more (n,)."""
        return (evidence <= self.far) | (evidence >= self.near)


def is_cheap(method: str) -> bool:
    """Return whether a method's features are compared many at a time, as hashes are; unknown columns are not."""
    calls = parse(method)
    return len(calls) == 1 and calls[0].name in REGISTRY and REGISTRY[calls[0].name].compare_many is not None


def fit_gate(data: Sample, methods: list[str], full: np.ndarray) -> tuple[Gate, np.ndarray, np.ndarray]:
    """Return the gate, and for every row, out of fold: the cascade's evidence, and whether it needed all methods.

    Args:
        full: out-of-fold evidence of all methods (n,).

    Raises:
        ValueError: no method is cheap, or all are.
    """
    columns = np.array([is_cheap(method) for method in methods])
    if columns.all() or not columns.any():
        kind = "dear" if columns.all() else "cheap"
        raise ValueError(f"cascade=True needs cheap methods (hashes) and dear ones (keypoints); there is no {kind} one")
    cheap_data = replace(data, X=data.X[:, columns])
    cheap, found = validation.out_of_fold(cheap_data), np.zeros(len(full))
    asked = np.zeros(len(full), dtype=bool)
    model = cheap_data.fit()
    for train, test in data.held_out():
        gate = Gate(columns, model, *_limits(cheap[train], full[train], data.label[train], data.weight[train]))
        asked[test] = ~gate.decided(cheap[test])
        found[test] = np.where(asked[test], full[test], cheap[test])
    return Gate(columns, model, *_limits(cheap, full, data.label, data.weight)), found, asked


def _limits(cheap: np.ndarray, full: np.ndarray, label: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """The widest limits, far first, that lose no more recall than is allowed, half of it each."""
    recall = lambda decided: _recall(np.where(decided, cheap, full), label, weight)  # noqa: E731
    least, ends = _recall(full, label, weight) - ALLOWED_LOSS / 2, np.quantile(cheap, _GRID)
    far = max((end for end in ends if recall(cheap <= end) >= least), default=-np.inf)
    wide = (end for end in ends[ends > far] if recall((cheap <= far) | (cheap >= end)) >= least - ALLOWED_LOSS / 2)
    return float(far), float(min(wide, default=np.inf))


def _recall(evidence: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    """Share of the copies with more evidence than all but :data:`FPR` of the others."""
    order = np.argsort(-evidence[~label], kind="stable")
    above = np.cumsum(weight[~label][order]) > FPR * weight[~label].sum() * (1 + 1e-9)
    return float(np.average(evidence[label] > evidence[~label][order][above.argmax()], weights=weight[label]))
