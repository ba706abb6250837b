"""The labeller, driven from code: what is asked, what is written when, what is taken back, what is
refused.
"""

import os
import sys
import time

import numpy as np
import pandas as pd
import pytest
import traitlets
from corpus import flat, textured
from matplotlib import pyplot as plt

import simlab as sl
from simlab.pairs.labelling import LabelFile
from simlab.widgets import label

NAMES = ("猫.png", "<b>&.png", "c.png", "d.png")


@pytest.fixture
def pairs(tmp_path):
    for n, name in enumerate(NAMES):
        textured(n).resize((300, 200)).save(tmp_path / name)
    rows = [(a, b) for i, a in enumerate(NAMES) for b in NAMES[i + 1 :]]
    table = pd.DataFrame(rows, columns=["reference", "query"]).assign(label=1, perturbation=np.nan)
    table.attrs["root"] = str(tmp_path)
    return table


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.csv"


def rows_of(path, root):
    return sl.read_pairs(path, root=root)[["reference", "query", "label"]].values.tolist()


def asked(widget):
    return (widget.pair["reference"], widget.pair["query"]) if widget.pair else None


def press(widget, what, number=None):
    """What the page sends when a button is pressed."""
    number = widget._stage.scene["number"] if number is None else number
    widget._stage._handle_custom_msg({"what": what, "number": number}, [])


def test_every_answer_is_on_disk_before_the_next_pair_is_shown(pairs, path, tmp_path):
    widget, expected = label(pairs, path, annotator="海"), []
    assert not path.exists()
    for n, row in enumerate(pairs.itertuples()):
        assert asked(widget) == (row.reference, row.query)
        widget.answer(["different", "same", "different"][n % 3])
        expected.append([row.reference, row.query, int(n % 3 == 1)])
        assert rows_of(path, tmp_path) == expected
        assert widget._stage.scene["labelled"] == n + 1
    assert (widget.pair, widget.n_left) == (None, 0)
    assert widget._stage.scene["done"]
    assert widget._stage.scene["question"] == "Every pair has its label."
    with pytest.raises(ValueError, match="Every pair has its label"):
        widget.answer("same")
    assert set(sl.read_pairs(path)["annotator"]) == {"海"}


def test_labelling_goes_on_where_it_was(pairs, path):
    first = label(pairs, path)
    for word in ("same", "skip", "different", "skip"):
        first.answer(word)
    again = label(pairs, path)
    assert asked(again) == asked(first) == tuple(pairs.loc[4, ["reference", "query"]])
    assert (
        again._stage.scene["count"]
        == first._stage.scene["count"]
        == "2 of 6 labelled: 1 same, 1 different, 2 skipped"
    )
    again.undo()  # the last one of the session before
    assert asked(again) == tuple(pairs.loc[3, ["reference", "query"]])
    again.undo()
    assert asked(again) == tuple(pairs.loc[2, ["reference", "query"]])
    assert len(sl.read_pairs(path)) == 1


def test_skipped_pairs_come_back_at_the_end_and_in_turn(pairs, path, tmp_path):
    widget = label(pairs, path)
    for word in ("skip", "skip", "same", "same", "same", "same"):
        widget.answer(word)
    assert asked(widget) == tuple(pairs.loc[0, ["reference", "query"]])
    widget.answer("skip")
    assert asked(widget) == tuple(pairs.loc[1, ["reference", "query"]])
    widget.answer("different")
    assert asked(label(pairs, path)) == asked(widget) == tuple(pairs.loc[0, ["reference", "query"]])
    widget.answer("different")
    assert widget.pair is None
    assert len(sl.read_pairs(path)) == 6
    assert (tmp_path / "labels.skipped.csv").is_file()


def test_undo_goes_back_answer_by_answer_to_the_beginning(pairs, path):
    widget, seen = label(pairs, path), []
    for word in ("same", "skip", "different"):
        seen.append(asked(widget))
        widget.answer(word)
    for pair in reversed(seen):
        widget.undo()
        assert asked(widget) == pair
    assert len(LabelFile(path).rows) == 0
    assert not widget._skips.rows
    with pytest.raises(ValueError, match="no answer to take back"):
        widget.undo()
    widget.answer("different")
    assert rows_of(path, pairs.attrs["root"]) == [[*seen[0], 0]]


def test_a_press_about_a_pair_that_is_no_longer_shown_does_nothing(pairs, path):
    widget = label(pairs, path)
    number = widget._stage.scene["number"]
    press(widget, "same", number)
    for what, old in (
        ("same", number),
        ("different", number),
        ("undo", number),
        ("same", None),
        ("print", number + 1),
    ):
        widget._stage._handle_custom_msg({"what": what, "number": old}, [])
    assert len(sl.read_pairs(path)) == 1
    press(widget, "different")
    press(widget, "undo")
    press(widget, "skip")
    assert rows_of(path, pairs.attrs["root"]) == [[NAMES[0], NAMES[1], 1]]
    assert widget._stage.scene["count"] == "1 of 6 labelled: 1 same, 1 skipped"


def test_what_cannot_be_written_is_said_and_the_pair_stays(pairs, path, monkeypatch):
    widget, sent = label(pairs, path), []
    monkeypatch.setattr(widget._stage, "send", sent.append)
    widget.answer("same")
    before = asked(widget)
    with path.open("a") as file:
        file.write("x")
    press(widget, "same")
    assert "labels.csv: another program has changed it" in widget._status.value
    assert asked(widget) == before
    assert sent == [{"refused": "same"}]


def test_the_status_says_that_it_is_saved_and_that_a_torn_line_was_taken_out(pairs, path):
    widget = label(pairs, path)
    widget.answer("same")
    assert widget._status.value == "same: saved in labels.csv"
    widget.answer("same")
    path.write_bytes(path.read_bytes()[:-9])
    again = label(pairs, path)
    assert "labels.csv: its last line broke off and was taken out" in again._status.value
    assert asked(again) == tuple(pairs.loc[1, ["reference", "query"]])
    again.answer("different")
    assert len(sl.read_pairs(path)) == 2


def test_a_picture_that_cannot_be_shown_gets_no_label(pairs, path, tmp_path):
    (tmp_path / NAMES[1]).write_bytes(b"no picture")
    widget = label(pairs, path)
    assert widget._stage.scene["unseen"]
    assert "cannot be shown: not a picture" in widget._stage.scene["pictures"][1]["caption"]
    with pytest.raises(ValueError, match="cannot be shown gets no label"):
        widget.answer("same")
    widget.answer("skip")
    assert not path.exists()
    assert widget._stage.scene["unseen"] is False


def test_a_label_that_a_pair_has_is_never_looked_at(pairs, path):
    widget = label(pairs.assign(label=[1, 0, 1, 0, 1, 0]), path)
    assert "label" not in str(widget._stage.scene["pictures"][0])
    widget.answer("different")
    assert sl.read_pairs(path)["label"].tolist() == [0]


def test_names_can_be_hidden_and_are_shown_as_text(pairs, path):
    shown = label(pairs, path, names=True)._stage.scene["pictures"]
    assert shown[0]["alt"] == "reference: 猫.png"
    assert shown[1]["caption"] == "<b>&.png · 300 × 200"  # the page sets it as text, not as HTML
    hidden = label(pairs, path)._stage.scene["pictures"]
    assert "png" not in str([{**picture, "data": b""} for picture in hidden])


def test_perturbed_pairs_are_shown_as_they_are_and_written_down(pairs, path, tmp_path):
    table = sl.make_pairs(tmp_path, "crop(area=0.25)", negatives=0)
    widget = label(table, path)
    assert [
        picture["caption"].rpartition(" · ")[2] for picture in widget._stage.scene["pictures"]
    ] == [
        "300 × 200",
        "150 × 100",
    ]
    widget.answer("same")
    read = sl.read_pairs(path)
    assert read[["perturbation", "seed"]].values.tolist() == [["crop(area=0.25)", 0]]
    assert read["source_reference"].tolist() == read["source_query"].tolist()


def test_matches_are_found_on_demand(tmp_path, path):
    textured(0).save(tmp_path / "a.png")
    widget = label(sl.make_pairs(tmp_path, "crop(area=0.8)", negatives=0), path)
    assert widget._stage.lines == []
    widget.matched = True
    lines = np.array(widget._stage.lines)
    assert lines.shape[1] == 5
    assert ((lines >= 0) & (lines <= 1)).all()
    assert lines[:, 4].mean() > 0.5
    assert "AKAZE matches that agree on one geometry: " in widget._status.value
    widget.answer("same")
    assert not widget.matched
    assert widget._stage.lines == []


def test_pictures_without_keypoints_have_no_matches(tmp_path, path):
    flat(0).save(tmp_path / "a.png")
    flat(255).save(tmp_path / "b.png")
    widget = label(sl.make_pairs(tmp_path, [], negatives=1, design="original-original"), path)
    widget.matched = True
    assert widget._status.value.endswith("geometry: 0 of 0")


def test_views_follow_the_page_and_the_code(pairs, path):
    widget = label(pairs, path)
    widget._stage.view = "flicker"
    assert widget.view == "flicker"
    widget.view = "difference"
    assert widget._stage.view == "difference"
    with pytest.raises(traitlets.TraitError):
        widget.view = "upside down"


def test_the_figure_shows_what_the_widget_shows(pairs, path):
    widget = label(pairs, path)
    figures = [widget.figure()]
    widget.view = "difference"
    figures.append(widget.figure())
    widget.matched = True
    figures.append(widget.figure())
    for _ in range(6):
        widget.answer("different")
    figures.append(widget.figure())
    texts = [" ".join(t.get_text() for t in figure.findobj(plt.Text)) for figure in figures]
    assert all("0 of 6 labelled" in text for text in texts[:3])
    assert [len(figure.findobj(plt.matplotlib.image.AxesImage)) for figure in figures] == [
        2,
        3,
        2,
        0,
    ]
    assert "Every pair has its label" in texts[3]
    plt.close("all")


def test_a_file_of_another_person_or_about_other_pairs_is_refused(pairs, path):
    label(pairs, path, annotator="a").answer("same")
    with pytest.raises(
        ValueError, match=r"^labels.csv: labelled by 'a'; each person needs a file of their own$"
    ):
        label(pairs, path, annotator="b")
    label(pairs, path).answer("same")
    assert set(sl.read_pairs(path)["annotator"]) == {"a"}
    with pytest.raises(
        ValueError,
        match=r"^labels.csv: begun with other pairs, such as '猫.png', '<b>&.png'; [^\n]*$",
    ):
        label(pairs.iloc[1:], path)
    assert label(pairs.iloc[::-1], path).n_left == 4


@pytest.mark.parametrize("rows", [[], [0, 0], [0, 1, 0]])
def test_no_pairs_or_one_twice_is_refused(pairs, path, rows):
    with pytest.raises(ValueError, match="pairs must be one or more, each once"):
        label(pairs.iloc[rows], path)


def test_labels_come_back_with_the_weights_that_fit(pairs, path):
    widget = label(pairs.assign(weight=2.0, stratum="s", planned=6), path)
    for word in ("same", "different", "different"):
        widget.answer(word)
    assert widget.labels()["weight"].tolist() == [4.0] * 3


def test_ten_thousand_pictures_open_without_reading_them(tmp_path, path, monkeypatch):
    read = []
    monkeypatch.setattr(
        sys.modules["simlab.perturb"],
        "apply_to_file",
        lambda path, *_: read.append(path) or textured(0),
    )
    table = pd.DataFrame(
        {
            "reference": [f"{n}.jpg" for n in range(10_000)],
            "query": [f"{n}'.jpg" for n in range(10_000)],
        }
    )
    start = time.process_time()
    for name in ("0.jpg", "0'.jpg", "1.jpg", "1'.jpg"):
        (tmp_path / name).touch()
    widget = label(table, path, root=tmp_path)
    assert len(read) == 4  # this pair and the next
    assert widget._stage.scene["total"] == 10_000
    assert time.process_time() - start < 30


def test_the_tests_leave_no_other_files(pairs, path, tmp_path):
    widget = label(pairs, path)
    widget.answer("same")
    widget.undo()
    assert sorted(os.listdir(tmp_path)) == sorted([*NAMES, "labels.csv"])
