"""A fitted ensemble as JSON and back: nothing that is read runs code, and misfits are refused."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from simlab.ensemble.calibration import Calibration
from simlab.ensemble.guard import Guard
from simlab.ensemble.weighing import WeighedEvidence
from simlab.paths import AnyPath, Json, check_replaced, file_to_write, read_json, replace_file

FORMAT = 2
"""Raised when a recipe comes to mean something else."""

READABLE = (1, FORMAT)
"""Those of format 1 have no guard; others are refused."""

_BEGINNING = b'{\n "simlab_recipe":'

DEFAULT = Path(__file__).parents[1] / "recipe.json"
"""The recipe that ships with the package."""


def write(path: AnyPath, content: Json) -> None:
    """Write a recipe, whole or not at all.

    Raises:
        ValueError: there is a file of that name that is no recipe, or no such folder.
    """
    signed = {"simlab_recipe": FORMAT, **content}
    signed["digest"] = _digest(signed)
    text = json.dumps(signed, indent=1, ensure_ascii=False, allow_nan=False)
    path = file_to_write(path)
    check_replaced(path, _BEGINNING, "recipe of simlab")
    replace_file(path, f"{text}\n".encode())


def read(path: AnyPath) -> Json:
    """Return what :func:`write` wrote.

    Raises:
        ValueError: one line: the file cannot be read, is no recipe, is damaged, or of another
            format.
    """
    content = read_json(path, "the recipe")
    if not isinstance(content, dict) or "simlab_recipe" not in content:
        raise ValueError(f"{str(path)!r} is not a recipe of simlab")
    given = content["simlab_recipe"]
    if given not in READABLE:
        raise ValueError(
            f"{str(path)!r} is a recipe of format {given!r}; this simlab reads {FORMAT}"
        )
    if content.pop("digest", None) != _digest(content):
        raise ValueError(
            f"the recipe {str(path)!r} is damaged or was edited: its digest does not fit"
        )
    return content


def _digest(content: Json) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def from_classifier(model: WeighedEvidence, methods: list[str]) -> Json:
    """Return the fitted numbers, whose columns are these methods."""
    columns = []
    for method, weight, calibration in zip(methods, model.coef_, model.calibrations_):
        columns.append({"weight": float(weight), **_numbers(calibration), "method": method})
    return {"prevalence": model.prevalence_, "bias": model.bias_, "columns": columns}


def to_classifier(content: Json) -> WeighedEvidence:
    """Return what these numbers describe.

    Raises:
        ValueError: a number is missing, not finite, or would make a larger distance mean more
            alike.
    """
    columns = content["columns"]
    model = WeighedEvidence()
    model.prevalence_ = float(content["prevalence"])
    model.bias_ = float(content["bias"])
    model.coef_ = np.array([column["weight"] for column in columns], dtype=float)
    model.calibrations_ = [_calibration(column) for column in columns]
    in_order = (
        0 < model.prevalence_ < 1
        and math.isfinite(model.bias_)
        and np.all(np.isfinite(model.coef_) & (model.coef_ >= 0))
        and all(map(_is_falling, model.calibrations_))
    )
    if not in_order:
        raise ValueError(
            "prevalence must be in (0, 1), weights and slopes 0 or more, knots ascending,"
            " all finite"
        )
    return model


def from_guard(guard: Guard) -> Json:
    """Return the fitted numbers of a guard."""
    return {"method": guard.method, **_numbers(guard.calibration), "per_copy": guard.per_copy}


def to_guard(content: Json) -> Guard:
    """Return the guard that these numbers describe.

    Raises:
        ValueError: a number is missing, not finite, or would make a larger distance mean more
            alike.
    """
    calibration = _calibration(content)
    per_copy = float(content["per_copy"])
    if not _is_falling(calibration) or not 0 < per_copy < math.inf:
        raise ValueError("a guard's slopes must be 0 or more, its look-alikes per copy over 0")
    return Guard(str(content["method"]), calibration, per_copy)


def _numbers(calibration: Calibration) -> Json:
    return {
        "knots": calibration.knots.tolist(),
        "slopes": calibration.slopes.tolist(),
        "offset": calibration.offset,
    }


def _calibration(column: Json) -> Calibration:
    knots = np.array(column["knots"], dtype=float)
    slopes = np.array(column["slopes"], dtype=float)
    return Calibration(knots, slopes, float(column["offset"]))


def _is_falling(curve: Calibration) -> bool:
    """Whether this is a curve, and never rises."""
    numbers = [*curve.knots, *curve.slopes, curve.offset]
    return bool(
        curve.knots.shape == curve.slopes.shape
        and np.isfinite(numbers).all()
        and (np.diff(curve.knots) > 0).all()
        and (curve.slopes >= 0).all()
    )
