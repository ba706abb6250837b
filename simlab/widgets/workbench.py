"""What the failure browser and the tuner share: choices that lead to a view, curves, and cards of pairs."""

from collections.abc import Container, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from PIL import Image

from simlab import perturb, plots
from simlab.images import read_bytes, read_image
from simlab.plots.summaries import spelled
from simlab.widgets.panel import Latest, Panel, plain, thumbnail

Pair = Mapping[str, Any]
"""A row of a score table."""

_HERE = Path(__file__).parent


class Page(anywidget.AnyWidget):
    """What is seen: ``data`` that stays, the ``view`` and ``cards`` that a ``choice`` leads to, matches on a card."""

    _esm, _css = traitlets.Unicode().tag(sync=True), _HERE / "parts.css"
    data, choice, view, matches = (traitlets.Dict().tag(sync=True) for _ in range(4))
    cards = traitlets.List().tag(sync=True)


class Bench(Panel):
    """A panel with one page: a choice, made by hand or from code, and what it leads to.

    Args:
        name: of its script beside this file.
        data, choice: what the page begins with.
        allowed: name of a part of the choice → what it may be; None for anything.
    """

    def __init__(
        self,
        name: str,
        data: dict[str, Any],
        choice: dict[str, Any],
        allowed: Mapping[str, Container | None],
    ):
        script = "\n".join(
            (_HERE / file).read_text(encoding="utf-8") for file in ("parts.js", f"{name}.js")
        )
        self._page, self._allowed = Page(_esm=script, data=data, choice=choice), allowed
        super().__init__(name, self._page)
        self._latest = Latest(self._work, self._show, self.say)
        self._page.observe(lambda change: self._latest(change.new), "choice")
        self._page.on_msg(lambda _, content, __: self._press(**content))
        self._latest(choice)

    @property
    def choice(self) -> dict[str, Any]:
        """What is chosen, by name."""
        return dict(self._page.choice)

    @property
    def words(self) -> list[str]:
        """What is seen, in sentences."""
        self._latest.wait()
        return self._page.view["words"]

    def choose(self, **changes: Any) -> None:
        """Change parts of the choice, and return when what they lead to is shown.

        Raises:
            ValueError: an unknown name, or a value that is not allowed.
        """
        for name, value in changes.items():
            allowed = self._allowed.get(name, ())
            if allowed is not None and value not in allowed:
                raise ValueError(
                    f"{name} must be in {allowed or list(self._allowed)}; given {value!r}"
                )
        self._page.choice = {**self._page.choice, **changes}
        self._latest.wait()

    def _show(self, found: dict[str, Any]) -> None:
        """Take over parts of the page; what else was found is kept."""
        for name, value in found.items():
            setattr(self._page if self._page.has_trait(name) else self, name, value)

    def _work(self, choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what a choice leads to."""
        raise NotImplementedError

    def _press(self, action: str, row: str) -> None:
        try:
            self._act(action, row)
        except (OSError, ValueError) as error:  # a file that cannot be written, or is damaged
            self.say(str(error))

    def _act(self, action: str, row: str) -> None:
        """Do what a button says."""
        raise NotImplementedError


def curves(table: pd.DataFrame) -> dict[str, Any]:
    """Return ROC curves as the page draws them: a point for each FPR that can be measured, at most 400."""
    floor, series = min(1 / table["n_negative"].max(), 0.5), []
    for method, curve in table.groupby("method", sort=False):
        curve = curve.assign(fpr=curve["fpr"].clip(lower=floor)).drop_duplicates("fpr", keep="last")
        curve = curve[curve["fpr"] < 1]
        places = (
            np.searchsorted(curve["fpr"], np.geomspace(floor, 1, 400) * (1 + 1e-9), "right") - 1
        )
        points = curve.iloc[np.unique(places[places >= 0])]
        columns = {"x": points["fpr"], "y": points["tpr"], "threshold": points["threshold"]}
        series.append(
            {**look(method), **{name: values.tolist() for name, values in columns.items()}}
        )
    return {
        "series": series,
        "floor": floor,
        "xlabel": "false positive rate",
        "ylabel": "true positive rate",
    }


def look(method: str) -> dict[str, str]:
    """Return a method's name, colour and dashes."""
    style = plots.method_style(method)
    dash = style["linestyle"][1] if isinstance(style["linestyle"], tuple) else ()
    return {
        "name": method,
        "colour": style["color"],
        "dash": " ".join(f"{2 * length:g}" for length in dash),
    }


def sides(pair: Pair, root: Path) -> list[tuple[Path, str, int]]:
    """Return file, perturbation and seed of the reference and of the query."""
    columns = (("reference", "perturbation_reference"), ("query", "perturbation"))
    return [
        (root / pair[side], pair.get(change) or "", int(pair.get("seed") or 0))
        for side, change in columns
    ]


def full(pair: Pair, root: Path) -> list[Image.Image]:
    """Return the two pictures as the methods saw them."""
    return [
        perturb.apply(read_image(read_bytes(path)), spec, seed=seed)
        for path, spec, seed in sides(pair, root)
    ]


def pictures(pair: Pair, root: Path) -> list[dict[str, Any]]:
    """Return the two pictures as a card shows them, small."""
    small = [(plain(side[0].name), thumbnail(*side)) for side in sides(pair, root)]
    return [
        {"name": name, "image": data, "size": Image.open(BytesIO(data)).size}
        for name, data in small
    ]


def card(row: object, pair: Pair, root: Path, methods: Iterable[str]) -> dict[str, Any]:
    """Return what a card shows of a pair: pictures, label and distances."""
    changes = dict.fromkeys(spelled(change, []) for _, change, _ in sides(pair, root) if change)
    about = ["copy" if pair["label"] == 1 else "different pictures", " against ".join(changes)]
    return {
        "row": str(row),
        "title": plain(" · ".join(dict.fromkeys([pair["reference"], pair["query"]]))),
        "about": ", ".join(filter(None, about)),
        "pictures": pictures(pair, root),
        "copy": bool(pair["label"] == 1),
        "distances": {method: float(pair[method]) for method in methods},
    }


def drawn(
    cards: list[dict],
    rows: pd.DataFrame,
    root: Path,
    title: str,
    figure: Figure,
    place: SubplotSpec,
) -> None:
    """Draw the pairs of some cards at a place of a figure."""
    notes = ["\n".join([card["title"], card["about"], card["note"]]) for card in cards]
    shown = [full(pair, root) for pair in rows.to_dict("records")]
    plots.plot_pairs(shown, notes, columns=3, title=title, ax=figure.add_subplot(place))


def numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers as JSON can carry them: what is not finite is None."""
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}
