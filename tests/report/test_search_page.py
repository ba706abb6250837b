"""What a search writes: tables, a plan, and a page to review them; where its pictures are."""

import json
import os
import re

import numpy as np
import pandas as pd
import pytest
from corpus import textured
from pages import check_end
from PIL import Image

import simlab as sl
from simlab.methods.alignment import looks
from simlab.report import review, search_page
from simlab.scoring.cache import Memory
from simlab.scoring.features import Store

EVIL = "web/<img src=x onerror=alert(1)>.png"
FILES = ["DCIM/a.png", "web/a (1).png", EVIL, "旅行/日本.png", "web/form1.png", "web/form2.png"]
PAIRS = [
    ("DCIM/a.png", "web/a (1).png", "identical"),
    ("DCIM/a.png", EVIL, "copy"),
    ("旅行/日本.png", "web/form1.png", "copy"),
    ("web/form1.png", "web/form2.png", "look-alike"),
]


def pair(reference, query, verdict, **others):
    """A row of what was found."""
    same = verdict == "identical"
    row = {"reference": reference, "query": query, "verdict": verdict, "same_file": same}
    row |= {"distance": 0.9 if verdict == "look-alike" else 0.1 * (not same)}
    row |= {"probability": 1 - row["distance"], "agreed": "phash(hash_size=8);aligned"}
    row |= {"low_information": False, "frames": 1, "threshold": 0.5, "prior": 0.01}
    row |= {"sha256_reference": "0" * 64, "sha256_query": "1" * 64}
    row |= {"keep": reference, "keep_reason": "it has more pixels"}
    return row | others


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for number, name in enumerate(FILES):
        (root / name).parent.mkdir(exist_ok=True)
        noise = np.random.default_rng(number // 3).integers(0, 256, (8, 12, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((240 - 20 * number, 160))
        picture.save(root / name)
        os.utime(root / name, (86_400 * number, 86_400 * number))
    return root


@pytest.fixture
def found(root):
    table = pd.DataFrame([pair(*row) for row in PAIRS])
    table.attrs = {
        "root": str(root),
        "errors": {"bad.jpg": "truncated"},
        "passed_over": {".txt": 1},
    }
    table.attrs["pictures"] = {"file": FILES}
    return table


def data_of(path):
    text = re.search(r'id="review-data">(.*?)</script>', path.read_text(encoding="utf-8"))[1]
    return json.loads(text)


def test_the_page_begins_with_the_answer_and_holds_every_group(found, root, tmp_path):
    run = {"command": ".venv/bin/simlab find pictures"}
    path = sl.report.found(found, sl.group(found), tmp_path / "out", run=run)
    html = path.read_text(encoding="utf-8")
    n_bytes = sum((root / FILES[n]).stat().st_size for n in (1, 2, 4))
    words = f"2 groups of copies: 3 files could go, {n_bytes / 1000:.0f} kB"
    assert f"<h1>{words}</h1>" in html
    assert "bad.jpg" in html and "1 .txt" in html
    data = data_of(path)
    assert data["root"] == str(root)
    assert data["base"] == os.path.relpath(root, path.parent) + "/"
    names = data["files"]["name"]
    groups = [[names[n] for n in group["files"]] for group in data["groups"]]
    assert sorted(map(sorted, groups[:2])) == [sorted(FILES[:3]), sorted(FILES[3:5])]
    savings = [review._saving(group, data["files"]["bytes"]) for group in data["groups"]]
    assert savings == sorted(savings, reverse=True)
    assert [group["alike"] for group in data["groups"]] == [False, False, True]
    assert data["groups"][2]["note"] == "1 copy of these not shown."
    assert [data["files"]["width"][names.index(name)] for name in FILES[:2]] == [240, 220]
    assert data["files"]["date"][names.index(FILES[2])] == 2 * 86_400
    check_end(html)
    assert f"<code>.venv/bin/simlab move {tmp_path}/out/plan.csv --to DROPPED --yes" in html
    plan = pd.read_csv(path.with_name("plan.csv"))
    assert list(plan["decision"]) == ["keep", "drop", "drop", "keep", "drop"]


def test_names_end_no_script_and_are_no_markup(found, tmp_path):
    html = sl.report.found(found, sl.group(found), tmp_path).read_text(encoding="utf-8")
    assert "onerror" in html
    assert "<img src=x" not in html


def test_many_thumbnails_stand_beside_the_page_and_go_when_they_are_few(
    found, tmp_path, monkeypatch
):
    groups = sl.group(found)
    path = sl.report.found(found, groups, tmp_path)
    whole = data_of(path)
    assert all(address.startswith("data:image/jpeg") for address in whole["thumbs"])
    monkeypatch.setattr(search_page, "LARGE", 1000)
    beside = data_of(sl.report.found(found, groups, tmp_path))
    assert len(beside["thumbs"]) == len(whole["thumbs"])
    for address in beside["thumbs"]:
        with Image.open(tmp_path / address) as picture:
            assert max(picture.size) <= review.SIDE
    monkeypatch.undo()
    sl.report.found(found, groups, tmp_path)
    assert list((tmp_path / search_page.THUMBNAILS).iterdir()) == []
    assert path.read_text(encoding="utf-8").count("data:image/jpeg") == len(whole["thumbs"])


def test_without_the_page_the_tables_are_written(found, tmp_path):
    path = sl.report.found(found, sl.group(found), tmp_path, page=False)
    assert not path.exists()
    assert {"found.csv", "groups.csv", "plan.csv"} <= {file.name for file in tmp_path.iterdir()}


def test_no_copies_are_an_answer_too(found, tmp_path):
    nothing = found[:0]
    path = sl.report.found(nothing, sl.group(nothing), tmp_path, root=found.attrs["root"])
    html = path.read_text(encoding="utf-8")
    assert "<h1>No two of these pictures are copies" in html
    check_end(html)
    assert sl.report.answer(sl.make_plan(nothing, root=found.attrs["root"])) == ""


def test_thumbnails_and_matches_come_from_the_cache(found, root, monkeypatch):
    flat = root / "flat.png"
    Image.new("RGB", (30, 20), "white").save(flat)
    store = Store(root, Memory(), n_jobs=1, progress=False)
    names = [*FILES, "flat.png", "gone.png"]
    made = list(review.thumbnails(store, names))
    assert [size for _, size in made[-2:]] == [[30, 20], [0, 0]]
    first = review.matches(store, [(FILES[0], FILES[1]), (FILES[0], "flat.png")])
    assert len(first[1]) == 0
    assert 0 < len(first[0]) <= 40
    assert np.abs(first[0][:, :2] - first[0][:, 2:]).max() < 30  # of 1,000: one picture, two sizes
    monkeypatch.setattr(review, "_matched", None)
    monkeypatch.setattr("simlab.scoring.features._extract_source", None)
    again = Store(root, store.cache, n_jobs=1, progress=False)
    assert [data for data, _ in review.thumbnails(again, FILES)] == [data for data, _ in made[:6]]
    assert np.array_equal(review.matches(again, [(FILES[0], FILES[1])])[0], first[0])


def test_where_two_pictures_contradict_each_other_is_told_from_either_side(tmp_path):
    form = textured(3, 300, 240)
    form.save(tmp_path / "plain.png")
    filled = form.copy()
    filled.paste((255, 255, 255), (180, 60, 240, 90))
    filled.save(tmp_path / "filled.png")
    textured(4, 300, 240).save(tmp_path / "other.png")
    store = Store(tmp_path, Memory(), n_jobs=1, progress=False)
    pairs = [("plain.png", "filled.png"), ("plain.png", "other.png"), ("plain.png", "gone.png")]
    found, other, gone = review.places(store, pairs)
    assert gone is None and (other is None or other["boxes"])
    (box, *_) = found["boxes"]
    there = np.array([180 / 300, 60 / 240, 240 / 300, 90 / 240]) * 1000
    assert np.abs(np.array(box[1:5]) - there).max() < 60
    assert np.abs(np.array(box[5:]) - there).max() < 60
    words, turned = found["words"]
    assert words != turned or "only" not in words
    assert found == review.places_of_two(*[looks(tmp_path / name) for name in pairs[0]])


def test_names_of_queries_elsewhere_are_relative_to_one_folder(root, tmp_path):
    inside, elsewhere = FILES[0], str(root.parent / "query.png")
    Image.open(root / FILES[0]).save(elsewhere)
    found = pd.DataFrame([pair(inside, elsewhere, "copy")])
    plan = sl.make_plan(found, root=root)
    data = review.review_data(found, sl.group(found), sl.group(found, of="look-alike"), plan, root)
    whole = {os.path.join(data["root"], name) for name in data["files"]["name"]}
    assert whole == {str(root / inside), elsewhere}
    assert len(data["pairs"]) == 1


def test_what_attrs_say_is_not_copied_with_every_step():
    facts = sl.tables.Facts(file=["a"] * 10)
    table = pd.DataFrame({"x": [1]})
    table.attrs = {"pictures": facts}
    assert table[["x"]].attrs["pictures"] is facts
