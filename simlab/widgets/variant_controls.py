"""Controls for one perturbation: its kind, a slider from unchanged to strong, its spec as text, and the seed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from simlab import perturb, specs

WRITTEN = "as written"
"""The kind of a spec that is a chain, or empty."""

_SWEEPS = """
    crop area 1 0.05 20, resize scale 1 0.1 19, aspect ratio 1 3 21, rotate degrees 0 90 91, shear degrees 0 40 41,
    perspective amount 0 0.4 21, text length 0 200 41, watermark opacity 0 1 21, caption height 0 0.5 21,
    border width 0 0.5 21, screenshot frame 0 1 21, overlay size 0 1 21, embed area 1 0.05 20,
    recompress quality 100 5 20, blur sigma 0 15 31, median kernel 1 31 16, motion length 1 41 21,
    noise variance 0 0.3 31, brightness factor 0.2 3 29, contrast factor 0.2 3 29, saturation factor 0 3 31,
    sharpness factor 0.2 5 25, gamma exponent 0.2 3 29, hue degrees 0 180 37, posterize bits 8 1 8
"""
"""What moves in a kind of perturbation, from where, to where, in how many places: where something happens."""


def sweep(spec: str) -> tuple[str, list[tuple[str, str]]]:
    """Return which argument of a perturbation a slider moves, and its places (value, spec), `spec` itself among them.

    Of a user's own kind it is the first number that the severity depends on, up to twice its default. Chains, and
    kinds in which nothing moves, have the one spec.

    >>> argument, places = sweep("posterize(bits=2)")
    >>> argument, places[0], places[6]
    ('bits', ('8', 'posterize(bits=8)'), ('2', 'posterize(bits=2)'))
    """
    calls = specs.parse(spec)
    kind = perturb.REGISTRY[calls[0].name] if len(calls) == 1 else None
    argument, values = _values(kind) if kind else ("", ())
    if not argument:
        return "severity", [("fixed", spec)]
    now = specs.bind(calls[0], kind.function)[argument]
    ordered = sorted({*values, now} - {None}, reverse=values[0] > values[-1])
    return argument, list(_places(calls[0], argument, ordered))


def _values(kind: perturb.Perturbation) -> tuple[str, list[float]]:
    known = {name: rest for name, *rest in map(str.split, _SWEEPS.split(","))}
    if kind.name in known:
        argument, *ends, n = known[kind.name]
        return argument, np.linspace(*map(float, ends), int(n)).round(3).tolist()
    defaults = specs.defaults_of(kind.function)
    names = kind.moving(defaults)
    return (names[0], np.linspace(0, 2 * defaults[names[0]], 21).tolist()) if names else ("", [])


def _places(call: specs.Call, argument: str, values: list[float]) -> Iterator[tuple[str, str]]:
    for value in values:
        try:
            yield (
                f"{value:g}",
                perturb.canonical(specs.complete(call.name, {**call.arguments, argument: value})),
            )
        except ValueError:  # a place that a user's own kind does not allow
            continue


class Slider(anywidget.AnyWidget):
    """A slider with a word for each of its places."""

    _esm = Path(__file__).with_name("slider.js")
    label, index = traitlets.Unicode().tag(sync=True), traitlets.Int().tag(sync=True)
    places = traitlets.List(traitlets.Unicode()).tag(sync=True)


class Variant(ipywidgets.VBox):
    """The controls.

    Attributes:
        perturbation: canonical spec.
        seed: which draw.
    """

    perturbation, seed = traitlets.Unicode("crop"), traitlets.Int()

    def __init__(self, say: Callable[[str], None]):
        self._say, self._placing = say, False
        self._kind = ipywidgets.Dropdown(description="Kind", options=[WRITTEN, *perturb.REGISTRY])
        self._slider = Slider()
        self._spec = ipywidgets.Text(description="Spec", continuous_update=False)
        self._seed = ipywidgets.BoundedIntText(description="Seed", max=9999)
        super().__init__([self._kind, self._slider, self._spec, self._seed])
        for control in (self._kind, self._spec):
            control.observe(lambda change: self._moved(change["new"]), "value")
        self._slider.observe(lambda change: self._moved(self._places[change["new"]]), "index")
        traitlets.link((self, "seed"), (self._seed, "value"))
        self.observe(self._place, "perturbation")
        self._place()

    @traitlets.validate("perturbation")
    def _canonical(self, proposal: dict) -> str:
        return perturb.canonical(proposal["value"])

    def _place(self, _=None) -> None:
        """Set the controls to the perturbation."""
        argument, places = sweep(self.perturbation)
        self._places = [spec for _, spec in places]
        kind = perturb.kind(self.perturbation)
        self._placing = True
        self._kind.value = kind if kind in perturb.REGISTRY else WRITTEN
        with self._slider.hold_sync():
            self._slider.label, self._slider.places = (
                argument.capitalize(),
                [value for value, _ in places],
            )
            self._slider.index = self._places.index(self.perturbation)
        self._spec.value = self.perturbation
        self._placing = False

    def _moved(self, spec: str) -> None:
        if not self._placing and spec != WRITTEN:
            try:
                self.perturbation = spec
            except ValueError as error:
                self._say(str(error))
