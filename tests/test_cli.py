"""The command: what a person types, what they get, and one clear line when it cannot be."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import simlab as sl
from simlab import cli
from simlab.cli import main

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


def test_evaluate_and_tune_measure_the_pairs_a_person_labelled(labels, tmp_path, capsys):
    cache = ["--cache", str(tmp_path / "c"), *QUICK]
    for verb in ("evaluate", "tune"):
        assert main([verb, str(labels), "--out", str(tmp_path / verb), *cache]) == 0
        made = {path.name for path in (tmp_path / verb).iterdir()}
        assert "report.html" in made
        assert made <= {*cli.WRITTEN, "figures"}
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


def test_labels_may_come_in_another_encoding(labels, tmp_path, capsys):
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
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    rest = ["--cache", str(tmp_path / "c.sqlite"), "--jobs", "1"]
    out = tmp_path / "out"
    assert main(["find", str(tmp_path / "mixed"), "--out", str(out), *rest]) == 0
    said = capsys.readouterr().err
    assert "passed over: 2 .mov, 1 .backup, 1 without an ending\n" in said
    assert "1 HEIC picture cannot be read until you install:  pip install 'simlab[heif]'" in said
    run = json.loads((out / "run.json").read_text())
    assert run["passed_over"] == {".backup": 1, ".mov": 2, "without an ending": 1}
    assert "2 .mov, 1 .backup, 1 without an ending." in (out / "report.html").read_text()
    found = pd.read_csv(out / "found.csv")
    assert "cat.backup" not in set(found["reference"]) | set(found["query"])
    assert main(["find", str(tmp_path / "mixed"), "--any-name", "--out", str(out), *rest]) == 0
    found = pd.read_csv(out / "found.csv")
    assert found["identical"].sum() == 1 and (found["frames"] == 1).all()


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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["study", "no_such_folder", "--out", "o"], "no such folder"),
        (["study", "EMPTY", "--out", "o"], "no pictures"),
        (["study", "--out", "o", "--methods", "phas"], "did you mean 'phash'"),
        (["study", "--out", "o", "--methods", "phash(size=8)"], "allowed: hash_size"),
        (["study", "--out", "o", "--perturbations", "cropp"], "did you mean 'crop'"),
        (["study", "--out", "o", "--perturbations", "crop(area=2)"], "to 1, not 2"),
        (["study", "--out", "o", "--design", "other"], "design must be one of"),
        (["study", "--out", "o", "--negatives", "-1"], "0 or more"),
        (["study", "--out", "o", "--sources", "0"], "1 or more"),
        (["study", "--out", "FILE/o"], "cannot make the folder"),
        (["evaluate", "none.csv", "--out", "o"], "cannot read"),
        (["features", "EMPTY", "--out", "o/f.csv"], "no pictures"),
        (["features", "EMPTY", "--out", "EMPTY"], "must be a file, such as features.csv"),
        (["features", "SAMPLE", "--out", "FILE"], "is no table of features"),
        (["features", "EMPTY", "--out", "o/f.csv", "--methods", "phas"], "did you mean 'phash'"),
        (["find", "EMPTY", "--out", "o"], "no pictures"),
        (["find", "EMPTY", "--out", "o", "--recipe", "none.json"], "cannot read the recipe"),
        (["find", "SAMPLE", "--out", "o", "--threshold", "2"], "threshold must be between 0 and 1"),
        (["find", "EMPTY", "--out", "o", "--jobs", "0"], "--jobs must be 1 or more"),
        (["tune", "none.csv", "--out", "o", "--cache", "o/c"], "cannot read"),
        (["verify", "o"], "no study in 'o'"),
    ],
)
def test_a_wrong_use_gives_one_line_and_no_traceback(
    arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "FILE").write_text("a file")
    sample = str(sl.datasets.DATA / "sample")
    assert main([sample if word == "SAMPLE" else word for word in arguments]) == 1
    captured = capsys.readouterr()
    assert (
        words in captured.err and captured.err.count("\n") == 1 and "Traceback" not in captured.err
    )
    # a run that refuses makes nothing, not even an empty folder
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["EMPTY", "FILE"]


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
