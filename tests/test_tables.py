"""The two tables: what is read is what was written, and nothing is guessed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simlab.methods.registry import columns
from simlab.tables import (
    PAIR_COLUMNS,
    SCORE_COLUMNS,
    check_pairs,
    connected_sources,
    rank_by_hash,
    read_scores,
)

ROOT = Path(__file__).resolve().parents[1]
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=12
)


def frame(**columns):
    return pd.DataFrame({"reference": ["a"], "query": ["b"], "label": [1], **columns})


# --- pair tables


def test_a_pair_table_is_completed_in_order_and_left_alone():
    given_ = pd.DataFrame(
        {"note": ["x", "y"], "label": [1, 0], "query": ["b", "c"], "reference": ["a", "a"]},
        index=[7, 3],
    )
    copy = given_.copy()
    pairs = check_pairs(given_)
    assert list(pairs) == [*PAIR_COLUMNS, "note"] and pairs.index.tolist() == [7, 3]
    assert pairs["perturbation"].tolist() == ["", ""] and pairs["seed"].tolist() == [0, 0]
    assert pairs["weight"].tolist() == [1, 1] and pairs["source_query"].tolist() == ["a", "c"]
    pd.testing.assert_frame_equal(given_, copy)
    pd.testing.assert_frame_equal(check_pairs(pairs), pairs)


def test_types_are_settled():
    loose = frame(label=[True], seed=[3.0], weight=["0.5"], perturbation=[None])
    types = check_pairs(loose).dtypes
    assert types["seed"] == types["label"] == np.int64 and types["weight"] == np.float64
    assert all(
        types[name] == np.dtype("O") for name in ("reference", "perturbation", "source_query")
    )


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (frame().drop(columns="query"), "missing: query"),
        (pd.DataFrame(), "missing: reference, query, label"),
        (frame(label=[2]), "label must be 1"),
        (frame(label=["1"]), "label must be 1"),
        (frame(label=[None]), "label must be 1"),
        (frame(label=[0.5]), "label must be 1"),
        (frame(query=[None]), "query must be a path, as text, in every row, not None"),
        (frame(query=[""]), "query must be a path"),
        (frame(reference=[1]), "reference must be a path, as text, in every row, not 1"),
        (frame(weight=[-1]), "weight must be"),
        (frame(weight=[np.inf]), "weight must be"),
        (frame(weight=["heavy"]), "weight must be"),
        (frame(seed=[1.5]), "seed must be a whole number"),
        (frame(seed=["x"]), "seed must be a whole number"),
        (frame(seed=[10**20]), "seed must be a whole number of at most 63 bits"),
        (frame(source_reference=["x"]), "must both be there"),
        (frame(source_reference=["x"], source_query=[""]), "name a source in every row"),
        (frame(source_reference=["x"], source_query=[None]), "name a source in every row"),
    ],
)
def test_wrong_pair_tables_are_refused(pairs, words):
    with pytest.raises(ValueError, match=words):
        check_pairs(pairs)


def test_an_empty_pair_table_is_one():
    pairs = check_pairs(frame().iloc[:0])
    assert len(pairs) == 0 and list(pairs) == list(PAIR_COLUMNS)


# --- sources


def test_connected_sources_by_hand():
    pairs = pd.DataFrame(
        [("d", "c", 1), ("c", "b", 1), ("x", "y", 0), ("x", "z", 1), ("p", "q", 0)],
        columns=["reference", "query", "label"],
    )
    found = connected_sources(pairs)
    assert found["source_reference"].tolist() == ["b", "b", "x", "x", "p"]
    assert found["source_query"].tolist() == ["b", "b", "y", "x", "q"]
    joined = connected_sources(
        pairs, {"q": "same", "y": "same", "p": "other", "not in the table": "same"}
    )
    assert joined["source_query"].tolist() == ["b", "b", "q", "x", "q"]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 1)), min_size=1, max_size=15
    )
)
def test_connected_sources_against_a_slow_one(edges):
    pairs = pd.DataFrame(edges, columns=["reference", "query", "label"]).astype(
        {"reference": str, "query": str}
    )
    found = connected_sources(pairs)
    name = {file: file for file in [*pairs["reference"], *pairs["query"]]}
    for _ in range(20):
        for reference, query, label in pairs.itertuples(index=False):
            if label:
                name[reference] = name[query] = min(name[reference], name[query])
    assert found["source_reference"].tolist() == [name[file] for file in pairs["reference"]]
    assert found["source_query"].tolist() == [name[file] for file in pairs["query"]]


@settings(max_examples=50)
@given(st.sets(NAMES, min_size=1, max_size=20), st.integers(0, 5))
def test_rank_by_hash_depends_on_names_and_seed_only(names, seed):
    ranked = rank_by_hash(sorted(names), seed)
    assert sorted(ranked) == sorted(names) and ranked == rank_by_hash(
        sorted(names, reverse=True), seed
    )


def test_rank_by_hash_is_frozen_in_every_process():
    names = ["a.jpg", "b.jpg", "日本.jpg", "c/d.png", "\udce9.jpg"]
    expected = ["日本.jpg", "b.jpg", "\udce9.jpg", "c/d.png", "a.jpg"]
    assert rank_by_hash(names, 0) == expected != rank_by_hash(names, 1)
    script = f"from simlab.tables import rank_by_hash; print(ascii(rank_by_hash({names!a}, 0)))"
    for seed in ("0", "7"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == ascii(expected)


def test_a_new_name_leaves_the_order_of_the_others():
    names = [f"{n}.jpg" for n in range(50)]
    ranked = rank_by_hash([*names, "new.jpg"], 5)
    assert [name for name in ranked if name != "new.jpg"] == rank_by_hash(names, 5)


# --- score tables


def scores_of(names, n_methods=2):
    n = len(names)
    rng = np.random.default_rng(1)
    pairs = check_pairs(
        pd.DataFrame(
            {"reference": names, "query": names[::-1], "label": [0] * n, "extra": range(n)}
        )
    )
    scores = pairs.assign(status="ok", error="", no_evidence="")
    for m in range(n_methods):
        scores[f"phash(hash_size={2 + m})"] = rng.random(n) * 10.0 ** rng.integers(-3, 4, n)
    return scores


@settings(max_examples=25)
@given(
    st.lists(
        NAMES.filter(lambda name: not name.startswith("'")), min_size=2, max_size=6, unique=True
    )
)
def test_a_score_table_survives_its_csv(tmp_path_factory, names):
    scores = scores_of(names)
    scores.iloc[0, -2:] = np.nan
    scores.loc[scores.index[0], ["status", "error"]] = "error", "query: no such file"
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    path.write_text(scores.to_csv(index=False, lineterminator="\n"), encoding="utf-8", newline="")
    back = read_scores(path)
    pd.testing.assert_frame_equal(back, scores, check_exact=True, check_dtype=False)
    assert columns(back) == ["phash(hash_size=2)", "phash(hash_size=3)"]
    assert back.dtypes.iloc[-2:].tolist() == [float, float]


def test_names_that_look_like_something_else_stay_text(tmp_path):
    names = [
        "NA",
        "nan",
        "null",
        "None",
        "",
        "001",
        "1e5",
        "1.50",
        "True",
        "-",
        "=1+1",
        "inf",
        "2020-01-01",
        " x ",
    ]
    scores = scores_of([name or "x" for name in names])
    scores["no_evidence"] = ["", "NA", "null", *[""] * 11]
    scores.to_csv(tmp_path / "scores.csv", index=False)
    back = read_scores(tmp_path / "scores.csv")
    for column in (
        "reference",
        "query",
        "source_reference",
        "source_query",
        "no_evidence",
        "error",
        "perturbation",
    ):
        assert back[column].tolist() == scores[column].tolist()


def test_a_row_without_distances_has_nan_in_every_method(tmp_path):
    scores = scores_of(["a", "b", "c"], n_methods=1)
    scores.iloc[1, -1] = np.nan
    scores.to_csv(tmp_path / "scores.csv", index=False)
    back = read_scores(tmp_path / "scores.csv")
    assert back.iloc[:, -1].isna().tolist() == [False, True, False]
    assert back.iloc[[0, 2], -1].tolist() == scores.iloc[[0, 2], -1].tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the score table"),
        ("", "cannot read the score table"),
        ("a,b\n1,2\n", "must have the columns .*; missing: reference, query"),
        (",".join(SCORE_COLUMNS[:-1]) + "\n", "missing: no_evidence"),
        (b"\xff\xfe\x00\x01", "cannot read the score table"),
        (",".join(SCORE_COLUMNS) + '\n"never closed', "cannot read the score table"),
    ],
)
def test_other_files_are_no_score_tables(content, words, tmp_path):
    path = tmp_path / "scores.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=words):
        read_scores(path)


def test_a_table_says_where_its_pictures_are_by_the_run_beside_it(tmp_path):
    made = tmp_path / "out"
    made.mkdir()
    scores_of(["a", "b"]).to_csv(made / "scores.csv", index=False)
    assert not read_scores(made / "scores.csv").attrs
    for text in ("no JSON", "[]", '{"root": 1, "methods": "phash"}'):
        (made / "run.json").write_text(text)
        assert not read_scores(made / "scores.csv").attrs
    (made / "run.json").write_text('{"root": "../pictures", "methods": ["phash(hash_size=2)"]}')
    noted = read_scores(made / "scores.csv").attrs
    assert os.path.normpath(noted["root"]) == os.path.realpath(tmp_path / "pictures")
    assert noted["methods"] == ["phash(hash_size=2)"]
