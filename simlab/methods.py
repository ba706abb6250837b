"""Methods: how a picture becomes a feature and two features a distance; the registry where your own plugs in."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import imagehash
import numpy as np
import PIL
import scipy
from PIL import Image, ImageOps

from simlab import akaze, hashes, specs
from simlab.cache import pack, unpack
from simlab.images import is_flat, to_grey

EXTRACTOR = 1
"""Raised when a change of simlab itself changes a feature, so that cached ones are made anew."""

DEFAULT = ("phash", "dhash", "average_hash", "whash", "akaze")
"""The methods of a study that names none."""


@dataclass(frozen=True)
class Feature:
    """What is extracted from one picture: a function with its arguments, on the picture or on its mirror image."""

    key: str
    function: Callable[..., Any]
    arguments: dict[str, Any]
    grey: bool = False
    mirrored: bool = False

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Feature) and self.key == other.key

    def extract(self, image: Image.Image) -> bytes:
        """Return the packed feature of an RGB (or, where `grey` says so, grey) picture; ``b""`` for no evidence."""
        value = self.function(ImageOps.mirror(image) if self.mirrored else image, **self.arguments)
        empty = value is None or (isinstance(value, tuple) and not len(value[0]))
        return b"" if empty else pack(value)


@dataclass(frozen=True)
class Method:
    """A method with its arguments, made from a spec by :func:`get`.

    Attributes:
        name: its canonical spec, and its column in a score table.
        key: the spec with every argument written out.
        feature: what is extracted from both pictures.
        mirrored: the same from the query's mirror image, where the method takes the smaller of two distances.
        maximum: the distance where one side has no evidence; no distance is larger.
        unit: of the distance.
        compare: two features → distance.
        compare_many: stacked features (n, …), indexes i, indexes j → distances, where the method has such a function.
    """

    name: str
    key: str
    feature: Feature
    mirrored: Feature | None
    maximum: float
    unit: str
    compare: Callable[[Any, Any], float]
    compare_many: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None
    restore: Callable[[tuple[np.ndarray, ...]], Any]

    def features(self, *, query: bool) -> tuple[Feature, ...]:
        """Return what must be extracted from a picture on the reference or on the query side."""
        return (self.feature, self.mirrored) if query and self.mirrored else (self.feature,)

    def distance(self, reference: bytes, query: bytes, mirrored: bytes | None = None) -> float:
        """Return the distance of packed features; the stated maximum where a side has no evidence."""
        plain = self._distance(reference, query)
        return plain if mirrored is None else min(plain, self._distance(reference, mirrored))

    def _distance(self, reference: bytes, query: bytes) -> float:
        if not reference or not query:
            return float(self.maximum)
        value = float(self.compare(self.restore(unpack(reference)), self.restore(unpack(query))))
        if not 0 <= value <= self.maximum:
            raise ValueError(
                f"{self.name} gave the distance {value}; it must lie in 0 to {self.maximum} (its stated maximum)"
            )
        return value


@dataclass(frozen=True)
class Kind:
    """A registered method before its arguments are known; see :func:`register`."""

    name: str
    extract: Callable[..., Any]
    distance: Callable[..., float]
    maximum: float | Callable[..., float]
    unit: str
    grey: bool
    compare_many: Callable | None
    restore: Callable
    feature: str

    def method(self, call: specs.Call) -> Method:
        """Return the method that a call describes.

        Raises:
            ValueError: naming the argument that does not fit and those that are allowed.
        """
        functions = (self.extract, self.distance, _mirror)
        allowed = [name for function in functions for name in specs.defaults_of(function)]
        extract, distance, mirror = (specs.bind(call, function, allowed, "method") for function in functions)
        arguments = extract | distance | mirror
        plain = Feature(self._feature_key(extract), self.extract, extract, self.grey)
        return Method(
            name=specs.canonical(self.name, arguments, *functions),
            key=specs.complete(self.name, arguments) + specs.code_digest(self.distance),
            feature=plain,
            mirrored=Feature("mirror of " + plain.key, self.extract, extract, self.grey, True)
            if mirror["mirror"]
            else None,
            maximum=specs.call_named(self.maximum, arguments) if callable(self.maximum) else self.maximum,
            unit=self.unit,
            compare=functools.partial(self.distance, **distance),
            compare_many=self.compare_many,
            restore=self.restore,
        )

    def _feature_key(self, arguments: dict[str, Any]) -> str:
        return f"{specs.complete(self.feature, arguments)}{specs.code_digest(self.extract)}"


REGISTRY: dict[str, Kind] = {}
"""Every method by the name that specs use."""


def register(
    name: str,
    extract: Callable[..., Any],
    *,
    distance: Callable[..., float],
    maximum: float | Callable[..., float],
    unit: str = "",
    grey: bool = False,
    compare_many: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None,
    restore: Callable[[tuple[np.ndarray, ...]], Any] | None = None,
    feature: str | None = None,
    replace: bool = False,
) -> None:
    """Add a method: from then on its spec works in studies, evaluation, ensembles and searches.

    Args:
        name: as in specs; keyword-only arguments of `extract` and `distance` become the arguments of the spec.
        extract: picture (PIL RGB) → array of numbers or bits, or a tuple of arrays; None where there is no evidence.
        distance: two such features → float from 0 (the same) to `maximum`.
        maximum: largest distance, given where one side has no evidence; or a function of the spec's arguments.
        unit: of the distance, for axes.
        grey: `extract` is given the 8-bit grey picture instead.
        compare_many: (features stacked to (n, …), indexes i, indexes j) → distances; makes a fast method of it.
        restore: from the stored tuple of arrays to what `distance` takes; by default the array, or the tuple.
        feature: name that methods with the same `extract` share, so that it runs once for all of them.
        replace: allow a name that is taken; a function defined again in a notebook needs it.

    Raises:
        ValueError: the name is taken or not an identifier.

    >>> def mean_colour(image): return np.asarray(image).mean(axis=(0, 1))
    >>> def apart(a, b): return float(np.abs(a - b).max())
    >>> register("mean_colour", mean_colour, distance=apart, maximum=255, unit="levels")
    >>> get("mean_colour").name
    'mean_colour'
    >>> del REGISTRY["mean_colour"]
    """
    if not name.isidentifier():
        raise ValueError(f"name must be a Python identifier, not {name!r}")
    if name in REGISTRY and not replace:
        raise ValueError(f"the method {name!r} exists; choose another name or say replace=True")
    REGISTRY[name] = Kind(
        name, extract, distance, maximum, unit, grey, compare_many, restore or _single, feature or name
    )


def get(spec: str) -> Method:
    """Return the method that a spec names.

    Raises:
        ValueError: one line with the unknown method or argument and what is allowed.

    >>> get("phash(hash_size=8)").name, get("phash(hash_size=16)").maximum
    ('phash', 256)
    """
    calls = specs.parse(spec)
    if len(calls) != 1:
        raise ValueError(f"{spec!r} must name one method, such as 'phash(hash_size=16)'")
    return specs.lookup(calls[0].name, REGISTRY, "method").method(calls[0])


def resolve(methods: str | Iterable[str] | None = None) -> list[Method]:
    """Return methods for a spec, a comma-separated text or a list of specs, without repeats; None for :data:`DEFAULT`.

    Raises:
        ValueError: none is named, or one is unknown.
    """
    if methods is None:
        methods = DEFAULT
    texts = specs.split(methods) if isinstance(methods, str) else list(methods)
    found = {method.name: method for method in map(get, texts)}
    if not found:
        raise ValueError(f"no method is named; allowed: {', '.join(REGISTRY)}")
    return list(found.values())


def extract_all(image: Image.Image, features: Iterable[Feature]) -> dict[str, bytes]:
    """Return the packed feature of an RGB picture by feature key; all are ``b""`` (no evidence) for a flat picture."""
    features = list(features)
    if is_flat(image):
        return {feature.key: b"" for feature in features}
    grey = to_grey(image)
    return {feature.key: feature.extract(grey if feature.grey else image) for feature in features}


@functools.cache
def versions() -> str:
    """Return the versions that decide what a feature is, as one text: part of every cache key."""
    modules = {"pillow": PIL, "opencv": cv2, "imagehash": imagehash, "numpy": np, "scipy": scipy}
    return " ".join([f"extractor={EXTRACTOR}", *(f"{name}={module.__version__}" for name, module in modules.items())])


def hamming_pairs(bits: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return the Hamming distances of rows i and j of bool (n, bits)."""
    packed = hashes.pack(bits)
    return hashes.hamming_rows(packed[i], packed[j])


def _mirror(*, mirror: bool = False) -> None:
    """Holds the argument that every method has."""


def _single(arrays: tuple[np.ndarray, ...]) -> Any:
    return arrays[0] if len(arrays) == 1 else arrays


def _register_hash(extract: Callable[..., np.ndarray]) -> None:
    register(
        extract.__name__, extract, distance=hashes.hamming, maximum=lambda hash_size: hash_size**2, unit="bits",
        grey=True, compare_many=hamming_pairs,
    )  # fmt: skip


for _extract in (hashes.phash, hashes.dhash, hashes.average_hash, hashes.whash):
    _register_hash(_extract)
register(
    "akaze",
    akaze.extract,
    distance=akaze.mean_distance,
    maximum=akaze.BITS,
    unit="bits",
    restore=akaze.Keypoints._make,
)
register(
    "akaze_inliers",
    akaze.extract,
    distance=akaze.inlier_distance,
    maximum=1.0,
    restore=akaze.Keypoints._make,
    feature="akaze",
)
