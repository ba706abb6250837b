"""simlab verify: what has drifted since a study is told, and nothing else."""

import json
import shutil

import pandas as pd
import pytest
from corpus import textured

import simlab as sl
from simlab import tables
from simlab.cli import main
from simlab.report import verify

QUICK = ["--methods", "phash, akaze", "--jobs", "1"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A finished study, and its pictures; the last of them is none."""
    root = tmp_path_factory.mktemp("original")
    (root / "pictures").mkdir()
    for n in range(4):
        textured(n, 90, 70).save(root / "pictures" / f"{n}.png")
    (root / "pictures" / "text.jpg").write_text("no picture")
    pairs = sl.make_pairs(root / "pictures", ["crop", "mirror"], negatives=12)
    scores = sl.score_pairs(pairs, "phash, akaze", n_jobs=1, progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sl.plots, "save", lambda ax, path, **_: path.write_bytes(b"figure") and path)
        run = {
            "arguments": {"methods": ["phash", "akaze"]},
            "inputs": sl.features.digests(root / "pictures"),
        }
        sl.report.study(scores, root / "study", run=run)
    return root


@pytest.fixture
def study(original, tmp_path):
    """A copy that may be changed: (folder of the study, folder of the pictures)."""
    shutil.copytree(original, tmp_path / "copy")
    return tmp_path / "copy" / "study", tmp_path / "copy" / "pictures"


def drift(study, **options):
    return verify(study[0], **{"root": study[1], "n_jobs": 1, "progress": False, **options})


def change(path, **parts):
    path.write_text(
        json.dumps(json.loads(path.read_text(encoding="utf-8")) | parts), encoding="utf-8"
    )


def cut(path, lines, **parts):
    path.write_text(
        "".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:lines]),
        encoding="utf-8",
    )
    change(path.with_name("run.json"), **parts)


def test_a_study_that_still_holds_has_no_drift(original):
    for options in ({}, {"n_pairs": 3, "seed": 5}):
        found = verify(
            original / "study", n_jobs=1, progress=False, **options
        )  # with the root of run.json
        assert list(found) == ["what", "name", "drift"] and found.empty


def test_changed_and_absent_pictures_are_named_and_their_pairs_left_alone(study):
    shutil.copy(study[1] / "2.png", study[1] / "1.png")
    (study[1] / "0.png").unlink()
    assert drift(study).values.tolist() == [
        ["picture", "0.png", "can no longer be read"],
        ["picture", "1.png", "another file than then"],
    ]


def test_a_picture_that_can_be_read_now_is_a_changed_status(study):
    textured(9).save(study[1] / "text.jpg", "PNG")
    change(study[0] / "run.json", inputs={})  # as where nobody noted what the files were
    (row,) = drift(study).itertuples()
    assert row.what == "status" and "text.jpg" in row.name and row.drift.startswith("ok now; ")


def test_changed_versions_are_named(study):
    now = json.loads((study[0] / "run.json").read_text(encoding="utf-8"))["versions"]
    change(study[0] / "run.json", versions={**now, "numpy": "1.0", "gone": "2"})
    assert drift(study).values.tolist() == [
        ["version", "numpy", f"1.0 then, {now['numpy']} now"],
        ["version", "gone", "2 then, none now"],
    ]


def test_changed_distances_are_counted_by_method(study):
    scores = tables.read_scores(study[0] / "scores.csv")
    ok = scores["status"] == "ok"
    scores.loc[ok, "phash"] += 0.25
    scores.loc[ok.idxmax(), "phash"] += 3
    sl.report.write_csv(scores, study[0] / "scores.csv")
    (row,) = drift(study).itertuples()
    assert (row.what, row.name) == ("distance", "phash")
    first, was = scores.loc[ok.idxmax()], scores["phash"][ok.idxmax()]
    assert row.drift == (
        f"pairs that differ: {ok.sum()} of {len(scores)}, most {first['reference']} and"
        f" {first['query']} {first['perturbation']}: {was:g} then, {was - 3.25:g} now"
    )


def test_the_smallest_drift_is_drift(study):
    scores = tables.read_scores(study[0] / "scores.csv")
    scores.loc[(scores["akaze"] > 0).idxmax(), "akaze"] *= 1 + 1e-12
    sl.report.write_csv(scores, study[0] / "scores.csv")
    (row,) = drift(study).itertuples()
    assert row.name == "akaze" and row.drift.startswith(f"pairs that differ: 1 of {len(scores)},")


def test_a_distance_that_is_gone_is_drift(study):
    scores = tables.read_scores(study[0] / "scores.csv")
    scores.loc[(scores["status"] == "ok").idxmax(), "akaze"] = float("nan")
    sl.report.write_csv(scores, study[0] / "scores.csv")
    change(study[0] / "run.json", root=[])  # of no use, but another is given
    (row,) = drift(study).itertuples()
    assert (
        row.name == "akaze"
        and row.drift.startswith(f"pairs that differ: 1 of {len(scores)},")
        and "nan then" in row.drift
    )


def test_the_command_says_a_line_for_each_and_its_status_is_1(study, capsys):
    command = ["verify", str(study[0]), "--root", str(study[1]), "--jobs", "1"]
    assert (
        main(command) == 0 and "holds: versions, pictures and distances" in capsys.readouterr().err
    )
    (study[1] / "0.png").unlink()
    change(study[0] / "run.json", versions={"simlab\x1b[2J": "0"})
    assert main([*command, "--pairs", "40"]) == 1
    said = "\n" + capsys.readouterr().err
    assert (
        "\npicture 0.png: can no longer be read\n" in said
        and "\nversion simlab?[2J: 0 then, none now\n" in said
    )
    assert (
        said.endswith(f"simlab: {study[0]} no longer holds; see above\n") and "\x1b[2J" not in said
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda folder: (folder / "run.json").unlink(),
            "cannot read the study of .*run.json': No such file",
        ),
        (lambda folder: (folder / "run.json").write_text("{"), "no JSON text"),
        (lambda folder: (folder / "run.json").write_text("[" * 100_000), "no JSON text"),
        (lambda folder: (folder / "run.json").write_text("[]"), "does not tell how"),
        (lambda folder: change(folder / "run.json", inputs=[]), "does not tell how"),
        (
            lambda folder: change(folder / "run.json", arguments={"methods": ["theirs"]}),
            "unknown method 'theirs'",
        ),
        (lambda folder: (folder / "scores.csv").unlink(), "cannot read the score table"),
        (
            lambda folder: (folder / "scores.csv").write_text("a,b\n1,2\n"),
            "the score table .* must have the columns reference, ",
        ),
        (lambda folder: cut(folder / "scores.csv", lines=5), "pairs in it: 4 of [0-9]+$"),
        (
            lambda folder: cut(folder / "scores.csv", lines=1, n_pairs=0),
            "pairs in it: 0 of 0$",
        ),
        (
            lambda folder: change(folder / "run.json", arguments={"methods": ["phash", "dhash"]}),
            "no column dhash",
        ),
        (
            lambda folder: change(folder / "run.json", arguments={"methods": 5}),
            "methods must be a list, not 5",
        ),
    ],
)
def test_what_is_no_study_is_refused_in_one_line(damage, words, study):
    damage(study[0])
    with pytest.raises(ValueError, match=words) as caught:
        drift(study)
    assert "\n" not in str(caught.value)


def test_evaluate_and_its_subfolders_can_be_verified(original, tmp_path, monkeypatch):
    """The digests in run.json go by the same paths as the scores, wherever the labels lie."""
    monkeypatch.setattr(
        sl.plots, "save", lambda ax, path, **_: path.write_bytes(b"figure") and path
    )
    shutil.copytree(original / "pictures", tmp_path / "a" / "b")
    rows = [(f"a/b/{i}.png", f"a/b/{j}.png", int(i + j == 3)) for i in range(4) for j in range(i)]
    pd.DataFrame(rows, columns=["reference", "query", "label"]).to_csv(
        tmp_path / "labels.csv", index=False
    )
    command = ["evaluate", str(tmp_path / "labels.csv"), "--out", str(tmp_path / "out"), *QUICK]
    assert main([*command, "--cache", str(tmp_path / "c")]) == 0
    textured(7).save(tmp_path / "a" / "b" / "3.png")
    found = verify(tmp_path / "out", n_jobs=1, progress=False)
    assert found["name"].tolist() == ["a/b/3.png"]
