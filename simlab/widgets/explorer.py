"""The explorer: a picture and its variant, or two pictures, as every method sees them."""

import functools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import traitlets
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from scipy.special import expit, logit

from simlab import perturb, plots
from simlab.datasets import as_table
from simlab.ensemble import Ensemble
from simlab.images import read_bytes, read_image
from simlab.methods import registry
from simlab.methods.registry import Method
from simlab.plots import style
from simlab.scoring.comparison import Comparison
from simlab.scoring.one_pair import LazyPicture
from simlab.search.judging import loaded
from simlab.tables import root_of
from simlab.widgets import quick_drawing
from simlab.widgets.panel import WORKING, Latest, Panel, markup
from simlab.widgets.picker import Drop, Picker
from simlab.widgets.variant_controls import Variant

THRESHOLDS = Path(__file__).with_name("thresholds.csv")
"""A threshold for each method, at an FPR of 0.01 on the built-in sample; written by tools/thresholds.py."""

MAX_SIDE = 1600
"""Pixels of the longer side; a larger picture is scaled down first, so that the slider stays quick."""

VARIANT, OTHER = "a variant of it", "another picture"


def explore(
    images,
    *,
    recipe: Ensemble | str | Path | None = None,
    methods: str | Iterable[str] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> "Explorer":
    """Return a widget in which a picture is perturbed, or compared with another, and every method is watched.

    Args:
        images: a folder, a list of paths, or a table with a ``path`` column. Sides over :data:`MAX_SIDE` pixels are
            scaled down, and the caption says so: distances are then those of the smaller picture.
        recipe: the ensemble that gives the verdict, or its file; None for the recipe of the package.
        methods: specs; None for the usual ones. Those of the recipe are always there.
        thresholds: method → largest distance of a copy, such as :func:`simlab.choose_threshold` finds on your
            pictures; for the others, those at an FPR of 0.01 on the built-in sample.

    Raises:
        ValueError: no pictures, a bad recipe, or an unknown method.
    """
    recipe = loaded(recipe)
    named = registry.resolve([*registry.DEFAULT, "akaze_inliers"] if methods is None else methods)
    known = pd.read_csv(THRESHOLDS).set_index("method")["threshold"].to_dict()
    chosen = registry.resolve([*(method.name for method in named), *recipe.methods_])
    return Explorer(as_table(images), recipe, chosen, known | dict(thresholds or {}))


class Explorer(Panel):
    """The widget that :func:`explore` returns; its attributes may be set from code as well as by hand.

    Attributes:
        reference: name of the picture.
        perturbation: spec of its variant.
        seed: which draw of the variant.
        other: name of a second picture, to compare with instead of the variant; "" for the variant.
    """

    reference, other = traitlets.Unicode(), traitlets.Unicode()
    perturbation, seed = traitlets.Unicode("crop"), traitlets.Int()

    def __init__(
        self,
        images: pd.DataFrame,
        recipe: Ensemble,
        methods: list[Method],
        thresholds: Mapping[str, float],
    ):
        self._root = root_of(images, columns=["path"])
        self._names = list(images["path"])
        self._files = {}
        self._recipe, self._methods = recipe, methods
        facts = {m.name: (m.maximum, m.unit, thresholds.get(m.name, np.nan)) for m in methods}
        self._facts = pd.DataFrame.from_dict(
            facts, "index", columns=["maximum", "unit", "threshold"]
        )
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
            raise ValueError(
                f"{proposal['trait'].name} must be one of {len(self._names):,} pictures, not {name!r}"
            )
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
    def evidence(self) -> pd.Series:
        """What each of the recipe's methods adds to the log odds of a copy, in nats, and the rarity of copies."""
        return self._evidence(self.comparison)

    @property
    def table(self) -> pd.DataFrame:
        """By method: maximum, unit, threshold, distance, no_evidence, says ("copy", "no copy", "no evidence", "")."""
        return self._judged(self.comparison)

    def figure(self) -> Figure:
        """Return the comparison as a figure: keypoint matches, bits that flipped, distances, evidence."""
        found, hashes = self.comparison, self.comparison.hashes
        wide = sum(seen.image.width / seen.image.height for seen in (found.reference, found.query))
        heights = [0.4 + min(8 / wide, 4), 1.35 if hashes else 0.01, 2.2]
        whole = plt.figure(figsize=(8, sum(heights)), layout="constrained")
        rows = whole.add_gridspec(3, 1, height_ratios=heights)
        self._draw_pair(whole.add_subplot(rows[0]))
        for place, (name, pair) in zip(rows[1].subgridspec(1, max(1, len(hashes))), hashes.items()):
            ax = plots.plot_hash_difference(*pair, ax=whole.add_subplot(place))
            style.title(ax, f"{style.label(name)}: {(pair[0] != pair[1]).sum()} of {pair[0].size}")
        left, right = rows[2].subgridspec(1, 2)
        plots.plot_distances(self.table, ax=whole.add_subplot(left))
        plots.plot_evidence(
            self.evidence, probability=self.probability, ax=whole.add_subplot(right)
        )
        return whole

    def _draw_pair(self, ax) -> None:
        found, matches = self.comparison, self.comparison.matches
        first, second, agree = matches[1:] if matches else np.zeros((3, 0, 2))
        pairs = np.stack([np.arange(len(agree))] * 2, axis=1)
        plots.plot_matches(
            found.reference.image, first, found.query.image, second, pairs, inliers=agree, ax=ax
        )
        names = style.label(f"{found.reference.name} and {found.query.name}", limit=60)
        style.title(ax, f"{names}: {len(agree)} matches, {int(agree.sum())} agree on one geometry")

    def _controls(self) -> ipywidgets.Widget:
        first, second = (
            self._picker(*one) for one in (("Picture", "reference"), ("Second", "other"))
        )
        variant = Variant(self.say)
        for trait in ("perturbation", "seed"):
            traitlets.link((self, trait), (variant, trait))
        mode, right = (
            ipywidgets.RadioButtons(description="Compare with", options=[VARIANT, OTHER]),
            ipywidgets.VBox(),
        )
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
        drop = Drop(
            f"{title}: drop or choose a file",
            lambda *file: self.set_trait(trait, self.add(*file)),
            self.say,
        )
        picker = Picker(title, self._names, drop)
        traitlets.link((self, trait), (picker, "value"))
        return picker

    def _switch(self, to_other: bool) -> None:
        if to_other != bool(self.other):
            following = self._names.index(self.reference) + 1
            self.other = self._names[following % len(self._names)] if to_other else ""

    def _views(self) -> ipywidgets.Widget:
        rows = [("pictures", "verdict"), ("bars", "hashes"), ("matches",)]
        self._parts = {
            part: ipywidgets.HTML().add_class(f"simlab-{part}") for row in rows for part in row
        }
        return ipywidgets.VBox(
            [
                ipywidgets.HBox([self._parts[part] for part in row]).add_class("simlab-row")
                for row in rows
            ]
        )

    def _ask(self, _=None) -> None:
        self._latest(self.reference, self.other, self.perturbation, self.seed)

    def _read(self, name: str) -> LazyPicture:
        data = self._files.get(name) or read_bytes(self._root / name)
        image = read_image(data)
        if max(image.size) <= MAX_SIDE:
            return LazyPicture(image, name)
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        return LazyPicture(image, f"{name}, scaled down")

    def _work(
        self, reference: str, other: str, perturbation: str, seed: int
    ) -> Iterator[tuple[Comparison, dict]]:
        """The hashes first, in milliseconds, then all methods: what was found, and the parts of the page it makes."""
        first, chain, page = (
            self._open(reference),
            perturb.parse(perturbation),
            markup("explore.html"),
        )
        second = (
            self._open(other)
            if other
            else LazyPicture(chain.apply(first.image, seed, first.content), perturbation)
        )
        found = Comparison(
            first, second, [method for method in self._methods if method.compare_many]
        )
        parts = {
            "pictures": page.pictures(
                [(seen, quick_drawing.small(seen)) for seen in (first, second)]
            )
        }
        parts["hashes"] = page.hashes(
            [(name, *pair, quick_drawing.bits(*pair)) for name, pair in found.hashes.items()]
        )
        yield found, parts | {"bars": page.bars(self._judged(found))}
        found = Comparison(first, second, self._methods)
        lines = (
            quick_drawing.lines(first.image, second.image, found.matches) if found.matches else b""
        )
        parts = {
            "bars": page.bars(self._judged(found)),
            "matches": page.matches(found.matches, lines),
        }
        yield (
            found,
            parts
            | {
                "verdict": page.verdict(
                    said := self._evidence(found), expit(said.sum()), self._recipe
                )
            },
        )

    def _show(self, result: tuple[Comparison, dict]) -> None:
        self._found, parts = result
        for part, html in parts.items():
            self._parts[part].value = html

    def _heard(self, text: str) -> None:
        """Say how the work goes; where it failed, what was shown before is taken away: it is of other pictures."""
        if text not in ("", WORKING):
            self._show((None, dict.fromkeys(self._parts, "")))
        self.say(text)

    def _judged(self, found: Comparison) -> pd.DataFrame:
        table = self._facts.join(found.table[["distance", "no_evidence"]])
        silent = table["distance"].isna() | table["threshold"].isna()
        cases = [table["no_evidence"].eq(True), silent, table["distance"] <= table["threshold"]]
        return table.assign(says=np.select(cases, ["no evidence", "", "copy"], "no copy"))

    def _evidence(self, found: Comparison) -> pd.Series:
        rarity = pd.Series({"rarity of copies": float(logit(self._recipe.prevalence_))})
        return pd.concat([self._recipe.evidence(found.scores).iloc[0], rarity])
