"""Pairs: the same for the same pictures and seed, in the asked number, each once and rightly
labelled.
"""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simlab as sl
from simlab.pairs.make import DESIGNS, make_pairs
from simlab.tables import PAIR_COLUMNS, check_pairs

ROOT = Path(__file__).resolve().parents[2]
SPECS = ["mirror", "crop(area=0.3)", "recompress+crop"]


def sources(n, files=1):
    """A table of `n` sources of several files each; no file need be there."""
    rows = [{"path": f"{i}-{k}.jpg", "source": f"s{i}"} for i in range(n) for k in range(files)]
    return pd.DataFrame(rows)


def identity(pairs):
    return pairs[["reference", "query", "perturbation_reference", "perturbation", "seed"]].apply(
        tuple, axis=1
    )


def test_columns_labels_and_sources():
    pairs = make_pairs(sources(5), SPECS, negatives=20, seed=4)
    assert list(pairs) == list(PAIR_COLUMNS) and pairs.index.tolist() == list(range(35))
    pd.testing.assert_frame_equal(check_pairs(pairs), pairs)
    assert pairs["label"].value_counts().to_dict() == {1: 15, 0: 20}
    assert (pairs["label"].eq(1) == pairs["source_reference"].eq(pairs["source_query"])).all()
    assert pairs["seed"].eq(4).all() and pairs["weight"].eq(1).all()
    assert pairs["source_query"].equals("s" + pairs["query"].str.split("-").str[0])


def test_every_source_meets_each_of_its_variants():
    pairs = make_pairs(sources(4), SPECS, negatives=0)
    expected = [(path, path, spec) for path in sorted(sources(4)["path"]) for spec in SPECS]
    assert pairs[["reference", "query", "perturbation"]].apply(tuple, axis=1).tolist() == expected
    assert pairs["perturbation_reference"].eq("").all()


def test_specs_presets_and_lists():
    one = make_pairs(sources(3), "mirror, crop(area=0.50)", negatives=4)
    assert sorted(one["perturbation"].unique()) == ["crop", "mirror"]
    pd.testing.assert_frame_equal(
        one, make_pairs(sources(3), ["mirror", "crop", "mirror()"], negatives=4)
    )
    basic = make_pairs(sources(2), negatives=2)
    assert basic.loc[basic["label"] == 1, "perturbation"].nunique() == len(
        sl.perturb.PRESETS["basic"]
    )


def test_files_of_one_source_are_copies_as_they_are():
    pairs = make_pairs(sources(3, files=3), "mirror", negatives=5)
    copies = pairs[(pairs["label"] == 1) & (pairs["perturbation"] == "")]
    assert len(copies) == 3 * 3 and (copies["reference"] < copies["query"]).all()
    assert not make_pairs(sources(3), "mirror", negatives=5)["perturbation"].eq("").any()
    assert len(make_pairs(sources(2, files=2), [], negatives=0)) == 2


@pytest.mark.parametrize("design", DESIGNS)
def test_designs(design):
    negatives = make_pairs(sources(6), SPECS, negatives=40, design=design).query("label == 0")
    assert (negatives["source_reference"] != negatives["source_query"]).all()
    first, second = negatives["perturbation_reference"], negatives["perturbation"]
    if design == "original-variant":
        assert first.eq("").all() and set(second) == set(SPECS) and len(negatives) == 40
    elif design == "variant-variant":
        assert first.equals(second) and set(second) == set(SPECS) and len(negatives) == 40
    else:
        assert first.eq("").all() and second.eq("").all() and len(negatives) == 15  # all there are


def test_perturbations_take_turns_among_negatives():
    negatives = make_pairs(sources(30), SPECS, negatives=100).query("label == 0")
    counts = negatives["perturbation"].value_counts()
    assert counts.max() - counts.min() <= 1
    assert min(negatives["reference"].nunique(), negatives["query"].nunique()) > 25


@settings(max_examples=40)
@given(
    st.integers(2, 6),
    st.integers(1, 3),
    st.integers(0, 400),
    st.sampled_from(DESIGNS),
    st.integers(0, 3),
)
def test_no_pair_twice_and_as_many_as_there_are(n, files, negatives, design, seed):
    table = sources(n, files)
    pairs = make_pairs(table, SPECS, negatives=negatives, design=design, seed=seed)
    assert identity(pairs).is_unique
    found = pairs[pairs["label"] == 0]
    ordered = (n * files) ** 2 - n * files**2
    possible = {
        "original-variant": 3 * ordered,
        "variant-variant": 3 * ordered // 2,
        "original-original": ordered // 2,
    }
    assert len(found) == min(negatives, possible[design])
    if design != "original-variant":  # both sides alike: turned round it is the same pair
        turned = [(frozenset(row[:2]), *row[2:]) for row in identity(found)]
        assert len(set(turned)) == len(turned)


@pytest.mark.parametrize("design", DESIGNS)
def test_more_negatives_begin_with_the_same_ones(design):
    few, many = (
        make_pairs(sources(40), SPECS, negatives=n, design=design, seed=2) for n in (50, 300)
    )
    few, many = (pairs[pairs["label"] == 0].reset_index(drop=True) for pairs in (few, many))
    pd.testing.assert_frame_equal(few, many.iloc[:50])


def test_the_order_of_rows_changes_nothing():
    table = sources(12, files=2)
    expected = make_pairs(table, SPECS, negatives=60)
    for state in range(3):
        shuffled = table.sample(frac=1, random_state=state)
        pd.testing.assert_frame_equal(make_pairs(shuffled, SPECS, negatives=60), expected)
    pd.testing.assert_frame_equal(make_pairs(table.iloc[::-1], SPECS, negatives=60), expected)


def test_the_seed_changes_the_negatives_only_and_is_noted():
    one, two = (make_pairs(sources(20), SPECS, negatives=50, seed=seed) for seed in (0, 1))
    copies, negatives = one["label"] == 1, one["label"] == 0
    unseeded = ["reference", "query", "perturbation"]
    assert one.loc[copies, unseeded].equals(two.loc[copies, unseeded])
    assert not one.loc[negatives, unseeded].equals(two.loc[negatives, unseeded])
    assert one["seed"].eq(0).all() and two["seed"].eq(1).all()


def test_the_same_in_every_process():
    script = (
        "import hashlib, pandas as pd, simlab as sl\n"
        "table = pd.DataFrame({'path': [f'{n}.jpg' for n in range(15)]})\n"
        "pairs = sl.make_pairs(table, ['mirror', 'crop'], negatives=40, seed=5)\n"
        "print(hashlib.sha256(pairs.to_csv(index=False).encode()).hexdigest())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert runs == {FROZEN}


FROZEN = "0cc95763a98d3b62ce3fd0c038c7e0225bbee3c0fdff2d1ff20877877c5c3c3e"
"""Of the pairs above: a change of it is a change of every study that is repeated."""


def test_a_draw_of_nearly_all_there_are_ends():
    for negatives in (89, 90, 91, 10**9):
        pairs = make_pairs(sources(6), SPECS, negatives=negatives)
        assert (pairs["label"] == 0).sum() == min(negatives, 90)


def test_lists_and_folders(tmp_path):
    for name in ("b.png", "a.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    by_folder = make_pairs(tmp_path, "mirror", negatives=4)
    by_list = make_pairs(
        [tmp_path / "sub/c.png", tmp_path / "a.png", tmp_path / "b.png"], "mirror", negatives=4
    )
    pd.testing.assert_frame_equal(by_folder, by_list)
    assert (
        by_folder.attrs["root"] == str(tmp_path) and by_folder["reference"].unique()[0] == "a.png"
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"negatives": -1}, "negatives must be a whole number, 0 or more, not -1"),
        ({"negatives": 2.5}, "negatives must be a whole number, 0 or more, not 2.5"),
        ({"negatives": "5"}, "negatives must be a whole number"),
        (
            {"design": "all"},
            "design must be one of original-variant, variant-variant, original-original, not 'all'",
        ),
        ({"perturbations": "krop"}, "did you mean 'crop'"),
        ({"perturbations": ["crop", 5]}, "perturbations are texts"),
        ({"perturbations": []}, "negative pairs of design 'original-variant' need a perturbation"),
        ({"perturbations": [], "negatives": 0}, "no pairs"),
        ({"seed": 1.5}, "seed must be a whole number, 0 or more, not 1.5"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, not -1"),
    ],
)
def test_other_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        make_pairs(sources(3), **options)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (sources(1), "two sources or more"),
        (sources(1, files=3), "two sources or more"),
        (sources(0).reindex(columns=["path", "source"]), "no images"),
        (sources(2).rename(columns={"path": "file"}), "needs a column path"),
        (pd.concat([sources(2), sources(2)]), "a path may stand in the images once"),
    ],
)
def test_tables_without_negatives_are_refused(table, words):
    with pytest.raises(ValueError, match=words):
        make_pairs(table, "mirror")


def test_a_single_source_has_copies():
    pairs = make_pairs(sources(1, files=2), SPECS, negatives=0)
    assert len(pairs) == 2 * 3 + 1 and pairs["label"].eq(1).all()


def test_the_table_of_the_caller_stays_as_it_is():
    table = sources(3)
    copy = table.copy()
    make_pairs(table, SPECS, negatives=5)
    pd.testing.assert_frame_equal(table, copy)
