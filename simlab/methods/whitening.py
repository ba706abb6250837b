"""Vectors against a background: what most pictures have in common counts less.

The vectors of many networks and descriptors share a direction, and those of two pictures that have
nothing to do with each other are then alike. :func:`whitened` learns from a background of pictures
what is common, and makes of a method of vectors another, without it.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy import ndarray

from simlab import specs
from simlab.datasets import as_table
from simlab.images import ImageError, Picture, read_image
from simlab.messages import progress_bar
from simlab.methods import registry
from simlab.methods.networks import register_vectors
from simlab.methods.packing import unpack

LEAST_PICTURES = 20
"""Of fewer there is nothing to learn."""

_MOST_DIRECTIONS = 256


def whitened(
    name: str,
    method: str,
    background: str | os.PathLike | Iterable | pd.DataFrame,
    *,
    shrinkage: float = 0.1,
    progress: bool = True,
) -> None:
    """Register a method of vectors anew, as seen against a background of pictures.

    The mean of the background's vectors is taken away, and each direction divided by how much they
    vary in it; so two pictures are alike where they share what is rare. The feature is the vector
    that is left, at length 1; the distance is 1 - cosine, from 0 to 2. Whether it measures better
    depends on the vectors: compare both in a study. What was learnt is part of the cache's keys.

    Args:
        name: of the new method, as in specs.
        method: the spec of a method whose feature is a vector, looked at in one orientation.
        background: a folder, list or table of pictures, some hundred that are no copies of each
            other, of the kind that is searched; what cannot be read is passed over.
        shrinkage: 0.001 to 1: what is added to the variance of each direction, as a share of the
            largest. With 1 hardly more than the mean is taken away.
        progress: whether a progress bar is shown.

    Raises:
        ValueError: the method has no vector, or looks in several orientations; fewer than
            :data:`LEAST_PICTURES` vectors, or all are equal; or the name is taken.

    Source:
        Jégou and Chum, "Negative evidences and co-occurences in image retrieval: the benefit of PCA
        and whitening", ECCV 2012; shrunk as in ridge regression.
    """
    specs.check_number("shrinkage", shrinkage, 0.001, 1)
    plain = registry.get(method)
    if plain.orientations > 1:
        raise ValueError(f"method must look in one orientation; given {method!r}")
    vectors = _vectors_of(plain, background, progress)
    seen = _learnt(plain, vectors, shrinkage)
    register_vectors(name, seen, seen.each if plain.feature.together else None)


@dataclass(frozen=True, eq=False)
class Whitened:
    """A method's vector against a background; called with a picture.

    Attributes:
        plain: the method.
        mean: of the background's vectors, float32 (d,).
        directions: in which they vary most, float32 (d, n).
        gains: by how much what lies in each direction is multiplied, less 1: float32 (n,).
        digest: SHA-256 of these three.
    """

    plain: registry.Method
    mean: ndarray
    directions: ndarray
    gains: ndarray
    digest: str

    def __call__(self, image: Picture) -> ndarray | None:
        """Return the vector of a picture, float32 (d,), of length 1; None for no evidence."""
        return self._of(self.plain.feature.extract(image))

    def each(self, images: Sequence[Picture]) -> list[ndarray | None]:
        """Return the vectors of pictures, of which the method makes many at once."""
        return [self._of(packed) for packed in self.plain.feature.extract_many(images)]

    def identity(self) -> str:
        """Return all that its vectors depend on, as a text for the cache's keys."""
        return f"{self.plain.feature.key} {self.digest}"

    def _of(self, packed: bytes) -> ndarray | None:
        if not packed:
            return None
        centred = _vector(self.plain, packed) - self.mean
        along = centred @ self.directions
        white = centred + self.directions @ (self.gains * along)
        return white / max(float(np.linalg.norm(white)), 1e-9)


def _learnt(plain: registry.Method, vectors: ndarray, shrinkage: float) -> Whitened:
    """What the vectors of a background, float (n, d), have in common."""
    mean = vectors.mean(axis=0)
    _, lengths, directions = np.linalg.svd(vectors - mean, full_matrices=False)
    variances = lengths[:_MOST_DIRECTIONS] ** 2 / len(vectors)
    if not variances[0] > 0:
        raise ValueError("background: all its pictures have the same vector")
    added = shrinkage * variances[0]
    # where the background does not vary at all, a vector stays as long as it is
    gains = np.sqrt(added / (variances + added)) - 1
    learnt = [mean, directions[:_MOST_DIRECTIONS].T, gains]
    arrays = [np.ascontiguousarray(array, dtype=np.float32) for array in learnt]
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    return Whitened(plain, *arrays, digest)


def _vectors_of(plain: registry.Method, background, progress: bool) -> ndarray:
    """The method's vectors of the pictures of a background, float64 (n, d)."""
    table = as_table(background)
    packed = []
    with progress_bar("background", len(table), "picture", shown=progress) as bar:
        for path in table["path"]:
            feature = _feature(plain, os.path.join(table.attrs["root"], path))
            if feature:
                packed.append(feature)
            bar.update()
    if len(packed) < LEAST_PICTURES:
        raise ValueError(
            f"background must have {LEAST_PICTURES} pictures or more that {plain.name!r} has a"
            f" feature of; {len(packed)} of {len(table)} are"
        )
    if plain.kind_of(packed[0]) != "vector":
        raise ValueError(f"method must be one whose feature is a vector; given {plain.name!r}")
    return np.stack([_vector(plain, feature) for feature in packed]).astype(np.float64)


def _feature(plain: registry.Method, path: str) -> bytes:
    """A packed feature; none of a picture that cannot be read."""
    try:
        image = read_image(path)
    except ImageError:
        return b""
    return registry.extract_all(image, [plain.feature])[plain.feature.key]


def _vector(plain: registry.Method, packed: bytes) -> ndarray:
    return np.asarray(plain.restore(unpack(packed)), dtype=np.float32)
