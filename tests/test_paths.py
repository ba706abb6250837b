"""Paths: ``~`` is the home folder in everything that takes one; a file is replaced whole, and only
by its own name.
"""

import os
import stat
from pathlib import Path

import pandas as pd
import pytest
from corpus import textured

import simlab as sl
from simlab import plots, report, tables
from simlab.cli import default_cache, main
from simlab.pairs import labelling, labels
from simlab.paths import expanded, folder_for_files, replace_file
from simlab.scoring import cost, features

QUIET = {"n_jobs": 1, "progress": False}
PICTURES = [f"~/p/{n}.png" for n in range(3)]
FEW = {"methods": "phash", "root": "~/p", **QUIET}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder with pictures, labels and a recipe; the current folder is another, and stays
    empty.
    """
    home = tmp_path / "home"
    (home / "p").mkdir(parents=True)
    for n in range(3):
        textured(n, 90, 70).save(home / "p" / f"{n}.png")
    (home / "labels.csv").write_text("reference,query,label\n0.png,1.png,0\n0.png,2.png,1\n")
    sl.Ensemble.load().save(home / "recipe.json")
    (home / "font.ttf").write_bytes(Path(sl.perturb.fonts.dejavu()).read_bytes())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


def labelled():
    return sl.read_pairs("~/labels.csv", root="~/p")


def scored():
    table = sl.score_pairs(labelled(), "phash, dhash", cache="~/made.sqlite", **QUIET)
    return pd.concat([table] * 2, ignore_index=True).assign(weight=[1.0, 1.0, 0.5, 0.5])


def found(**options):
    return sl.find_copies("~/p", "~/recipe.json", **QUIET, **options)


def command(verb, *words):
    assert main([verb, *words, "--jobs", "1", "--cache", "~/made.sqlite"]) == 0


def of_explorer():
    explorer = sl.widgets.explore("~/p", recipe="~/recipe.json", methods="phash")
    return explorer.figure()


def pair_of(**sides):
    return {"reference": "1.png", "query": "2.png", **sides}


READING = {
    "read_image": lambda: sl.read_image("~/p/0.png"),
    "a path object": lambda: sl.read_image(Path("~") / "p" / "0.png"),
    "a hash": lambda: sl.hashes.phash("~/p/0.png"),
    "keypoints": lambda: sl.akaze.extract("~/p/0.png"),
    "distances": lambda: sl.distances(*PICTURES[:2], methods="phash"),
    "list_images": lambda: sl.list_images("~/p"),
    "from_folder": lambda: sl.datasets.from_folder("~/p"),
    "a list": lambda: sl.features.digests(PICTURES),
    "a table": lambda: sl.datasets.as_table(pd.DataFrame({"path": ["0.png"]}), root="~/p"),
    "a picture of a perturbation": lambda: sl.perturb.apply(
        "~/p/0.png", "overlay(picture='~/p/1.png')"
    ),
    "a picture beside it": lambda: sl.perturb.apply("~/p/0.png", "embed(picture='~/p/1.png')"),
    "a font": lambda: sl.perturb.apply("~/p/0.png", "text(font='~/font.ttf')"),
    "make_pairs": lambda: sl.make_pairs("~/p", "crop", negatives=2),
    "read_pairs": labelled,
    "with_sources": lambda: tables.with_sources(labelled(), "~/p"),
    "check_path": lambda: labels.check_path("0.png", "~/p"),
    "read_labels": lambda: labelling.read_labels("~/labels.csv", root="~/p"),
    "score_pairs": lambda: sl.score_pairs(labelled(), **FEW),
    "preview": lambda: cost.preview(labelled(), "phash", root="~/p", n_jobs=1),
    "describe": lambda: features.describe("~/p", "phash", **QUIET),
    "a recipe": lambda: sl.Ensemble.load("~/recipe.json"),
    "find_copies": lambda: found(queries=["~/p/0.png"]),
    "one query": lambda: found(queries="~/p/0.png"),
    "Gallery": lambda: sl.Gallery(PICTURES, "~/recipe.json", **QUIET).query("~/p/0.png"),
    "explore": of_explorer,
}
WRITING = {
    "made.sqlite": lambda: sl.cache.Cache("~/made.sqlite").close(),
    "made.sqlite of audit_sources": lambda: sl.audit_sources("~/p", cache="~/made.sqlite", **QUIET),
    "made.sqlite of describe": lambda: features.describe(
        "~/p", "phash", cache="~/made.sqlite", **QUIET
    ),
    "made.sqlite of score_pairs": scored,
    "made.sqlite of find_copies": lambda: found(cache="~/made.sqlite"),
    "made.json": lambda: sl.Ensemble.load().save("~/made.json"),
    "made.csv": lambda: report.write_csv(pd.DataFrame({"a": [1]}), "~/made.csv"),
    "made.csv of LabelFile": lambda: labelling.LabelFile("~/made.csv", root="~/p").add(
        pair_of(), 1
    ),
    "made.csv of label": lambda: sl.widgets.label(labelled(), "~/made.csv", root="~/p").answer(1),
    "made.csv of failures": lambda: sl.widgets.failures(
        scored(), root="~/p", marks="~/made.csv"
    ).mark(0),
    "made.png": lambda: plots.save(
        plots.plot_gallery([sl.read_image("~/p/0.png")], ["a"]), "~/made.png"
    ),
    "made.html": lambda: report.write_report("~/made.html", title="", lead="", sections=[], run={}),
    "made/found.csv": lambda: report.found(table := found(), sl.group(table), "~/made"),
    "made/found.csv of the command": lambda: command(
        "find", "~/p", "--recipe", "~/recipe.json", "--query", "~/p/0.png", "--out", "~/made"
    ),
    "made.csv of the command": lambda: command(
        "features", "~/p", "--methods", "phash", "--out", "~/made.csv"
    ),
}


@pytest.mark.parametrize("case", READING)
def test_a_tilde_is_the_home_folder_where_a_file_is_read(case, home):
    READING[case]()
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("case", WRITING)
def test_a_tilde_is_the_home_folder_where_a_file_is_written(case, home):
    """A cache at ~/c.sqlite once made a folder named ~."""
    WRITING[case]()
    assert (home / case.split()[0]).is_file()
    assert list(Path().iterdir()) == []


def test_a_tilde_in_the_environment_is_the_home_folder(home, monkeypatch):
    monkeypatch.setenv("SIMLAB_CACHE", "~/caches")
    assert default_cache() == home / "caches" / "cache.sqlite"
    monkeypatch.setenv("SIMLAB_DATA", "~/data")
    monkeypatch.setattr(sl.datasets, "_download", lambda *arguments: None)
    assert sl.datasets.fetch("bsds500").attrs["root"] == str(home / "data" / "bsds500")
    assert sl.datasets.fetch("bsds500", "~/here").attrs["root"] == str(home / "here" / "bsds500")


def test_a_folder_that_is_named_so_is_read_as_it_is_named(home):
    os.mkdir("~")
    textured(7, 90, 70).save(Path("~") / "7.png")
    table = features.describe(".", "phash", **QUIET)
    assert table["file"].tolist() == ["~/7.png"] and table["status"].tolist() == ["ok"]
    drawn = plots.pictures.thumbnail(Path("~") / "7.png", side=9)
    assert drawn.getcolors(1) is None  # not the grey of a file that cannot be read
    assert expanded("./~") == Path("./~")


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path, monkeypatch):
    path = tmp_path / "labels.csv"
    path.write_bytes(b"old")
    path.chmod(0o640)
    neighbour = tmp_path / ".labels.csv.new"  # a name that was once taken for our own
    neighbour.write_bytes(b"somebody's")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o640
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        replace_file(path, b"newer")
    assert path.read_bytes() == b"new" and neighbour.read_bytes() == b"somebody's"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_stays_empty_goes_with_those_made_for_it(tmp_path):
    with folder_for_files(tmp_path / "a" / "b") as folder:
        assert folder.is_dir()
    assert not (tmp_path / "a").exists()
    (tmp_path / "kept").mkdir()
    with folder_for_files(tmp_path / "kept"):
        pass
    assert (tmp_path / "kept").is_dir()
