"""Perturbations: picture → variant, with a named severity, seeded by (seed, content, kind).

A spec such as ``"crop(area=0.5)+recompress(quality=30)"`` names one or a chain of them.
:data:`REGISTRY` holds all kinds, each a function ``(image, rng, *, …)`` with a docstring;
:func:`register` adds your own.
"""

from collections.abc import Iterable, Mapping

from simlab import specs
from simlab.perturb import geometry, pasting, photometric  # noqa: F401  they register their kinds
from simlab.perturb.curves import Curve, curves
from simlab.perturb.registry import (
    REGISTRY,
    VERSION,
    Chain,
    Perturbation,
    Rule,
    Share,
    Step,
    Sweep,
    apply,
    apply_to_file,
    between,
    canonical,
    content_digest,
    kind,
    parse,
    register,
    severity,
)
from simlab.specs import Names

__all__ = [
    "PRESETS",
    "REGISTRY",
    "VERSION",
    "Chain",
    "Curve",
    "Perturbation",
    "Rule",
    "Share",
    "Step",
    "Sweep",
    "apply",
    "apply_to_file",
    "between",
    "canonical",
    "content_digest",
    "curves",
    "kind",
    "parse",
    "register",
    "resolve",
    "severity",
]


def _sweep(template: str, *values: float | str) -> tuple[str, ...]:
    return tuple(template.format(value) for value in values)


PRESETS: dict[str, tuple[str, ...]] = {
    "basic": (
        *_sweep("text(length={})", 10, 20, 40),
        *_sweep("crop(area={})", 0.8, 0.5, 0.25),
        *_sweep("recompress(quality={})", 70, 30, 10),
    ),
    "standard": (
        "text",
        "watermark",
        "caption",
        "overlay",
        "border",
        "screenshot",
        "embed",
        "crop",
        "resize",
        "aspect",
        "rotate",
        "mirror",
        "shear",
        "perspective",
        "recompress",
        "blur",
        "noise",
        "brightness",
        "contrast",
        "saturation",
        "gamma",
        "gray",
        "crop(area=0.7)+recompress(quality=50)",
    ),
    "attacks58": (
        *_sweep("noise(variance={})", 0.01, 0.02, 0.05),
        *_sweep('noise(kind="speckle", variance={})', 0.01, 0.02, 0.05),
        *_sweep('noise(kind="salt_pepper", amount={})', 0.05, 0.1, 0.15),
        *_sweep("blur(kernel={})", 3, 5, 7),
        *_sweep("median(kernel={})", 3, 5, 7),
        *_sweep("recompress(quality={})", 10, 50, 90),
        *_sweep("resize(scale={})", 0.4, 0.8, 1.2, 1.6),
        *_sweep('crop(side={}, anchor="center", resize_back=True)', 0.05, 0.1, 0.2, 0.4, 0.6),
        *_sweep("rotate(degrees={}, resize_back=True)", 5, 10, 20, 40, 60),
        *_sweep("shear(degrees={})", 1, 2, 5, 10, 20),
        *_sweep("contrast(factor={})", 0.5, 0.66, 1.5, 2),
        *_sweep("saturation(factor={})", 0.5, 0.66, 1.5, 2),
        *_sweep("brightness(factor={})", 0.5, 0.66, 1.5, 2),
        *_sweep("sharpness(factor={})", 0.5, 0.66, 1.5, 2),
        *_sweep("text(length={})", 10, 20, 30, 40, 50),
    ),
}
"""Named lists of specs.

"basic": the three kinds that the project began with, at three severities each. "standard": most
kinds, once each, and a chain. "attacks58": the published list of https://arxiv.org/abs/2206.00282.
"""


def resolve(perturbations: Names) -> list[str]:
    """Return canonical specs, order kept and repeats dropped.

    Args:
        perturbations: a preset's name, a spec, several separated by commas, or a list of any of
            these. The empty text is the picture as it is.

    Raises:
        ValueError: naming what is unknown, the nearest spelling and what is allowed.

    >>> resolve(["mirror", "crop(area=0.5), crop"])
    ['mirror', 'crop']
    """
    entries = [perturbations] if isinstance(perturbations, str) else perturbations
    if not isinstance(entries, Iterable) or isinstance(entries, bytes | Mapping):
        given = type(perturbations).__name__
        raise ValueError(f"perturbations must be a text or a list of texts, not of type {given}")
    entries = list(entries)
    if not all(isinstance(entry, str) for entry in entries):
        raise ValueError(f"perturbations are texts such as 'crop(area=0.5)', not {entries!r}")
    named = []
    for entry in entries:
        for part in specs.split(entry) or [""]:
            named.extend(_expand(part))
    return list(dict.fromkeys(map(canonical, named)))


def _expand(part: str) -> tuple[str, ...]:
    if part.isidentifier():
        specs.lookup(part, {**PRESETS, **REGISTRY}, "perturbation or preset")
    return PRESETS.get(part, (part,))
