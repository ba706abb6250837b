"""Methods: how a picture becomes a feature and two features a distance; the registry where your own plugs in."""

import functools
import keyword
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cv2
import imagehash
import numpy as np
import pandas as pd
import PIL
import scipy
from PIL import Image, ImageOps

from simlab import specs
from simlab.images import is_flat, to_grey
from simlab.methods import alignment, hashes, keypoints
from simlab.methods.packing import pack, unpack
from simlab.tables import FITTED, SCORE_COLUMNS, check_table, is_fitted

EXTRACTOR = 4
"""Raised when a change of simlab itself changes a feature or a distance, so that cached ones are made anew."""

DEFAULT = ("phash", "dhash", "average_hash", "whash", "akaze")
"""The methods of a study that names none."""

FeatureKind = Literal["bits", "vector", "keypoints"]
"""What a feature is: bool (n,); floating point (n,); or a named tuple that begins with `points` and `descriptors`."""


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
        restore: stored arrays → what `compare` takes.
        symmetric: whether reference and query may change places without changing the distance.
        feature_kind: what the feature is said to be; see :meth:`kind_of`.
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
    symmetric: bool
    feature_kind: FeatureKind | None

    def features(self, *, query: bool) -> tuple[Feature, ...]:
        """Return what must be extracted from a picture on the reference or on the query side."""
        return (self.feature, self.mirrored) if query and self.mirrored else (self.feature,)

    def kind_of(self, feature: bytes) -> FeatureKind | None:
        """Return what a packed feature of this method is: as the method says, else as it looks.

        None where it is something else, or no evidence of a method that does not say.
        """
        if self.feature_kind is not None or not feature:
            return self.feature_kind
        return _kind_of(self.restore(unpack(feature)))


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
    symmetric: bool
    resources: Callable[..., str]
    feature_kind: FeatureKind | None

    def method(self, call: specs.Call) -> Method:
        """Return the method that a call describes.

        Raises:
            ValueError: naming the argument that does not fit and those that are allowed.
        """
        functions = (self.extract, self.distance, _mirror)
        allowed = [name for function in functions for name in specs.defaults_of(function)]
        extract, distance, mirror = (
            specs.bind(call, function, allowed, "method") for function in functions
        )
        arguments = extract | distance | mirror
        plain = Feature(self._feature_key(extract), self.extract, extract, self.grey)
        name = specs.canonical(self.name, arguments, *functions)
        maximum = (
            specs.call_named(self.maximum, arguments) if callable(self.maximum) else self.maximum
        )
        return Method(
            name=name,
            key=specs.complete(self.name, arguments) + specs.code_digest(self.distance),
            feature=plain,
            mirrored=Feature("mirror of " + plain.key, self.extract, extract, self.grey, True)
            if mirror["mirror"]
            else None,
            maximum=maximum,
            unit=self.unit,
            compare=functools.partial(self.distance, **distance),
            compare_many=self.compare_many
            and functools.partial(_compare_many, self.compare_many, maximum, name),
            restore=self.restore,
            symmetric=self.symmetric and not mirror["mirror"],
            feature_kind=self.feature_kind,
        )

    def _feature_key(self, arguments: dict[str, Any]) -> str:
        drawn_on = specs.call_named(self.resources, arguments)
        return (
            f"{specs.complete(self.feature, arguments)}{drawn_on}{specs.code_digest(self.extract)}"
        )


_FIRST_NAME = re.compile(r"\s*(\w+)")

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
    symmetric: bool = True,
    resources: Callable[..., str] = lambda: "",
    feature_kind: FeatureKind | None = None,
    replace: bool = False,
) -> None:
    """Add a method: from then on its spec works in studies, evaluation, ensembles and searches.

    Args:
        name: as in specs; keyword-only arguments of `extract` and `distance` become the arguments of the spec, checked
            where they are annotated with ``Annotated[float, specs.between(0, 1)]`` or ``Literal["a", "b"]``.
        extract: picture (PIL RGB) → array of numbers or bits, or a tuple of arrays; None where there is no evidence.
        distance: two such features → float from 0 (the same) to `maximum`; rounding may step over these.
        maximum: largest distance, given where one side has no evidence; or a function of the spec's arguments.
        unit: of the distance, for axes.
        grey: `extract` is given the 8-bit grey picture instead.
        compare_many: (features stacked to (n, …), indexes i, indexes j) → distances; makes a fast method of it.
        restore: from the stored tuple of arrays to what `distance` takes; by default the array, or the tuple.
        feature: name that methods with the same `extract` share, so that it runs once for all of them.
        symmetric: False where the distance changes when reference and query change places.
        resources: text that stands for the files or packages drawn on (a version, a digest), from the arguments it
            names: part of the cache key. It is called when a spec is read, and may raise ValueError if one is missing.
        feature_kind: what the feature is: ``"bits"``, ``"vector"`` or ``"keypoints"``; None to see it by a feature.
        replace: allow a name that is taken. A function defined again in a notebook always replaces itself.

    Raises:
        ValueError: the name is taken, no identifier, a column of the score table or an ensemble's; an argument has
            no default; or there is no such kind of feature.

    >>> def mean_colour(image): return np.asarray(image).mean(axis=(0, 1))
    >>> def apart(a, b): return float(np.abs(a - b).max())
    >>> register("mean_colour", mean_colour, distance=apart, maximum=255, unit="levels")
    >>> get("mean_colour").name
    'mean_colour'
    >>> del REGISTRY["mean_colour"]
    """
    taken = name in SCORE_COLUMNS or is_fitted(name)
    if not name.isidentifier() or keyword.iskeyword(name) or taken:
        raise ValueError(
            "name must be a Python identifier, no column of the score table and not begin with"
            f" {FITTED!r}; given {name!r}"
        )
    if (
        name in REGISTRY
        and not replace
        and specs.origin(REGISTRY[name].extract) != specs.origin(extract)
    ):
        raise ValueError(f"the method {name!r} exists; choose another name or say replace=True")
    if feature_kind is not None and feature_kind not in get_args(FeatureKind):
        allowed = ", ".join(map(repr, get_args(FeatureKind)))
        raise ValueError(f"feature_kind must be {allowed} or None; given {feature_kind!r}")
    for function in (extract, distance):
        specs.defaults_of(function)
    REGISTRY[name] = Kind(
        name,
        extract,
        distance,
        maximum,
        unit,
        grey,
        compare_many,
        restore or _single,
        feature or name,
        symmetric,
        resources,
        feature_kind,
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
    texts = specs.names(DEFAULT if methods is None else methods, "methods")
    found = {method.name: method for method in map(get, texts)}
    return list(found.values())


def columns(
    scores: pd.DataFrame, methods: str | Iterable[str] | None = None, *, fitted: bool = True
) -> list[str]:
    """Return the names of the distance columns of a score table: those that are named, else those that name a method.

    By default these are the columns named by the spec of a registered method, and an ensemble's own, in the order of
    the table. Any other column must be named: another tool's distance, or a method that is not registered here.

    Args:
        methods: columns to take; one name, several with commas, or a list.
        fitted: whether an ensemble's own columns may be among them.

    Raises:
        ValueError: a column is missing, there twice, or holds no numbers; no column names a method; or one is an
            ensemble's and must not be.

    >>> table = pd.DataFrame({"ratio": [0.5], "phash": [4], "no_evidence": [""], "ensemble": [0.1]})
    >>> columns(table), columns(table, "ratio, phash"), columns(table, fitted=False)
    (['phash', 'ensemble'], ['ratio', 'phash'], ['phash'])
    """
    check_table(scores, "scores")
    if methods is None:
        known = _known(scores)
        _check_noted(scores, known)
        chosen = [name for name in known if fitted or not is_fitted(name)]
    else:
        chosen = specs.names(methods, "methods", list(scores))
    missing = [name for name in chosen if name not in scores or name in SCORE_COLUMNS]
    if missing or not chosen:
        given = ", ".join(map(repr, missing)) or repr(methods)
        raise ValueError(f"methods must be among {_offered(scores)}; given {given}")
    for name in chosen:
        _check_distances(scores, name, fitted)
    return chosen


def _known(scores: pd.DataFrame) -> list[str]:
    return [name for name in scores if is_spec(name) or is_fitted(name)]


def _offered(scores: pd.DataFrame) -> str:
    """What may be named, in words: the columns that name a method, and those that could be distances."""
    known = _known(scores)
    others = [
        str(name)
        for name, kind in scores.dtypes.items()
        if name not in (*known, *SCORE_COLUMNS) and pd.api.types.is_float_dtype(kind)
    ]
    words = ", ".join(known) or "the columns of distances, of which none is named by a method"
    if not others:
        return words
    return f"{words}; others are to be named, such as methods={', '.join(others)!r}"


def _check_noted(scores: pd.DataFrame, known: list[str]) -> None:
    """Refuse what the table says is a method and is none here: left out, it would be missed by nobody."""
    noted = [name for name in scores.attrs.get("methods", ()) if name in scores]
    if unknown := [name for name in noted if name not in known]:
        raise ValueError(
            f"{unknown[0]!r} is a method of these scores that is not registered here: register it, or say"
            f" methods={noted!r}"
        )


def is_spec(name: object) -> bool:
    """Return whether a column's name is the spec of a registered method, whatever its arguments."""
    start = _FIRST_NAME.match(name) if isinstance(name, str) else None
    if start is None or start[1] not in REGISTRY:
        return False
    try:
        return len(specs.parse(name)) == 1
    except ValueError:
        return False


def _check_distances(scores: pd.DataFrame, name: str, fitted: bool) -> None:
    if is_fitted(name) and not fitted:
        raise ValueError(
            f"{name!r} is an ensemble's own distance, made with the labels of these pairs; an ensemble is not fitted"
            " on it: leave it out of methods"
        )
    column = scores[name]
    if isinstance(column, pd.DataFrame):
        raise ValueError(f"the column {name!r} is there {column.shape[1]} times")
    kind = column.dtype
    numbers = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)
    if not numbers and len(column):
        raise ValueError(f"the column {name!r} holds no distances but {kind}; numbers are needed")


def extract_all(image: Image.Image, features: Iterable[Feature]) -> dict[str, bytes]:
    """Return the packed feature of an RGB picture by feature key; all are ``b""`` (no evidence) for a flat picture."""
    features = list(features)
    # most pictures are seen not to be flat by a few of their pixels
    if is_flat(image.resize((32, 32), Image.Resampling.NEAREST)) and is_flat(image):
        return {feature.key: b"" for feature in features}
    grey = to_grey(image)
    return {feature.key: feature.extract(grey if feature.grey else image) for feature in features}


@functools.cache
def versions() -> str:
    """Return the versions that decide what a feature is, as one text: part of every cache key."""
    modules = {"pillow": PIL, "opencv": cv2, "imagehash": imagehash, "numpy": np, "scipy": scipy}
    return " ".join(
        [
            f"extractor={EXTRACTOR}",
            *(f"{name}={module.__version__}" for name, module in modules.items()),
        ]
    )


def hamming_pairs(bits: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return the Hamming distances of rows i and j of bool (n, bits)."""
    packed = hashes.pack(bits)
    return hashes.hamming_rows(packed[i], packed[j])


def _mirror(*, mirror: bool = False) -> None:
    """Holds the argument that every method has."""


def _kind_of(feature: Any) -> FeatureKind | None:
    if getattr(feature, "_fields", ())[:2] == ("points", "descriptors"):
        return "keypoints"
    if not isinstance(feature, np.ndarray) or feature.ndim != 1:
        return None
    if feature.dtype == bool:
        return "bits"
    return "vector" if feature.dtype.kind == "f" else None


def _single(arrays: tuple[np.ndarray, ...]) -> Any:
    return arrays[0] if len(arrays) == 1 else arrays


def within(distances: np.ndarray, maximum: float, name: str) -> np.ndarray:
    """Return distances, set right where they step over 0 or the maximum by rounding.

    Raises:
        ValueError: one is no number, or further outside.
    """
    inside = np.clip(distances, 0.0, maximum)
    wrong = ~(np.abs(distances - inside) <= 1e-6 * max(1.0, maximum))  # and so for NaN
    if wrong.any():
        raise ValueError(
            f"{name} gave the distance {distances[wrong][0]}; it must lie in 0 to {maximum} (its stated maximum)"
        )
    return inside


def _compare_many(
    compare: Callable, maximum: float, name: str, stack: np.ndarray, i: np.ndarray, j: np.ndarray
):
    return within(compare(stack, i, j), maximum, name)


def _register_hash(extract: Callable, maximum: int | Callable[..., int], **options) -> None:
    register(
        extract.__name__,
        extract,
        distance=hashes.hamming,
        maximum=maximum,
        unit="bits",
        compare_many=hamming_pairs,
        feature_kind="bits",
        **options,
    )


for _extract in (
    hashes.phash,
    hashes.dhash,
    hashes.average_hash,
    hashes.phash_simple,
    hashes.dhash_vertical,
):
    _register_hash(_extract, lambda hash_size: hash_size**2, grey=True)
_register_hash(
    hashes.whash, lambda hash_size, mode: (hash_size + 6 * (mode == "db4")) ** 2, grey=True
)
_register_hash(hashes.colorhash, lambda binbits: 14 * binbits)
_register_hash(hashes.pdq, 256, resources=hashes.pdq_version)
register(
    "crop_resistant_hash",
    hashes.crop_resistant_hash,
    distance=hashes.crop_resistant_distance,
    maximum=hashes.most_segments,
    unit="segments",
    grey=True,
    symmetric=False,
)
register(
    "crop_resistant_closest",
    hashes.crop_resistant_hash,
    distance=hashes.closest_segments,
    maximum=64,
    unit="bits",
    grey=True,
    feature="crop_resistant_hash",
)
for _extract, _maximum, _unit in (
    (keypoints.akaze, keypoints.AKAZE_BITS, "bits"),
    (keypoints.orb, keypoints.ORB_BITS, "bits"),
    (keypoints.sift, keypoints.SIFT_MAXIMUM, "L2"),
):
    _name, _restore = _extract.__name__, keypoints.Keypoints._make
    register(
        _name,
        _extract,
        distance=keypoints.mean_distance,
        maximum=_maximum,
        unit=_unit,
        restore=_restore,
        feature_kind="keypoints",
    )
    register(
        f"{_name}_inliers",
        _extract,
        distance=keypoints.inlier_distance,
        maximum=1.0,
        restore=_restore,
        feature=_name,
        symmetric=False,
        feature_kind="keypoints",
    )
register(
    "correlation",
    alignment.correlation,
    distance=alignment.uncorrelated,
    maximum=2.0,
    grey=True,
    compare_many=alignment.uncorrelated_pairs,
    feature_kind="vector",
)
register(
    "aligned",
    alignment.looks,
    distance=alignment.aligned_distance,
    maximum=1.0,
    restore=alignment.Looks._make,
    feature="looks",
    symmetric=False,
    feature_kind="keypoints",
)
