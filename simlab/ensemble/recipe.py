"""A fitted ensemble as JSON and back. Nothing that is read can run code, and whatever does not fit is refused."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from simlab.ensemble.calibration import Calibration
from simlab.ensemble.classifier import CopyClassifier
from simlab.paths import expanded, replace_file

FORMAT = 1
"""Raised when a recipe comes to mean something else; others are refused."""

_BEGINNING = b'{\n "simlab_recipe":'

DEFAULT = Path(__file__).parents[1] / "recipe.json"
"""The recipe that ships with the package."""


def write(path: str | Path, content: dict[str, Any]) -> None:
    """Write a recipe, whole or not at all.

    Raises:
        ValueError: there is a file of that name that is no recipe.
    """
    content = {"simlab_recipe": FORMAT, **content}
    text = json.dumps(
        {**content, "digest": _digest(content)}, indent=1, ensure_ascii=False, allow_nan=False
    )
    path = expanded(path)
    if path.exists() and not path.read_bytes().lstrip().startswith(_BEGINNING):
        raise ValueError(
            f"{str(path)!r} is no recipe of simlab, and is left as it is; name another"
        )
    replace_file(path, f"{text}\n".encode())


def read(path: str | Path) -> dict[str, Any]:
    """Return what :func:`write` wrote.

    Raises:
        ValueError: one line: the file cannot be read, is no recipe, is damaged, or of another format.
    """
    try:
        content = json.loads(expanded(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read the recipe {str(path)!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{str(path)!r} is not a recipe, or is damaged: it is no JSON text"
        ) from error
    if not isinstance(content, dict) or "simlab_recipe" not in content:
        raise ValueError(f"{str(path)!r} is not a recipe of simlab")
    if (given := content["simlab_recipe"]) != FORMAT:
        raise ValueError(
            f"{str(path)!r} is a recipe of format {given!r}; this simlab reads {FORMAT}"
        )
    if content.pop("digest", None) != _digest(content):
        raise ValueError(
            f"the recipe {str(path)!r} is damaged or was edited: its digest does not fit"
        )
    return content


def from_classifier(model: CopyClassifier) -> dict[str, Any]:
    """Return the fitted numbers of a classifier."""
    columns = [
        {
            "weight": float(weight),
            "knots": c.knots.tolist(),
            "slopes": c.slopes.tolist(),
            "offset": c.offset,
        }
        for weight, c in zip(model.coef_, model.calibrations_)
    ]
    return {"prevalence": model.prevalence_, "bias": model.bias_, "columns": columns}


def to_classifier(content: dict[str, Any]) -> CopyClassifier:
    """Return the classifier that these numbers describe.

    Raises:
        ValueError: a number is missing, not finite, or would make a larger distance mean more alike.
    """
    model, columns = CopyClassifier(), content["columns"]
    model.classes_, model.n_features_in_ = np.array([0, 1]), len(columns)
    model.prevalence_, model.bias_ = float(content["prevalence"]), float(content["bias"])
    model.coef_ = np.array([column["weight"] for column in columns], dtype=float)
    model.calibrations_ = [
        Calibration(
            np.array(c["knots"], dtype=float),
            np.array(c["slopes"], dtype=float),
            float(c["offset"]),
        )
        for c in columns
    ]
    if not (0 < model.prevalence_ < 1 and math.isfinite(model.bias_) and _falls(model)):
        raise ValueError(
            "prevalence must be in (0, 1), weights and slopes 0 or more, knots ascending, all finite"
        )
    return model


def _falls(model: CopyClassifier) -> bool:
    """Whether no weight or slope is negative and every curve is one."""
    return bool(np.all(np.isfinite(model.coef_) & (model.coef_ >= 0))) and all(
        c.knots.shape == c.slopes.shape
        and np.isfinite([*c.knots, *c.slopes, c.offset]).all()
        and (np.diff(c.knots) > 0).all()
        and (c.slopes >= 0).all()
        for c in model.calibrations_
    )


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(
        json.dumps(content, sort_keys=True, ensure_ascii=True).encode()
    ).hexdigest()
