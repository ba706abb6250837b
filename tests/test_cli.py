"""The command: what a person types, what they get, and one clear line when it cannot be."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from corpus import textured
from pages import check_end
from PIL import Image

import simlab as sl
from simlab import cli
from simlab.cli import main
from simlab.report.files import TOLD

SAMPLE = Path(__file__).resolve().parents[1] / "datasets" / "sample"
QUICK = ["--methods", "phash, akaze", "--jobs", "1"]


@pytest.fixture
def folder(tmp_path):
    """Four pictures of the sample, one of them with a Japanese name, and one that is broken."""
    target = tmp_path / "絵"
    target.mkdir()
    for name in ("cat.jpg", "coffee.jpg", "rocket.jpg", "海.jpg"):
        shutil.copy(SAMPLE / name, target)
    (target / "broken.jpg").write_bytes((SAMPLE / "cat.jpg").read_bytes()[:2000])
    return target


def test_study_writes_tables_figures_and_a_report_and_goes_on_past_a_broken_file(
    folder, tmp_path, capsys
):
    out = tmp_path / "out"
    arguments = [
        "study",
        str(folder),
        "--out",
        str(out),
        "--negatives",
        "60",
        "--cache",
        str(tmp_path / "c"),
        *QUICK,
    ]
    assert main(arguments) == 0
    assert str(out / "report.html") in capsys.readouterr().err
    scores = sl.tables.read_scores(out / "scores.csv")
    assert len(scores) == 5 * 9 + 60
    failed = scores[scores["status"] == "error"]
    assert (
        failed["error"]
        .str.fullmatch(r"(reference|query): damaged or truncated: .*truncated.*")
        .all()
    )
    assert (failed["reference"].eq("broken.jpg") | failed["query"].eq("broken.jpg")).all()
    assert scores.loc[scores["status"] == "ok", ["phash", "akaze"]].notna().all(axis=None)
    assert {p.suffix for p in (out / "figures").iterdir()} == {".png", ".svg"}
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (
        run["seed"] == 0 and run["command"].startswith("simlab study") and "海.jpg" in run["inputs"]
    )
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "海.jpg" in report and "broken.jpg" in report
    timings = pd.read_csv(out / "timings.csv")
    assert list(timings["method"]) == ["phash", "akaze"] and set(timings["n_pictures"]) == {4}
    assert (timings[["ms_picture", "ms_pair"]] > 0).all(axis=None)
    # what was measured stands beside the page, never in it: the page is the same every time
    assert "timings.csv" in report and f"{timings['ms_picture'][0]:.2f}" not in report


@pytest.mark.sweep
def test_a_second_study_gives_the_same_tables(folder, tmp_path):
    for out in ("a", "b"):
        cache = ["--cache", str(tmp_path / "c"), "--negatives", "20", "--perturbations", "crop"]
        assert main(["study", str(folder), "--out", str(tmp_path / out), *cache, *QUICK]) == 0
    for name in ("pairs.csv", "scores.csv", "metrics.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.fixture
def labels(tmp_path):
    """A labelled CSV of fourteen pictures, each with one saved copy, and pairs that are
    no copies.
    """
    names = sorted(path.name for path in SAMPLE.iterdir())[:14]
    rows = []
    for i, name in enumerate(names):
        shutil.copy(SAMPLE / name, tmp_path)
        sl.perturb.apply(SAMPLE / name, "crop(area=0.7)").save(tmp_path / f"copy_{i}.png")
        rows.append((name, f"copy_{i}.png", "same"))
        rows += [(name, f"copy_{(i + k) % 14}.png", "different") for k in (1, 2, 3, 5, 7)]
    path = tmp_path / "ラベル.csv"
    pd.DataFrame(rows, columns=["reference", "query", "label"]).to_csv(path, index=False)
    return path


def test_evaluate_and_tune_measure_the_pairs_a_person_labelled(
    labels, tmp_path, capsys, unrendered
):
    cache = ["--cache", str(tmp_path / "c"), *QUICK]
    for verb in ("evaluate", "tune"):
        assert main([verb, str(labels), "--out", str(tmp_path / verb), *cache]) == 0
        made = {path.name for path in (tmp_path / verb).iterdir()}
        page = (tmp_path / verb / "report.html").read_text(encoding="utf-8")
        check_end(page)
        assert "report.html" in made
        assert made <= {*cli.WRITTEN, *TOLD, "figures"}
    metrics = pd.read_csv(tmp_path / "evaluate" / "metrics.csv")
    assert set(metrics["method"]) == {"phash", "akaze"}
    assert set(metrics["n_positive"]) == {14} and set(metrics["n_negative"]) == {70}
    scores = sl.tables.read_scores(tmp_path / "tune" / "scores.csv")
    assert scores["ensemble"].between(0, 1).all()
    recipe = sl.Ensemble.load(tmp_path / "tune" / "recipe.json")
    assert recipe.methods_ == ["phash", "akaze"]
    assert "best single method" in capsys.readouterr().err
    pages = [
        (tmp_path / verb / "report.html").read_text(encoding="utf-8")
        for verb in ("evaluate", "tune")
    ]
    for heading in (
        "Is the ensemble better than the best method",
        "How much each method is trusted",
    ):
        assert [f">{heading}<" in page for page in pages] == [False, True]


def test_evaluate_measures_what_another_tool_wrote_without_a_picture(tmp_path, capsys, unrendered):
    numbers = range(24)
    rows = [(f"{n}.jpg", f"{n} copy.jpg", 1, n % 9, 0.9) for n in numbers]
    for apart in (1, 5, 7, 11, 13):
        others = [(n, (n + apart) % 24) for n in numbers]
        rows += [(f"{n}.jpg", f"{k} copy.jpg", 0, 8 + k, n / 30) for n, k in others]
    table = pd.DataFrame(rows, columns=["reference", "query", "label", "bits", "Cosine"])
    table.to_csv(tmp_path / "theirs.csv", index=False)
    out = tmp_path / "out"
    typed = ["evaluate", str(tmp_path / "theirs.csv"), "--out", str(out), "--distances", "bits"]
    assert main([*typed, "--similarities", "Cosine"]) == 0
    said = capsys.readouterr().err
    assert "24 sources are told from names" in said and "Cosine grows with likeness" in said
    metrics = pd.read_csv(out / "metrics.csv")
    assert set(metrics["method"]) == {"bits", "Cosine"} and set(metrics["n_sources"]) == {24}
    thresholds = pd.read_csv(out / "thresholds.csv").set_index("method")["threshold"]
    assert thresholds["bits"].iloc[0] == 7.0 and thresholds["Cosine"].iloc[0] == -0.9
    page = (out / "report.html").read_text(encoding="utf-8")
    check_end(page)
    assert "no picture was looked at" in page and "0 copy.jpg" in page
    assert "root" not in json.loads((out / "run.json").read_text(encoding="utf-8"))


def test_a_run_replaces_no_file_that_it_reads(labels, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    labels.rename("pairs.csv")
    table = pd.read_csv("pairs.csv")
    (tmp_path / "figures").mkdir()
    shutil.copy(SAMPLE / "cat.jpg", "figures/roc.jpg")
    table.replace("cat.jpg", "figures/roc.jpg").to_csv("others.csv", index=False)
    (tmp_path / "link.csv").symlink_to("pairs.csv")
    (tmp_path / "scores.csv").symlink_to("others.csv")
    sl.Ensemble.load().save("recipe.json")
    shutil.copy("recipe.json", "run.json")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for arguments in (
        ["evaluate", "pairs.csv"],
        ["tune", "pairs.csv"],
        ["evaluate", "link.csv"],
        ["evaluate", "scores.csv"],
        ["evaluate", "others.csv"],
        ["evaluate", "pairs.csv", "--distances", "label"],
        ["study", "figures"],
        ["study", "."],
        ["find", "copies", "--recipe", "run.json"],
        ["find", "copies", "--query", "figures/roc.jpg"],
        ["find", "."],
    ):
        assert main([*arguments, "--out", "."]) == 1
        said = capsys.readouterr().err.splitlines()
        assert "would replace its input" in said[-1], arguments
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_labels_may_come_in_another_encoding(labels, tmp_path, capsys, unrendered):
    table = pd.read_csv(labels).replace("copy_0.png", "海_0.png")
    shutil.move(tmp_path / "copy_0.png", tmp_path / "海_0.png")
    other = tmp_path / "sjis.csv"
    other.write_bytes(table.to_csv(index=False, sep=";", lineterminator="\r\n").encode("shift_jis"))
    arguments = [
        "evaluate",
        str(other),
        "--out",
        str(tmp_path / "o"),
        "--cache",
        str(tmp_path / "c"),
        *QUICK,
    ]
    assert main(arguments) == 1
    assert (
        "sjis.csv, line 2: not utf-8 text; name the encoding (--encoding)"
        in capsys.readouterr().err
    )
    assert main([*arguments, "--encoding", "shift_jis"]) == 0
    scores = sl.tables.read_scores(tmp_path / "o" / "scores.csv")
    assert "海_0.png" in set(scores["query"])
    assert {"label_audit.csv", "complementarity.csv", "ranking.csv"} <= {
        p.name for p in (tmp_path / "o").iterdir()
    }


def test_what_is_passed_over_is_said_counted_and_kept(folder, tmp_path, capsys, monkeypatch):
    shutil.copytree(folder, tmp_path / "mixed")
    for name in ("a.mov", "b.mov", "notes"):
        (tmp_path / "mixed" / name).write_text("no picture")
    shutil.copy(folder / "cat.jpg", tmp_path / "mixed" / "cat.backup")
    (tmp_path / "mixed" / "phone.heic").write_text("no picture")
    find_spec = importlib.util.find_spec
    without = {"pillow_heif": lambda *_: None}
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *_: without.get(name, find_spec)(name)
    )
    rest = ["--cache", str(tmp_path / "c.sqlite"), "--jobs", "1"]
    out = tmp_path / "out"
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["find", str(tmp_path / "mixed"), "--out", str(out), "--open", *rest]) == 0
    assert opened == [(out / "report.html").as_uri()]
    said = capsys.readouterr().err
    assert "1 without an ending and 2 pictures that cannot be read\n" in said
    assert said.index("(of ") < said.index("page: ") < said.index("tables: ")
    assert "passed over: 2 .mov, 1 .backup, 1 without an ending\n" in said
    assert "1 HEIC picture cannot be read until you install:  pip install 'simlab[heif]'" in said
    run = json.loads((out / "run.json").read_text())
    assert run["passed_over"] == {".backup": 1, ".mov": 2, "without an ending": 1}
    assert "2 .mov, 1 .backup, 1 without an ending." in (out / "report.html").read_text()
    found = pd.read_csv(out / "found.csv")
    assert "cat.backup" not in set(found["reference"]) | set(found["query"])
    rest += ["--any-name", "--no-report"]
    assert main(["find", str(tmp_path / "mixed"), "--out", str(out), *rest]) == 0
    assert not (out / "report.html").exists()
    said = capsys.readouterr().err
    assert "page: " not in said
    assert f"next: simlab move {out / 'plan.csv'} --to DIR : it says what this plan would" in said
    assert "in the page" not in said
    found = pd.read_csv(out / "found.csv")
    assert found["same_file"].sum() == 1 and (found["frames"] == 1).all()


def test_features_writes_a_row_for_every_file(folder, tmp_path):
    target = tmp_path / "f.csv"
    assert (
        main(
            ["features", str(folder), "--out", str(target), "--cache", str(tmp_path / "c"), *QUICK]
        )
        == 0
    )
    table = pd.read_csv(target, dtype=str, keep_default_na=False).set_index("file")
    assert table["status"].to_dict() == {
        "broken.jpg": "error",
        "cat.jpg": "ok",
        "coffee.jpg": "ok",
        "rocket.jpg": "ok",
        "海.jpg": "ok",
    }
    expected = sl.hashes.to_imagehash(sl.hashes.phash(folder / "cat.jpg"))
    assert table.loc["cat.jpg", "phash"] == str(expected)
    assert int(table.loc["cat.jpg", "akaze"]) > 100 and table.loc["broken.jpg", "phash"] == ""


# what is typed, and what the one line says; a text is split at its blanks
WRONG = [
    # which verb, and what it takes
    ("", "arguments are required: VERB"),
    ("stduy PICTURES --out o", "invalid choice: 'stduy'"),
    ("study PICTURES", "arguments are required: --out"),
    ("find", "arguments are required: IMAGES, --out"),
    ("verify", "arguments are required: DIR"),
    ("study PICTURES --out", "--out: expected one argument"),
    ("find PICTURES --out o --query", "--query: expected at least one argument"),
    ("study PICTURES more --out o", "unrecognized arguments: more"),
    ("study PICTURES --out o --recipe r.json", "unrecognized arguments: --recipe"),
    ("evaluate LABELS.csv --out o --metrics auc", "unrecognized arguments: --metrics"),
    ("features PICTURES --out f.csv --threshold 0.5", "unrecognized arguments: --threshold"),
    ("verify o --cache c", "unrecognized arguments: --cache"),
    ("find PICTURES --out o --methods phash", "--methods: a search uses those of its recipe"),
    # numbers
    ("study PICTURES --out o --jobs 0", "--jobs must be 1 or more"),
    ("verify o --jobs 0", "--jobs must be 1 or more"),
    ("study PICTURES --out o --jobs two", "--jobs: invalid int value: 'two'"),
    ("study PICTURES --out o --seed -1", "--seed must be a whole number, 0 or more, not -1"),
    ("evaluate LABELS.csv --out o --seed -1", "--seed must be a whole number, 0 or more"),
    ("find PICTURES --out o --seed -1", "--seed must be a whole number, 0 or more"),
    ("study PICTURES --out o --negatives -1", "negatives must be a whole number, 0 or more"),
    ("study PICTURES --out o --negatives 1.5", "--negatives: invalid int value: '1.5'"),
    (
        "study PICTURES --out o --sources 0",
        "--sources must be a whole number, 1 or more",
    ),
    ("verify o --pairs 0", "n_pairs must be a whole number, 1 or more"),
    ("find PICTURES --out o --threshold 2", "threshold must be between 0 and 1, not 2"),
    ("find PICTURES --out o --threshold nan", "threshold must be between 0 and 1, not nan"),
    ("find PICTURES --out o --threshold 0,5", "--threshold: invalid float value: '0,5'"),
    # names
    ("study PICTURES --out o --methods phas", "did you mean 'phash'"),
    ("features EMPTY --out o/f.csv --methods phas", "did you mean 'phash'"),
    ("evaluate LABELS.csv --out o --methods phas", "did you mean 'phash'"),
    ("study PICTURES --out o --methods ,", "methods must name one or more"),
    ("study PICTURES --out o --methods phash(", "cannot read the spec"),
    ("study PICTURES --out o --methods phash(size=8)", "allowed: hash_size"),
    ("study PICTURES --out o --methods phash(hash_size=0)", "from 2 to 256, not 0"),
    ("study PICTURES --out o --perturbations cropp", "did you mean 'crop'"),
    ("study PICTURES --out o --perturbations crop(area=2)", "to 1, not 2"),
    ("study PICTURES --out o --design other", "design must be one of"),
    ("find PICTURES --out o --linkage ward", "--linkage: invalid choice: 'ward'"),
    # pictures
    ("study no_such_folder --out o", "no such folder: 'no_such_folder'"),
    ("find no_such_folder --out o", "no such folder"),
    ("study FILE --out o", "images must be a folder or a picture"),
    ("study EMPTY --out o", "no pictures in 'EMPTY'"),
    ("find TEXTS --out o", "passed over: 1 .txt"),
    ("features EMPTY --out o/f.csv", "no pictures"),
    (["study", "", "--out", "o"], "images must be a folder or a picture; '' is neither"),
    (["find", "", "--out", "o"], "images must be a folder or a picture; '' is neither"),
    (
        "find PICTURES --out o --query none.png",
        "queries must name one picture or more; there is none: 'none.png'",
    ),
    ("find PICTURES --out o --query EMPTY", "no pictures in 'EMPTY'"),
    ("find PICTURES EMPTY --out o", "IMAGES must be one folder, or two with --between; given 2"),
    (
        "find PICTURES --out o --between",
        "IMAGES must be one folder, or two with --between; given 1",
    ),
    ("find PICTURES EMPTY --out o --between", "no pictures in 'EMPTY'"),
    ("find PICTURES PICTURES --out o --between", "the two sides must be different pictures"),
    (
        "find PICTURES OTHERS --out o --between --query PICTURES/a.png",
        "either queries or between may be given, not both",
    ),
    ("leaks PICTURES --out o", "arguments are required: TEST"),
    ("leaks PICTURES EMPTY --out o", "no pictures in 'EMPTY'"),
    ("leaks PICTURES PICTURES --out o", "the two sides must be different pictures"),
    ("leaks PICTURES OTHERS --out o --methods phash", "unrecognized arguments: --methods"),
    ("leaks PICTURES OTHERS --out o --labels BAD.csv", "line 2: label 'maybe'"),
    # where it goes
    ("study PICTURES --out FILE", "cannot make the folder 'FILE': 'FILE' is a file"),
    ("study PICTURES --out FILE/o", "cannot make the folder 'FILE/o'"),
    (["study", "PICTURES", "--out", ""], "a path must not be empty"),
    ("features EMPTY --out EMPTY", "must be a file, such as features.csv"),
    ("features PICTURES --out FILE", "is no table of features"),
    ("features PICTURES --out FILE/f.csv", "cannot make the folder 'FILE'"),
    # the cache
    ("study PICTURES --out o --cache EMPTY", "the cache 'EMPTY' is a folder; name a file"),
    ("evaluate LABELS.csv --out o --cache EMPTY", "the cache 'EMPTY' is a folder; name a file"),
    ("find PICTURES --out o --cache FILE", "'FILE' is no cache of simlab"),
    ("features PICTURES --out f.csv --cache FILE/c", "the cache 'FILE/c' cannot be used"),
    # recipes
    ("find PICTURES --out o --recipe none.json", "cannot read the recipe"),
    ("find PICTURES --out o --recipe EMPTY", "cannot read the recipe"),
    ("find PICTURES --out o --recipe FILE", "the recipe 'FILE' is damaged, or none"),
    ("find PICTURES --out o --recipe NONE.json", "is not a recipe of simlab"),
    ("find PICTURES --out o --recipe NEWER.json", "is a recipe of format 99; this simlab reads 2"),
    ("find PICTURES --out o --recipe EDITED.json", "is damaged or was edited"),
    # labels
    ("tune none.csv --out o --cache o/c", "cannot read 'none.csv'"),
    ("evaluate EMPTY --out o", "cannot read 'EMPTY'"),
    ("evaluate FILE --out o", "FILE: the first line must name reference, query and label"),
    ("evaluate PICTURES/a.png --out o", "a.png, line 1: not utf-8 text; name the encoding"),
    ("evaluate BAD.csv --out o", "line 2: label 'maybe' is not one of 1, 1.0, true"),
    ("tune LOST.csv --out o", "line 2: no file 'gone.png' in '.'"),
    ("evaluate LABELS.csv --out o --root EMPTY", "line 2: no file 'PICTURES/a.png' in 'EMPTY'"),
    ("evaluate LABELS.csv --out o --encoding klingon", "'klingon' is no encoding of text"),
    (["evaluate", "LABELS.csv", "--out", "o", "--root", ""], "a path must not be empty"),
    ("find PICTURES --out o --labels none.csv", "cannot read 'none.csv'"),
    ("find PICTURES --out o --labels BAD.csv --encoding klingon", "'klingon' is no encoding"),
    ("evaluate none.csv --out o --distances d", "cannot read 'none.csv'"),
    ("evaluate LABELS.csv --out o --distances d", "distances must be among the columns (bits)"),
    ("evaluate LABELS.csv --out o --similarities label", "must be among the columns (bits)"),
    ("evaluate LABELS.csv --out o --distances", "--distances: expected at least one argument"),
    ("evaluate LABELS.csv --out o --distances bits --methods phash", "no --methods or --root"),
    ("evaluate BAD.csv --out o --distances bits", "line 2: a distance must be a number, or empty"),
    ("find PICTURES --out o --labels BAD.csv", "line 2: label 'maybe' is not one of 1, 1.0, true"),
    ("verify o", "cannot read the study of 'o/run.json'"),
    ("verify FILE", "cannot read the study of 'FILE/run.json'"),
]


@pytest.fixture(scope="module")
def wrong_place(tmp_path_factory):
    """A folder with one of each thing that is taken for another."""
    place = tmp_path_factory.mktemp("place")
    for name in ("EMPTY", "TEXTS", "PICTURES", "OTHERS"):
        (place / name).mkdir()
    (place / "FILE").write_text("a file")
    (place / "TEXTS" / "notes.txt").write_text("a text")
    for name in ("a.png", "b.png"):
        textured(ord(name[0]), 40, 40).save(place / "PICTURES" / name)
    textured(0, 40, 40).save(place / "OTHERS" / "c.png")
    head = "reference,query,label,bits\n"
    (place / "LABELS.csv").write_text(f"{head}PICTURES/a.png,PICTURES/b.png,0,3\n")
    (place / "BAD.csv").write_text(f"{head}PICTURES/a.png,PICTURES/b.png,maybe,few\n")
    (place / "LOST.csv").write_text(f"{head}gone.png,PICTURES/b.png,0,3\n")
    sl.Ensemble.load().save(place / "EDITED.json")
    recipe = json.loads((place / "EDITED.json").read_text())
    (place / "NONE.json").write_text("[1]")
    (place / "NEWER.json").write_text(json.dumps(recipe | {"simlab_recipe": 99}))
    (place / "EDITED.json").write_text(json.dumps(recipe | {"prevalence": 0.9}))
    return place


@pytest.mark.parametrize(("typed", "words"), WRONG, ids=[str(typed) for typed, _ in WRONG])
def test_a_wrong_use_gives_one_line_and_makes_nothing(
    typed, words, wrong_place, monkeypatch, capsys
):
    monkeypatch.chdir(wrong_place)
    monkeypatch.setenv("SIMLAB_CACHE", str(wrong_place / "cache"))
    before = sorted(wrong_place.rglob("*"))
    try:
        status = main(typed.split() if isinstance(typed, str) else typed)
    except SystemExit as stopped:  # what argparse finds
        status = stopped.code
    captured = capsys.readouterr()
    assert status in (1, 2)
    assert words in captured.err and captured.err.count("\n") == 1 and not captured.out
    assert captured.err.startswith("simlab") and "Traceback" not in captured.err
    # a run that refuses makes nothing, not even an empty folder
    assert sorted(wrong_place.rglob("*")) == before


def test_an_unwritable_folder_is_refused_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    assert main(["study", "--out", str(tmp_path / "o")]) == 1
    assert "not writable" in capsys.readouterr().err


def test_control_characters_in_a_name_do_not_reach_the_terminal(tmp_path, capsys):
    assert main(["study", str(tmp_path / "\x1b[2Jx\n"), "--out", str(tmp_path / "o")]) == 1
    assert "\x1b" not in capsys.readouterr().err


def test_no_verb_and_help_show_the_verbs(capsys):
    for arguments, status in (([], 2), (["--help"], 0)):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == status
        printed = capsys.readouterr()
        assert ("study" in printed.out) if status == 0 else ("VERB" in printed.err)


def test_help_loads_nothing_heavy():
    code = (
        "import sys, simlab.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    loaded = printed.rsplit("[", 1)[1].replace("'", "").split(", ")
    assert not {"numpy", "pandas", "cv2", "matplotlib", "sklearn"} & set(loaded)


def test_a_search_loads_nothing_that_only_fits_measures_or_draws(tmp_path):
    for name in "ab":
        Image.effect_noise((96, 64), 60).save(tmp_path / f"{name}.png")
    arguments = ["find", str(tmp_path), "--out", str(tmp_path / "out"), "--jobs", "1"]
    arguments += ["--cache", str(tmp_path / "c.sqlite")]
    code = (
        f"import sys, simlab.cli as c\nstatus = c.main({arguments!r})\n"
        "print(status, [m for m in ('sklearn', 'scipy.stats', 'matplotlib') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed == "0 []\n"


def test_each_verb_ends_its_help_with_two_uses(capsys):
    for name, examples in cli.EXAMPLES.items():
        with pytest.raises(SystemExit, match="0"):
            cli.main([name, "--help"])
        told = capsys.readouterr().out.splitlines()
        assert told[-len(examples) :] == [f"  {example}" for example in examples]
        assert len(examples) == 2
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    listed = re.findall(r"(?m)^    (\w+)", capsys.readouterr().out.split("VERB\n")[-1])
    assert set(listed) == set(cli.EXAMPLES)


def test_methods_and_perturbations_are_listed_a_line_each(capsys):
    assert cli.main(["methods"]) == 0
    methods = capsys.readouterr().out.splitlines()
    assert [re.match(r"\w+", line)[0] for line in methods] == list(sl.methods.REGISTRY)
    assert next(line for line in methods if line.startswith("phash(")).startswith(
        f"{sl.methods.get('phash').key}  0 to 64 bits: "
    )
    assert cli.main(["perturbations"]) == 0
    listed = capsys.readouterr().out.splitlines()
    names = [re.match(r"\w+", line)[0] for line in listed]
    assert names == [*sl.perturb.REGISTRY, *sl.perturb.PRESETS]
    for line in listed[: len(sl.perturb.REGISTRY)]:
        sl.perturb.parse(line.split("  ")[0])  # as it is written, it can be typed
