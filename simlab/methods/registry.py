"""What a method is, and the registry where methods, your own too, are known by name.

A picture becomes the bytes of a :class:`Feature`, and two of these a distance, as a :class:`Method`
says.
"""

import dataclasses
import functools
import inspect
import keyword
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import cv2
import imagehash
import numpy as np
import pandas as pd
import PIL
import scipy
from numpy import ndarray
from pandas import DataFrame
from PIL import Image

from simlab import specs
from simlab.cards import card, number
from simlab.images import Picture, Size, is_flat, reduced, to_grey
from simlab.messages import counted
from simlab.methods.inner import inner_part
from simlab.methods.orientations import MIRROR, TURNED, turned_picture, turned_size
from simlab.methods.packing import pack, unpack
from simlab.specs import Arguments, Names
from simlab.tables import FITTED, SCORE_COLUMNS, check_table, is_fitted

Extract = TypeVar("Extract", bound=Callable[..., Any])

EXTRACTOR = 9
"""Raised when a change of simlab itself changes a feature: all are made anew."""

COMPARISON = 2
"""Raised when one changes a distance, but no feature: pairs are compared anew."""

DEFAULT = ("phash", "dhash", "average_hash", "whash", "akaze")
"""The methods of a study that names none."""

FeatureKind = Literal["bits", "vector", "keypoints"]
"""What a feature is.

Bool (n,); floating point (n,); or a named tuple that begins with `points` and `descriptors`.
"""

Orientations = Literal[1, 8]
"""In how many orientations the query counts: as it is; or mirrored and turned by quarters, too."""

_KINDS: dict[str, FeatureKind] = {"b": "bits", "f": "vector"}  # by kind of dtype


class Seen:
    """A picture as features see it: what several of them need is made once."""

    def __init__(self, image: Picture):
        self.image = image
        self._small: dict[Size, Picture] = {}
        self._values: dict[str, Any] = {}

    @functools.cached_property
    def grey(self) -> Picture:
        """The picture as 8-bit grey."""
        return to_grey(self.image)

    @functools.cached_property
    def reduced(self) -> "Seen":
        """A smaller copy of a large picture; another itself."""
        copy = reduced(self.image)
        return self if copy is self.image else Seen(copy)

    @functools.cached_property
    def inner(self) -> "Seen":
        """The part of the reduced picture that shows something; itself, where that is all of it."""
        whole = self.reduced
        part = inner_part(whole.image, whole.grey)
        return whole if part is whole.image else Seen(part)

    def small(self, size: Size) -> Picture:
        """Return a small grey copy, scaled as hashes scale."""
        if size not in self._small:
            self._small[size] = self.grey.resize(size, Image.Resampling.LANCZOS)
        return self._small[size]

    def value(self, feature: "Feature") -> Any:
        """Return what a feature is of this picture."""
        if feature.key not in self._values:
            self._values[feature.key] = feature.value(self)
        return self._values[feature.key]


@dataclass(frozen=True, eq=False)
class Feature:
    """What is extracted from one picture: a function with its arguments, its key a text of both.

    Attributes:
        grey: whether from the grey picture.
        together: the function for many pictures at once, where there is one.
        orientation: in which the picture is looked at; see :mod:`simlab.methods.orientations`.
        small: the size of the grey copy that is all that is looked at, before it is turned, where
            it is known.
        inner: whether of the part that shows something; see :mod:`simlab.methods.inner`.
        of_seen: whether the function is given :class:`Seen`, of which it takes what it needs; the
            picture in another orientation it is given as any other.
        plain: the feature of the picture as it is, where that of the turned one follows from it.
        turn: (value of `plain`, orientation) → value.
    """

    key: str
    function: Callable[..., Any]
    arguments: dict[str, Any]
    grey: bool = False
    together: Callable[..., Any] | None = None
    orientation: int = 0
    small: Size | None = None
    inner: bool = False
    of_seen: bool = False
    plain: "Feature | None" = None
    turn: Callable[[Any, int], Any] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Feature) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def extract(self, image: Picture | Seen) -> bytes:
        """Return the packed feature of an RGB (or grey) picture; ``b""`` for no evidence."""
        whole = image if isinstance(image, Seen) else Seen(image)
        seen = whole.inner if self.inner else whole
        return pack(seen.value(self))

    def extract_many(self, images: Sequence[Picture]) -> list[bytes]:
        """Return the packed features of RGB pictures by `together`; ``b""`` for a flat one.

        Raises:
            ValueError: it did not return one feature for each picture.
        """
        given = {}
        for place, image in enumerate(images):
            if not is_flat(image):
                seen = Seen(image)
                given[place] = self._looked_at(seen.inner if self.inner else seen)
        values = list(self.together(list(given.values()), **self.arguments)) if given else []
        if len(values) != len(given):
            raise ValueError(
                f"extract_many gave {len(values)} features for {len(given)} pictures; it must give"
                " one for each, in their order"
            )
        packed = [b""] * len(images)
        for place, value in zip(given, values):
            packed[place] = pack(value)
        return packed

    def value(self, seen: Seen) -> Any:
        """Return the feature of a picture; None for no evidence."""
        if self.plain is None or self.turn is None:
            extract = specs.unchecked(self.function)  # they were checked when the spec was read
            return extract(self._looked_at(seen), **self.arguments)
        value = seen.value(self.plain)
        if value is None:
            return None
        return self.turn(value, self.orientation)

    def _looked_at(self, seen: Seen) -> Picture | Seen:
        if self.of_seen and not self.orientation:
            return seen
        if self.small is not None:
            picture = seen.small(self.small)
        elif self.grey:
            picture = seen.grey
        else:
            picture = seen.image
        if self.orientation:
            return turned_picture(picture, self.orientation)
        return picture


@dataclass(frozen=True, repr=False)
class Method:
    """A method with its arguments, made from a spec by :func:`get`.

    Attributes:
        name: its canonical spec, and its column in a score table.
        key: the spec with every argument written out.
        feature: what is extracted from both pictures.
        turned: the same from the query in other orientations, where the method takes the smallest
            of several distances.
        orientations: of the query that count: 1, 2 (mirrored, too) or 8. Where they do and nothing
            is turned, the distance itself tries them.
        maximum: the distance where one side has no evidence; no distance is larger.
        unit: of the distance.
        compare: two features → distance.
        compare_many: stacked features (n, …), indexes of the left and of the right ones →
            distances, where the method has such a function.
        restore: stored arrays → what `compare` takes.
        symmetric: whether reference and query may change places without changing the distance.
        feature_kind: what the feature is said to be; see :meth:`kind_of`.
    """

    name: str
    key: str
    feature: Feature
    turned: tuple[Feature, ...]
    orientations: int
    maximum: float
    unit: str
    compare: Callable[[Any, Any], float]
    compare_many: Callable[..., ndarray] | None
    restore: Callable[..., Any]
    symmetric: bool
    feature_kind: FeatureKind | None

    @property
    def compared_as(self) -> str:
        """By what its answers are told from those of other methods, and of other versions."""
        return f"{self.key} comparison={COMPARISON}"

    def features(self, *, query: bool) -> tuple[Feature, ...]:
        """Return what must be extracted from a picture on the reference or on the query side."""
        if query:
            return (self.feature, *self.turned)
        return (self.feature,)

    def kind_of(self, feature: bytes) -> FeatureKind | None:
        """Return what a packed feature of this method is: as the method says, else as it looks.

        None where it is something else, or no evidence of a method that does not say.
        """
        if self.feature_kind is not None or not feature:
            return self.feature_kind
        value = self.restore(unpack(feature))
        if getattr(value, "_fields", ())[:2] == ("points", "descriptors"):
            return "keypoints"
        is_flat_array = isinstance(value, ndarray) and value.ndim == 1
        return _KINDS.get(value.dtype.kind) if is_flat_array else None

    def __repr__(self) -> str:
        return f"<method {self.name}: 0 to {number(self.maximum)} {self.unit}>"

    def _repr_html_(self) -> str:
        about = inspect.getdoc(self.feature.function) or ""
        lines = [
            f"Distances from 0 (the same picture) to {number(self.maximum)} {self.unit}.",
            f"Its feature: {about.splitlines()[0].removeprefix('Return ')}" if about else "",
            f"Seen in {counted(self.orientations, 'orientation')}.",
        ]
        typed = [
            f"sl.distances(image_a, image_b, methods={self.name!r})",
            f"sl.score_pairs(pairs, {self.name!r})",
        ]
        return card(self.name, *filter(None, lines), typed=typed)


@dataclass(frozen=True)
class Definition:
    """A registered method before its arguments are known; the attributes are :func:`register`'s."""

    name: str
    extract: Callable
    distance: Callable
    maximum: float | Callable
    unit: str
    grey: bool
    compare_many: Callable | None
    restore: Callable
    feature: str
    symmetric: bool
    resources: Callable
    feature_kind: FeatureKind | None
    extract_many: Callable | None
    small: Callable[..., Size] | None
    turn: Callable[[Any, int], Any] | None
    of_seen: bool

    def method(self, call: specs.Call) -> Method:
        """Return the method that a call describes.

        Raises:
            ValueError: naming the argument that does not fit and those that are allowed.
        """
        functions = (self.extract, self.distance, _seen_in)
        bound = [specs.bind(call, one, *functions, what="method") for one in functions]
        of_extract, of_distance, of_seen_in = bound
        arguments = of_extract | of_distance | of_seen_in
        feature = self._feature(of_extract, inner=of_seen_in["inner"])
        turned = self._turned(feature, of_seen_in, by_distance="orientations" in of_distance)
        name = specs.canonical(self.name, arguments, *functions)
        maximum = self.maximum
        if callable(maximum):
            maximum = specs.call_named(maximum, arguments)
        return Method(
            name=name,
            key=specs.complete(self.name, arguments) + specs.code_digest(self.distance),
            feature=feature,
            turned=turned,
            orientations=max(of_seen_in["orientations"], 1 + of_seen_in["mirror"]),
            maximum=maximum,
            unit=self.unit,
            compare=functools.partial(specs.unchecked(self.distance), **of_distance),
            compare_many=self.compare_many,
            restore=self.restore,
            symmetric=self.symmetric and not turned,
            feature_kind=self.feature_kind,
        )

    def _feature(self, arguments: Arguments, *, inner: bool) -> Feature:
        """What is extracted; all that it depends on is in its key."""
        drawn_on = specs.call_named(self.resources, arguments)
        code = specs.code_digest(self.extract)
        key = f"{specs.complete(self.feature, arguments)}{drawn_on}{code}"
        if inner:
            key = f"inner of {key}"
        return Feature(
            key,
            self.extract,
            arguments,
            self.grey,
            together=self.extract_many,
            small=self.small and specs.call_named(self.small, arguments),
            inner=inner,
            of_seen=self.of_seen,
        )

    def _turned(
        self, feature: Feature, seen_in: Arguments, *, by_distance: bool
    ) -> tuple[Feature, ...]:
        """The feature in the other orientations that count, unless the distance tries them."""
        if seen_in["orientations"] == 1 or by_distance:
            if not seen_in["mirror"]:
                return ()
            key = f"mirror of {feature.key}"
            return (dataclasses.replace(feature, key=key, orientation=MIRROR),)
        turned = []
        # turns are nothing to keypoints
        for orientation in (MIRROR,) if self.feature_kind == "keypoints" else TURNED:
            changed = dataclasses.replace(
                feature,
                key=f"orientation {orientation} of {feature.key}",
                orientation=orientation,
                small=feature.small and turned_size(feature.small, orientation),
                turn=self.turn,
                plain=feature,
            )
            turned.append(changed)
        return tuple(turned)


REGISTRY: dict[str, Definition] = {}
"""Every method by the name that specs use."""


def method(name: str | None = None, **options) -> Callable[[Extract], Extract]:
    """Return a decorator that registers the function below it as the `extract` of a method.

    Args:
        name: as in specs; by default the function's own.
        options: as :func:`register` takes them.
    """

    def decorate(extract: Extract) -> Extract:
        register(name or extract.__name__, extract, **options)
        return extract

    return decorate


def register(  # noqa: PLR0913
    name: str,
    extract: Callable[..., Any],
    *,
    distance: Callable[..., float],
    maximum: float | Callable[..., float],
    unit: str = "",
    grey: bool = False,
    compare_many: Callable[..., ndarray] | None = None,
    restore: Callable[..., Any] | None = None,
    feature: str | None = None,
    symmetric: bool = True,
    resources: Callable[..., str] = lambda: "",
    feature_kind: FeatureKind | None = None,
    extract_many: Callable[..., Sequence[Any]] | None = None,
    small: Callable[..., Size] | None = None,
    turn: Callable[[Any, int], Any] | None = None,
    of_seen: bool = False,
    replace: bool = False,
) -> None:
    """Add a method: from then on its spec works in studies, evaluation, ensembles and searches.

    Args:
        name: as in specs; keyword-only arguments of `extract` and `distance` become the arguments
            of the spec, checked where they are annotated with
            ``Annotated[float, specs.between(0, 1)]`` or ``Literal["a", "b"]``.
        extract: picture (PIL RGB) → array of numbers or bits, or a tuple of arrays; None where
            there is no evidence.
        distance: two such features → float from 0 (the same) to `maximum`; rounding may step over
            these. None where the two together are no evidence.
        maximum: largest distance, given where one side has no evidence; or a function of the spec's
            arguments.
        unit: of the distance, for axes.
        grey: `extract` is given the 8-bit grey picture instead.
        compare_many: (features stacked to (n, …), indexes of the left ones, of the right ones) →
            distances; makes a fast method of it.
        restore: from the stored tuple of arrays to what `distance` takes; by default the array, or
            the tuple.
        feature: name that methods with the same `extract` share, so that it runs once for all of
            them.
        symmetric: False where the distance changes when reference and query change places.
        resources: text that stands for the files or packages drawn on (a version, a digest), from
            the arguments it names: part of the cache key. It is called when a spec is read, and may
            raise ValueError if one is missing.
        feature_kind: what the feature is: ``"bits"``, ``"vector"`` or ``"keypoints"``; None to see
            it by a feature.
        extract_many: (list of pictures, the arguments of `extract`) → a feature for each: one
            process, which holds a network or a graphics card, then makes the features of all
            pictures, a batch at a time. What it gives must not depend on the batch.
        small: size (width, height) of the grey copy, scaled by Pillow's LANCZOS, that is all that
            `extract` looks at, from the spec's arguments: hashes of turned pictures are made of it.
        turn: (feature, orientation) → the feature of the picture in that orientation
            (:mod:`simlab.methods.orientations`); by default it is extracted anew.
        of_seen: `extract` takes a :class:`Seen`, too: with that of the picture as it is, nothing
            is made twice.
        replace: allow a name that is taken. A function defined again in a notebook always replaces
            itself.

    Raises:
        ValueError: the name is taken, no identifier, a column of the score table or an ensemble's;
            an argument has no default; or there is no such kind of feature.

    >>> def mean_colour(image): return np.asarray(image).mean(axis=(0, 1))
    >>> def apart(a, b): return float(np.abs(a - b).max())
    >>> register("mean_colour", mean_colour, distance=apart, maximum=255, unit="levels")
    >>> get("mean_colour").name
    'mean_colour'
    >>> del REGISTRY["mean_colour"]
    """
    _check_name(name, extract, replace)
    if feature_kind not in (None, *get_args(FeatureKind)):
        allowed = ", ".join(map(repr, get_args(FeatureKind)))
        raise ValueError(f"feature_kind must be {allowed} or None; given {feature_kind!r}")
    for function in (extract, distance, resources, _seen_in):
        specs.defaults_of(function)  # reads its signature, once
    if not callable(maximum):
        specs.check_number("maximum", maximum, 0)
    REGISTRY[name] = Definition(
        name,
        extract,
        distance,
        maximum,
        unit,
        grey,
        compare_many,
        restore or _only,
        feature or name,
        symmetric,
        resources,
        feature_kind,
        extract_many,
        small,
        turn,
        of_seen,
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


def resolve(methods: Names | None = None) -> list[Method]:
    """Return the methods of a spec, a text with commas or a list of specs, without repeats.

    None stands for :data:`DEFAULT`.

    Raises:
        ValueError: none is named, or one is unknown.
    """
    texts = specs.names(DEFAULT if methods is None else methods, "methods")
    return list({one.name: one for one in map(get, texts)}.values())


def extract_all(image: Picture, features: Iterable[Feature]) -> dict[str, bytes]:
    """Return the packed features of an RGB picture by key; all ``b""`` where it is flat."""
    wanted = list(features)
    # most pictures are seen not to be flat by a few of their pixels
    if is_flat(image.resize((32, 32), Image.Resampling.NEAREST)) and is_flat(image):
        return {feature.key: b"" for feature in wanted}
    seen = Seen(image)
    return {feature.key: feature.extract(seen) for feature in wanted}


@functools.cache
def versions() -> str:
    """Return the versions that decide what a feature is, as one text: part of every cache key."""
    modules = {"pillow": PIL, "opencv": cv2, "imagehash": imagehash, "numpy": np, "scipy": scipy}
    words = [f"{name}={module.__version__}" for name, module in modules.items()]
    return " ".join([f"extractor={EXTRACTOR}", *words])


def _check_name(name: str, extract: Callable, replace: bool) -> None:
    specs.check_kind("name", name, str, "a text")
    taken = name in SCORE_COLUMNS or is_fitted(name)
    if not name.isidentifier() or keyword.iskeyword(name) or taken:
        raise ValueError(
            "name must be a Python identifier, no column of the score table and not begin with"
            f" {FITTED!r}; given {name!r}"
        )
    if replace or name not in REGISTRY:
        return
    # the same function, defined again, may have its name
    if specs.origin(REGISTRY[name].extract) != specs.origin(extract):
        raise ValueError(f"the method {name!r} exists; choose another name or say replace=True")


def _seen_in(*, mirror: bool = False, orientations: Orientations = 1, inner: bool = False) -> None:
    """Holds the arguments that every method has."""


def _only(arrays: tuple) -> Any:
    return arrays[0] if len(arrays) == 1 else arrays


def within(distances: ndarray, maximum: float, name: str) -> ndarray:
    """Return distances, set right where they step over 0 or the maximum by rounding.

    Raises:
        ValueError: one is no number, or further outside.
    """
    inside = np.clip(distances, 0.0, maximum)
    wrong = ~(np.abs(distances - inside) <= 1e-6 * max(1.0, maximum))  # and so for NaN
    if wrong.any():
        raise ValueError(
            f"{name} gave the distance {distances[wrong][0]}; it must lie in 0 to {maximum}"
            " (its stated maximum)"
        )
    return inside


_FIRST_NAME = re.compile(r"\s*(\w+)")


def columns(scores: DataFrame, methods: Names | None = None, *, fitted: bool = True) -> list[str]:
    """Return the names of the distance columns of a score table: as named, else those of methods.

    By default these are the columns named by the spec of a registered method, and an ensemble's
    own, in the order of the table. Any other column must be named: another tool's distance, or a
    method that is not registered here.

    Args:
        methods: columns to take; one name, several with commas, or a list.
        fitted: whether an ensemble's own columns may be among them.

    Raises:
        ValueError: a column is missing, there twice, or holds no numbers; no column names a method;
            or one is an ensemble's and must not be.

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


def is_spec(name: object) -> bool:
    """Return whether a column's name is the spec of a registered method, whatever its arguments."""
    first = _FIRST_NAME.match(name) if isinstance(name, str) else None
    if first is None or first[1] not in REGISTRY:
        return False
    try:
        return len(specs.parse(name)) == 1
    except ValueError:
        return False


def _known(scores: DataFrame) -> list[str]:
    return [name for name in scores if is_spec(name) or is_fitted(name)]


def _check_noted(scores: DataFrame, known: list[str]) -> None:
    """Refuse what the table says is a method and is none here: nobody would miss it."""
    noted = [name for name in scores.attrs.get("methods", ()) if name in scores]
    unknown = [name for name in noted if name not in known]
    if unknown:
        raise ValueError(
            f"{unknown[0]!r} is a method of these scores that is not registered here: register it,"
            f" or say methods={noted!r}"
        )


def _offered(scores: DataFrame) -> str:
    """What may be named, in words: columns that name a method, others that could be distances."""
    known = _known(scores)
    others = []
    for name, dtype in scores.dtypes.items():
        is_other = name not in known and name not in SCORE_COLUMNS
        if is_other and pd.api.types.is_float_dtype(dtype):
            others.append(str(name))
    words = ", ".join(known) or "the columns of distances, of which none is named by a method"
    if not others:
        return words
    return f"{words}; others are to be named, such as methods={', '.join(others)!r}"


def _check_distances(scores: DataFrame, name: str, fitted: bool) -> None:
    if is_fitted(name) and not fitted:
        raise ValueError(
            f"{name!r} is an ensemble's own distance, made with the labels of these pairs; an"
            " ensemble is not fitted on it: leave it out of methods"
        )
    column = scores[name]
    if isinstance(column, DataFrame):
        raise ValueError(f"the column {name!r} is there {column.shape[1]} times")
    dtype = column.dtype
    is_number = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    if not is_number and len(column):
        raise ValueError(f"the column {name!r} holds no distances but {dtype}; numbers are needed")
