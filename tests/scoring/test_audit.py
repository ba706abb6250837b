"""The audit: hidden duplicates are found, known ones are not listed, and it does not fail on odd
folders.
"""

import numpy as np
import pandas as pd
import pytest
from corpus import encoded, flat, textured

import simlab as sl
from simlab.methods import hashes, registry
from simlab.scoring import audit


@pytest.fixture
def folder(tmp_path):
    """Eight sources; hidden among them the same pixels, a recompressed and a resized copy."""
    for n in range(8):
        textured(n).save(tmp_path / f"{n}.png")
    (tmp_path / "0 again.bmp").write_bytes(encoded(textured(0), "BMP"))
    (tmp_path / "1 worse.jpg").write_bytes(encoded(textured(1), "JPEG", quality=40))
    textured(2).resize((180, 120)).save(tmp_path / "2 smaller.png")
    for level in (0, 1, 255):
        flat(level).save(tmp_path / f"flat {level}.png")
    (tmp_path / "text.jpg").write_text("no picture")
    return tmp_path


def look(images, *arguments, **options):
    return sl.audit_sources(images, *arguments, **{"n_jobs": 1, "progress": False, **options})


def test_planted_duplicates_are_found_nearest_first_and_nothing_else(folder):
    found = look(folder)
    assert list(found) == ["reference", "query", "phash", "dhash", "average_hash"]
    assert found.loc[0, ["reference", "query"]].tolist() == ["0 again.bmp", "0.png"]
    assert found.loc[0, ["phash", "dhash", "average_hash"]].tolist() == [0, 0, 0]
    assert {frozenset(pair) for pair in found[["reference", "query"]].values.tolist()} == {
        frozenset({"0 again.bmp", "0.png"}),
        frozenset({"1 worse.jpg", "1.png"}),
        frozenset({"2 smaller.png", "2.png"}),
    }
    means = found[["phash", "dhash", "average_hash"]].mean(axis=1)
    assert means.is_monotonic_increasing and found.index.tolist() == [0, 1, 2]


def test_distances_are_those_of_the_hashes(folder):
    for row in look(folder).itertuples():
        a, b = (sl.read_image(folder / path) for path in (row.reference, row.query))
        assert row.phash == hashes.hamming(hashes.phash(a), hashes.phash(b))
        assert row.dhash == hashes.hamming(hashes.dhash(a), hashes.dhash(b))


def test_known_copies_are_not_listed(folder):
    table = sl.datasets.from_folder(folder)
    table["source"] = (
        table["path"].str[0].where(~table["path"].str.startswith(("flat", "text")), table["path"])
    )
    assert len(look(table)) == 0
    table.loc[table["path"] == "1 worse.jpg", "source"] = "other"
    assert look(table)[["reference", "query"]].values.tolist() == [["1 worse.jpg", "1.png"]]


@pytest.mark.parametrize(
    "methods", ["phash", "phash, dhash", "phash(hash_size=16), whash, average_hash", "colorhash"]
)
def test_other_hashes(methods, folder):
    found = look(folder, methods)
    assert found.columns[2:].tolist() == sl.specs.split(methods)
    assert found.loc[0, ["reference", "query"]].tolist() == ["0 again.bmp", "0.png"]


def test_two_of_several_hashes_must_agree(folder, monkeypatch):
    """A single near hash is chance among many pairs."""
    methods = registry
    monkeypatch.setattr(methods, "REGISTRY", dict(methods.REGISTRY))
    methods.register(
        "same",
        lambda image: np.zeros(64, bool),
        distance=hashes.hamming,
        maximum=64,
        unit="bits",
        compare_many=hashes.hamming_pairs,
    )
    assert len(look(folder, "same")) == 11 * 10 / 2
    assert len(look(folder, "same, phash, dhash")) == len(look(folder, "phash"))


@pytest.mark.parametrize("methods", ["akaze", "phash, akaze", "phash(mirror=True)", "correlation"])
def test_only_hashes_can_look(methods, folder):
    with pytest.raises(ValueError, match="an audit looks with hashes"):
        look(folder, methods)


@pytest.mark.parametrize(
    "paths", [["flat 0.png", "flat 255.png"], ["text.jpg"], ["text.jpg", "0.png"], ["0.png"]]
)
def test_nothing_to_compare_is_an_empty_table(paths, folder):
    found = look([folder / path for path in paths])
    assert len(found) == 0 and list(found) == [
        "reference",
        "query",
        "phash",
        "dhash",
        "average_hash",
    ]


def test_order_blocks_and_workers_change_nothing(folder, monkeypatch):
    expected = look(folder)
    table = sl.datasets.from_folder(folder)
    turned = table.iloc[::-1]
    turned.attrs = table.attrs
    sets = {frozenset(pair) for pair in look(turned)[["reference", "query"]].values.tolist()}
    assert sets == {frozenset(pair) for pair in expected[["reference", "query"]].values.tolist()}
    pd.testing.assert_frame_equal(look(folder, n_jobs=2), expected)
    monkeypatch.setattr(audit, "_BLOCK", 3)
    pd.testing.assert_frame_equal(look(folder), expected)


def test_the_cache_is_shared_with_a_study(folder, tmp_path, monkeypatch):
    from simlab.scoring import features

    path = tmp_path / "c.sqlite"
    expected = look(folder, cache=path)
    monkeypatch.setattr(features, "extract_all", lambda *_: pytest.fail("extracted again"))
    pd.testing.assert_frame_equal(look(folder, cache=path), expected)
