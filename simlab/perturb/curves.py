"""Severity curves: specs that differ in one thing only are drawn and measured as one line."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from simlab import specs as spec_texts
from simlab.perturb.registry import REGISTRY, Perturbation


class Curve(NamedTuple):
    """Specs of one kind that go one way and differ in one argument.

    Attributes:
        name: in words: kind, other arguments that are not at their default, direction, and what
            moves where that is not the kind's first argument.
        kind: name of the perturbation.
        specs: mildest first.
        severities: of the specs.
    """

    name: str
    kind: str
    specs: tuple[str, ...]
    severities: tuple[float, ...]


class _Place(NamedTuple):
    severity: float
    value: float
    spec: str


def curves(specs: Iterable[str]) -> list[Curve]:
    """Return the curves that specs lie on, in order of their first spec; each depends on the set of
    specs alone.

    A spec that varies in two ways, such as ``text`` beside other lengths and other sizes, lies on
    two curves; one that has no neighbour is alone on its own. Chains, kinds that are not registered
    here and specs that change nothing lie on none.

    >>> specs = ["gamma", "gamma(exponent=2)", "gamma(exponent=0.5)"]
    >>> [(curve.name, curve.specs) for curve in curves(specs)]
    [('gamma darker', ('gamma', 'gamma(exponent=2)')), ('gamma brighter', ('gamma(exponent=0.5)',))]
    """
    by_name: dict[tuple[str, str], list[_Place]] = defaultdict(list)
    names: dict[str, list[tuple[str, str]]] = {}
    for spec in dict.fromkeys(spec_texts.listed("specs", specs)):
        names[spec] = []
        for name, kind, place in _places(spec):
            by_name[name, kind].append(place)
            names[spec].append((name, kind))
    moving = {name for name, places in by_name.items() if _differ(places)}
    kept: dict[tuple[str, str], list[_Place]] = defaultdict(list)
    for spec, possible in names.items():
        chosen = [name for name in possible if name in moving] or possible[:1]
        for name in chosen:
            kept[name].extend(place for place in by_name[name] if place.spec == spec)
    return [_curve(name, kind, places) for (name, kind), places in kept.items()]


def _differ(places: list[_Place]) -> bool:
    severities = {place.severity for place in places}
    return len(severities) > 1


def _curve(name: str, kind: str, places: list[_Place]) -> Curve:
    ordered = sorted(places)
    return Curve(
        name,
        kind,
        tuple(place.spec for place in ordered),
        tuple(place.severity for place in ordered),
    )


def _places(spec: str) -> Iterator[tuple[str, str, _Place]]:
    """Yield every curve on which a spec could lie: its name, the kind, and the place on it."""
    calls = spec_texts.parse(spec)
    perturbation = REGISTRY.get(calls[0].name) if len(calls) == 1 else None
    if perturbation is None:
        return
    arguments = spec_texts.bind(calls[0], perturbation.function)
    severity = perturbation.signed(arguments)
    if severity == 0:
        return
    direction = perturbation.directions[severity > 0]
    for argument in perturbation.moving(arguments) or [""]:
        value = float(arguments.get(argument, 0))
        name = _name(perturbation, arguments, direction, argument)
        yield name, perturbation.name, _Place(abs(severity), value, spec)


def _name(
    perturbation: Perturbation, arguments: spec_texts.Arguments, direction: str, moving: str
) -> str:
    defaults = spec_texts.defaults_of(perturbation.function)
    others = {**arguments}
    if moving in others:
        others[moving] = defaults[moving]
    words = [spec_texts.canonical(perturbation.name, others, perturbation.function), direction]
    first = next(iter(perturbation.moving(defaults)), moving)
    if moving != first:
        words.append(f"by {moving}")
    return " ".join(filter(None, words))
