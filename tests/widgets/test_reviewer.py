"""The review widget from code: what is on disk after each decision, and what it goes on with."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import simlab as sl
from simlab.widgets.reviewer import Review

PAIRS = [
    ("a.png", "b.png", "identical"),
    ("a.png", "旅/c.png", "copy"),
    ("c2.png", "旅/c.png", "copy"),
    ("d.png", "e.png", "look-alike"),
]
FILES = ["a.png", "b.png", "旅/c.png", "c2.png", "d.png", "e.png"]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    (root / "旅").mkdir()
    for number, name in enumerate(FILES):
        noise = np.random.default_rng(number // 4).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((120, 90 - number)).save(root / name)
    table = pd.DataFrame(PAIRS, columns=["reference", "query", "verdict"])
    table["distance"] = table["verdict"].map({"identical": 0.0, "copy": 0.1, "look-alike": 0.9})
    table["probability"] = 1 - table["distance"]
    table = table.assign(agreed="aligned", same_file=table["verdict"] == "identical", threshold=0.5)
    table = table.assign(keep=table["reference"], keep_reason="it has more pixels")
    contents = {name: f"{number:064x}" for number, name in enumerate(FILES)}
    for side in ("reference", "query"):
        table[f"sha256_{side}"] = table[side].map(contents)
    table.attrs["root"] = str(root)
    return table


@pytest.fixture
def opened(found, tmp_path):
    """What opens the review of these files, anew each time."""
    return lambda: Review(found, tmp_path / "plan.csv", tmp_path / "labels.csv")


def decisions(table):
    return dict(zip(table["file"], table["decision"]))


def labels_in(found, tmp_path):
    pairs = sl.read_pairs(tmp_path / "labels.csv", root=found.attrs["root"])
    return pairs[["reference", "query", "label"]].values.tolist()


PROPOSED = {"a.png": "keep", "b.png": "drop", "旅/c.png": "drop", "c2.png": "undecided"}


def test_every_decision_is_on_the_disk_and_another_kernel_goes_on(opened, found, tmp_path):
    first = opened()
    assert decisions(first.plan) == PROPOSED
    assert not (tmp_path / "plan.csv").exists()
    first.decide("旅/c.png", "not")
    first.decide("e.png", "copy")
    wanted = PROPOSED | {"旅/c.png": "keep"}
    assert decisions(pd.read_csv(tmp_path / "plan.csv")) == wanted
    assert labels_in(found, tmp_path) == [["a.png", "旅/c.png", 0], ["d.png", "e.png", 1]]
    again = opened()
    assert decisions(again.plan) == wanted
    assert again.plan["reason"].tolist() == first.plan["reason"].tolist()
    again.decide("旅/c.png", "keep")
    again.decide("c2.png", "drop")
    assert decisions(opened().plan) == PROPOSED | {"旅/c.png": "keep", "c2.png": "drop"}
    again.decide("e.png", "")
    assert (tmp_path / "labels.csv").read_text().count("\n") == 1  # its first line
    root = (tmp_path / "plan.csv").parent / again.plan["root"][0]
    assert root.resolve() == (tmp_path / found.attrs["root"]).resolve()


def test_only_a_copy_of_what_is_kept_is_dropped(opened, tmp_path):
    widget = opened()
    for file, choice in (("c2.png", "drop"), ("a.png", "drop"), ("a.png", "undecided")):
        with pytest.raises(ValueError, match="not found to be a copy of a file that is kept"):
            widget.decide(file, choice)
    for file, choice in (("none.png", "keep"), ("a.png", "copy"), ("d.png", "drop")):
        with pytest.raises(ValueError, match="file must be one of a group, and choice keep"):
            widget.decide(file, choice)
    assert decisions(widget.plan) == PROPOSED
    assert not (tmp_path / "plan.csv").exists()


def test_what_cannot_be_written_is_not_believed(opened, tmp_path, monkeypatch):
    widget = opened()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("simlab.widgets.reviewer.replace_file", full)
    told = []
    monkeypatch.setattr(widget._stage, "send", lambda content, buffers=None: told.append(content))
    change = {"values": ["keep", "keep", "keep", "keep"]}
    widget._receive(None, {"what": "decided", "groups": [[0, change]]}, None)
    assert told[0]["refused"] == "Not saved: no space left"
    assert told[0]["groups"][0][1]["values"] == widget.plan["decision"].tolist()
    assert decisions(widget.plan) == PROPOSED


def test_another_file_of_that_name_is_left_as_it_is(found, tmp_path):
    (tmp_path / "plan.csv").write_text("mine\n1\n")
    with pytest.raises(ValueError, match=r"plan .*plan\.csv.* must have the columns root, file"):
        Review(found, tmp_path / "plan.csv", tmp_path / "labels.csv")
    assert (tmp_path / "plan.csv").read_text() == "mine\n1\n"


def test_pictures_and_matches_come_when_they_are_asked_for(opened, monkeypatch):
    widget, told = opened(), []
    monkeypatch.setattr(widget._stage, "send", lambda *message: told.append(message))
    asked = (("small", [0]), ("large", [0]), ("matches", [0, 1]), ("places", [0, 1]))
    for what, files in asked:
        widget._receive(None, {"what": what, "files": files}, None)
    (small, [jpeg]), (large, _), (matches,), (places,) = told
    assert small["size"] == large["size"] == [120, 90]
    assert jpeg.startswith(b"\xff\xd8")
    assert matches["files"] == places["files"] == [0, 1]
    assert places["places"]["words"][0].endswith(".")


def test_the_static_twin_shows_the_groups(opened):
    figure = opened().figure()
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert any("1 of 1 group" in text for text in [*texts, *titles])
    assert any("keep a.png\n4 pictures" in text for text in titles)
