"""The rule by which two pictures get a distance: read this first, all scoring comes down to it.

Equal pixels are distance 0, before anything else. Then, where a side has no evidence (a flat
picture, no keypoints), the distance is the largest that the method states, and this is said. Only
then are the features compared. Caches, workers and stacks of hashes stand behind this rule and call
it.
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy import ndarray
from PIL import Image

from simlab.images import content_digest, read_image
from simlab.methods import registry
from simlab.methods.packing import pack, unpack
from simlab.methods.registry import Feature, Method, extract_all
from simlab.specs import Names

PIXELS = Feature("pixels", content_digest, {})
"""The digest of a picture's size and pixels, which every picture has, a flat one too."""


def distances(image_a, image_b, methods: Names | None = None) -> pd.DataFrame:
    """Return one row: the distance of two pictures by every method, and which had no evidence.

    Args:
        image_a, image_b: what :func:`simlab.read_image` takes.
        methods: specs; None for :data:`simlab.methods.DEFAULT`.

    >>> from PIL import Image
    >>> distances(Image.linear_gradient("L"), Image.linear_gradient("L"), "phash, dhash")
       phash  dhash no_evidence
    0    0.0    0.0
    """
    resolved = registry.resolve(methods)
    reference = LazyPicture(read_image(image_a))
    query = LazyPicture(read_image(image_b))
    reference.make(needed(resolved, query=False))
    query.make(needed(resolved, query=True))
    return pd.DataFrame([answers(resolved, reference, query)])


class LazyPicture:
    """A decoded picture whose packed features are made when they are first asked for, none twice.

    Attributes:
        content: the digest of its size and pixels.
        name: how it is called where it is shown.
    """

    def __init__(self, image: Image.Image, name: str = ""):
        self.image = image
        self.name = name
        self.content = content_digest(image)
        self._packed = {PIXELS.key: pack(np.frombuffer(self.content, dtype=np.uint8))}

    def make(self, features: Iterable[Feature]) -> None:
        """Extract those features that are not made yet, in one pass."""
        missing = [f for f in dict.fromkeys(features) if f.key not in self._packed]
        if missing:
            self._packed |= extract_all(self.image, missing)

    def __getitem__(self, feature: Feature) -> bytes:
        self.make([feature])
        return self._packed[feature.key]


Features: TypeAlias = LazyPicture | Mapping[Feature, bytes]
"""The packed features of a picture; ``b""`` is one without evidence."""


class Answer(NamedTuple):
    """What a method says of two pictures: their distance, and whether it had no evidence."""

    distance: float
    no_evidence: bool


def needed(methods: Iterable[Method], *, query: bool) -> list[Feature]:
    """Return what the methods need of a picture on the reference or the query side, each once."""
    features = {}
    for method in methods:
        features.update(dict.fromkeys(method.features(query=query)))
    return list(features)


def answers(methods: Sequence[Method], reference: Features, query: Features) -> dict[str, Any]:
    """Return the distance by each method, by its name, and in "no_evidence" those that had none."""
    return answers_of_many(methods, [reference], query)[0]


def answers_of_many(
    methods: Sequence[Method], references: Sequence[Features], query: Features
) -> list[dict[str, Any]]:
    """Return the same of each of many references."""
    at_once = {method.name: _known(method, references, query) for method in methods}
    rows = []
    # of the others two may ask the same of a pair, one after the other
    for reference in references:
        row = {}
        silent = []
        for method in methods:
            distance = at_once[method.name].get(reference[method.feature])
            if distance is None or reference[PIXELS] == query[PIXELS]:
                distance, no_evidence = compare(method, reference, query)
                if no_evidence:
                    silent.append(method.name)
            row[method.name] = distance
        row["no_evidence"] = ";".join(silent)
        rows.append(row)
    return rows


def _known(method: Method, references: Sequence[Features], query: Features) -> dict[bytes, float]:
    """By a reference's feature the distance, where a method compares many at once."""
    queries = [query[feature] for feature in method.features(query=True)]
    usable = [packed for packed in queries if packed]
    packed = dict.fromkeys(reference[method.feature] for reference in references)
    packed.pop(b"", None)
    if method.compare_many is None or len(usable) < 2 or not packed:
        return {}
    return dict(zip(packed, _nearest(method, list(packed), usable)))


def compare(method: Method, reference: Features, query: Features) -> Answer:
    """Return what a method says of two pictures."""
    if reference[PIXELS] == query[PIXELS]:
        return Answer(0.0, no_evidence=False)
    queries = [query[feature] for feature in method.features(query=True)]
    return compare_features(method, reference[method.feature], queries)


def compare_features(method: Method, reference: bytes, queries: Sequence[bytes]) -> Answer:
    """Return what a method says of the packed features of two pictures whose pixels differ.

    Args:
        queries: that of the query; where the method has a mirror image of it too, that is second,
            and the nearer of the two counts.
    """
    usable = [query for query in queries if query]
    if not reference or not usable:
        return Answer(float(method.maximum), no_evidence=True)
    if method.compare_many and len(usable) > 1:
        return Answer(_nearest(method, [reference], usable)[0], no_evidence=False)
    apart = [_apart(method, reference, query) for query in usable]
    told = [distance for distance in apart if not math.isnan(distance)]
    if not told:
        return Answer(float(method.maximum), no_evidence=True)
    return Answer(min(told), no_evidence=False)


def _nearest(method: Method, references: Sequence[bytes], queries: Sequence[bytes]) -> list[float]:
    """Of each reference the distance of the nearest query: all at once takes hardly longer."""
    stack = np.stack([method.restore(unpack(packed)) for packed in (*references, *queries)])
    left, right = np.indices((len(references), len(queries))).reshape(2, -1)
    apart = _apart_in_stack(method, stack, left, right + len(references))
    is_same = [reference in queries for reference in references]
    return np.where(is_same, 0.0, apart.reshape(len(references), -1).min(axis=1)).tolist()


def _apart(method: Method, reference: bytes, query: bytes) -> float:
    if reference == query:
        return 0.0
    left = method.restore(_unpacked(reference))
    right = method.restore(_unpacked(query))
    distance = method.compare(left, right)
    if distance is None:
        return math.nan  # the two together say nothing
    return float(registry.within(np.float64(distance), method.maximum, method.name))


# two methods ask the same of a pair: they know it by its arrays, which are the same ones
_unpacked = functools.lru_cache(maxsize=4)(unpack)


def compare_stacked(
    method: Method, stack: ndarray, reference: ndarray, queries: Sequence[ndarray]
) -> tuple[ndarray, ndarray]:
    """Return what a method says of many pairs at once, whose pixels differ: distances, no evidence.

    Args:
        stack: restored features, (n, …).
        reference: for each pair the row of its reference in the stack; -1 is no evidence.
        queries: the same for the query, and for its mirror image where the method has one.
    """
    nearest = np.full(len(reference), np.inf)
    for query in queries:
        usable = (reference >= 0) & (query >= 0)
        if usable.any():
            apart = _apart_in_stack(method, stack, reference[usable], query[usable])
            nearest[usable] = np.minimum(nearest[usable], apart)
    no_evidence = np.isinf(nearest)
    return np.where(no_evidence, float(method.maximum), nearest), no_evidence


def _apart_in_stack(method: Method, stack: ndarray, left: ndarray, right: ndarray) -> ndarray:
    distances = method.compare_many(stack, left, right)
    return registry.within(distances, method.maximum, method.name)
