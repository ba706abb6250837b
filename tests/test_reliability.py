"""Promises that no single module keeps: the same bytes however it runs, nothing run, nothing
leaked, names harmless.

docs/reliability.md lists all of them, each with its tests.
"""

import ast
import html
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus import encoded, exif, odd_pictures, ramp, textured
from pages import check_page
from PIL import Image
from test_images import stored

import simlab as sl
from simlab.cli import main
from simlab.ensemble import recipe
from simlab.report import write_csv

ROOT = Path(__file__).resolve().parents[1]
EVIL = (
    "<img src=x onerror=alert(1)>.png",
    "](javascript:alert(1)).png",
    "=HYPERLINK(1).png",
    "\x1b[2J.png",
    "\u202egnp.exe.png",
    "a\nb.png",
    "&lt;b&gt;.png",
    "'\"; --.png",
)


# --- deterministic, and nothing but Python


WATCHED = """
import os, sys
PROGRAMS = {
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "pty.spawn",
}
NETWORK = {
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.bind",
    "urllib.Request",
}

def watch(event, arguments):
    # matplotlib asks fontconfig once for the list of fonts
    if event in PROGRAMS | NETWORK and not str(arguments[0]).endswith("fc-list"):
        os.write(2, f"{event} {arguments}".encode())
        os._exit(99)

sys.addaudithook(watch)
from simlab.cli import main
sys.exit(main(sys.argv[1:]))
"""


def studied(pictures, folder, jobs, hash_seed):
    """What a study wrote, by file; how many workers it had is taken out, as the reports say it, and
    how long each method took.
    """
    folder.mkdir()
    command = [
        "study",
        str(pictures),
        "--out",
        "out",
        "--cache",
        "c.sqlite",
        "--jobs",
        str(jobs),
        "--negatives",
        "40",
        "--perturbations",
        "text, noise",
        "--methods",
        "phash, akaze",
    ]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-c", WATCHED, *command]
    run = subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    workers = re.compile(rb"(--jobs |(\"|&#34;)jobs(\"|&#34;): )\d")
    (folder / "out" / "timings.csv").unlink()
    files = (path for path in sorted((folder / "out").rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): workers.sub(b"", path.read_bytes()) for path in files
    }


@pytest.fixture(scope="module")
def study_by_one(tmp_path_factory):
    """A folder of pictures, another with the same written in another order, and what one process
    writes of the first.
    """
    folder = tmp_path_factory.mktemp("studies")
    names = [f"{n}.png" for n in range(4)] + ["日本語.png"]
    for order, name_of_folder in ((names, "pictures"), (names[::-1], "other")):
        (folder / name_of_folder).mkdir()
        for name in order:
            textured(names.index(name), 90, 70).save(folder / name_of_folder / name)
    first = studied(folder / "pictures", folder / "1", 1, 1)
    # a study names its folder: the other takes its place
    (folder / "pictures").rename(folder / "put aside")
    (folder / "other").rename(folder / "pictures")
    return folder, first


@pytest.mark.parametrize("jobs", [2, pytest.param(7, marks=pytest.mark.sweep)])
def test_a_study_is_the_same_to_the_byte_and_starts_no_program_and_reaches_no_network(
    jobs, study_by_one
):
    """For 1 and more workers, another hash seed, another order of files on the disk."""
    folder, first = study_by_one
    assert len(first) > 20 and {path.rsplit(".")[-1] for path in first} == {
        "csv",
        "html",
        "json",
        "png",
        "svg",
    }
    found = studied(folder / "pictures", folder / str(jobs), jobs, jobs)
    assert found.keys() == first.keys()
    assert [path for path in found if found[path] != first[path]] == []


# --- what a picture is, seen from its distances

FLAT = "phash;dhash;average_hash;whash;akaze"


def apart(a, b):
    """The distances of two pictures as shares of the largest, and the methods without evidence."""
    row = sl.distances(a, b).iloc[0]
    methods = sl.methods.resolve(None)
    return np.array([row[method.name] / method.maximum for method in methods]), row["no_evidence"]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_the_orientations_of_a_picture_have_distance_0(orientation):
    upright, turned = (encoded(stored(ramp(), n), "PNG", exif=exif(n)) for n in (1, orientation))
    assert not apart(upright, turned)[0].any()
    without = encoded(stored(ramp(), orientation), "PNG")
    assert apart(upright, without)[0].max() > 0.1  # what would be seen of it without the rule


def on_nothing(seed, hidden=0):
    """A logo on transparency: what shows is told by the seed, what is hidden by `hidden`."""
    levels = np.full((160, 240, 4), (hidden, 255 - hidden, hidden, 0), dtype=np.uint8)
    levels[40:120, 60:180, :3] = np.asarray(textured(seed))[40:120, 60:180]
    levels[40:120, 60:180, 3] = 255
    return encoded(Image.fromarray(levels), "PNG")


def test_logos_are_told_by_what_shows_and_16_bits_are_near_8():
    assert not apart(on_nothing(1), on_nothing(1, hidden=200))[0].any()
    # phash and akaze: to average_hash one box on white is like another
    assert apart(on_nothing(1), on_nothing(2))[0][[0, -1]].min() > 0.1
    grey = textured().convert("L")
    fine = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 257 + 100)
    assert apart(encoded(fine, "PNG"), encoded(grey, "PNG"))[0].max() < 0.05


def test_flat_transparent_and_tiny_pictures_are_flagged_and_are_no_copies():
    nothing = [encoded(Image.new("RGBA", (200, 150), (n, 0, 0, 0)), "PNG") for n in (0, 255)]
    assert (
        apart(*nothing)[1] == "" and not apart(*nothing)[0].any()
    )  # the same white, whatever is hidden
    for a, b in (("black", "white"), ("black", "textured"), ("textured", "grey")):
        shares, absent = apart(odd_pictures()[a], odd_pictures()[b])
        assert absent == FLAT and (shares == 1).all()
    shares, absent = apart(nothing[0], odd_pictures()["textured"])
    assert absent == FLAT and (shares == 1).all()
    for a, b in (("7 x 9", "textured"), ("textured", "7 x 9")):
        shares, absent = apart(odd_pictures()[a], odd_pictures()[b])
        assert (
            absent == "akaze"
            and shares[-1] == 1
            and np.isfinite(shares).all()
            and (shares > 0).all()
        )


# --- loading runs nothing

TOUCH = "__import__('pathlib').Path('canary').touch()"


class Canary:
    def __reduce__(self):
        return Path("canary").touch, ()


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A folder to work in; at the end nobody has made the file that poisoned input tries to make
    there.
    """
    monkeypatch.chdir(tmp_path)
    for n in range(2):
        textured(n, 90, 70).save(tmp_path / f"{n}.png")
    yield tmp_path
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    "content", [pickle.dumps(Canary()), TOUCH.encode(), b"[" * 100_000, b"\x80\x04."]
)
def test_a_poisoned_recipe_label_file_or_study_runs_nothing(content, canary, capsys):
    for name in ("recipe.json", "labels.csv", "run.json", "scores.csv"):
        (canary / name).write_bytes(content)
    for command in (
        ["find", ".", "--recipe", "recipe.json"],
        ["evaluate", "labels.csv"],
        ["tune", "labels.csv"],
    ):
        assert main([*command, "--out", "out", "--jobs", "1", "--cache", "c.sqlite"]) == 1
    assert main(["verify", "."]) == 1
    with pytest.raises(ValueError, match="score table"):
        sl.tables.read_scores("scores.csv")
    said = capsys.readouterr().err
    assert said.count("\n") == said.count("simlab: ") == 4


def test_a_recipe_cannot_name_code(canary):
    content = recipe.read(recipe.DEFAULT)
    content["columns"][0]["method"] = TOUCH
    recipe.write(canary / "recipe.json", content)
    with pytest.raises(ValueError, match=r"."):
        sl.find_copies(".", recipe="recipe.json", n_jobs=1, progress=False)


def test_a_recipe_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    content = recipe.read(recipe.DEFAULT)
    recipe.write(tmp_path / "recipe.json", content)
    before = (tmp_path / "recipe.json").read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: exec("raise OSError(28, 'full')"))
    with pytest.raises(OSError, match="full"):
        recipe.write(tmp_path / "recipe.json", {**content, "more": 1})
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == {
        tmp_path / "recipe.json": before
    }


def test_a_file_that_is_no_recipe_is_not_replaced_by_one(tmp_path):
    other = tmp_path / "recipe.json"
    other.write_text('{"cake": 1}')
    with pytest.raises(ValueError, match="is no recipe of simlab, and is left as it is"):
        recipe.write(other, recipe.read(recipe.DEFAULT))
    assert other.read_text() == '{"cake": 1}'


@pytest.mark.parametrize(
    "text", [TOUCH, f"crop(area={TOUCH})", f"text(content=f'{{{TOUCH}}}')", f"phash+{TOUCH}"]
)
def test_a_parameter_of_a_notebook_or_a_cell_of_a_table_runs_nothing(text, canary, capsys):
    with pytest.raises(ValueError):
        sl.perturb.apply("0.png", text)
    with pytest.raises(ValueError):
        sl.distances("0.png", "1.png", text)
    pairs = pd.DataFrame(
        {"reference": ["0.png"], "query": ["1.png"], "label": [1], "perturbation": [text]}
    )
    pairs.to_csv("labels.csv", index=False)
    study = ["study", "."]
    for command in (
        [*study, "--perturbations", text],
        [*study, "--methods", text],
        ["evaluate", "labels.csv"],
    ):
        assert main([*command, "--out", "out", "--jobs", "1", "--cache", "c.sqlite"]) == 1


# --- names


@pytest.mark.skipif(os.name != "posix", reason="such names are Linux's")
def test_names_are_harmless_in_pages_tables_and_the_terminal(
    unrendered, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p").mkdir()
    for n, name in enumerate(EVIL):
        textured(n % 5, 90, 70).save(tmp_path / "p" / name)
    (tmp_path / "p" / "\x1b[31m<script>.jpg").write_text("no picture")
    options = ["--jobs", "1", "--cache", "c.sqlite"]
    quick = ["--methods", "phash, dhash", "--perturbations", "crop", "--negatives", "30"]
    assert main(["find", "p", "--out", "found", *options]) == 0
    assert main(["study", "p", "--out", "study", *options, *quick]) == 0
    assert main(["features", "p", "--out", "f.csv", *options, "--methods", "phash"]) == 0
    (tmp_path / "p" / EVIL[3]).unlink()
    assert main(["verify", "study", "--jobs", "1"]) == 1
    said = capsys.readouterr().err
    assert "picture ?[2J.png: can no longer be read" in said
    assert all(char.isprintable() or char in "\n\r" for char in said)
    for page in ("found", "study"):
        texts = "".join(check_page(tmp_path / page / "report.html").texts)
        texts = texts.replace("\\u003c", "<")  # so it is written in data for a script
        assert EVIL[0] in texts and "<script>" in texts
    for file in (
        "f.csv",
        "found/found.csv",
        "found/groups.csv",
        "study/scores.csv",
        "study/pairs.csv",
    ):
        table = pd.read_csv(file, keep_default_na=False, dtype=str)
        assert len(table) and not any(
            table[name].str.match(r"[=+@\t\r]|-\D").any() for name in table
        ), file
    assert set(EVIL) <= set(sl.tables.read_scores("study/scores.csv")["reference"])


def test_names_are_escaped_in_a_notebooks_tables():
    table = pd.DataFrame({EVIL[0]: EVIL, "distance": np.arange(len(EVIL))})
    assert (
        "<img" not in table._repr_html_()
        and html.escape(EVIL[0], quote=False) in table._repr_html_()
    )


def test_spreadsheets_take_no_header_for_a_formula(tmp_path):
    write_csv(pd.DataFrame({"=1+1": ["a"], "plain": ["b"], "@x": [1.0]}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[0] == "'=1+1,plain,'@x"


# --- what the documents say


def test_every_promise_names_tests_that_exist():
    text = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    promises = re.split(r"(?m)^\d+\. ", text.split("## Promises")[1].split("\n## ")[0])[1:]
    assert len(promises) == 15
    known = {
        f"{path.relative_to(ROOT / 'tests').as_posix()}::{node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    for promise in promises:
        named = re.findall(r"`((?:\w+/)?test_\w+\.py)::(test_\w+)`", promise)
        assert named, promise
        assert [name for name in map("::".join, named) if name not in known] == []


def test_jupyter_keeps_its_safe_defaults():
    """On this machine only, behind its token: nothing in the repository tells a person to do
    without.
    """
    unsafe = (
        r"--ip[= ](?!localhost)|0\.0\.0\.0|(token|password)\s*=\s*(''|\"\"|\s)"
        r"|allow.root|disable_check_xsrf"
    )
    for path in ("README.md", "Makefile", "CONTRIBUTING.md", "docs/reliability.md"):
        assert not re.search(unsafe, (ROOT / path).read_text(encoding="utf-8"))
