"""The report: complete, escaped, loads nothing; a study's files are whole or absent."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from pages import Page, check_end, check_page
from PIL import Image

import simlab as sl
from simlab import plots, report, tables
from simlab.report import sentences
from simlab.report.files import write_csv

SPECS = ["crop(area=0.8)", "crop", "recompress", "crop+mirror"]
EVIL = "<img src=x onerror=alert(1)>.png"
INPUTS = {f"{at}.png": "00" * 32 for at in range(99)}
RUN = {"command": "simlab study <b>", "seed": 3, "arguments": {"methods": [EVIL]}, "inputs": INPUTS}

ROOT = Path(__file__).resolve().parents[2]


def score_table(names, specs=SPECS, methods=("phash", "akaze"), seed=0):
    """A score table in which copies lie nearer than the rest, as far as a generator can tell."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "reference": a,
            "query": b,
            "perturbation_reference": "",
            "perturbation": spec,
            "seed": 0,
            "label": int(a == b),
            "source_reference": a,
            "source_query": b,
            "weight": 1.0,
            "status": "ok",
            "error": "",
            "no_evidence": "",
            **{method: float(rng.integers(0, 20) + 12 * (a != b)) for method in methods},
        }
        for spec in specs
        for a in names
        for b in names
    ]
    table = pd.DataFrame(rows)
    table.attrs["methods"] = list(methods)
    return table


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A study of everything that can go wrong at once."""
    root = tmp_path_factory.mktemp("root")
    names = ["a.png", "=1+1.png", "日本語 $x$.png", EVIL]
    for at, name in enumerate(names):
        noise = np.random.default_rng(at).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / name)
    scores = score_table([*names, "gone.png"])
    scores.loc[0, ["status", "error", "phash", "akaze"]] = [
        "error",
        "cannot read </td><script>",
        np.nan,
        np.nan,
    ]
    scores.loc[1:3, "no_evidence"] = "akaze"
    audit = pd.DataFrame(
        {"reference": [names[2]], "query": [EVIL], "phash": [3.0], "same_pixels": [False]}
    )
    bad = pd.DataFrame({"path": ["bad\x1b[31m.jpg"], "reason": ["truncated"]})
    out = root / "out" / "study"
    path = report.study(scores, out, root=root, run=RUN, audit=audit, unreadable=bad, example=EVIL)
    return scores, path


def test_a_study_writes_every_file(finished):
    _, path = finished
    found = {
        file.relative_to(path.parent).as_posix()
        for file in path.parent.rglob("*")
        if file.is_file()
    }
    figures = (
        "audit comparison det differences distances gallery hardest_false_alarm "
        "hardest_miss heatmap pr"
        " roc severity"
    )
    drawn = {f"figures/{name}.{suffix}" for name in figures.split() for suffix in ("png", "svg")}
    tables = (
        "break_points collection comparison complementarity label_audit metrics pairs prevalence "
        "ranking scores"
        " thresholds"
    )
    assert found == drawn | {f"{name}.csv" for name in tables.split()} | {"run.json", "report.html"}


def test_the_report_is_complete_and_everything_in_it_is_escaped(finished):
    page = check_page(finished[1])
    text = "\n".join(page.texts)
    for expected in (
        EVIL,
        "日本語 $x$.png",
        "</td><script>",
        "truncated",
        "simlab study <b>",
        "99 entries",
    ):
        assert expected in text
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 12
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")


def test_the_numbers_in_the_sentences_are_those_of_the_table(finished):
    scores, path = finished
    text = " ".join(Page(path.read_text(encoding="utf-8")).texts)
    metrics = sl.evaluate(scores)
    assert sentences.headline(metrics) == "roc_auc"  # 80 non-copies cannot show an FPR of 0.01
    ranked = sl.evaluation.rank(scores, metric="roc_auc", n_resamples=300)
    assert (
        f"By ROC AUC, {ranked['method'][0]} is first: {ranked['value'][0]:.2f} "
        f"[{ranked['low'][0]:.2f}, " in text
    )
    assert f"tell it apart from {ranked['method'][1]} {ranked['value'][1]:.2f}." in text
    assert "1 of 100 pairs could not be compared" in text
    assert "akaze (3 pairs)" in text
    assert "Sources that look alike: 1 pair." in text
    assert "1 in 80" in text


def test_run_json_holds_what_was_given_and_the_versions(finished):
    written = json.loads((finished[1].parent / "run.json").read_text(encoding="utf-8"))
    assert {key: written[key] for key in RUN} == RUN
    assert {"simlab", "numpy", "pillow", "python", "machine"} <= set(written["versions"])


def test_scores_can_be_read_back(finished):
    scores, path = finished
    found = tables.read_scores(path.parent / "scores.csv")
    assert found["akaze"].equals(scores["akaze"])
    assert len(pd.read_csv(path.parent / "metrics.csv")) > 0


def test_a_second_study_in_the_same_folder_gives_the_same_files(unrendered, tmp_path):
    scores = score_table(["a", "b", "c"], specs=SPECS[:2])
    digests = []
    for _ in range(2):
        path = report.study(scores, tmp_path / "out", root=tmp_path, run=RUN)
        files = sorted(file for file in path.parent.rglob("*") if file.is_file())
        digests.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files})
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "case",
    [
        "labels only",
        "copies only",
        "non-copies only",
        "nothing usable",
        "nothing weighs",
        "one method",
    ],
)
def test_studies_of_odd_tables_have_a_report_too(case, unrendered, tmp_path):
    scores = score_table(["a", "b", "c"], specs=[""] if case == "labels only" else ["crop"])
    if case in ("copies only", "non-copies only"):
        scores = scores[scores["label"] == int(case == "copies only")]
    if case == "nothing usable":
        scores[["phash", "akaze"]] = np.nan
        scores[["status", "error"]] = "error"
    if case == "nothing weighs":
        scores["weight"] = 0.0
    if case == "one method":
        scores = scores.drop(columns="akaze")
    path = report.study(scores.reset_index(drop=True), tmp_path / "out", root=tmp_path)
    assert check_page(path).texts
    check_end(path.read_text(encoding="utf-8"))


def test_a_study_says_which_labels_and_which_method_to_look_at(unrendered, tmp_path):
    names = [f"{i}.png" for i in range(16)]
    scores = score_table(names, specs=["crop(area=0.8)"])
    scores["akaze"] = 30.0 - 20 * scores["label"] + np.arange(len(scores)) / 1e3
    scores["phash"] = scores["akaze"].where(scores["query"] != "3.png", 40.0)
    wrong = scores.index[(scores["reference"] == "5.png") & (scores["query"] == "7.png")].item()
    scores.loc[wrong, ["akaze", "phash"]] = 0.0  # a hidden duplicate
    path = report.study(scores, tmp_path / "out", root=tmp_path)
    text = " ".join(" ".join(check_page(path).texts).split())
    audit = pd.read_csv(path.parent / "label_audit.csv")
    assert audit.loc[0, ["finding", "reference", "query"]].tolist() == [
        "non-copy like a copy",
        "5.png",
        "7.png",
    ]
    assert (
        "contradicts the label of 1 pair: copies that are unlike each other (0), non-copies" in text
    )
    assert {"label_audit.png", "complementarity.png"} <= {
        file.name for file in (path.parent / "figures").iterdir()
    }
    shares = pd.read_csv(path.parent / "complementarity.csv").set_index(["method", "other"])
    assert shares.loc[("phash", "akaze"), ["n_misses", "share"]].tolist() == [1, 1]
    assert "akaze against phash, on the same resamples of the source pictures: undecided." in text
    assert "misses at FPR 0.01" not in text  # the first one misses nothing
    behind = pd.read_csv(path.parent / "ranking.csv")
    assert behind["method"].tolist() == ["akaze", "phash"]
    assert behind["difference"].tolist() == pytest.approx([np.nan, 1 / 16], nan_ok=True)


def test_photographs_are_held_as_jpeg_and_drawings_as_png(tmp_path):
    photo, drawing = (tmp_path / name for name in ("photo.png", "drawing.png"))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)).save(
        photo
    )
    Image.new("RGB", (300, 300), "white").save(drawing)
    figures = [
        report.Figure(path.read_bytes(), "alt", "caption", width=100) for path in (photo, drawing)
    ]
    parts = [report.Section("Heading", figures=figures)]
    page = check_page(
        report.write_report(tmp_path / "page.html", title="t", lead="l", sections=parts, run={})
    )
    sources = [attributes["src"][:15] for tag, attributes in page.tags if tag == "img"]
    assert sources == ["data:image/jpeg", "data:image/png;"]
    assert {attributes["width"] for tag, attributes in page.tags if tag == "img"} == {"100"}


def test_a_picture_known_by_its_name_alone_has_a_thumbnail(tmp_path):
    """TGA has no mark of its own: the bytes alone are no picture."""
    path = tmp_path / "red.tga"
    Image.new("RGB", (40, 30), "red").save(path)
    assert plots.pictures.thumbnail(path).getpixel((5, 5)) == (255, 0, 0)


def test_when_a_figure_fails_nothing_half_made_stays(unrendered, tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise OSError("no space left on device")

    scores = score_table(["a", "b"], specs=["crop"])
    out = tmp_path / "out"
    report.study(scores, out, root=tmp_path)
    (out / "metrics.csv").write_text("of the scores before")
    (out / "notes.csv").write_text("of the user")
    monkeypatch.setattr(plots, "save", broken)
    figures_before = plt.get_fignums()
    with pytest.raises(OSError, match="no space left"):
        report.study(scores, out, root=tmp_path)
    # the tables are there, whole: what took long is not lost with a figure
    # what was told of those before is not
    left = sorted(path.name for path in out.iterdir())
    assert left == ["figures", "notes.csv", "pairs.csv", "run.json", "scores.csv"]
    assert plt.get_fignums() == figures_before


def test_only_what_stands_beside_a_run_is_taken_for_stale(tmp_path):
    for folder, run in (("ours", '{"root": "."}'), ("theirs", '{"id": 7}')):
        out = tmp_path / folder
        out.mkdir()
        (out / "run.json").write_text(run)
        (out / "report.html").write_text("a page")
        with report.whole(out, stale=["report.html", "groups.csv"]) as made:
            (made / "found.csv").write_text("new")
        assert (out / "report.html").exists() == (folder == "theirs")
        assert (out / "found.csv").read_text() == "new"


def test_files_are_on_the_disk_before_they_have_their_names(tmp_path, monkeypatch):
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, name=name, real=real: done.append(name) or real(*a)
        )
    with report.whole(tmp_path) as folder:
        for name in ("a.csv", "report.html", "z.csv"):
            (folder / name).write_text(name)
    assert done == ["fsync"] * 3 + ["replace"] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "report.html", "z.csv"]


def killed_run(out):
    """What a run leaves in `out` that is killed while it writes: its working folder, and a lock
    that nobody holds.
    """
    script = (
        "import os, sys; from simlab import report\n"
        "with report.whole(sys.argv[1]) as folder:\n"
        "    (folder / 'a.csv').write_text('half'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, out], cwd=ROOT, check=False)
    (left,) = out.glob(".partial-*")
    assert [path.read_text() for path in left.rglob("a.csv")] == ["half"]
    return left


def test_a_dead_runs_folder_is_removed_and_no_other(tmp_path):
    """Every folder of that name was once removed, whoever had made it."""
    dead = killed_run(tmp_path)
    mine = tmp_path / ".partial-mine"
    mine.mkdir()
    (mine / "diary.txt").write_text("not of simlab")
    copied = tmp_path / ".partial-copied"
    shutil.copytree(dead, copied)  # it bears the mark of another folder
    empty = tmp_path / ".partial-empty"
    empty.mkdir()
    with report.whole(tmp_path) as folder:
        assert not dead.exists()
        (folder / "b.csv").write_text("whole")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".partial-copied", ".partial-empty", ".partial-mine", "b.csv"]
    assert (mine / "diary.txt").read_text() == "not of simlab"


def test_two_runs_into_one_folder_both_end_well(tmp_path):
    with report.whole(tmp_path) as first:
        (first / "a.csv").write_text("a")
        with report.whole(tmp_path) as second:
            (second / "b.csv").write_text("b")
        with pytest.raises(OSError, match="disk"), report.whole(tmp_path):
            raise OSError("the disk is full")
        assert (first / "a.csv").read_text() == "a"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.csv"]


def test_a_run_that_fails_leaves_no_folder_that_it_made(tmp_path):
    (tmp_path / "kept").mkdir()
    with pytest.raises(ValueError, match="wrong"), report.whole(tmp_path / "kept" / "a" / "b"):
        raise ValueError("wrong")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]


def test_a_page_of_its_own(tmp_path):
    png = b"\x89PNG\r\n\x1a\n"
    table = pd.DataFrame({EVIL: ["<b>", "\udcff"], "n": [1234, 5], "share": [0.25, np.nan]})
    parts = [
        report.Section(
            "<h2>",
            "one\n\ntwo & three",
            [report.Figure(png, 'a "quoted" alt', "<i>")],
            [(table, "<u>")],
        ),
        report.Section("Long", tables=[(pd.DataFrame({"i": range(1000)}), "many rows")]),
    ]
    path = report.write_report(
        tmp_path / "page.html", title=EVIL, lead="Lead\n\nMore", sections=parts, run={"seed": 1}
    )
    page = check_page(path)
    texts = [text.strip() for text in page.texts if text.strip()]
    markup = {EVIL, "<h2>", "<i>", "<u>", "<b>"}
    assert markup | {"one", "two & three", "\\udcff", "1,234", "0.250", "n/a", "Lead"} <= set(texts)
    assert [a["alt"] for tag, a in page.tags if tag == "img"] == ['a "quoted" alt']
    assert "and 500 more rows" in texts
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_spreadsheets_take_no_name_for_a_formula_and_nothing_is_lost(tmp_path):
    names = [
        "=1+1",
        "+a",
        "-a",
        "@a",
        "\ta",
        "\na",
        "\ra",
        "b\rc",
        "'=a",
        "''+",
        "'a",
        "a",
        "",
        "日本",
    ]
    path = write_csv(
        pd.DataFrame({"name": names, "value": np.arange(len(names)) - 5.5}), tmp_path / "t.csv"
    )
    found = pd.read_csv(path, keep_default_na=False)
    assert not found["name"].str.match(r"[=+\-@\t\r\n]").any()
    back = found["name"].str.replace(r"^'(?='*[=+\-@\t\r\n])", "", regex=True)
    assert back.tolist() == names
    assert found["value"].tolist() == [at - 5.5 for at in range(len(names))]


def test_an_ensemble_tells_its_weights_what_each_method_adds_and_new_kinds():
    scores = score_table([f"{i}.png" for i in range(20)])
    ensemble = sl.Ensemble(["phash", "akaze"], n_resamples=20).fit(scores)
    gain, weights, each, reliability = report.tuned(ensemble)
    assert gain.text.startswith(ensemble.report_.splitlines()[0])
    shares = ensemble.weights_.sort_values("share", ascending=False)
    assert weights.tables[0][0]["method"].tolist() == shares["method"].tolist()
    first = shares.iloc[0]
    assert (
        weights.tables[0][0].iloc[0, 1]
        == f"{first['share']:.2f} [{first['low']:.2f}, {first['high']:.2f}]"
    )
    (ablation, _), (kinds, _) = each.tables
    assert ablation["without"].tolist() == ["phash", "akaze"]
    assert set(kinds["kind"]) == {sl.perturb.kind(spec) for spec in SPECS}
    assert reliability.figures[0].png.startswith(b"\x89PNG")


def test_a_method_far_ahead_is_told_apart():
    ranked = pd.DataFrame(
        {
            "method": ["akaze", "sift", "phash"],
            "metric": "tpr@fpr=0.01",
            "value": [0.96, 0.95, 0.5],
            "low": [0.9, 0.9, 0.4],
            "high": [0.99, 0.97, 0.6],
            "tier": [1, 1, 2],
        }
    )
    assert sentences.lead(ranked) == (
        "At one false alarm in 100 non-copies, akaze finds 0.96 [0.90, 0.99] of all copies. "
        "These pictures are too few to tell it apart from sift 0.95. Behind: phash 0.50."
    )


def test_kinds_are_told_by_how_the_methods_differ():
    values = {
        "jpeg": [1, 0.99],
        "crop": [0.97, 0.2],
        "blur": [0.8, 0.75],
        "mirror": [0.1, 0.0],
        "": [1, 1],
    }
    rows = [
        (kind, method, value)
        for kind, pair in values.items()
        for method, value in zip("ab", pair, strict=True)
    ]
    kinds = pd.DataFrame(rows, columns=["group", "method", "value"]).assign(metric="roc_auc")
    assert sentences.by_kind(kinds, "roc_auc") == (
        "Every method finds nearly all copies (0.95 or more) of these kinds: jpeg, unchanged. "
        "The choice of method matters most for crop (from a 0.97 down to b 0.20). "
        "No method finds half of the copies of these kinds: mirror."
    )
