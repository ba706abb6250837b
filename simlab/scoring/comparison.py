"""Two pictures, looked at closely: every distance, and the bits and keypoints behind it."""

import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd
from numpy import ndarray
from pandas import DataFrame

from simlab.methods import keypoints
from simlab.methods.alignment import Looks
from simlab.methods.keypoints import Keypoints
from simlab.methods.packing import unpack
from simlab.methods.places import places_of
from simlab.methods.registry import Method
from simlab.scoring.one_pair import LazyPicture, compare, needed


class Matches(NamedTuple):
    """Matches of keypoints: (n, 2) points of either picture, and which agree on one geometry."""

    method: str
    first: ndarray
    second: ndarray
    agree: ndarray


class Comparison:
    """What methods say of a reference and a query.

    Attributes:
        table: by method: distance, no_evidence, maximum, unit.
    """

    def __init__(self, reference: LazyPicture, query: LazyPicture, methods: Iterable[Method]):
        self.reference = reference
        self.query = query
        self.methods = list(methods)
        reference.make(needed(self.methods, query=False))
        query.make(needed(self.methods, query=True))
        rows = []
        for method in self.methods:
            answer = compare(method, reference, query)
            rows.append([answer.distance, answer.no_evidence, method.maximum, method.unit])
        names = pd.Index([method.name for method in self.methods], name="method")
        self.table = DataFrame(rows, names, ["distance", "no_evidence", "maximum", "unit"])

    @property
    def scores(self) -> DataFrame:
        """The distances as a score table of one row, as an ensemble takes it."""
        absent = ";".join(self.table.index[self.table["no_evidence"]])
        return self.table[["distance"]].T.assign(no_evidence=absent)

    @property
    def hashes(self) -> dict[str, tuple[ndarray, ndarray]]:
        """The bits of both pictures by hash; of several with the same bits, by the first."""
        firsts = {}
        for method in self.methods:
            firsts.setdefault(method.feature, method)
        pairs = {}
        for method in firsts.values():
            reference, query = self._features(method)
            is_missing = reference is None or query is None
            if not is_missing and method.kind_of(self.reference[method.feature]) == "bits":
                pairs[method.name] = (reference, query)
        return pairs

    @functools.cached_property
    def matches(self) -> Matches | None:
        """The matches of the first method whose keypoints both pictures have, None without."""
        for method in self.methods:
            reference, query = self._features(method)
            if isinstance(reference, Keypoints) and isinstance(query, Keypoints):
                first, second, agree = keypoints.verify(reference, query)
                return Matches(method.name, reference.points[first], query.points[second], agree)
        return None

    @functools.cached_property
    def places(self) -> DataFrame | None:
        """Where the two contradict each other, as of :func:`simlab.methods.places.places_between`.

        None where no method looks, or nothing says how one lies on the other.
        """
        for method in self.methods:
            reference, query = self._features(method)
            if isinstance(reference, Looks) and isinstance(query, Looks):
                return places_of(reference, query)
        return None

    def _features(self, method: Method) -> list[Any]:
        features = []
        for picture in (self.reference, self.query):
            packed = picture[method.feature]
            features.append(method.restore(unpack(packed)) if packed else None)
        return features
