"""How results look in a notebook: short, escaped, nothing cut, and still plain tables."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import simlab as sl
from simlab import cards

METRICS = pd.DataFrame(
    {
        "method": ["<b>", "b"],
        "value": [0.92649, 0.5],
        "low": [0.881, np.nan],
        "high": [0.97123, np.nan],
        "verdict": ["x" * 70, ""],
        "tpr": [1.0, 2.0],
        "tpr_low": [0.5, 0.25],
        "tpr_high": [1.0, 2.5],
    }
)


@pytest.fixture(scope="module")
def scores():
    rng = np.random.default_rng(0)
    n = 360
    label = np.arange(n) // 30 % 2
    sources = [str(number % 30) for number in range(n)]
    steps = zip(sources, label, range(n))
    others = [a if same else str((int(a) + 1 + at // 60) % 30) for a, same, at in steps]
    columns = {"reference": sources, "query": others, "label": label}
    columns |= {"source_reference": sources, "source_query": others, "no_evidence": ""}
    columns |= {"phash": 20.0 - 12 * label + rng.integers(0, 8, n), "dhash": rng.random(n)}
    return pd.DataFrame(columns)


def test_a_value_stands_with_its_interval_rounded_and_escaped():
    page = cards.table(cards.Shown(METRICS))
    assert "0.926&nbsp;[0.881,&nbsp;0.971]" in page
    assert "1&nbsp;[0.5,&nbsp;1]" in page and "value [low, high]" in page
    assert "<td>0.5</td>" in page  # no interval, no brackets
    assert "x" * 70 in page and "&lt;b&gt;" in page and "<b>" not in page


def test_it_stays_a_plain_table_whose_parts_show_well_too():
    table = cards.Shown(METRICS)
    part = table[table["value"] > 0.6]
    assert isinstance(part, pd.DataFrame) and "[0.881" in part._repr_html_()
    assert "x" * 70 in repr(part[["verdict"]])
    assert table.to_csv() == METRICS.to_csv()
    assert isinstance(table.set_index(["method", "value"])._repr_html_(), str)
    assert type(table["value"]) is pd.Series


def test_long_tables_say_what_they_leave_out():
    page = cards.table(pd.DataFrame({"n": range(1000)}))
    assert "10 of 1,000 rows, 1 of 1 columns" in page and "<td>9</td>" in page
    assert "<td>10</td>" not in page


def test_files_show_their_pictures_where_they_are(tmp_path):
    Image.new("RGB", (400, 300), "red").save(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = cards.Shown({"reference": ["a.png", "broken.png"], "query": ["gone.png", "a.png"]})
    assert cards.table(found).count("<img") == 0
    found.attrs["root"] = tmp_path
    assert cards.table(found).count('<img src="data:image/jpeg') == 2


def test_results_are_shown_so(scores):
    measured = sl.evaluate(scores, n_resamples=20)
    assert isinstance(measured, cards.Shown) and measured.attrs["n_errors"] == 0
    assert isinstance(sl.compare(scores, "phash", "dhash", n_resamples=20), cards.Shown)
    assert isinstance(sl.choose_threshold(scores, "phash", max_fpr=0.1), cards.Shown)


def test_an_ensemble_is_an_estimator_with_a_card(scores):
    unfitted = sl.Ensemble("phash, dhash", folds=5, n_resamples=20)
    assert repr(unfitted).endswith("not fitted>") and "\n" not in repr(unfitted)
    with pytest.raises(NotFittedError, match="not fitted; call fit"):
        unfitted.distance(scores)
    again = clone(unfitted).set_params(folds=4)
    assert again.get_params() == {
        "methods": "phash, dhash",
        "folds": 4,
        "n_resamples": 20,
        "seed": 0,
    }
    with pytest.raises(ValueError, match="folds must be"):
        again.set_params(folds=1)
    fitted = unfitted.fit(scores)
    page = fitted._repr_html_()
    assert fitted.report_.splitlines()[0] in page and "share [low, high]" in page
    assert "ensemble.save" in page and "% phash" in repr(fitted)
    with pytest.raises(NotFittedError):
        clone(fitted).distance(scores)


def test_methods_keypoints_and_galleries_say_what_they_are(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((240, 180)).save(tmp_path / "a.png")
    keypoints = sl.akaze.extract(tmp_path / "a.png")
    gallery = sl.Gallery(tmp_path, n_jobs=1, progress=False)
    method = sl.methods.get("phash(hash_size=16)")
    assert repr(method) == "<method phash(hash_size=16): 0 to 256 bits>"
    for thing, typed in (
        (method, "sl.score_pairs(pairs"),
        (keypoints, "plot_keypoints"),
        (gallery, "gallery.query("),
    ):
        assert len(repr(thing)) < 100
        assert typed in thing._repr_html_()
    assert "Its feature: hash_size² bits" in method._repr_html_()
