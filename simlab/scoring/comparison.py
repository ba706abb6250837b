"""Two pictures, looked at closely: every distance, and the bits and keypoints behind it."""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from simlab.methods import keypoints
from simlab.methods.keypoints import Keypoints
from simlab.methods.packing import unpack
from simlab.methods.registry import Feature, Method, extract_all
from simlab.perturb import content_digest
from simlab.scoring.table import compare_features


class Seen:
    """A decoded picture with the features that were asked of it so far: none is extracted twice."""

    def __init__(self, name: str, image: Image.Image):
        self.name, self.image = name, image
        self._values: dict[str, bytes] = {}

    @functools.cached_property
    def content(self) -> bytes:
        """The digest of the pixels."""
        return content_digest(self.image)

    def values(self, features: Iterable[Feature]) -> dict[str, bytes]:
        """Return the packed features, by key."""
        self._values |= extract_all(self.image, {f for f in features if f.key not in self._values})
        return self._values


class Matches(NamedTuple):
    """Matches of keypoints, (n, 2) points of either picture, and which of them agree on one geometry."""

    method: str
    first: np.ndarray
    second: np.ndarray
    agree: np.ndarray


class Comparison:
    """What methods say of a reference and a query.

    Attributes:
        table: by method: distance, no_evidence, maximum, unit.
    """

    def __init__(self, reference: Seen, query: Seen, methods: Iterable[Method]):
        self.reference, self.query, self.methods = reference, query, list(methods)
        same = reference.image.size == query.image.size and reference.content == query.content
        a, b = (
            seen.values(
                feature for method in self.methods for feature in method.features(query=is_query)
            )
            for seen, is_query in ((reference, False), (query, True))
        )
        rows = [
            (*compare_features(method, a, b, same), method.maximum, method.unit)
            for method in self.methods
        ]
        names = pd.Index([method.name for method in self.methods], name="method")
        self.table = pd.DataFrame(rows, names, ["distance", "no_evidence", "maximum", "unit"])

    @property
    def scores(self) -> pd.DataFrame:
        """The distances as a score table of one row, as an ensemble takes it."""
        absent = ";".join(self.table.index[self.table["no_evidence"]])
        return self.table[["distance"]].T.assign(no_evidence=absent)

    @property
    def hashes(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The bits of both pictures by method, of those that are hashes; the first of several with the same bits."""
        first = {method.feature: method for method in reversed(self.methods)}
        pairs = {
            method.name: self._features(method)
            for method in self.methods
            if first[method.feature] is method
        }
        return {name: pair for name, pair in pairs.items() if all(map(_is_hash, pair))}

    @functools.cached_property
    def matches(self) -> Matches | None:
        """The matches of the first method whose keypoints both pictures have, None without."""
        for method in self.methods:
            a, b = self._features(method)
            if isinstance(a, Keypoints) and isinstance(b, Keypoints):
                left, right, agree = keypoints.verify(a, b)
                return Matches(method.name, a.points[left], b.points[right], agree)
        return None

    def _features(self, method: Method) -> list[Any]:
        packed = [
            seen.values([method.feature])[method.feature.key]
            for seen in (self.reference, self.query)
        ]
        return [method.restore(unpack(value)) if value else None for value in packed]


def _is_hash(feature: Any) -> bool:
    return isinstance(feature, np.ndarray) and feature.dtype == bool and feature.ndim == 1
