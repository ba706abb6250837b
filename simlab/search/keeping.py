"""Which of two copies to keep: the one from which the other could have been made, and why.

Read :func:`choose` first. One picture is laid on the other; then each sign that one of them was
edited speaks for the other, the stronger the more. Some edits leave no sign (a mirror image may be
the original), and then nothing is said. The numbers are measured by ``benchmarks/keep.py``.
"""

import functools
import itertools
import json
import math
from collections import Counter
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd
import scipy.fft

from simlab.images import ImageError, Traces, read_bytes, read_image, to_grey, traces_of
from simlab.methods import alignment
from simlab.methods.alignment import Looks
from simlab.methods.contradiction import contradictions
from simlab.methods.frames import resized
from simlab.methods.registry import versions
from simlab.scoring.cache import key
from simlab.scoring.features import Store
from simlab.scoring.workers import run
from simlab.tables import connected_sources

VERSION = 2
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


_NOBODY_KNOWS = Choice(-1, "")


class _Picture(NamedTuple):
    """A picture, and what its file says of how it was made."""

    rgb: np.ndarray
    grey: np.ndarray
    looks: Looks
    traces: Traces


class _Sign(NamedTuple):
    """What speaks for one of two pictures."""

    weight: float
    """Over 0 for the first, under 0 for the second."""
    reason: str
    """What is wrong with the other."""


def with_choices(compared: pd.DataFrame, store: Store) -> pd.DataFrame:
    """Return compared pairs with keep, the file of the two that is better, and keep_reason.

    Both are empty for what is no copy, where nobody can tell, and where it was not asked: of a
    large group, all are held against the likeliest original.
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
    for pair in zip(compared["reference"], compared["query"]):
        choice = said.get(pair, _NOBODY_KNOWS)
        keep.append(pair[choice.better] if choice.better >= 0 else "")
        reasons.append(choice.reason)
    return compared.assign(keep=keep, keep_reason=reasons)


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
    """The bytes of both files, b"" for one that cannot be read, and their names."""
    contents = []
    for file in pair:
        try:
            contents.append(read_bytes(store.root / file))
        except ImageError:
            contents.append(b"")
    return (*contents, pair)


def _choose_or_not(first: bytes, second: bytes, names: tuple[str, str]) -> Choice:
    if first == second:
        return Choice(int(names[1] < names[0]), "the same file, byte for byte")
    try:
        return choose(first, second, names)
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
    total = sum(sign.weight for sign in signs)
    if abs(total) < SURE:
        return Choice(-1, "")
    strongest = max(signs, key=lambda sign: sign.weight * total)
    return Choice(int(total < 0), strongest.reason)


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
    found = contradictions(a.looks, b.looks)
    to_b = resized(a.grey, b.grey)
    signs = []
    things = None, None
    if found is not None:
        to_b = found.to_query @ np.linalg.inv(found.to_reference)
        own = _unhidden(found.own_reference, found.own_query)
        share_a, share_b = [float(places.mean()) + 0.003 for places in own]
        signs.append(_sign(math.log(share_b / share_a), 0.7, 0.4, "something was put on it"))
        things = [
            cv2.warpPerspective(places.astype(np.uint8), to_pixels, side.grey.shape[::-1])
            for places, to_pixels, side in zip(
                (found.own_reference | found.own_query,) * 2,
                (found.to_reference, found.to_query),
                (a, b),
            )
        ]
    to_a = np.linalg.inv(to_b)
    signs.append(_sign_of_extent(a, b, to_a, 1))
    signs.append(_sign_of_extent(b, a, to_b, -1))
    shown_a = _shown(a, b, to_a, things[0])
    shown_b = _shown(b, a, to_b, things[1])
    seen_a = _seen(a, shown_a)
    seen_b = _seen(b, shown_b)
    scale = math.sqrt(abs(np.linalg.det(to_b[:2, :2] / to_b[2, 2])))
    is_as_large = a.grey.shape == b.grey.shape and abs(scale - 1) < _SAME_SCALE
    if is_as_large:
        both = shown_a & shown_b
        levels = _sign_of_levels(a.rgb[both], b.rgb[both])
        if abs(levels.weight) > 2 * SURE:
            return [levels]  # whatever a change of levels did to the rest
        signs.append(levels)
    detail = _sign_of_detail(seen_a, seen_b, scale)
    signs.append(detail)
    if is_as_large:
        blocks = _sign_of_blocks(a, b)
        # blur and noise hide the blocks of a JPEG
        if blocks.weight * detail.weight >= 0 or abs(detail.weight) < SURE:
            signs.append(blocks)
        elif abs(blocks.weight) >= 2 * SURE:
            signs.remove(detail)  # where many blocks show, their edges pass for detail
        signs.append(_sign_of_tables(a, b))
        compressed = blocks.weight + signs[-1].weight
        signs.extend(_signs_of_tone(seen_a, seen_b))
        n_colours = math.log(seen_a.n_colours / seen_b.n_colours)
        if n_colours * compressed >= 0:  # compression adds colours
            signs.append(_sign(n_colours, 0.6, 0.6, "it has fewer colours"))
    return signs


_SAME_SCALE = 0.02


def _unhidden(*own: np.ndarray) -> list[np.ndarray]:
    """What each has of its own, but for what lies within the things of the other, and is hidden."""
    hulls = []
    for places in own:
        hull = np.zeros(places.shape, dtype=np.uint8)
        around, _ = cv2.findContours(
            places.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        for contour in around:
            cv2.fillConvexPoly(hull, cv2.convexHull(contour), 1)
        hulls.append(hull > 0)
    return [own[0] & ~hulls[1], own[1] & ~hulls[0]]


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
        return _Sign(0.0, "")
    steps = []
    for start, end in zip(outline, np.roll(outline, -1, axis=0)):
        step = _step_across(view, start, end)
        if step is not None:
            steps.append(step)
    if not steps:
        return _Sign(0.0, "")
    framed = min(steps) - _FRAMED
    weight = max(-2.0, min(2.0, 4 * framed))
    reason = "a frame, bars or another picture were put around it" if framed > 0 else "it is a part"
    return _Sign(-side * weight, reason)


def _corners(grey: np.ndarray) -> np.ndarray:
    height, width = grey.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    return corners - np.float32(0.5)


_FRAMED = 0.9  # log of how much stronger than others nearby an edge is along an outline
_ASIDE = 9  # pixels of the view


def _step_across(view: np.ndarray, start: np.ndarray, end: np.ndarray) -> float | None:
    """How much stronger the edge along a line is than those beside it; None at the border."""
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
    return math.log((steps[near <= 2].max() + 1) / (np.median(steps[near >= 4]) + 1))


def _shown(
    picture: _Picture, other: _Picture, to_picture: np.ndarray, things: np.ndarray | None
) -> np.ndarray:
    """Where a picture shows what the other does too, bool (height, width)."""
    whole = np.ones(other.grey.shape, np.uint8)
    size = picture.grey.shape[::-1]
    shown = cv2.warpPerspective(whole, to_picture, size, flags=cv2.INTER_NEAREST)
    if things is not None:
        shown &= 1 - cv2.dilate(things, np.ones((7, 7), np.uint8))
    inner = cv2.erode(shown, np.ones((9, 9), np.uint8), borderValue=1) > 0
    return inner if inner.sum() > 1000 else np.ones_like(inner)


class _Seen(NamedTuple):
    """What is measured of a picture, where the other shows the same."""

    detail: float
    """Curvature by slope, at the strongest edges: half of it where a picture is twice as large."""
    overshoot: float
    """By how much of a step the levels beside the strongest edges go beyond those farther off."""
    noise: float
    """Grey levels, in the evenest parts."""
    clipped: float
    """Share of the pixels with a channel at its end."""
    colour: float
    """Mean of the largest channel less the smallest."""
    n_colours: int


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
    some = rgb[:: max(1, len(rgb) // 20_000)].astype(np.int64)
    return _Seen(
        float(detail) + 0.01,
        _overshoot(grey, across / (slope + 1e-6), down / (slope + 1e-6), strongest),
        float(np.quantile(noise[shown][::7], 0.1)),
        float(((least == 0) | (most == 255)).mean()),
        float((most - least).mean()),
        len(np.unique(some @ np.array([65536, 256, 1]))),
    )


def _overshoot(grey: np.ndarray, across: np.ndarray, down: np.ndarray, edges: np.ndarray) -> float:
    """Mean overshoot on both sides of edges, whose directions are given, by the mean step."""
    y, x = [places[:: max(1, len(places) // 15_000)] for places in np.nonzero(edges)]
    if not len(x):
        return 0.0
    levels = {}
    for far in (-3.5, -2.0, -1.25, 1.25, 2.0, 3.5):
        to_x = (x + far * across[y, x]).astype(np.float32)
        to_y = (y + far * down[y, x]).astype(np.float32)
        levels[far] = cv2.remap(grey, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    beyond = levels[1.25] - levels[3.5] + levels[-3.5] - levels[-1.25]
    return float(beyond.sum() / (levels[2.0] - levels[-2.0]).clip(1).sum())


def _sign_of_detail(a: _Seen, b: _Seen, scale: float) -> _Sign:
    """Which shows more, unless it is only harsher.

    A copy that was made smaller is as sharp as the original, pixel by pixel, and one that was made
    larger is less sharp: half-way between the two, on a scale of logarithms, neither is better.
    """
    finer = math.log(a.detail / b.detail) - math.log(scale) / 2
    sharper, other = (a, b) if finer > 0 else (b, a)
    is_noisier = sharper.noise > other.noise + _NOISY
    is_same_scale = abs(scale - 1) < _SAME_SCALE
    if is_same_scale and is_noisier and sharper.detail > _HARSH:
        return _sign(-finer, 0.0, 0.05, "noise was added to it, or it was sharpened")
    haloes = sharper.overshoot - other.overshoot
    if is_same_scale and haloes > _HALOES * abs(finer) and abs(finer) > 0.1:
        return _sign(-finer, 0.0, 0.1, "it was sharpened")
    return _sign(finer, 0.04, 0.06, "it shows less detail")


_HARSH = 2.6
_NOISY = 2.5
_HALOES = 1.3  # what sharpening adds to the overshoot, by what it adds to log detail; blur less


def _signs_of_tone(a: _Seen, b: _Seen) -> list[_Sign]:
    clipped = b.clipped - a.clipped
    if min(a.clipped, b.clipped) > _DRAWN:
        clipped = 0.0
    colours = math.log((a.colour + 2) / (b.colour + 2))
    if max(a.noise, b.noise) > 2 * min(a.noise, b.noise) + _NOISY:
        colours = 0.0  # noise has colours
    return [
        _sign(clipped, 0.08, 0.1, "its lightest or darkest parts are cut off"),
        _sign(colours, 0.7, 0.3, "it has less colour"),
    ]


_DRAWN = 0.2  # share of pure black or white, beyond which more of it means nothing


def _sign_of_blocks(a: _Picture, b: _Picture) -> _Sign:
    """Which of two pictures of the same size shows the blocks of JPEG and its kin more."""
    blocks = _blockiness(b.grey) - _blockiness(a.grey)
    return _sign(blocks, 0.1, 0.25, "it is compressed more")


def _sign_of_tables(a: _Picture, b: _Picture) -> _Sign:
    """Whether one is what compression makes of the other, as the tables of its JPEG say.

    Then no coefficient differs by more than half a step. Where both might be, the one with the
    finer steps is: the coarser ones would have moved more.
    """
    reason = "it is the other one, compressed"
    differences = np.abs(_coefficients(a.grey - b.grey))
    # of a block, no mean differs by much in any colour
    means = cv2.blur(a.rgb.astype(np.float32) - b.rgb, (8, 8))
    is_near = np.quantile(np.abs(means[::4, ::4]), 0.998) < 4
    made_of_other = []
    for picture in (a, b):
        steps = picture.traces.steps
        if steps is None:
            made_of_other.append(math.inf)
            continue
        is_within = is_near and (differences <= steps / 2 + 1.5).mean() > 0.998
        made_of_other.append(float(steps.mean()) if is_within else math.inf)
    if made_of_other[0] != made_of_other[1]:
        return _Sign(math.copysign(_MOST, made_of_other[0] - made_of_other[1]), reason)
    if a.traces.steps is None or b.traces.steps is None:
        return _Sign(0.0, "")
    coarser = math.log(b.traces.steps.mean() / a.traces.steps.mean())
    return _sign(coarser, 0.3, 0.4, "it is compressed more")


def _coefficients(grey: np.ndarray) -> np.ndarray:
    """The cosine transforms of all blocks of 8 x 8, (n, 8, 8)."""
    height, width = [side // 8 * 8 for side in grey.shape]
    blocks = grey[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    blocks = blocks.reshape(-1, 8, 8)
    return scipy.fft.dctn(blocks, axes=(1, 2), norm="ortho")


def _blockiness(grey: np.ndarray) -> float:
    """By how many levels edges at every eighth place are stronger than the others."""
    excess = 0.0
    for levels in (grey, grey.T):
        step = np.minimum(np.abs(np.diff(levels, axis=1)), 8)
        peaks = (step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2).mean(axis=0)
        n = len(peaks) // 8
        by_place = np.sort(peaks[: 8 * n].reshape(n, 8).mean(axis=0))
        excess += float(by_place[7] - np.median(by_place[:7]))
    return excess


def _sign_of_levels(a: np.ndarray, b: np.ndarray) -> _Sign:
    """Whether the levels of one, RGB (n, 3), follow from the other's, and not the other way."""
    unexplained_a = 0.0
    unexplained_b = 0.0
    for channel in range(3):
        unexplained_a += _unexplained(a[:, channel], b[:, channel]) / 3
        unexplained_b += _unexplained(b[:, channel], a[:, channel]) / 3
    ratio = math.log((unexplained_a + 0.02) / (unexplained_b + 0.02))
    if min(unexplained_a, unexplained_b) > _COMPRESSED:
        ratio = 0.0
    return _sign(ratio, 0.3, 0.6, "its levels follow from those of the other")


_COMPRESSED = 20.0  # grey levels squared, that compression leaves unexplained


def _unexplained(levels: np.ndarray, by: np.ndarray) -> float:
    """Variance of levels that is left when others are known."""
    counts = np.maximum(np.bincount(by, minlength=256), 1)
    sums = np.bincount(by, levels, 256)
    squares = np.bincount(by, levels.astype(float) ** 2, 256)
    return float((squares - sums**2 / counts).sum()) / len(levels)
