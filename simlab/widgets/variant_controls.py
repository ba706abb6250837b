"""Controls for one perturbation: its kind, a slider from unchanged to strong, its spec as text, and
the seed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import anywidget
import ipywidgets
import numpy as np
import traitlets

from simlab import perturb, specs

WRITTEN = "as written"
"""The kind of a spec that is a chain, or empty."""


class Slider(anywidget.AnyWidget):
    """A slider with a word for each of its places."""

    _esm = Path(__file__).with_name("variant_controls.js")
    label = traitlets.Unicode().tag(sync=True)
    index = traitlets.Int().tag(sync=True)
    places = traitlets.List(traitlets.Unicode()).tag(sync=True)


class VariantControls(ipywidgets.VBox):
    """The controls.

    Attributes:
        perturbation: canonical spec.
        seed: which draw.
    """

    perturbation = traitlets.Unicode("crop")
    seed = traitlets.Int()

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._placing = False
        self._kind = ipywidgets.Dropdown(description="Kind", options=[WRITTEN, *perturb.REGISTRY])
        self._slider = Slider()
        self._spec = ipywidgets.Text(description="Spec", continuous_update=False)
        self._seed = ipywidgets.BoundedIntText(description="Seed", max=9999)
        super().__init__([self._kind, self._slider, self._spec, self._seed])
        for control in (self._kind, self._spec):
            control.observe(lambda change: self._take(change["new"]), "value")
        self._slider.observe(lambda change: self._take(self._places[change["new"]]), "index")
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
            self._slider.label = argument.capitalize()
            self._slider.places = [value for value, _ in places]
            self._slider.index = self._places.index(self.perturbation)
        self._spec.value = self.perturbation
        self._placing = False

    def _take(self, spec: str) -> None:
        """Take over what a control says, unless it was just set from the perturbation."""
        if self._placing or spec == WRITTEN:
            return
        try:
            self.perturbation = spec
        except ValueError as error:
            self._say(str(error))


def sweep(spec: str) -> tuple[str, list[tuple[str, str]]]:
    """Return which argument of a perturbation a slider moves, and its places.

    A place is (value, spec); `spec` itself is among them. Of a kind that was registered without a
    sweep it is the first number that the severity depends on, up to twice its default. Chains, and
    kinds in which nothing moves, have the one spec.

    >>> argument, places = sweep("posterize(bits=2)")
    >>> argument, places[0], places[6]
    ('bits', ('8', 'posterize(bits=8)'), ('2', 'posterize(bits=2)'))
    """
    calls = specs.parse(spec)
    if len(calls) != 1:
        return "severity", [("fixed", spec)]
    call = calls[0]
    kind = perturb.REGISTRY[call.name]
    argument, values = _moved(kind)
    if not argument:
        return "severity", [("fixed", spec)]
    now = specs.bind(call, kind.function)[argument]
    values_and_now = {*values, now} - {None}
    ordered = sorted(values_and_now, reverse=values[0] > values[-1])
    return argument, list(_places(call, argument, ordered))


def _moved(kind: perturb.Perturbation) -> tuple[str, list[float]]:
    """Return the argument that a slider moves and its values; "" where nothing moves."""
    if kind.sweep:
        return kind.sweep.argument, kind.sweep.values()
    defaults = specs.defaults_of(kind.function)
    names = kind.moving(defaults)
    if not names:
        return "", []
    return names[0], np.linspace(0, 2 * defaults[names[0]], 21).tolist()


def _places(call: specs.Call, argument: str, values: list[float]) -> Iterator[tuple[str, str]]:
    for value in values:
        arguments = {**call.arguments, argument: value}
        try:
            spec = perturb.canonical(specs.complete(call.name, arguments))
        except ValueError:  # a place that a user's own kind does not allow
            continue
        yield f"{value:g}", spec
