"""The explorer: a picture and its variant, or two pictures, as every method sees them."""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pandas import DataFrame, Series
from scipy.special import expit, logit

from simlab import perturb, plots, specs
from simlab.cards import jpeg, small_copy
from simlab.datasets import as_table
from simlab.ensemble import Ensemble
from simlab.images import read_bytes, read_image
from simlab.methods import registry
from simlab.methods.places import sentence
from simlab.methods.registry import Method
from simlab.paths import AnyPath
from simlab.plots import style
from simlab.scoring.comparison import Comparison, Matches
from simlab.scoring.one_pair import LazyPicture
from simlab.search.judging import BE, is_by_chance, loaded, verdicts
from simlab.specs import Names
from simlab.tables import root_of
from simlab.widgets import quick_drawing
from simlab.widgets.panel import WORKING, Latest, Panel, markup, thumbnail
from simlab.widgets.picker import Drop, Picker
from simlab.widgets.variant_controls import VariantControls

THRESHOLDS = Path(__file__).with_name("thresholds.csv")
"""A threshold for each method, at an FPR of 0.01 on the built-in sample.

Written by tools/thresholds.py.
"""

MAX_SIDE = 1600
"""Pixels of the longer side: larger pictures are scaled down, so that the slider stays quick."""

SMALL = 160
"""Pixels of the longer side of a picture in the lists."""

VARIANT = "a variant of it"
OTHER = "another picture"


def explore(
    images,
    *,
    recipe: Ensemble | AnyPath | None = None,
    methods: Names | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> "Explorer":
    """Return a widget in which a picture is perturbed or compared, and every method is watched.

    Args:
        images: a folder, a list of paths, or a table with a ``path`` column. Sides over
            :data:`MAX_SIDE` pixels are scaled down, and the caption says so: distances are then
            those of the smaller picture.
        recipe: the ensemble that gives the verdict, or its file; None for the recipe of the
            package.
        methods: specs; None for the usual ones. Those of the recipe are always there.
        thresholds: method → largest distance of a copy, such as :func:`simlab.choose_threshold`
            finds on your pictures; for the others, those at an FPR of 0.01 on the built-in sample.

    Raises:
        ValueError: no pictures, a bad recipe, or an unknown method.
    """
    recipe = loaded(recipe)
    if methods is None:
        methods = [*registry.DEFAULT, "akaze_inliers"]
    names = [method.name for method in registry.resolve(methods)]
    chosen = registry.resolve(names + list(recipe.methods_))
    given = specs.by_name("thresholds", {} if thresholds is None else thresholds)
    known = pd.read_csv(THRESHOLDS).set_index("method")["threshold"].to_dict()
    return Explorer(as_table(images), recipe, chosen, known | given)


class Explorer(Panel):
    """The widget that :func:`explore` returns; its attributes may be set from code, too.

    Attributes:
        reference: name of the picture.
        perturbation: spec of its variant.
        seed: which draw of the variant.
        other: name of a second picture, to compare with instead of the variant; "" for the variant.
    """

    reference = traitlets.Unicode()
    other = traitlets.Unicode()
    perturbation = traitlets.Unicode("crop")
    seed = traitlets.Int()

    def __init__(
        self,
        images: DataFrame,
        recipe: Ensemble,
        methods: list[Method],
        thresholds: Mapping[str, float],
    ):
        self._root = root_of(images, columns=["path"])
        self._names = list(images["path"])
        self._files = {}
        self._recipe = recipe
        self._methods = methods
        self._facts = _facts(methods, thresholds)
        self._open = functools.lru_cache(maxsize=8)(self._read)
        self._latest = Latest(self._work, self._show, self._heard)
        super().__init__("explore", self._controls(), self._views())
        self.reference = self._names[0]
        self.observe(self._ask, ["reference", "other", "perturbation", "seed"])
        self._ask()

    @traitlets.validate("reference", "other")
    def _known(self, proposal: dict) -> str:
        name = proposal["value"]
        if name and name not in self._names:
            trait = proposal["trait"].name
            raise ValueError(f"{trait} must be the name of a picture here, not {name!r}")
        return name

    @traitlets.validate("perturbation")
    def _canonical(self, proposal: dict) -> str:
        return perturb.canonical(proposal["value"])

    def add(self, name: str, content: bytes) -> str:
        """Return the name under which the bytes of a picture file are now in the lists."""
        while name in self._names:
            name = f"dropped {name}"
        self._files[name] = content
        self._names.insert(0, name)
        return name

    @property
    def comparison(self) -> Comparison:
        """What is shown: the two pictures, every distance, and the bits and keypoints behind it.

        Raises:
            ValueError: one of the two cannot be read.
        """
        self._latest.wait()
        if self._found is None:
            raise ValueError(
                f"{self.reference!r} and {self.other or self.perturbation!r} cannot be compared"
            )
        return self._found

    @property
    def probability(self) -> float:
        """That the two are copies, where copies are as rare as in the recipe's training."""
        return float(expit(self.evidence.sum()))

    @property
    def evidence(self) -> Series:
        """What each of the recipe's methods adds to the log odds of a copy, in nats.

        The last is the rarity of copies.
        """
        return self._evidence(self.comparison)

    @property
    def verdict(self) -> str:
        """What a search would call the two: identical, copy, look-alike or different."""
        return self._verdict(self.comparison)

    @property
    def table(self) -> DataFrame:
        """By method: maximum, unit, threshold, distance, no_evidence and what it says.

        ``says`` is "copy", "no copy", "no evidence" or "".
        """
        return self._judged(self.comparison)

    def figure(self) -> Figure:
        """Return the comparison as a figure.

        It has keypoint matches, flipped bits, distances and evidence, and where the pictures
        contradict each other.
        """
        found = self.comparison
        hashes = found.hashes
        wide = sum(seen.image.width / seen.image.height for seen in (found.reference, found.query))
        high = 0.4 + min(8 / wide, 4)
        bars = 0.8 + 0.2 * max(len(self.table), len(self.evidence))
        heights = [high, 1.5 if hashes else 0.01, bars]
        if found.places is not None:
            heights.append(high)
        whole = plt.figure(figsize=(8, sum(heights)), layout="constrained")
        rows = whole.add_gridspec(len(heights), 1, height_ratios=heights)
        _draw_matches(found, whole.add_subplot(rows[0]))
        if found.places is not None:
            _draw_places(found, whole.add_subplot(rows[3]))
        places = rows[1].subgridspec(1, max(1, len(hashes)))
        for place, (name, (first, second)) in zip(places, hashes.items()):
            ax = plots.plot_hash_difference(first, second, ax=whole.add_subplot(place))
            n_flipped = (first != second).sum()
            style.title(ax, f"{style.label(name, limit=14)}\n{n_flipped} of {first.size}")
        # the words beside the bars of one stand clear of the names of the other
        left, right = rows[2].subgridspec(1, 2, wspace=0.12)
        plots.plot_distances(self.table, ax=whole.add_subplot(left))
        plots.plot_evidence(
            self.evidence, probability=self.probability, ax=whole.add_subplot(right)
        )
        return whole

    def _controls(self) -> ipywidgets.Widget:
        first = self._picker("Picture", "reference")
        second = self._picker("Second", "other")
        variant = VariantControls(self.say)
        for trait in ("perturbation", "seed"):
            traitlets.link((self, trait), (variant, trait))
        mode = ipywidgets.RadioButtons(description="Compare with", options=[VARIANT, OTHER])
        right = ipywidgets.VBox()
        for side in (first, right):
            side.add_class("simlab-choice")

        def place(_=None) -> None:
            mode.value = OTHER if self.other else VARIANT
            right.children = [mode, second if self.other else variant]

        mode.observe(lambda change: self._switch(change["new"] == OTHER), "value")
        self.observe(place, "other")
        place()
        return ipywidgets.HBox([first, right]).add_class("simlab-row")

    def _picker(self, title: str, trait: str) -> Picker:
        def received(name: str, content: bytes) -> None:
            self.set_trait(trait, self.add(name, content))

        drop = Drop(f"{title}: drop or choose a file", received, self.say)
        picker = Picker(title, self._names, self._small, drop)
        traitlets.link((self, trait), (picker, "value"))
        return picker

    def _small(self, name: str) -> bytes:
        if name not in self._files:
            return thumbnail(self._root / name, side=SMALL)
        image = read_image(self._files[name], name=name)
        return jpeg(small_copy(image, SMALL))

    def _switch(self, to_other: bool) -> None:
        if to_other == bool(self.other):
            return
        following = self._names.index(self.reference) + 1
        self.other = self._names[following % len(self._names)] if to_other else ""

    def _views(self) -> ipywidgets.Widget:
        self._parts = {}
        rows = []
        for parts in (("pictures", "verdict"), ("bars", "hashes"), ("matches",), ("places",)):
            for part in parts:
                self._parts[part] = ipywidgets.HTML().add_class(f"simlab-{part}")
            row = ipywidgets.HBox([self._parts[part] for part in parts])
            rows.append(row.add_class("simlab-row"))
        return ipywidgets.VBox(rows)

    def _ask(self, _=None) -> None:
        self._latest(self.reference, self.other, self.perturbation, self.seed)

    def _read(self, name: str) -> LazyPicture:
        data = self._files.get(name) or read_bytes(self._root / name)
        image = read_image(data, name=name)
        if max(image.size) <= MAX_SIDE:
            return LazyPicture(image, name)
        return LazyPicture(small_copy(image, MAX_SIDE), f"{name}, scaled down")

    def _work(
        self, reference: str, other: str, perturbation: str, seed: int
    ) -> Iterator[tuple[Comparison, dict[str, str]]]:
        """Yield what was found, and the parts of the page it makes.

        The hashes come first, in milliseconds, then all methods.
        """
        first = self._open(reference)
        if other:
            second = self._open(other)
        else:
            chain = perturb.parse(perturbation)
            second = LazyPicture(chain.apply(first.image, seed, first.content), perturbation)
        quick = [method for method in self._methods if method.compare_many]
        found = Comparison(first, second, quick)
        yield found, self._quick_parts(found)
        found = Comparison(first, second, self._methods)
        yield found, self._slow_parts(found)

    def _quick_parts(self, found: Comparison) -> dict[str, str]:
        page = markup("explorer.html")
        pictures = [(seen, quick_drawing.small(seen)) for seen in (found.reference, found.query)]
        hashes = [
            (name, first, second, quick_drawing.bits(first, second))
            for name, (first, second) in found.hashes.items()
        ]
        return {
            "pictures": page.pictures(pictures),
            "hashes": page.hashes(hashes),
            "bars": page.bars(self._judged(found)),
        }

    def _slow_parts(self, found: Comparison) -> dict[str, str]:
        page = markup("explorer.html")
        drawing = b""
        if found.matches:
            drawing = quick_drawing.lines(found.reference.image, found.query.image, found.matches)
        evidence = self._evidence(found)
        places = ""
        if found.places is not None:
            outlined = quick_drawing.outlined(
                found.reference.image, found.query.image, found.places
            )
            places = page.places(sentence(found.places), outlined)
        return {
            "bars": page.bars(self._judged(found)),
            "matches": page.matches(found.matches, drawing),
            "places": places,
            "verdict": page.verdict(
                self._verdict(found), evidence, expit(evidence.sum()), self._recipe
            ),
        }

    def _show(self, result: tuple[Comparison, dict]) -> None:
        self._found, parts = result
        for part, html in parts.items():
            self._parts[part].value = html

    def _heard(self, text: str) -> None:
        """Say how the work goes.

        Where it failed, what was shown before is taken away: it is of other pictures.
        """
        if text not in ("", WORKING):
            self._show((None, dict.fromkeys(self._parts, "")))
        self.say(text)

    def _judged(self, found: Comparison) -> DataFrame:
        table = self._facts.join(found.table[["distance", "no_evidence"]])
        silent = table["distance"].isna() | table["threshold"].isna()
        cases = [table["no_evidence"].eq(True), silent, table["distance"] <= table["threshold"]]
        return table.assign(says=np.select(cases, ["no evidence", "", "copy"], "no copy"))

    def _verdict(self, found: Comparison) -> str:
        distance = expit(-self._evidence(found).sum())
        by_itself = self._recipe.evidence(found.scores, weighed=False).to_numpy()
        return verdicts(
            np.array([distance]),
            by_itself,
            BE["normal"],
            identical=np.array([found.reference.content == found.query.content]),
            low_information=np.array([False]),
            by_chance=is_by_chance(found.scores, by_itself, self._recipe),
        )[0]

    def _evidence(self, found: Comparison) -> Series:
        rarity = Series({"rarity of copies": float(logit(self._recipe.prevalence_))})
        return pd.concat([self._recipe.evidence(found.scores).iloc[0], rarity])


def _facts(methods: list[Method], thresholds: Mapping[str, float]) -> DataFrame:
    """Return by method what does not change with the pictures."""
    facts = {
        method.name: (method.maximum, method.unit, thresholds.get(method.name, np.nan))
        for method in methods
    }
    return DataFrame.from_dict(facts, "index", columns=["maximum", "unit", "threshold"])


def _draw_matches(found: Comparison, ax: Axes) -> None:
    nothing = np.zeros((0, 2))
    matches = found.matches or Matches("", nothing, nothing, np.zeros(0))
    n_matches = len(matches.agree)
    plots.plot_matches(
        found.reference.image,
        matches.first,
        found.query.image,
        matches.second,
        np.stack([np.arange(n_matches)] * 2, axis=1),
        inliers=matches.agree,
        ax=ax,
    )
    names = style.label(f"{found.reference.name} and {found.query.name}", limit=60)
    n_agreeing = int(matches.agree.sum())
    style.title(ax, f"{names}: matches that agree on one geometry: {n_agreeing} of {n_matches}")


def _draw_places(found: Comparison, ax: Axes) -> None:
    nothing = np.zeros((0, 2))
    pictures = (found.reference.image, found.query.image)
    places = found.places
    plots.plot_matches(pictures[0], nothing, pictures[1], nothing, nothing, places=places, ax=ax)
    style.title(ax, sentence(places))
