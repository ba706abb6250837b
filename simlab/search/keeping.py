"""Which of two copies to keep: the one from which the other could have been made, and why.

Read :func:`choose` first. One picture is laid on the other; then each sign that one of them was
edited speaks for the other, the stronger the more: rules, and how natural the two look
(:mod:`~simlab.search.nature`). Some edits leave no sign (a mirror image may be the original), and
then nothing is said. The numbers are measured by ``benchmarks/keep.py``.
"""

import functools
import itertools
import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from simlab.images import Traces, read_image, to_grey, traces_of
from simlab.methods import alignment
from simlab.methods.contradiction import contradictions
from simlab.methods.frames import resized
from simlab.methods.registry import versions
from simlab.scoring.cache import key
from simlab.scoring.features import Data, Store, bytes_of
from simlab.scoring.workers import run
from simlab.search.nature import WEIGHTS, WHAT_IS_WRONG, Looks, coefficients_of, looks_of
from simlab.tables import connected_sources

VERSION = 8
"""Part of the cache key of every choice: raised when one may come out otherwise."""

SURE = 1.0
"""Evidence, added up, from which one of two is said to be better."""

_MOST = 3.0  # that one sign speaks


_FEW = 12  # pairs of a group, all of which are asked
_ROUNDS = 3


class Choice(NamedTuple):
    """Which of two pictures to keep."""

    better: int
    """0 the first, 1 the second, -1 nobody can tell."""
    reason: str
    """What tells that the other is not the original; "" where nothing does."""
    likelier: int = -1
    """As better, where nobody can tell: the one for which a little speaks."""


_NOBODY_KNOWS = Choice(-1, "")


class _Picture(NamedTuple):
    """A picture, and what its file says of how it was made."""

    rgb: np.ndarray
    grey: np.ndarray
    looks: alignment.Looks
    traces: Traces


class _Sign(NamedTuple):
    """What speaks for one of two pictures."""

    weight: float
    """Over 0 for the first, under 0 for the second."""
    reason: str
    """What is wrong with the other."""
    part: float = 1.0
    """Of the weight, that counts."""


_NOTHING = _Sign(0.0, "")


def with_choices(compared: pd.DataFrame, store: Store) -> pd.DataFrame:
    """Return compared pairs with keep, the better file of the two, keep_reason, and likelier.

    The first two are empty for what is no copy, where nobody can tell, and where it was not asked:
    of a large group, all are held against the likeliest original. Where nobody can tell, likelier
    is the file for which a little speaks.
    """
    copies = compared[compared["verdict"].isin(["identical", "copy"])]
    sources = connected_sources(copies.assign(label=1))["source_reference"]
    groups = []
    for _, rows in copies.groupby(sources.to_numpy()):
        groups.append(list(zip(rows["reference"], rows["query"])))
    said: dict[tuple[str, str], Choice] = {}
    for _ in range(_ROUNDS):
        wanted = []
        for pairs in groups:
            wanted.extend(pair for pair in _worth_asking(pairs, said) if pair not in said)
        said |= _asked(wanted, store)
    keep = []
    reasons = []
    likelier = []
    for pair in zip(compared["reference"], compared["query"]):
        choice = said.get(pair, _NOBODY_KNOWS)
        first_second_none = (*pair, "")
        keep.append(first_second_none[choice.better])
        reasons.append(choice.reason)
        likelier.append(first_second_none[choice.likelier])
    return compared.assign(keep=keep, keep_reason=reasons, likelier=likelier)


def _worth_asking(
    pairs: list[tuple[str, str]], said: dict[tuple[str, str], Choice]
) -> list[tuple[str, str]]:
    """All pairs of a small group; of a large one those of the likeliest original."""
    if len(pairs) <= _FEW:
        return pairs
    n_pairs = Counter(itertools.chain.from_iterable(pairs))
    n_better: Counter[str] = Counter()
    for pair in pairs:
        choice = said.get(pair, _NOBODY_KNOWS)
        if choice.better >= 0:
            n_better[pair[choice.better]] += 1
            n_better[pair[1 - choice.better]] -= len(pairs)
    likeliest = max(sorted(n_pairs), key=lambda file: (n_better[file], n_pairs[file]))
    return [pair for pair in pairs if likeliest in pair]


def _asked(pairs: list[tuple[str, str]], store: Store) -> dict[tuple[str, str], Choice]:
    """What is chosen of each pair, from the cache or anew."""
    store.read(itertools.chain.from_iterable(pairs))
    keys = {}
    for pair in pairs:
        contents = [store.contents.get(file, "") for file in pair]
        keys[pair] = key("keep", str(VERSION), versions(), *contents)
    kept = store.cache.get(keys.values())
    tasks = ((pair, _task(pair, store)) for pair in pairs if keys[pair] not in kept)
    made = {}
    for pair, choice in run(_choose_or_not, tasks, n_jobs=store.n_jobs):
        # a worker that died says nothing
        answer = choice if isinstance(choice, Choice) else _NOBODY_KNOWS
        made[keys[pair]] = json.dumps(answer).encode()
    store.cache.put(made)
    kept |= made
    return {pair: Choice(*json.loads(kept[its_key])) for pair, its_key in keys.items()}


def _task(pair: tuple[str, str], store: Store) -> tuple:
    """What tells of both files, as workers are given it, and their names."""
    return (*map(store.data, pair), pair)


def _choose_or_not(first: Data, second: Data, names: tuple[str, str]) -> Choice:
    contents = [bytes_of(first), bytes_of(second)]
    if not all(isinstance(content, bytes) for content in contents):
        return _NOBODY_KNOWS
    if contents[0] == contents[1]:
        return Choice(int(names[1] < names[0]), "the same file, byte for byte")
    try:
        return choose(*contents, names)
    except Exception:  # whatever is odd about a picture: one choice, not the run
        return _NOBODY_KNOWS


def choose(first: bytes, second: bytes, names: tuple[str, str] = ("", "")) -> Choice:
    """Return which of two copies, given as the bytes of their files, is better.

    Args:
        names: of the files, by which a TGA is known.

    Raises:
        ImageError: one of them is no picture.
    """
    a = _picture(first, names[0])
    b = _picture(second, names[1])
    signs = _signs_of_files(a.traces, b.traces)
    if np.array_equal(a.rgb, b.rgb):
        # no encoder makes the very pixels of a decoded JPEG from anything else
        signs.append(_Sign(float(_is_jpeg(a)) - float(_is_jpeg(b)), "a JPEG saved anew"))
    else:
        signs.extend(_signs(a, b))
    total = sum(sign.weight * sign.part for sign in signs)
    better = int(total < 0)
    if total == 0:
        return _NOBODY_KNOWS
    if abs(total) < SURE:
        return Choice(-1, "", likelier=better)
    strongest = max(signs, key=lambda sign: sign.weight * total)
    return Choice(better, strongest.reason)


@functools.lru_cache(maxsize=2)
def _picture(data: bytes, name: str) -> _Picture:
    image = read_image(data, name=name)
    grey = np.asarray(to_grey(image), dtype=np.float32)
    return _Picture(np.asarray(image), grey, alignment.looks(image), traces_of(data, name))


def _is_jpeg(picture: _Picture) -> bool:
    return picture.traces.steps is not None


def _sign(difference: float, dead: float, scale: float, reason: str) -> _Sign:
    """What a difference says that may be as large as `dead` by chance, and is 1 at `scale`."""
    beyond = max(0.0, abs(difference) - dead) / scale
    return _Sign(math.copysign(min(beyond, _MOST), difference), reason)


def _signs_of_files(a: Traces, b: Traces) -> list[_Sign]:
    more = float(bool(a.unseen)) - float(bool(b.unseen))
    what = a.unseen or b.unseen
    described = float(a.n_tags > b.n_tags) - float(b.n_tags > a.n_tags)
    return [
        _Sign(_MOST * more, f"it lacks what the other has: {what}"),
        _Sign(0.6 * described, "it lacks what a camera noted in the file"),
    ]


def _signs(a: _Picture, b: _Picture) -> list[_Sign]:
    """What speaks for one of two pictures whose pixels differ."""
    laid = _laid(a, b)
    to_b = laid.to_second
    to_a = np.linalg.inv(to_b)
    shown_a = _shown(a, b, to_a, laid.things[0])
    shown_b = _shown(b, a, to_b, laid.things[1])
    seen_a = _seen(a, shown_a)
    seen_b = _seen(b, shown_b)
    scale = math.sqrt(abs(np.linalg.det(to_b[:2, :2] / to_b[2, 2])))
    finer = math.log(seen_a.detail / seen_b.detail) - math.log(scale) / 2
    put_on = laid.put_on
    if put_on.weight * finer < -_SOFTER * abs(put_on.weight):
        put_on = _NOTHING  # what the softer lacks was not put on the other
    signs = [put_on, _sign_of_extent(a, b, to_a, 1), _sign_of_extent(b, a, to_b, -1)]
    if laid.is_whole and a.grey.shape == b.grey.shape:
        frame = _frame(a, b, (seen_a, seen_b), shown_a & shown_b)
        return _signs_of_one_frame(a, b, frame, signs)
    if laid.is_whole:
        pixels = _sign_of_pixels(a.grey, b.grey)
        if pixels.weight:
            return [*signs, pixels]
    return [*signs, _sign_of_detail(seen_a, seen_b, scale, by_filter=math.inf)]


class _Laid(NamedTuple):
    """How two pictures lie on each other."""

    to_second: np.ndarray
    """float (3, 3): from pixels of the first to those of the second."""
    is_whole: bool
    """Whether the whole of one is the whole of the other."""
    put_on: _Sign
    """What speaks for the one on which nothing was put."""
    things: Sequence[np.ndarray | None] = (None, None)
    """Where, in the pixels of each, one of them has something of its own."""


def _laid(a: _Picture, b: _Picture) -> _Laid:
    of_whole = resized(a.grey, b.grey)
    found = contradictions(a.looks, b.looks)
    if found is None:
        likeness = alignment.likeness(a.looks.grey, b.looks.grey, np.eye(3))
        return _Laid(of_whole, likeness > alignment.GOOD_FIT, _NOTHING)
    to_b = found.to_query @ np.linalg.inv(found.to_reference)
    is_whole = _moves(a, to_b, of_whole) < _IN_PLACE * max(b.grey.shape)
    hulls = [_hulls(places) for places in (found.own_reference, found.own_query)]
    # what lies within the things of the other is hidden
    share_a = float((found.own_reference & ~hulls[1]).mean()) + 0.003
    share_b = float((found.own_query & ~hulls[0]).mean()) + 0.003
    put_on = _sign(math.log(share_b / share_a), 0.7, 0.4, "something was put on it")
    both = (hulls[0] | hulls[1]).astype(np.uint8)
    things = []
    for side, to_pixels in ((a, found.to_reference), (b, found.to_query)):
        things.append(cv2.warpPerspective(both, to_pixels, side.grey.shape[::-1]))
    return _Laid(to_b, is_whole, put_on, things)


class _Frame(NamedTuple):
    """What is seen of two pictures that lie on each other, pixel on pixel."""

    both: np.ndarray
    """bool (height, width): where both show the same."""
    seen: tuple["_Seen", "_Seen"]
    left: tuple["_Left", "_Left"]
    is_toned: bool
    """Whether one is lighter, or darker, than the other."""


def _signs_of_one_frame(
    a: _Picture, b: _Picture, frame: _Frame, others: list[_Sign]
) -> list[_Sign]:
    """All signs of two pictures that lie on each other, with the others, that tell of things."""
    proofs = [_MADE_OF_OTHER, _LESS_COLOUR]
    if frame.is_toned:
        proofs.append(_FOLLOW)
    in_place = []
    for sign in _signs_in_place(a, b, frame):
        part = _OF_RULES
        if sign.reason in proofs:
            part = _OF_PROOFS
        in_place.append(sign._replace(part=part))
    differs = np.median(np.abs(a.grey - b.grey)) > _OTHER_TONE
    signs = _unless_opposed(others, in_place, bool(differs))
    return signs + _signs_of_looks(a, b, frame)


_OF_RULES = 0.42
"""Part of what a rule says, that counts where how natural the two look does too."""
_OF_PROOFS = 0.88
_FOLLOW = "its levels follow from those of the other"
_LESS_COLOUR = "it has less colour"
_MADE_OF_OTHER = "it is the other one, compressed"


def _frame(a: _Picture, b: _Picture, seen: tuple["_Seen", "_Seen"], both: np.ndarray) -> _Frame:
    is_cut_off = (a.rgb == 0) | (a.rgb == 255) | (b.rgb == 0) | (b.rgb == 255)
    inside = both & ~is_cut_off.any(axis=2)  # what is cut off follows from nothing
    left = (_left_by_filter(a.grey, b.grey, inside), _left_by_filter(b.grey, a.grey, inside))
    smooth = [cv2.GaussianBlur(picture.grey, (0, 0), 2.0)[both] for picture in (a, b)]
    is_toned = np.median(np.abs(smooth[0] - smooth[1])) > _OTHER_TONE
    return _Frame(both, seen, left, bool(is_toned))


def _signs_of_looks(a: _Picture, b: _Picture, frame: _Frame) -> list[_Sign]:
    """What speaks for the one that looks more natural."""
    seen = frame.seen
    looks = []
    for picture, its in zip((a, b), seen):
        measured = {"sharpness": its.detail, "noise": its.noise}
        looks.append(looks_of(picture.rgb, picture.grey, frame.both, **measured))
    in_detail = frame.left[int(seen[0].detail <= seen[1].detail)].in_detail
    if math.isnan(in_detail):
        in_detail = 1.0
    in_detail = min(4.0, max(-1.0, in_detail)) - 1.5
    apart = math.log(np.square(a.grey - b.grey)[frame.both].mean() + 0.05)
    factors = Looks(1, 1, 1, 1, 1, grain=in_detail, colours=in_detail, zeros=3 - apart)
    if frame.is_toned:
        factors = factors._replace(white=0.1)  # what is lighter has more
    if min(seen[0].colour, seen[1].colour) < _COLOURED:
        factors = factors._replace(colours=0)
    signs = []
    for first, second, factor, weight, reason in zip(*looks, factors, WEIGHTS, WHAT_IS_WRONG):
        evidence = (first - second) * factor * weight
        signs.append(_Sign(max(-_OF_LOOKS, min(_OF_LOOKS, evidence)), reason))
    return signs


_OF_LOOKS = 2.6  # that one of them speaks at most
_COLOURED = 1.2  # mean difference of channels


def _unless_opposed(signs: list[_Sign], in_place: list[_Sign], is_toned: bool) -> list[_Sign]:
    """All signs, unless that of things opposes that of levels.

    A change of levels wipes things out; a pale thing on even ground looks like one of levels.
    """
    if signs[0].weight * in_place[0].weight > -2 * SURE:
        return signs + in_place
    return in_place if is_toned else []


_SOFTER = 0.15
_IN_PLACE = 0.01
"""Share of the longer side: no corner is moved by more."""


def _moves(picture: _Picture, transform: np.ndarray, other: np.ndarray) -> float:
    """How far apart two transforms bring a corner of a picture at most."""
    corners = _corners(picture.grey)[None]
    apart = cv2.perspectiveTransform(corners, transform) - cv2.perspectiveTransform(corners, other)
    return float(np.abs(apart).max())


def _signs_in_place(a: _Picture, b: _Picture, frame: _Frame) -> list[_Sign]:
    """What rules say of two pictures that lie on each other, pixel on pixel."""
    both, seen, left, is_toned = frame
    grain = _sign_of_grain(seen, left)
    if grain.weight and not is_toned:
        return [grain]
    levels = _sign_of_levels(a.rgb[both], b.rgb[both])
    if abs(levels.weight) > SURE:
        return [levels]  # whatever a change of levels did to the rest
    tables = _sign_of_tables(a, b)
    if abs(tables.weight) == _MOST:
        return [tables]
    by_filter = left[0].share / left[1].share
    if seen[0].detail <= seen[1].detail:
        by_filter = 1 / by_filter
    detail = _sign_of_detail(*seen, 1.0, by_filter)
    if is_toned:
        detail = _hint(detail)  # other tones, other edges
    signs = [levels, tables, detail]
    if max(seen[0].noise, seen[1].noise) <= 2 * min(seen[0].noise, seen[1].noise) + _NOISY:
        # noise has colours
        colours = math.log((seen[0].colour + 2) / (seen[1].colour + 2))
        signs.append(_sign(colours, 0.7, 0.3, _LESS_COLOUR))
    return signs


def _hint(sign: _Sign) -> _Sign:
    """What is not enough by itself: an original may be compressed more than its edited copy."""
    return _Sign(max(-_HINT, min(_HINT, sign.weight)), sign.reason)


_HINT = 0.9
_LEAST_INSIDE = 500  # pixels
_OTHER_TONE = 4.0  # grey levels


class _Left(NamedTuple):
    """What is left of a picture when another, blurred or sharpened, is taken off."""

    share: float = 1.0
    """Of its detail."""
    size: float = -math.inf
    """Log of the mean square, in grey levels."""
    in_detail: float = math.nan
    """Log of how much more of it there is where the other is most detailed than where least; NaN
    where the other is as detailed everywhere.
    """


def _left_by_filter(grey: np.ndarray, other: np.ndarray, inside: np.ndarray) -> _Left:
    layers = [cv2.GaussianBlur(other, (0, 0), sigma)[inside] for sigma in (0.6, 1.2, 2.5, 4.0)]
    layers.append(cv2.blur(other, (3, 3))[inside])
    if len(layers[0]) < _LEAST_INSIDE:
        return _Left()
    columns = np.column_stack([other[inside], *layers, np.ones_like(layers[0])])
    some = slice(None, None, 1 + len(columns) // 20_000)
    weights = np.linalg.lstsq(columns[some], grey[inside][some], rcond=None)[0]
    squares = np.zeros_like(grey)
    squares[inside] = (grey[inside] - columns @ weights) ** 2
    smallest = np.sort(squares[inside][some])
    smallest = smallest[: int(_NEARLY_ALL * len(smallest))]
    share = float(smallest.mean() + 0.01) / _detail_of(grey, 2.5)[inside].var()
    around = cv2.blur(squares, (8, 8))[inside][::3]
    detail = cv2.blur(_detail_of(other, 2.0) ** 2, (12, 12))[inside][::3]
    most = detail >= np.quantile(detail, 0.75)
    least = detail <= np.quantile(detail, 0.25)
    in_detail = math.nan
    if detail[most].mean() > _UNEVEN * detail[least].mean():
        in_detail = math.log((around[most].mean() + 0.05) / (around[least].mean() + 0.05))
    return _Left(share, math.log(around.mean() + 0.01), in_detail)


def _detail_of(grey: np.ndarray, sigma: float) -> np.ndarray:
    return grey - cv2.GaussianBlur(grey, (0, 0), sigma)


def _sign_of_grain(seen: tuple["_Seen", "_Seen"], left: tuple[_Left, _Left]) -> _Sign:
    """Whether what one has more than the other is noise, which was added, or detail, which went.

    Noise is everywhere alike. What a median or a motion took is missing where the detail is, and
    no filter brings it back.
    """
    finer = math.log(seen[0].detail / seen[1].detail)
    sharper = int(finer < 0)
    more = left[sharper]
    of_other = left[1 - sharper].in_detail
    weight = math.copysign(_MOST, finer)
    if more.size < _LARGE:
        return _NOTHING
    is_noisier = seen[sharper].noise > 1.3 * seen[1 - sharper].noise + 0.7
    if is_noisier and abs(finer) > 0.04 and more.in_detail < 0.6:
        return _Sign(-weight, "noise was added to it")
    if abs(finer) > 0.15 and more.in_detail > 2.4 and of_other > more.in_detail + 0.1:
        return _Sign(weight, "it shows less detail")
    return _NOTHING


_LARGE = 3.0  # log of grey levels squared
_UNEVEN = 4  # times as much detail in a quarter of a picture as in another


def _sign_of_pixels(a: np.ndarray, b: np.ndarray) -> _Sign:
    """Whether one is the other enlarged by repeating its pixels."""
    small, large, side = (a, b, 1) if a.size < b.size else (b, a, -1)
    apart = []
    for interpolation in (cv2.INTER_NEAREST_EXACT, cv2.INTER_CUBIC):
        enlarged = cv2.resize(small, large.shape[::-1], interpolation=interpolation)
        apart.append(float(np.abs(enlarged - large).mean()))
    is_repeated = apart[0] < _REPEATED * apart[1]
    return _Sign(side * _MOST * is_repeated, "it was enlarged")


_REPEATED = 0.8


def _hulls(places: np.ndarray) -> np.ndarray:
    """Places with what lies between: inside a plain sticker nothing else shows that it is one."""
    hulls = np.zeros(places.shape, dtype=np.uint8)
    around, _ = cv2.findContours(
        places.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    for contour in around:
        cv2.fillConvexPoly(hulls, cv2.convexHull(contour), 1)
    return hulls > 0


_SURPLUS = 0.015  # share of a picture that shows more than the other


def _sign_of_extent(outer: _Picture, inner: _Picture, to_outer: np.ndarray, side: int) -> _Sign:
    """Whether the outer picture shows more than the inner, or has been framed.

    Around a frame the outline of the inner picture is seen as an edge; a crop ends anywhere.
    """
    view = outer.looks.view.astype(np.float32)
    to_view = resized(outer.grey, view) @ to_outer
    outline = cv2.perspectiveTransform(_corners(inner.grey)[None], to_view)[0]
    common, _ = cv2.intersectConvexConvex(cv2.convexHull(outline), _corners(view))
    if 1 - common / view.size < _SURPLUS:
        return _NOTHING
    crossings = []
    for start, end in zip(outline, np.roll(outline, -1, axis=0)):
        crossing = _across(view, start, end)
        if crossing is not None:
            crossings.append(crossing)
    if not crossings:
        return _NOTHING
    framed = min(crossing.step for crossing in crossings) - _FRAMED
    weight = max(-2.0, min(2.0, 4 * framed))
    if framed < 0 and max(crossing.goes_on for crossing in crossings) < _GOES_ON:
        weight = 0.0  # a white bar beside a white page, as likely as not
    reason = "a frame, bars or another picture were put around it" if framed > 0 else "it is a part"
    return _Sign(-side * weight, reason)


def _corners(grey: np.ndarray) -> np.ndarray:
    height, width = grey.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    return corners - np.float32(0.5)


_FRAMED = 0.9  # log of how much stronger than others nearby an edge is along an outline
_ASIDE = 9  # pixels of the view


_GOES_ON = 0.5


class _Crossing(NamedTuple):
    """What is seen across a line in a picture."""

    step: float
    """How much stronger the edge along it is than those beside it."""
    goes_on: float
    """Correlation of the levels on its two sides, -1 to 1; 0 where one side is even."""


def _across(view: np.ndarray, start: np.ndarray, end: np.ndarray) -> _Crossing | None:
    """What is seen across a line; None at the border."""
    length = float(np.hypot(*(end - start)))
    along = np.linspace(0.03, 0.97, max(8, int(length)))[:, None]
    across = np.array([-(end - start)[1], (end - start)[0]]) / max(length, 1.0)
    aside = np.arange(-_ASIDE - 1, _ASIDE + 2)
    points = (start + (end - start) * along)[None] + across * aside[:, None, None]
    points = points.astype(np.float32)
    inside = ((points >= 0) & (points <= np.array(view.shape[::-1]) - 1)).all(axis=2)
    is_clear = inside[aside == -6][0] & inside[aside == 6][0]
    if is_clear.mean() < 0.25:
        return None
    smooth = cv2.GaussianBlur(view, (0, 0), 0.7)
    levels = cv2.remap(smooth, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    steps = np.abs(levels[2:] - levels[:-2])[:, is_clear].mean(axis=1)
    near = np.abs(aside[1:-1])
    step = math.log((steps[near <= 2].max() + 1) / (np.median(steps[near >= 4]) + 1))
    sides = levels[[aside.tolist().index(-3), aside.tolist().index(3)]][:, is_clear]
    first, second = sides - sides.mean(axis=1, keepdims=True)
    contrast = math.sqrt(float((first**2).mean() * (second**2).mean()))
    goes_on = float((first * second).mean()) / (contrast + _EVEN)
    return _Crossing(step, goes_on)


_EVEN = 4.0  # grey levels squared


def _shown(
    picture: _Picture, other: _Picture, to_picture: np.ndarray, things: np.ndarray | None
) -> np.ndarray:
    """Where a picture shows what the other does too, bool (height, width)."""
    whole = np.ones(other.grey.shape, np.uint8)
    size = picture.grey.shape[::-1]
    shown = cv2.warpPerspective(whole, to_picture, size, flags=cv2.INTER_NEAREST)
    if things is not None:
        shown &= 1 - cv2.dilate(things, np.ones((7, 7), np.uint8))
    # the outline is known to a pixel of the view; black corners beside it are no detail
    rim = 9 + max(picture.grey.shape) // 100 * 2
    inner = cv2.erode(shown, np.ones((rim, rim), np.uint8), borderValue=1) > 0
    return inner if inner.sum() > 1000 else np.ones_like(inner)


class _Seen(NamedTuple):
    """What is measured of a picture, where the other shows the same."""

    detail: float
    """Curvature by slope, at the strongest edges: half of it where a picture is twice as large."""
    n_edges: int
    """Pixels that are the strongest edges."""
    noise: float
    """Grey levels, in the evenest parts."""
    colour: float
    """Mean of the largest channel less the smallest."""


def _seen(picture: _Picture, shown: np.ndarray) -> _Seen:
    grey = picture.grey
    across = cv2.Scharr(grey, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(grey, cv2.CV_32F, 0, 1, scale=1 / 32)
    slope = cv2.magnitude(across, down)
    strongest = shown & (slope > max(4.0, float(np.quantile(slope[shown][::5], 0.95))))
    edges = cv2.dilate(strongest.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    edges &= shown
    curvature = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    detail = curvature[edges].sum() / (slope[edges].sum() + 1)
    corners = cv2.filter2D(grey, -1, np.array([[0.5, -0.5], [-0.5, 0.5]]))
    noise = cv2.blur(np.abs(corners), (16, 16))
    rgb = picture.rgb[shown]
    most = rgb.max(axis=1)
    least = rgb.min(axis=1)
    return _Seen(
        float(detail) + 0.01,
        int(strongest.sum()),
        float(np.quantile(noise[shown][::7], 0.1)),
        float((most - least).mean()),
    )


def _sign_of_detail(a: _Seen, b: _Seen, scale: float, by_filter: float) -> _Sign:
    """Which shows more, unless it is only harsher.

    A copy that was made smaller is as sharp as the original, pixel by pixel, and one that was made
    larger is less sharp: half-way between the two, on a scale of logarithms, neither is better.

    Args:
        by_filter: what is left of the sharper when the other, filtered, is taken off, by what is
            left the other way round.
    """
    finer = math.log(a.detail / b.detail) - math.log(scale) / 2
    if min(a.n_edges, b.n_edges) < _LEAST_EDGES:
        return _NOTHING  # in a smooth picture noise passes for detail
    sharper, other = (a, b) if finer > 0 else (b, a)
    is_noisier = sharper.noise > other.noise + _NOISY
    if is_noisier and sharper.detail > _HARSH and by_filter < _SOFTENED:
        return _sign(-finer, 0.0, 0.05, "noise was added to it, or it was sharpened")
    if by_filter < _SHARPENED:
        return _sign(-finer, 0.0, 0.1, "it was sharpened")
    if by_filter < _SOFTENED:
        return _NOTHING
    return _sign(finer, 0.04, 0.06, "it shows less detail")


_LEAST_EDGES = 200
_SHARPENED = 0.7
_SOFTENED = 3.0
_HARSH = 2.6
_NOISY = 2.5


def _sign_of_tables(a: _Picture, b: _Picture) -> _Sign:
    """Whether one is what compression makes of the other, as the steps of a JPEG say.

    Then no coefficient differs by more than half a step. Where both might be, the one with the
    finer steps is: the coarser ones would have moved more.
    """
    differences = coefficients_of(a.grey - b.grey)
    # of a block, no mean differs by much in any colour
    means = cv2.blur(a.rgb.astype(np.float32) - b.rgb, (8, 8))
    colours_apart = np.quantile(np.abs(means[::4, ::4]), 0.998)
    steps = [_steps(picture) for picture in (a, b)]
    made_of_other = []
    for its_steps in steps:
        mean = _mean_of_lowest(its_steps)
        is_made_of_other = colours_apart < 4 + mean / 3 and _is_rounding(differences, its_steps)
        made_of_other.append(mean if is_made_of_other else math.inf)
    coarser = np.log(steps[1] / steps[0])
    known = coarser[np.isfinite(coarser)]
    if len(known) >= _LEAST_STEPS and np.abs(known).max() < _EQUAL and colours_apart < 4:
        # both were the same JPEG once; saved anew with finer steps, it is no better
        made_of_other = [_mean_of_lowest(side.traces.steps) for side in (a, b)]
    if made_of_other[0] != made_of_other[1]:
        weight = math.copysign(_MOST, made_of_other[0] - made_of_other[1])
        return _Sign(weight, _MADE_OF_OTHER)
    if len(known) < _LEAST_STEPS:
        return _NOTHING
    return _hint(_sign(float(known.mean()), 0.3, 0.4, "it is compressed more"))


def _mean_of_lowest(steps: np.ndarray | None) -> float:
    """Mean of the known steps, in grey levels, of the coarsest detail; 0 where none is known."""
    if steps is None:
        return 0.0
    known = [steps[place] for place in _LOWEST if np.isfinite(steps[place])]
    return float(np.mean(known)) if known else 0.0


def _is_rounding(differences: np.ndarray, steps: np.ndarray) -> bool:
    """Whether coefficients (n, 8, 8) differ by half a step at most, the means by about it."""
    known = np.isfinite(steps)
    if known.sum() < _LEAST_STEPS:
        return False
    within = np.abs(differences)[:, known] <= steps[known] / 2 + 1.5
    # rounding moves the means of blocks evenly; sharpening, noise and their kin do not
    lowest = next(place for place in _LOWEST if known[place])
    moved = differences[:, lowest[0], lowest[1]].std() / steps[lowest]
    return bool(within.mean() > 0.99 and moved > _MOVED)


_LOWEST = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0), (2, 2)]
_LEAST_STEPS = 4
_EQUAL = 0.05  # log of the ratio of steps
_MOVED = 0.22
"""Of a step, by which rounding moves a coefficient; evenly spread ones by 0.29 of it."""


def _steps(picture: _Picture) -> np.ndarray:
    """Steps, (8, 8), to which coefficients were rounded; NaN where nothing says it.

    Of a JPEG they stand in its file; of what was a coarser one before, its pixels tell.
    """
    coefficients = np.abs(coefficients_of(picture.grey - 128))
    coefficients = coefficients[:: 1 + len(coefficients) // 2000]
    steps = np.full((8, 8), np.nan)
    for row, column in _LOWEST:
        steps[row, column] = _step_of(coefficients[:, row, column])
    of_file = picture.traces.steps
    if of_file is None:
        return steps
    ratio = np.nanmean(steps / of_file) if np.isfinite(steps).any() else 0.0
    return steps if ratio > _COARSER and np.isfinite(steps).sum() >= _LEAST_STEPS else of_file


_COARSER = 1.5


def _step_of(sizes: np.ndarray) -> float:
    """The largest step of which all sizes of a coefficient are about a multiple, else NaN."""
    for step in range(_LARGEST_STEP, 2, -1):
        multiples = sizes / step
        multiples = multiples[multiples > 0.5]
        if len(multiples) < _ENOUGH_SIZES or len(np.unique(np.rint(multiples))) < 3:
            continue
        if np.cos(2 * np.pi * multiples).mean() > _ON_STEPS:
            return float(step)
    return math.nan


_LARGEST_STEP = 60
_ENOUGH_SIZES = 50
_ON_STEPS = 0.6
"""Mean cosine, 1 where all lie on multiples, 0 where they lie anywhere."""


def _sign_of_levels(a: np.ndarray, b: np.ndarray) -> _Sign:
    """Whether the levels of one, RGB (n, 3), follow from the other's, and not the other way."""
    some = slice(None, None, 1 + len(a) // 100_000)
    unexplained = np.zeros(2)
    usual = np.zeros(2)
    for channel in range(3):
        levels = (a[some, channel], b[some, channel])
        for side in (0, 1):
            apart = _unexplained(levels[side], levels[1 - side])
            unexplained[side] += float((apart**2).mean()) / 3
            usual[side] += float(np.median(apart)) / 3
    ratio = math.log((unexplained[0] + 0.02) / (unexplained[1] + 0.02))
    follows = int(ratio > 0)  # 1 where the second's levels follow
    counts = np.sort(np.bincount((a, b)[follows][some].ravel()))
    n_levels = np.count_nonzero(np.cumsum(counts) > _FEW * counts.sum())
    moved = np.median(np.abs(a[some].astype(float) - b[some]))
    # a drawing has few levels; in a compressed one those near its edges are many, but only those
    is_drawn = n_levels < _FEW_LEVELS and max(usual[1 - follows], moved) < 1
    is_drawn |= n_levels < _DRAWN and (usual[1 - follows] < 5 or unexplained.min() > 0.02)
    if unexplained.min() > _COMPRESSED or is_drawn:
        ratio = 0.0
    return _sign(ratio, 0.3, 0.6, _FOLLOW)


_COMPRESSED = 20.0  # grey levels squared, that compression leaves unexplained
_FEW = 0.05  # share of the places, that may have other levels
_FEW_LEVELS = 64
_DRAWN = 8


def _unexplained(levels: np.ndarray, by: np.ndarray) -> np.ndarray:
    """By how much levels are not what others say, but for a few: the rest of something added."""
    counts = np.maximum(np.bincount(by, minlength=256), 1)
    usual = np.bincount(by, levels, 256) / counts
    apart = np.abs(levels - usual[by])
    n_kept = max(1, int(_NEARLY_ALL * len(apart)))
    return np.partition(apart, n_kept - 1)[:n_kept]


_NEARLY_ALL = 0.98
