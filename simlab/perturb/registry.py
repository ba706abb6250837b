"""The registry of perturbations, and chains of them read from specs."""

import functools
import hashlib
import inspect
import math
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
from PIL import Image

from simlab import specs
from simlab.images import read_image


@dataclass(frozen=True)
class Rule:
    """What an argument may be: `allows(value)` decides, `words` says it in a message."""

    words: str
    allows: Callable[[Any], bool] = field(repr=False)


def between(low: float, high: float, *, odd: bool = False) -> Rule:
    """Return the rule for a number from `low` to `high`, both allowed; put it in an annotation.

    >>> def tint(image, rng, *, strength: Annotated[float, between(0, 1)] = 0.3): ...
    """
    words = f"{'an odd number' if odd else 'a number'} from {low:g} to {high:g}"
    return Rule(words, functools.partial(_within, low=low, high=high, odd=odd))


def _within(value: Any, low: float, high: float, odd: bool) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and low <= value <= high and (not odd or value % 2 == 1)


Share = Annotated[float, between(0, 1)]
"""A fraction: 0 is nothing, 1 is all."""


@dataclass(frozen=True)
class Perturbation:
    """A registered perturbation: its name in specs, its function, and what is known from the arguments alone.

    `severity` and `resources` are called with those keyword arguments of `function` that they name.
    """

    name: str
    function: Callable[..., Image.Image]
    severity: Callable[..., float]
    resources: Callable[..., str] | None = None

    def step(self, call: specs.Call) -> "Step":
        """Return the step that a call describes, its arguments complete.

        Raises:
            ValueError: naming the argument, what is allowed and what was given.
        """
        arguments = self.bind(call)
        return Step(self.name, self.function, arguments, self.measure(arguments), self.material(arguments))

    def bind(self, call: specs.Call) -> dict[str, Any]:
        """Return all arguments of a call, checked against the annotations of the function."""
        arguments = specs.bind(call, self.function)
        _check(self.name, self.function, arguments)
        return arguments

    def measure(self, arguments: Mapping[str, Any]) -> float:
        """Return the severity; rounded, so that 1 - 0.8 is 0.2."""
        severity = round(float(_call(self.severity, arguments)), 12)
        if not (math.isfinite(severity) and severity >= 0):
            raise ValueError(f"severity of {self.name!r} must be finite and at least 0, not {severity}")
        return severity

    def material(self, arguments: Mapping[str, Any]) -> str:
        """Return digests of what the function draws on beside picture and arguments; "" if nothing."""
        drawn_on = _call(self.resources, arguments) if self.resources else ""
        return ";".join(filter(None, [drawn_on, _code_digest(self.function)]))


@dataclass(frozen=True)
class Step:
    """One perturbation with its arguments; it carries its function, so that a worker needs no registry."""

    kind: str
    function: Callable[..., Image.Image]
    arguments: dict[str, Any]
    severity: float
    resources: str

    def apply(self, image: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Return the variant of an RGB picture. A step of severity 0 changes nothing, by definition."""
        if self.severity == 0:
            return image
        variant = self.function(image, rng, **self.arguments)
        _check_picture(variant, f"{self.kind!r} must return")
        return variant


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
        return _severity([step.severity for step in self.steps])

    @property
    def resources(self) -> str:
        """Digests of what the variant depends on beside the picture and the spec; "" if nothing.

        That is fonts, pasted pictures, codecs, and the source code of functions from outside the package.
        """
        return ";".join(filter(None, (step.resources for step in self.steps)))

    def apply(self, image: Image.Image, seed: int = 0, content: bytes | None = None) -> Image.Image:
        """Return the variant of an RGB picture; the picture itself is left as it is.

        Args:
            seed: which draw.
            content: :func:`content_digest` of `image`, where it is already known.

        Raises:
            ValueError: the picture, or what a perturbation makes of it, is not a PIL picture in RGB.
        """
        _check_picture(image, "perturbations take")
        content = content_digest(image) if content is None else content
        variant = image
        for i, step in enumerate(self.steps):
            earlier = sum(other.kind == step.kind for other in self.steps[:i])
            variant = step.apply(variant, _generator(seed, content, step.kind, earlier))
        return image.copy() if variant is image else variant


REGISTRY: dict[str, Perturbation] = {}
"""Every perturbation by the name that specs use."""


def register(
    *, severity: Callable[..., float], resources: Callable[..., str] | None = None, replace: bool = False
) -> Callable[[Callable], Callable]:
    """Return a decorator that makes ``function(image, rng, *, …)`` a perturbation named after the function.

    The function takes a PIL RGB picture, a numpy Generator and keyword-only arguments with defaults, and returns
    a new PIL RGB picture. It draws from `rng` alone, always the same numbers in the same order whatever its
    arguments, so that a severity curve moves one thing only. Arguments annotated with
    ``Annotated[float, between(0, 1)]`` or ``Literal["a", "b"]`` are checked.

    Args:
        severity: returns the severity from the arguments it names: 0 unchanged, never decreasing with strength.
        resources: returns a digest of the files drawn on, from the arguments it names.
        replace: allow a name that is taken. A function defined again in a notebook always replaces itself.

    Raises:
        ValueError: the name is taken, or the function or `severity` has another shape.

    >>> @register(severity=lambda strength: strength)
    ... def darken(image, rng, *, strength: Annotated[float, between(0, 1)] = 0.3):
    ...     return image.point(lambda level: round(level * (1 - strength)))
    >>> apply(Image.new("RGB", (2, 1), (200, 100, 50)), "darken(strength=0.5)").getpixel((0, 0))
    (100, 50, 25)
    >>> del REGISTRY["darken"]
    """

    def decorate(function: Callable[..., Image.Image]) -> Callable[..., Image.Image]:
        perturbation = Perturbation(function.__name__, function, severity, resources)
        _check_shape(perturbation)
        _check_free(perturbation, replace)
        REGISTRY[perturbation.name] = perturbation
        return function

    return decorate


def parse(spec: str) -> Chain:
    """Return the chain of perturbations that a spec names.

    Raises:
        ValueError: one line with the unknown name or the argument that does not fit, and what is allowed.

    >>> chain = parse("crop(area=0.50)+mirror()")
    >>> chain.spec, chain.kind
    ('crop+mirror', 'crop+mirror')
    """
    calls = specs.parse(spec)
    steps = tuple(specs.lookup(call.name, REGISTRY, "perturbation").step(call) for call in calls)
    return Chain("+".join(specs.canonical(s.kind, s.arguments, s.function) for s in steps), steps)


def apply(image, spec: str, seed: int = 0) -> Image.Image:
    """Return a variant of a picture: a pure function of its pixels, the spec and the seed.

    Args:
        image: whatever :func:`simlab.images.read_image` takes.
        spec: such as ``"crop(area=0.5)+recompress(quality=30)"``; "" changes nothing.
        seed: which draw, where the perturbation is random.

    >>> apply(Image.new("RGB", (200, 100)), "crop(area=0.25)").size
    (100, 50)
    """
    return parse(spec).apply(read_image(image), seed)


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
    """Return how strong a perturbation is: 0 unchanged, never decreasing with strength, in units of its kind.

    NaN for chains, and for a perturbation that is not registered here (a table made elsewhere).

    >>> severity("crop(area=0.3)")
    0.7
    """
    calls = specs.parse(spec)
    if any(call.name not in REGISTRY for call in calls):
        return math.nan
    known = [REGISTRY[call.name] for call in calls]
    return _severity([kind.measure(kind.bind(call)) for kind, call in zip(known, calls)])


def content_digest(image: Image.Image) -> bytes:
    """Return SHA-256 of a picture's size and RGB pixels: what its random draws are seeded from.

    >>> len(content_digest(Image.new("RGB", (3, 2))))
    32
    """
    return hashlib.sha256(b"%d %d " % image.size + image.tobytes()).digest()


def expand(names: str | Iterable[str], presets: Mapping[str, Iterable[str]]) -> list[str]:
    """Return canonical specs for a preset, a spec, a comma-separated text or a list of these; see `resolve`."""
    entries = [names] if isinstance(names, str) else list(names)
    parts = [part for entry in entries for part in (_split(entry) or [""])]
    return list(dict.fromkeys(canonical(spec) for part in parts for spec in _preset(part, presets)))


def _split(entry: Any) -> list[str]:
    if not isinstance(entry, str):
        raise ValueError(f"perturbations are texts such as 'crop(area=0.5)', not {type(entry).__name__}")
    return specs.split(entry)


def _preset(part: str, presets: Mapping[str, Iterable[str]]) -> Iterable[str]:
    if part.isidentifier():
        specs.lookup(part, {**presets, **REGISTRY}, "perturbation or preset")
    return presets.get(part, (part,))


def _severity(severities: list[float]) -> float:
    return float(sum(severities)) if len(severities) < 2 else math.nan


def _generator(seed: int, content: bytes, name: str, index: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed} {name} {index} ".encode() + content).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def _call(function: Callable, arguments: Mapping[str, Any]) -> Any:
    return function(**{key: arguments[key] for key in _named(function) if key in arguments})


@functools.cache
def _named(function: Callable) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters
    return tuple(name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD)


def _check(name: str, function: Callable, arguments: Mapping[str, Any]) -> None:
    hints = inspect.get_annotations(function)
    for key, value in arguments.items():
        hint = hints.get(key, Any)
        options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        if not any(_fits(option, value) for option in options):
            allowed = " or ".join(_words(option) for option in options)
            raise ValueError(f"{key} of {name!r} must be {allowed}, not {value!r}")


def _fits(option: Any, value: Any) -> bool:
    if option is types.NoneType:
        return value is None
    if get_origin(option) is Literal:
        return value in get_args(option)
    return all(rule.allows(value) for rule in _rules(option))


def _words(option: Any) -> str:
    if get_origin(option) is Literal:
        return "one of " + ", ".join(map(repr, get_args(option)))
    return " and ".join(rule.words for rule in _rules(option)) or "None"


def _rules(option: Any) -> list[Rule]:
    return [rule for rule in getattr(option, "__metadata__", ()) if isinstance(rule, Rule)]


def _check_picture(image: Any, who: str) -> None:
    if not (isinstance(image, Image.Image) and image.mode == "RGB"):
        given = f"one of mode {image.mode}" if isinstance(image, Image.Image) else type(image).__name__
        raise ValueError(f"{who} a PIL picture of mode RGB, not {given}")


def _check_shape(perturbation: Perturbation) -> None:
    name, allowed = perturbation.name, specs.defaults_of(perturbation.function)
    first = [p for p in _named(perturbation.function) if p not in allowed]
    if not name.isidentifier() or len(first) != 2:
        raise ValueError(f"a perturbation is a function (image, rng, *, …), not {name}({', '.join(first)}, …)")
    unknown = [key for key in _named(perturbation.severity) if key not in allowed]
    if unknown:
        given = ", ".join(unknown)
        raise ValueError(f"severity of {name!r} uses {given}; allowed: {', '.join(allowed) or 'no argument'}")


def _check_free(perturbation: Perturbation, replace: bool) -> None:
    taken = REGISTRY.get(perturbation.name)
    if taken and not replace and _place(taken.function) != _place(perturbation.function):
        raise ValueError(f"the perturbation {perturbation.name!r} exists; choose another name or say replace=True")


def _place(function: Callable) -> tuple[str, str]:
    return function.__module__, function.__qualname__


def _code_digest(function: Callable) -> str:
    """Digest of a user's function, so that results cached from an earlier version are not taken for new ones."""
    if function.__module__.startswith("simlab."):
        return ""
    try:
        source = inspect.getsource(function).encode()
    except (OSError, TypeError):  # typed at a prompt
        source = function.__code__.co_code + repr(function.__code__.co_consts).encode()
    return "code:" + hashlib.sha256(source).hexdigest()[:16]
