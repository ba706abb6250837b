"""What the failure browser and the tuner share: choices that lead to a view, curves, and cards of
pairs.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import numpy as np
import traitlets
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from pandas import DataFrame
from PIL import Image

from simlab import perturb, plots
from simlab.paths import Json
from simlab.plots.summaries import spelled
from simlab.widgets.panel import Latest, Panel, plain, thumbnail

Pair = Mapping[str, Any]
"""A row of a score table."""

_HERE = Path(__file__).parent
_MOST_POINTS = 400


class Page(anywidget.AnyWidget):
    """What is seen of a workbench.

    ``data`` stays; the ``view`` and the ``cards`` are what a ``choice`` leads to; ``matches`` are
    drawn on a card.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = _HERE / "workbench.css"
    data = traitlets.Dict().tag(sync=True)
    choice = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    matches = traitlets.Dict().tag(sync=True)
    cards = traitlets.List().tag(sync=True)


class Workbench(Panel):
    """A panel with one page: a choice, made by hand or from code, and what it leads to.

    Args:
        name: of the panel.
        script: the file beside this one that draws the page.
        data, choice: what the page begins with.
        allowed: name of a part of the choice → what it may be; None for anything.
    """

    def __init__(
        self,
        name: str,
        script: str,
        data: Json,
        choice: Json,
        allowed: Mapping[str, Container | None],
    ):
        shared = (_HERE / "workbench.js").read_text(encoding="utf-8")
        own = (_HERE / script).read_text(encoding="utf-8")
        self._page = Page(_esm=f"{shared}\n{own}", data=data, choice=choice)
        self._allowed = allowed
        super().__init__(name, self._page)
        self._latest = Latest(self._work, self._show, self.say)
        self._page.observe(lambda change: self._latest(change.new), "choice")
        self._page.on_msg(lambda _, content, __: self._press(**content))
        self._latest(choice)

    @property
    def choice(self) -> Json:
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

    def _show(self, found: Json) -> None:
        """Take over parts of the page; what else was found is kept."""
        for name, value in found.items():
            holder = self._page if self._page.has_trait(name) else self
            setattr(holder, name, value)

    def _work(self, choice: Json) -> Iterator[Json]:
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


def curves(table: DataFrame) -> Json:
    """Return ROC curves as the page draws them.

    Each has a point for each FPR that can be measured, at most 400.
    """
    floor = min(1 / table["n_negative"].max(), 0.5)
    series = []
    for method, curve in table.groupby("method", sort=False):
        points = _thinned(curve, floor)
        drawn = {
            "x": points["fpr"].tolist(),
            "y": points["tpr"].tolist(),
            "threshold": points["threshold"].tolist(),
        }
        series.append({**line_style(method), **drawn})
    return {
        "series": series,
        "floor": floor,
        "xlabel": "false positive rate",
        "ylabel": "true positive rate",
    }


def _thinned(curve: DataFrame, floor: float) -> DataFrame:
    """Return the points of a curve from the smallest measurable FPR on, evenly on a log axis."""
    measured = curve.assign(fpr=curve["fpr"].clip(lower=floor))
    measured = measured.drop_duplicates("fpr", keep="last")
    measured = measured[measured["fpr"] < 1]
    wanted = np.geomspace(floor, 1, _MOST_POINTS) * (1 + 1e-9)
    places = np.searchsorted(measured["fpr"], wanted, "right") - 1
    return measured.iloc[np.unique(places[places >= 0])]


def line_style(method: str) -> dict[str, str]:
    """Return a method's name, colour and dashes."""
    style = plots.method_style(method)
    line = style["linestyle"]
    dashes = line[1] if isinstance(line, tuple) else ()
    return {
        "name": method,
        "colour": style["color"],
        "dash": " ".join(f"{2 * length:g}" for length in dashes),
    }


class Side(NamedTuple):
    """One picture of a pair: its file, and what is done to it as it is read."""

    path: Path
    perturbation: str
    seed: int


def sides(pair: Pair, root: Path) -> list[Side]:
    """Return the reference and the query of a pair."""
    seed = int(pair.get("seed") or 0)
    return [
        Side(root / pair["reference"], pair.get("perturbation_reference") or "", seed),
        Side(root / pair["query"], pair.get("perturbation") or "", seed),
    ]


def full_pictures(pair: Pair, root: Path) -> list[Image.Image]:
    """Return the two pictures as the methods saw them."""
    return [perturb.apply_to_file(*side) for side in sides(pair, root)]


def small_pictures(pair: Pair, root: Path) -> list[Json]:
    """Return the two pictures as a card shows them."""
    return [_small_picture(side) for side in sides(pair, root)]


def _small_picture(side: Side) -> Json:
    data = thumbnail(*side)
    return {"name": plain(side.path.name), "image": data, "size": Image.open(BytesIO(data)).size}


def card(row: object, pair: Pair, root: Path, methods: Iterable[str]) -> Json:
    """Return what a card shows of a pair: pictures, label and distances."""
    is_copy = bool(pair["label"] == 1)
    about = "copy" if is_copy else "different pictures"
    specs = [side.perturbation for side in sides(pair, root) if side.perturbation]
    changes = dict.fromkeys(spelled(spec, []) for spec in specs)
    against = " against ".join(changes)
    names = dict.fromkeys([pair["reference"], pair["query"]])
    return {
        "row": str(row),
        "title": plain(" · ".join(names)),
        "about": f"{about}, {against}" if against else about,
        "pictures": small_pictures(pair, root),
        "copy": is_copy,
        "distances": {method: float(pair[method]) for method in methods},
    }


def draw_cards(
    cards: list[dict],
    rows: DataFrame,
    root: Path,
    title: str,
    figure: Figure,
    place: SubplotSpec,
) -> None:
    """Draw the pairs of some cards at a place of a figure."""
    notes = ["\n".join([card["title"], card["about"], card["note"]]) for card in cards]
    shown = [full_pictures(pair, root) for pair in rows.to_dict("records")]
    plots.plot_pairs(shown, notes, columns=3, title=title, ax=figure.add_subplot(place))


def json_numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return numbers as JSON can carry them: what is not finite is None."""
    sendable = {}
    for name, value in values.items():
        sendable[name] = float(value) if np.isfinite(value) else None
    return sendable
