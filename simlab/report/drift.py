"""Whether a study still holds: some pairs scored again, pictures and versions compared."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pandas import DataFrame

from simlab import specs
from simlab.datasets import as_table
from simlab.methods.registry import columns, resolve
from simlab.paths import AnyPath, expanded, read_json
from simlab.report.files import Run, versions
from simlab.scoring import features
from simlab.scoring import table as scoring
from simlab.tables import PAIR_COLUMNS, is_fitted, read_scores


def verify(
    folder: AnyPath,
    *,
    root: AnyPath | None = None,
    n_pairs: int = 200,
    seed: int = 0,
    n_jobs: int = -1,
    progress: bool = True,
) -> DataFrame:
    """Return what has drifted since a study was written to `folder`; an empty table for nothing.

    Every version is compared; pictures and distances are those of a sample of the pairs, scored
    without a cache. A pair with a changed picture is not scored.

    Args:
        root: folder that the pictures' paths are relative to; by default as run.json says.
        n_pairs: how many pairs are drawn.
        seed: of the draw.

    Returns:
        Columns what ("version", "picture", "status" or "distance"), name, and drift, in words.

    Raises:
        ValueError: no study in the folder, a damaged one, or a method that is not registered here.
    """
    specs.check_count("n_pairs", n_pairs)
    specs.check_count("seed", seed, 0)
    folder = expanded(folder)
    run = _run(folder / "run.json")
    scores = read_scores(folder / "scores.csv")
    if root is None:
        root = scores.attrs.get("root", ".")
    names = run.get("arguments", {}).get("methods") or _methods(scores)
    _check(run, scores, names, folder)
    sample = scores.sample(min(n_pairs, len(scores)), random_state=seed).sort_index()
    pictures = dict(_pictures(sample, run.get("inputs", {}), root))
    then = sample[~(sample["reference"].isin(pictures) | sample["query"].isin(pictures))]
    now = scoring.score_pairs(
        then[list(PAIR_COLUMNS)], names, root=root, n_jobs=n_jobs, progress=progress
    )
    rows = list(_versions(run.get("versions", {})))
    rows.extend(("picture", path, drift) for path, drift in pictures.items())
    rows.extend(_distances(then, now, now.attrs["methods"]))
    return DataFrame(rows, columns=["what", "name", "drift"])


def _run(path: Path) -> Run:
    run = read_json(path, "the study of")
    parts = [run]
    if isinstance(run, dict):
        parts += [run.get(name, {}) for name in ("arguments", "inputs", "versions")]
    if not all(isinstance(part, dict) for part in parts):
        raise ValueError(f"{str(path)!r} does not tell how a study was made")
    return run


def _check(run: Run, scores: DataFrame, names: Any, folder: Path) -> None:
    """Refuse a study of which only a part would be compared, and then be said to hold."""
    if not isinstance(names, list | str):
        raise ValueError(f"{str(folder / 'run.json')!r}: methods must be a list, not {names!r}")
    table = str(folder / "scores.csv")
    n_then = run.get("n_pairs", len(scores))
    if lost := [method.name for method in resolve(names) if method.name not in scores]:
        raise ValueError(f"{table!r} is damaged: no column {lost[0]}")
    if not len(scores) == n_then > 0:
        raise ValueError(f"{table!r} is damaged: pairs in it: {len(scores)} of {n_then}")


def _methods(scores: DataFrame) -> list[str]:
    """The methods that can be asked again: all that are named, without an ensemble's."""
    noted = scores.attrs.get("methods") or columns(scores)
    return [name for name in noted if not is_fitted(name)]


def _versions(then: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    if not then:
        return
    now = versions()
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            drift = f"{then.get(name, 'none')} then, {now.get(name, 'none')} now"
            yield "version", name, drift


def _pictures(
    sample: DataFrame, then: Mapping[str, str], root: AnyPath
) -> Iterator[tuple[str, str]]:
    paths = sorted({*sample["reference"], *sample["query"]})
    now = features.digests(as_table(DataFrame({"path": paths}), root=root)) if paths else {}
    for path in paths:
        # one that could not be read then has no digest, and its pairs say so
        if path in then and then[path] != now.get(path):
            yield path, "another file than then" if path in now else "can no longer be read"


def _distances(
    then: DataFrame, now: DataFrame, methods: list[str]
) -> Iterator[tuple[str, str, str]]:
    changed = then["status"].ne(now["status"])
    if changed.any():
        row = now[changed].iloc[0]
        reason = f": {row['error']}" if row["error"] else ""
        drift = f"{row['status']} now{reason}; pairs: {changed.sum()} of {len(then)}"
        yield "status", f"{row['reference']} and {row['query']}", drift
    for method in methods:
        if method not in then:
            continue
        lost = ~changed & (then[method].isna() != now[method].isna())
        moved = (then[method] - now[method]).abs().mask(lost, np.inf)
        if (moved > 0).any():
            most = moved.idxmax()
            pair = now.loc[most]
            name = f"{pair['reference']} and {pair['query']} {pair['perturbation']}".rstrip()
            values = f"{then[method][most]:g} then, {now[method][most]:g} now"
            share = f"pairs that differ: {(moved > 0).sum()} of {len(then)}"
            yield "distance", method, f"{share}, most {name}: {values}"
