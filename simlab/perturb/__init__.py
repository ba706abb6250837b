"""Perturbations: picture → variant, with a named severity, seeded by (seed, content, kind).

A spec such as ``"crop(area=0.5)+recompress(quality=30)"`` names one or a chain; :data:`REGISTRY` holds all kinds,
each a function ``(image, rng, *, …)`` whose docstring says what it does; :func:`register` adds your own.
"""

from collections.abc import Iterable

from simlab.perturb import geometry, pasting, photometric  # noqa: F401  registers the kinds, in this order
from simlab.perturb.registry import (
    REGISTRY,
    Chain,
    Perturbation,
    Rule,
    Share,
    Step,
    apply,
    between,
    canonical,
    content_digest,
    expand,
    kind,
    parse,
    register,
    severity,
)

__all__ = [
    "PRESETS", "REGISTRY", "Chain", "Perturbation", "Rule", "Share", "Step", "apply", "between", "canonical",
    "content_digest", "kind", "parse", "register", "resolve", "severity",
]  # fmt: skip

PRESETS: dict[str, tuple[str, ...]] = {
    "basic": (
        *(f"text(length={length})" for length in (10, 20, 40)),
        *(f"crop(area={area})" for area in (0.8, 0.5, 0.25)),
        *(f"recompress(quality={quality})" for quality in (70, 30, 10)),
    ),
}
"""Named lists of specs: "basic" is the three kinds that the project began with, at three severities each."""


def resolve(perturbations: str | Iterable[str]) -> list[str]:
    """Return canonical specs, order kept and repeats dropped.

    Args:
        perturbations: a preset's name, a spec, several separated by commas, or a list of any of these.
            The empty text is the picture as it is.

    Raises:
        ValueError: naming what is unknown, the nearest spelling and what is allowed.

    >>> resolve(["mirror", "crop(area=0.5), crop"])
    ['mirror', 'crop']
    """
    return expand(perturbations, PRESETS)
