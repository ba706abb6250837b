"""The verdict, from the row alone: identical, copy, look-alike; on drawn forms, by every way of a
search, and in what is written of it.
"""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

import simlab as sl
from simlab import cli
from simlab.methods import registry
from simlab.search import judging
from simlab.search.doubts import warnings_of

QUIET = {"n_jobs": 1, "progress": False}
FORMS = 6


def fills(image):
    """Where there is ink, 40 × 60."""
    small = np.asarray(image.convert("L").resize((40, 60), Image.Resampling.BOX), dtype=float)
    return np.ravel(small) / 255


def differing(a, b):
    """Share of places that differ."""
    return float(np.mean(np.abs(a - b) > 0.2))


def form(number):
    """One form, filled in by the number: lines and frames are the template's."""
    image = Image.new("RGB", (400, 600), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((20, 20, 380, 90), fill="navy")
    draw.rectangle((20, 110, 180, 330), outline="black", width=6)
    draw.ellipse((220, 120, 370, 270), fill="teal")
    draw.rectangle((250, 430, 380, 580), fill="maroon")
    rng = np.random.default_rng(number)
    for line in range(6):
        y = 350 + 38 * line
        draw.line((20, y + 26, 240, y + 26), fill="black", width=2)
        for x in range(24, 230, 14):
            if rng.random() < 0.5:
                draw.rectangle((x, y, x + 8, y + 20), fill="black")
    return image


@pytest.fixture(scope="module", autouse=True)
def method():
    sl.methods.register("fills", fills, distance=differing, maximum=1.0)
    yield
    del registry.REGISTRY["fills"]


@pytest.fixture(scope="module")
def recipe(method):
    """Fitted to copies, strangers and look-alikes: a hash that all but strangers please, and a
    method that look-alikes do not.
    """
    rng, n = np.random.default_rng(0), 1800
    kind = np.arange(n) % 60  # 24 are copies, 1 look-alike, 35 strangers
    copy, alike = kind < 24, kind == 24
    number = np.arange(n) // 60
    sources = [f"s{at}" for at in number]
    others = [f"s{at if is_copy else (at + 7) % 30}" for at, is_copy in zip(number, copy)]
    table = pd.DataFrame(
        {
            "reference": sources,
            "query": others,
            "label": copy.astype(int),
            "source_reference": sources,
            "source_query": others,
            "weight": 1.0,
            "status": "ok",
            "error": "",
            "no_evidence": "",
            "phash": np.where(copy | alike, rng.integers(0, 8, n) * 2, rng.integers(9, 19, n) * 2),
            "fills": np.where(copy, rng.uniform(0, 0.03, n), rng.uniform(0.02, 0.3, n)),
        }
    )
    return sl.Ensemble(["phash", "fills"], n_resamples=2).fit(table)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six fills of a form, the first of them scanned again, the second in another format and twice,
    and a stranger.
    """
    root = tmp_path_factory.mktemp("forms")
    for number in range(FORMS):
        form(number).save(root / f"form{number}.png")
    again = sl.perturb.apply(form(0), "brightness(factor=0.95)+resize(scale=0.8)")
    again.save(root / "again0.jpg", quality=80)
    form(1).save(root / "same1.bmp")
    shutil.copy(root / "form1.png", root / "twice1.png")
    shutil.copy(sl.datasets.DATA / "sample" / "cat.jpg", root)
    return root


@pytest.fixture(scope="module")
def found(folder, recipe):
    return sl.find_copies(folder, recipe, **QUIET)


IDENTICAL = [("form1.png", "same1.bmp"), ("form1.png", "twice1.png"), ("same1.bmp", "twice1.png")]


def by_pair(found):
    pairs = zip(found["reference"], found["query"])
    return dict(zip(map(frozenset, pairs), found["verdict"]))


def test_a_verdict_follows_from_distance_and_evidence():
    much = judging.MUCH + 0.1
    rows = [
        # distance, evidence, threshold, identical, low in information
        (0.0, [9.0, 9.0], 0.5, True, False, "identical"),
        (0.5, [9.0, 9.0], 0.5, False, True, "copy"),
        (0.1, [0.5, -0.8], 0.5, False, False, "copy"),
        (0.4, [0.5, -0.8], 0.1, False, False, "look-alike"),
        (0.4, [0.5, -0.8], 0.1, False, True, "different"),
        (0.9, [much, -9.0], 0.5, False, False, "look-alike"),
        (0.9, [much / 2, much / 2], 0.5, False, False, "look-alike"),
        (0.9, [much - 0.2, 0.0], 0.5, False, False, "different"),
        (0.9, [much - 0.2, 0.0], 0.9, False, False, "copy"),
        (1.0, [much, -99.0], 0.5, False, True, "different"),
        (np.nan, [np.nan, np.nan], 0.5, False, False, "different"),
    ]
    for distance, evidence, threshold, identical, low, expected in rows:
        said = judging.verdicts(
            np.array([distance]),
            np.array([evidence]),
            threshold,
            identical=np.array([identical]),
            low_information=np.array([low]),
        )
        assert said.tolist() == [expected], (distance, evidence)


def test_one_method_alone_makes_no_look_alike_where_nothing_fits():
    shipped = sl.Ensemble.load()
    phash, correlation, aligned, contradiction = shipped.methods_
    rows = [  # two pictures turned alike; one template; two shots of a scene; nothing in common
        (30, 0.2, 1.0, 1.0),
        (4, 0.1, 0.4, 0.3),
        (6, 0.2, 1.0, 1.0),
        (30, 1.0, 1.0, 1.0),
    ]
    scores = pd.DataFrame(rows, columns=[phash, correlation, aligned, contradiction], dtype=float)
    scores["no_evidence"] = ""
    by_itself = shipped.evidence(scores, weighed=False).to_numpy()
    said = judging.is_by_chance(scores, by_itself, shipped)
    assert said.tolist() == [True, False, False, True]


def test_forms_are_look_alikes_and_a_second_scan_is_a_copy(found):
    said = by_pair(found)
    assert {pair for pair, verdict in said.items() if verdict == "identical"} == set(
        map(frozenset, IDENTICAL)
    )
    assert [set(pair) for pair, verdict in said.items() if verdict == "copy"] == [
        {"form0.png", "again0.jpg"}
    ]
    # every two of the nine files show the form, and the cat shows none
    assert len(said) == 9 * 8 / 2 and not any("cat.jpg" in pair for pair in said)
    assert found["same_file"].sum() == 1 and found["verdict"].iloc[0] == "identical"
    assert found["verdict"].tolist() == ["identical"] * 3 + ["copy"] + ["look-alike"] * 32
    alike = found["verdict"] == "look-alike"
    assert (found["distance"][alike] > 0.5).all() and (found["distance"][~alike] <= 0.5).all()


def test_the_row_says_it_after_a_csv_too(found, recipe, tmp_path):
    found.to_csv(tmp_path / "found.csv", index=False)
    read = pd.read_csv(tmp_path / "found.csv")
    said = judging.verdicts(
        read["distance"].to_numpy(),
        recipe.evidence(read, weighed=False).to_numpy(),
        read["threshold"][0],
        identical=(read["verdict"] == "identical").to_numpy(),
        low_information=read["low_information"].to_numpy(),
    )
    assert said.tolist() == found["verdict"].tolist()
    for of in ("copy", "look-alike"):
        pd.testing.assert_frame_equal(sl.group(read, of=of), sl.group(found, of=of))


def test_a_gallery_and_a_search_say_the_same(found, folder, recipe):
    gallery = sl.Gallery(folder, recipe, **QUIET)
    prior = found["prior"].iloc[0]
    expected = by_pair(found)
    for name in ("again0.jpg", "form1.png", "form2.png"):
        answers = gallery.query(folder / name, top=20, prior=prior).set_index("file")["verdict"]
        for file, verdict in answers.drop(name).items():
            assert verdict == expected.get(frozenset((name, file)), "different"), (name, file)
    assert gallery.query(folder / "cat.jpg", top=3)["verdict"].tolist()[1:] == ["different"] * 2
    asked = sl.find_copies(
        folder, recipe, queries=folder / "again0.jpg", prior=prior, **QUIET
    ).set_index("reference")
    assert asked["verdict"]["form0.png"] == "copy"
    assert asked["verdict"]["form3.png"] == "look-alike" and "cat.jpg" not in asked.index


def test_groups_of_copies_leave_look_alikes_out(found):
    groups = sl.group(found)
    files = {frozenset(part["file"]) for _, part in groups.groupby("group")}
    assert files == {
        frozenset({"form1.png", "same1.bmp", "twice1.png"}),
        frozenset({"form0.png", "again0.jpg"}),
    }
    assert sl.grouping.linkage_table(found).attrs["files"] == sorted(groups["file"])


def test_look_alikes_are_one_group_that_shows_each_picture_once(found):
    groups = sl.group(found, of="look-alike", pictures=found.attrs["pictures"])
    assert groups["size"].tolist() == [9] * 9 + [1]
    assert groups["file"].iloc[9] == "cat.jpg" and not groups["partial"].any()
    assert not groups["chained"].any()  # all pairs of so few were compared
    shown = groups["file"][groups["file"] == groups["copy_of"]]
    assert len(shown) == FORMS + 1 and "again0.jpg" not in set(shown)


def test_a_stricter_search_loses_no_pair(folder, recipe):
    """Forms that a lenient one takes for copies are look-alikes to a strict one."""
    pairs = {}
    for word in judging.BE:
        found = sl.find_copies(folder, recipe, threshold=word, **QUIET)
        assert (found["threshold"] == judging.BE[word]).all()
        pairs[word] = by_pair(found)
    assert pairs["strict"].keys() == pairs["normal"].keys() <= pairs["lenient"].keys()
    n_copies = [sum(said != "look-alike" for said in pairs[word].values()) for word in judging.BE]
    assert n_copies == sorted(n_copies)
    with pytest.raises(ValueError, match="threshold must be between 0 and 1, or strict, normal, "):
        sl.find_copies(folder, recipe, threshold="severe", **QUIET)


def linked(verdict, *names):
    """All pairs of the names, with the same verdict."""
    rows = []
    for at, name in enumerate(names):
        rows.extend((name, other, verdict) for other in names[at + 1 :])
    return rows


@pytest.mark.parametrize(
    ("rows", "n_pictures", "words"),
    [
        (linked("copy", *"abcdefghij"), 50, ["one group of copies holds 10 of 50"]),
        (linked("copy", *"abcdefghij"), 51, []),
        (linked("copy", *"abcdefghi"), 9, []),
        (linked("look-alike", *"abcdefghij"), 10, []),
        (linked("identical", *"abcdefghij"), 10, []),
        (linked("identical", *"abcdefghi") + [(n, "z", "copy") for n in "abcdefghi"], 20, []),
        (
            linked("copy", *map(str, range(34))),
            100,
            ["561 pairs are copies", "where about 50", "holds 34"],
        ),
    ],
)
def test_what_looks_wrong_is_said(rows, n_pictures, words):
    found = pd.DataFrame(rows, columns=["reference", "query", "verdict"])
    n_pairs = n_pictures * (n_pictures - 1) // 2
    said = warnings_of(found, n_pictures=n_pictures, n_pairs=n_pairs, prior=1 / (n_pictures - 1))
    assert len(said) == min(1, len(words))
    for expected in words:
        assert expected in said[0] and "simlab tune" in said[0] and "--be strict" in said[0]


def test_nothing_found_looks_wrong_in_no_way():
    none = pd.DataFrame({"reference": [], "query": [], "verdict": []})
    assert warnings_of(none, n_pictures=5, n_pairs=10, prior=0.25) == []


def test_the_command_tells_both_kinds_apart_and_warns(folder, recipe, tmp_path, capsys):
    recipe.save(tmp_path / "recipe.json")
    common = ["--recipe", str(tmp_path / "recipe.json"), "--jobs", "1"]
    common += ["--cache", str(tmp_path / "cache.sqlite")]
    out = tmp_path / "out"
    assert cli.main(["find", str(folder), "--out", str(out), *common]) == 0
    said = capsys.readouterr().err
    assert "2 groups of copies: 3 files could go" in said and "warning" not in said
    assert "32 pairs of look-alikes, which are no copies" in said
    assert json.loads((out / "run.json").read_text())["warnings"] == []
    assert len(pd.read_csv(out / "groups.csv")) == 5
    alike = pd.read_csv(out / "lookalikes.csv")
    assert len(alike) == 9 and list(alike)[-2:] == ["copy_of", "partial"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<strong>Warning:</strong>" not in page
    data = json.loads(re.search(r'id="review-data">(.*?)</script>', page)[1])
    assert [group["alike"] for group in data["groups"]] == [False, False, True]

    # ten forms, all of them taken for copies
    many = tmp_path / "many"
    many.mkdir()
    for number in range(10):
        form(number).save(many / f"{number}.png")
    sl.Ensemble.load(tmp_path / "recipe.json").reweighed({"fills": 0.0}, SCORES).save(
        tmp_path / "recipe.json"
    )
    assert cli.main(["find", str(many), "--out", str(out), "--be", "lenient", *common]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert "one group of copies holds 10 of 10" in line and "simlab tune" in line
    (kept,) = json.loads((out / "run.json").read_text())["warnings"]
    assert line == f"warning: {kept}"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.index("<strong>Warning:</strong>") < page.index('id="review"')
    with pytest.raises(SystemExit):
        cli.main(["find", str(many), "--out", "o", "--be", "strict", "--threshold", "0.2"])
    assert "not allowed with argument" in capsys.readouterr().err


def test_the_words_of_the_command_are_those_of_the_search():
    assert set(cli.BE) == set(judging.BE)


SCORES = pd.DataFrame(
    {
        "reference": ["a", "b"],
        "query": ["a", "c"],
        "source_reference": ["a", "b"],
        "source_query": ["a", "c"],
        "label": [1, 0],
        "phash": [0.0, 30.0],
        "fills": [0.0, 0.3],
    }
)


def test_the_shipped_recipe_tells_forms_apart_in_a_search_and_in_a_gallery(tmp_path):
    """What sees the layout alone calls all of them copies."""
    for number in range(5):
        form(number).save(tmp_path / f"form{number}.png")
    scan = sl.perturb.apply(form(0), "rotate(degrees=0.6)+noise(variance=0.0005)")
    scan.save(tmp_path / "scan.jpg", quality=70)
    options = {"cache": tmp_path / "cache.sqlite", "n_jobs": 1, "progress": False}
    found = sl.find_copies(tmp_path, **options)
    copies = found.loc[found["verdict"] == judging.COPY, ["reference", "query"]]
    assert copies.to_numpy().tolist() == [["form0.png", "scan.jpg"]]
    assert (found["verdict"] == judging.LOOK_ALIKE).sum() >= 10

    gallery = sl.Gallery(tmp_path, **options)
    again = sl.perturb.apply(form(3), "recompress(quality=50)+resize(scale=0.7)")
    nearest = gallery.query(again, top=1).iloc[0]
    assert (nearest["file"], nearest["verdict"]) == ("form3.png", judging.COPY)
    other = gallery.query(form(9), top=1).iloc[0]
    assert other["verdict"] != judging.COPY, "the guard is asked before a query ends"
