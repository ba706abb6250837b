"""The rule by which two pictures get a distance: read this first, all scoring comes down to it.

Equal pixels are distance 0, before anything else. Then, where a side has no evidence (a flat
picture, no keypoints), the distance is the largest that the method states, and this is said. Only
then are the features compared. Caches, workers and stacks of hashes stand behind this rule and call
it.
"""

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
    features: dict[Feature, None] = {}
    for method in methods:
        features.update(dict.fromkeys(method.features(query=query)))
    return list(features)


def answers(methods: Iterable[Method], reference: Features, query: Features) -> dict[str, Any]:
    """Return the distance by each method, by its name, and in "no_evidence" those that had none."""
    row = {}
    silent = []
    for method in methods:
        row[method.name], no_evidence = compare(method, reference, query)
        if no_evidence:
            silent.append(method.name)
    row["no_evidence"] = ";".join(silent)
    return row


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
        return Answer(_nearest(method, reference, usable), no_evidence=False)
    apart = [_apart(method, reference, query) for query in usable]
    told = [distance for distance in apart if not math.isnan(distance)]
    if not told:
        return Answer(float(method.maximum), no_evidence=True)
    return Answer(min(told), no_evidence=False)


def _nearest(method: Method, reference: bytes, queries: Sequence[bytes]) -> float:
    """The distance of the nearest query: all at once takes hardly longer than one."""
    if reference in queries:
        return 0.0
    stack = np.stack([method.restore(unpack(packed)) for packed in (reference, *queries)])
    others = np.arange(1, len(stack))
    return float(_apart_in_stack(method, stack, np.zeros_like(others), others).min())


def _apart(method: Method, reference: bytes, query: bytes) -> float:
    if reference == query:
        return 0.0
    left = method.restore(unpack(reference))
    right = method.restore(unpack(query))
    distance = method.compare(left, right)
    if distance is None:
        return math.nan  # the two together say nothing
    return float(registry.within(np.float64(distance), method.maximum, method.name))


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
