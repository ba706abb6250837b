"""simlab finds out which image-similarity method, at which threshold and with which weights, finds copies of pictures.

Names are loaded when first used, so that ``import simlab`` stays quick.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = (
    "akaze",
    "audit",
    "cache",
    "comparison",
    "datasets",
    "ensemble",
    "evaluation",
    "features",
    "grouping",
    "hashes",
    "images",
    "keypoints",
    "labelling",
    "methods",
    "pairs",
    "perturb",
    "plots",
    "report",
    "scoring",
    "search",
    "specs",
    "tables",
    "widgets",
)
_NAMES = {
    "read_image": "images",
    "list_images": "images",
    "ImageError": "images",
    "read_pairs": "tables",
    "make_pairs": "pairs",
    "audit_sources": "audit",
    "distances": "scoring",
    "score_pairs": "scoring",
    "score_designs": "scoring",
    "evaluate": "evaluation",
    "compare": "evaluation",
    "choose_threshold": "evaluation",
    "Ensemble": "ensemble",
    "find_copies": "search",
    "Gallery": "search",
    "group": "grouping",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"simlab.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(f"simlab.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'simlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *_NAMES])
