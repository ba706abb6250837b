"""The registry of perturbations, and chains of them read from specs."""

import hashlib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np

from simlab import specs
from simlab.images import Picture, content_digest, read_bytes, read_image
from simlab.paths import AnyPath
from simlab.specs import Rule as Rule
from simlab.specs import between

Rng = np.random.Generator


VERSION = 2
"""Part of the cache key of every variant: raised when a perturbation of the package makes other
pixels.
"""

Share = Annotated[float, between(0, 1)]
"""A fraction: 0 is nothing, 1 is all."""


class Sweep(NamedTuple):
    """What a slider moves: an argument, from where it changes nothing to where it is strong."""

    argument: str
    start: float
    end: float
    n_places: int

    def values(self) -> list[float]:
        """Return the places, evenly spread, both ends among them."""
        return np.linspace(self.start, self.end, self.n_places).round(3).tolist()


@dataclass(frozen=True)
class Step:
    """One perturbation with all its arguments; it carries its function, so that a worker needs no
    registry.
    """

    kind: str
    function: Callable[..., Picture]
    arguments: dict[str, Any]
    severity: float
    resources: str

    def apply(self, image: Picture, rng: Rng) -> Picture:
        """Return the variant of an RGB picture.

        A step of severity 0 changes nothing, by definition.
        """
        if self.severity == 0:
            return image
        return _checked(self.function(image, rng, **self.arguments), f"{self.kind!r} must return")


@dataclass(frozen=True)
class Perturbation:
    """A registered perturbation: its name in specs, its function, and what the arguments alone tell
    of it.

    `severity` and `resources` are called with those keyword arguments of `function` that they name.
    `directions` are the words for a severity with a minus and with a plus; both are empty where
    there is one way only. `sweep` is what a slider moves; None where the arguments tell.
    """

    name: str
    function: Callable[..., Picture]
    severity: Callable[..., float]
    resources: Callable[..., str]
    directions: tuple[str, str] = ("", "")
    sweep: Sweep | None = None

    def step(self, call: specs.Call) -> Step:
        """Return the step that a call describes.

        Raises:
            ValueError: naming the argument, what is allowed and what was given.
        """
        arguments = specs.bind(call, self.function)
        severity = self.measure(arguments)
        drawn_on = specs.call_named(self.resources, arguments)
        resources = ";".join(filter(None, [drawn_on, specs.code_digest(self.function)]))
        return Step(self.name, self.function, arguments, severity, resources)

    def measure(self, arguments: specs.Arguments) -> float:
        """Return the severity, at least 0."""
        return abs(self.signed(arguments))

    def signed(self, arguments: specs.Arguments) -> float:
        """Return the severity, its sign the direction; rounded, so that 1 - 0.8 is 0.2.

        Raises:
            ValueError: it is not finite, or negative in a perturbation without two directions.
        """
        severity = round(float(specs.call_named(self.severity, arguments)), 12)
        lowest = -math.inf if any(self.directions) else 0
        if not (math.isfinite(severity) and severity >= lowest):
            raise ValueError(
                f"severity of {self.name!r} must be finite and at least 0, not {severity}; "
                "a negative one needs directions=(…, …)"
            )
        return severity

    def moving(self, arguments: specs.Arguments) -> list[str]:
        """Return which of the arguments that make the severity are numbers."""
        names = inspect.signature(self.severity).parameters
        return [name for name in names if type(arguments[name]) in (int, float)]


@dataclass(frozen=True)
class Chain:
    """Perturbations applied one after the other, read from a spec by :func:`parse`.

    Attributes:
        spec: canonical text; "" where nothing is done.
        steps: the perturbations in order.
    """

    spec: str
    steps: tuple[Step, ...]

    @property
    def kind(self) -> str:
        """The names of the steps, joined by ``+``."""
        return "+".join(step.kind for step in self.steps)

    @property
    def severity(self) -> float:
        """0 where nothing is done, NaN for two steps or more."""
        if not self.steps:
            return 0.0
        if len(self.steps) > 1:
            return math.nan
        return self.steps[0].severity

    @property
    def resources(self) -> str:
        """Digests of what the variant depends on beside the picture and the spec; "" if nothing.

        That is fonts, pasted pictures, codecs, and the source code of functions from outside the
        package.
        """
        return ";".join(filter(None, (step.resources for step in self.steps)))

    def apply(self, image: Picture, seed: int = 0, content: bytes | None = None) -> Picture:
        """Return the variant of an RGB picture; the picture itself is left as it is.

        Args:
            seed: which draw.
            content: :func:`simlab.images.content_digest` of `image`, where it is already known.

        Raises:
            ValueError: the picture, or what a perturbation makes of it, is not a PIL picture in
                RGB.
        """
        variant = _checked(image, "perturbations take")
        content = content_digest(image) if content is None else content
        for number, step in enumerate(self.steps):
            earlier = sum(other.kind == step.kind for other in self.steps[:number])
            drawn = f"{int(seed)} {step.kind} {earlier} ".encode() + content
            digest = hashlib.sha256(drawn).digest()
            rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
            variant = step.apply(variant, rng)
        return image.copy() if variant is image else variant


REGISTRY: dict[str, Perturbation] = {}
"""Every perturbation by the name that specs use."""


def register(
    *,
    severity: Callable[..., float],
    resources: Callable[..., str] = lambda: "",
    directions: tuple[str, str] = ("", ""),
    sweep: Sweep | None = None,
    replace: bool = False,
) -> Callable[[Callable], Callable]:
    """Return a decorator that makes ``function(image, rng, *, …)`` a perturbation named after the
    function.

    The function takes a PIL RGB picture, a numpy Generator and keyword-only arguments with
    defaults, and returns a new PIL RGB picture. It draws from `rng` alone, always the same numbers
    in the same order whatever its arguments, so that a severity curve moves one thing only.
    Arguments annotated with ``Annotated[float, between(0, 1)]`` or ``Literal["a", "b"]`` are
    checked.

    Args:
        severity: returns the severity from the arguments it names; 0 unchanged, never falling with
            what is done to the picture. Where a picture can change in two opposite ways, the sign
            says which.
        resources: returns a digest of the files drawn on, from the arguments it names.
        directions: words for a negative and for a positive severity, such as ("darker",
            "brighter"): two curves.
        sweep: the argument that a slider moves, such as ``Sweep("area", 1, 0.05, 20)``; by default
            the first number of `severity`, up to twice its default.
        replace: allow a name that is taken. A function defined again in a notebook always replaces
            itself.

    Raises:
        ValueError: the name is taken, or the function or `severity` has another shape.

    >>> @register(severity=lambda strength: strength)
    ... def darken(image, rng, *, strength: Annotated[float, between(0, 1)] = 0.3):
    ...     return image.point(lambda level: round(level * (1 - strength)))
    >>> from PIL import Image
    >>> apply(Image.new("RGB", (2, 1), (200, 100, 50)), "darken(strength=0.5)").getpixel((0, 0))
    (100, 50, 25)
    >>> del REGISTRY["darken"]
    """

    def decorate(function: Callable[..., Picture]) -> Callable[..., Picture]:
        name = _checked_name(function, severity)
        known = REGISTRY.get(name)
        is_taken = known and specs.origin(known.function) != specs.origin(function)
        if is_taken and not replace:
            raise ValueError(
                f"perturbation {name!r} exists; choose another name or say replace=True"
            )
        REGISTRY[name] = Perturbation(name, function, severity, resources, directions, sweep)
        return function

    return decorate


def parse(spec: str) -> Chain:
    """Return the chain of perturbations that a spec names.

    Raises:
        ValueError: one line with the unknown name or the argument that does not fit, and what is
            allowed.

    >>> chain = parse("crop(area=0.50)+mirror()")
    >>> chain.spec, chain.kind
    ('crop+mirror', 'crop+mirror')
    """
    steps = []
    written = []
    for call in specs.parse(spec):
        step = specs.lookup(call.name, REGISTRY, "perturbation").step(call)
        steps.append(step)
        written.append(specs.canonical(step.kind, step.arguments, step.function))
    return Chain("+".join(written), tuple(steps))


def apply(image: Any, spec: str, seed: int = 0) -> Picture:
    """Return a variant of a picture: a pure function of its pixels, the spec and the seed.

    Args:
        image: whatever :func:`simlab.images.read_image` takes.
        spec: such as ``"crop(area=0.5)+recompress(quality=30)"``; "" changes nothing.
        seed: which draw, where the perturbation is random.

    >>> from PIL import Image
    >>> apply(Image.new("RGB", (200, 100)), "crop(area=0.25)").size
    (100, 50)
    """
    specs.check_number("seed", seed, -math.inf, whole=True)
    return parse(spec).apply(read_image(image), seed)


def apply_to_file(path: AnyPath, spec: str, seed: int = 0) -> Picture:
    """Return a variant of the picture in a file, named as it is: a ``~`` is no home folder.

    Raises:
        ImageError: the file is no picture that can be read.
        ValueError: as :func:`parse`.
    """
    specs.check_kind("path", path, AnyPath, "a path")
    return apply(read_image(read_bytes(path), name=path), spec, seed)


def canonical(spec: str) -> str:
    """Return the one spelling of a spec: arguments in order, those equal to their default left out.

    >>> canonical("crop( anchor='center', area=0.5 )")
    'crop(anchor="center")'
    """
    return parse(spec).spec


def kind(spec: str) -> str:
    """Return the names of a spec's steps joined by ``+``.

    It needs no registry, so that a saved table of someone else's perturbations has kinds.

    >>> kind("crop(area=0.3)+recompress")
    'crop+recompress'
    """
    return "+".join(call.name for call in specs.parse(spec))


def severity(spec: str) -> float:
    """Return how strong a perturbation is: 0 unchanged, never decreasing with strength, in units of
    its kind.

    NaN for chains, and for a perturbation that is not registered here (a table made elsewhere).

    >>> severity("crop(area=0.3)")
    0.7
    """
    calls = specs.parse(spec)
    if len(calls) != 1 or calls[0].name not in REGISTRY:
        return math.nan if calls else 0.0
    perturbation = REGISTRY[calls[0].name]
    return perturbation.measure(specs.bind(calls[0], perturbation.function))


def _checked(image: Any, who: str) -> Picture:
    if isinstance(image, Picture) and image.mode == "RGB":
        return image
    given = f"one of mode {image.mode}" if isinstance(image, Picture) else type(image).__name__
    raise ValueError(f"{who} a PIL picture of mode RGB, not {given}")


def _checked_name(function: Callable, severity: Callable) -> str:
    allowed = list(specs.defaults_of(function))
    specs.defaults_of(severity)
    name = function.__name__
    parameters = inspect.signature(function).parameters
    if not name.isidentifier() or len(parameters) != 2 + len(allowed):
        raise ValueError(f"a perturbation is a named function of (image, rng, *, …), not {name!r}")
    unknown = set(inspect.signature(severity).parameters).difference(allowed)
    if unknown:
        raise ValueError(f"severity of {name!r} uses {sorted(unknown)}; allowed: {allowed}")
    return name
