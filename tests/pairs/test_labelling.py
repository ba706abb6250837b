"""Labels by people: a sample that stands for all, a file that no crash spoils, two files put
together.
"""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from corpus import textured

import simlab as sl
from simlab.pairs import labelling
from simlab.pairs.labelling import LabelFile, choose, read_labels

NAMES = (
    "a.png",
    "b.png",
    "c.png",
    "=1+1.png",
    "~d.png",
    '日本, "é".png',
    "two\nlines.png",
    "a\rreturn.png",
    "e:f.png",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for n, name in enumerate(NAMES):
        textured(n).save(root / name, "PNG")
    return root


def pair(reference="a.png", query="b.png", **columns):
    return {"reference": reference, "query": query, **columns}


ALL = [pair(a, b) for i, a in enumerate(NAMES) for b in NAMES[i + 1 :]]


def labelled(path, labels, root, pairs=ALL, **options):
    file = LabelFile(path, root=root, **options)
    for row, label in zip(pairs, labels):
        file.add(row, label)
    return file


# --- choosing


@pytest.fixture(scope="module")
def population():
    """5,000 pairs, one in ten a copy; a copy is near, another pair far, and the two overlap."""
    rng = np.random.default_rng(0)
    label = (np.arange(5000) % 10 == 0).astype(int)
    distance = (
        np.where(label, rng.gamma(2, 4, len(label)), rng.normal(32, 6, len(label)))
        .clip(0, 64)
        .round()
    )
    table = pd.DataFrame(
        {"reference": "a", "query": np.arange(len(label)).astype(str), "phash": distance}
    )
    return table.assign(ensemble=1 / (1 + np.exp((18 - distance) / 3)), label=label)


def answered(chosen, population):
    label = population.set_index("query")["label"][chosen["query"]].to_numpy()
    return chosen.assign(
        label=label, source_reference=chosen["query"], source_query=chosen["query"]
    )


def measured(table):
    """ROC AUC, TPR and FPR at a threshold, by evaluation; shares of copies and of false alarms,
    counted by hand.
    """
    auc = sl.evaluate(table, ["phash"], metrics=["roc_auc"], n_resamples=0)["value"][0]
    rates = (
        sl.evaluation.roc_curve(table, ["phash"]).query("threshold <= 18").iloc[-1][["tpr", "fpr"]]
    )
    weight = table.get("weight", pd.Series(1.0, table.index))
    copy, called = table["label"] == 1, table["phash"] <= 18
    counts = [weight[rows].sum() / weight.sum() for rows in (copy, ~copy & called)]
    return np.array([auc, *rates, *counts])


@pytest.mark.parametrize(("order", "by"), [("distance", "phash"), ("uncertainty", "ensemble")])
@pytest.mark.parametrize("share", [pytest.param(1.0, marks=pytest.mark.sweep), 0.5])
def test_weighted_numbers_are_those_of_all_pairs_and_unweighted_ones_are_not(
    population, order, by, share
):
    truth = measured(
        population.assign(source_reference=population["query"], source_query=population["query"])
    )
    found, plain = [], []
    for seed in range(40):
        chosen = answered(choose(population, 400, by=by, order=order, seed=seed), population)
        chosen = labelling._weighed(
            chosen.head(int(share * len(chosen)))
        )  # as where a person stopped early
        found.append(measured(chosen))
        plain.append(measured(chosen.drop(columns="weight")))
    error = np.std(found, axis=0) / np.sqrt(len(found))
    assert (np.abs(np.mean(found, axis=0) - truth) < 3 * error).all()
    assert (np.abs(np.mean(plain, axis=0) - truth) > [0.004, 0.02, 0.04, 0.05, 0.01]).all()


def test_weights_count_the_population_and_a_draw_does_not_depend_on_the_order_of_rows(population):
    chosen = choose(population, 300, by="phash")
    counts = population.groupby(
        pd.cut(population["phash"], np.linspace(0, population["phash"].max(), 11)), observed=True
    )
    assert chosen["weight"].sum() == pytest.approx(
        counts.size().sum() + (population["phash"] == 0).sum()
    )
    assert (chosen["weight"] * chosen["probability"]).to_numpy() == pytest.approx(1)
    pd.testing.assert_frame_equal(
        choose(population.sample(frac=1, random_state=1), 300, by="phash"), chosen
    )
    assert chosen["query"].tolist() != choose(population, 300, by="phash", seed=1)["query"].tolist()
    assert "label" not in chosen


def test_more_pairs_begin_with_the_same_and_every_stratum_has_its_turn(population):
    few, many = choose(population, 100, by="phash"), choose(population, 300, by="phash")
    assert many["query"].head(100).tolist() == few["query"].tolist()
    assert few["stratum"].head(10).nunique() == few["stratum"].nunique() > 7
    assert few.groupby("stratum").size().max() <= 100 / few["stratum"].nunique() * 2


def test_the_first_round_asks_about_every_stratum_and_fewer_pairs_are_refused(population):
    for order, by in (("distance", "phash"), ("uncertainty", "ensemble")):
        n = choose(population, 500, by=by, order=order)["stratum"].nunique()
        first = choose(population, n, by=by, order=order)
        assert first["stratum"].is_unique and n > 5
        assert first["weight"].sum() == pytest.approx(len(population))
        with pytest.raises(
            ValueError,
            match=f"n must be at least the number of strata that hold pairs, {n}, not {n - 1}",
        ):
            choose(population, n - 1, by=by, order=order)


def test_uncertain_pairs_are_asked_about_first_and_most(population):
    chosen = choose(population, 300, by="ensemble", order="uncertainty")
    unsure = (chosen["ensemble"] - 0.5).abs() < 0.24
    assert unsure.iloc[0]
    assert unsure.mean() > 5 * ((population["ensemble"] - 0.5).abs() < 0.24).mean()
    assert chosen["stratum"][0] == "01 ensemble 0 to 1 nats from even"


def test_random_pairs_weigh_alike(population):
    chosen = choose(population, 200, order="random")
    assert chosen["weight"].unique().tolist() == [25]
    assert answered(chosen, population)["label"].mean() < 0.2


def test_earlier_weights_are_multiplied_and_pairs_without_a_distance_left_out(population):
    table = population.assign(weight=3.0)
    table.loc[:2499, "phash"] = np.nan
    chosen = choose(table, 50, by="phash", strata=1)
    assert chosen["weight"].unique() == pytest.approx(3 * 2500 / 50)


def test_equal_distances_are_one_stratum():
    table = pd.DataFrame({"reference": "a", "query": list("bcd"), "phash": 5.0})
    assert choose(table, 2, by="phash")["weight"].tolist() == [1.5, 1.5]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": "best"}, "order must be one of random, distance, uncertainty"),
        ({"n": 0}, "must be a whole number, 1 or more"),
        ({"by": "dhash"}, "by must be a column of the pairs"),
        ({"by": ""}, "by must be a column"),
        ({"order": "uncertainty"}, "needs a column of 1 - probability"),
    ],
)
def test_wrong_choices_are_refused(population, options, words):
    with pytest.raises(ValueError, match=words):
        choose(population, **{"n": 10, "by": "phash", **options})


# --- the file


def test_every_label_is_a_row_that_read_pairs_reads(tmp_path, root):
    path = tmp_path / "labels.csv"
    file = LabelFile(path, root=root, annotator='海, "K"')
    assert not path.exists()
    for n, row in enumerate(ALL):
        file.add(
            row | {"weight": 2.5, "stratum": "s", "planned": 9}, ["same", "different", 1, 0][n % 4]
        )
        pairs = sl.read_pairs(path, root=root)
        assert pairs[["reference", "query"]].values.tolist() == [
            [p["reference"], p["query"]] for p in ALL[: n + 1]
        ]
    assert pairs["label"].tolist() == [[1, 0, 1, 0][n % 4] for n in range(len(ALL))]
    assert set(pairs["weight"]) == {2.5}
    assert set(pairs["annotator"]) == {'海, "K"'}
    assert pairs["time"].is_monotonic_increasing
    assert not any(line.startswith(("=", "+", "-", "@")) for line in path.read_text().splitlines())


def test_perturbed_pairs_come_back_as_they_were(tmp_path, root):
    rows = [pair(query="a.png", perturbation="crop(area=0.5)", seed=seed) for seed in (0, 1)]
    labelled(tmp_path / "labels.csv", ["same", "same"], root, rows)
    pairs = sl.read_pairs(tmp_path / "labels.csv", root=root)
    assert pairs[["perturbation", "seed", "label"]].values.tolist() == [
        ["crop(area=0.5)", 0, 1],
        ["crop(area=0.5)", 1, 1],
    ]
    assert set(LabelFile(tmp_path / "labels.csv", root=root).rows) == {
        labelling.identity(row) for row in rows
    }


def test_a_file_is_gone_on_with(tmp_path, root):
    labelled(tmp_path / "labels.csv", [1, 0, 1], root)
    file = LabelFile(tmp_path / "labels.csv", root=root)
    assert file.repaired == ""
    assert list(file.rows) == [labelling.identity(row) for row in ALL[:3]]
    file.add(ALL[3], "different")
    assert [
        row["label"] for row in LabelFile(tmp_path / "labels.csv", root=root).rows.values()
    ] == [1, 0, 1, 0]


def test_a_label_is_taken_back(tmp_path, root):
    file = labelled(tmp_path / "labels.csv", [1, 0, 1], root)
    before = (tmp_path / "labels.csv").read_bytes().splitlines(keepends=True)
    file.remove(ALL[1])
    assert (tmp_path / "labels.csv").read_bytes() == b"".join(before[:2] + before[3:])
    file.add(ALL[1], 1)
    assert [
        row["label"] for row in LabelFile(tmp_path / "labels.csv", root=root).rows.values()
    ] == [1, 1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]
    with pytest.raises(ValueError, match=r"labels.csv: the pair .* has no label"):
        file.remove(ALL[9])


def test_wherever_the_last_line_breaks_off_the_finished_rows_stay(tmp_path, root, monkeypatch):
    path = tmp_path / "labels.csv"
    labelled(path, [0] * 4, root, [ALL[0], *ALL[-6:-3]])
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    whole, header = path.read_bytes(), path.read_bytes().index(b"\n") + 1
    ends = [header]
    for row in LabelFile(path).rows.values():
        ends.append(ends[-1] + len(labelling._line(row)))
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        file = LabelFile(path, root=root)
        finished = sum(cut >= end for end in ends[1:])
        complete = cut + 1 in ends[1:]  # only the line break is missing
        assert len(file.rows) == finished + complete
        assert bool(file.repaired) == (0 < cut not in ends)
        assert path.read_bytes() == whole[: ends[finished + complete] * (cut > 0)]


def test_a_killed_process_loses_nothing_that_was_answered(tmp_path, root):
    """SIGKILL while it labels as fast as it can; then every answer it reported is there."""
    code = """
        import sys
        from simlab.pairs.labelling import LabelFile
        file = LabelFile(sys.argv[1], root=sys.argv[2])
        for n in range(10**6):
            pair = {"reference": "a.png", "query": "b.png", "perturbation": "blur(sigma=1)"}
            file.add({**pair, "seed": n}, n % 2)
            sys.stdout.write(f"{n}\\n")
            sys.stdout.flush()
    """
    arguments = [sys.executable, "-c", textwrap.dedent(code), tmp_path / "labels.csv", root]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(200):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        reported = 200 + len(process.stdout.read().splitlines())
    rows = list(LabelFile(tmp_path / "labels.csv", root=root).rows.values())
    assert len(rows) in (reported, reported + 1)
    assert [(row["seed"], row["label"]) for row in rows] == [(n, n % 2) for n in range(len(rows))]
    assert len(sl.read_pairs(tmp_path / "labels.csv", root=root)) == len(rows)


@pytest.mark.parametrize(
    "content", [b"reference,query,label\na.png,b.png,1\n", b"\x89PNG\r\n\x1a\n\0\0", b"my notes"]
)
def test_a_foreign_file_is_refused_by_name_and_left_alone(tmp_path, content):
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"^labels.csv: not a label file of simlab[^\n]*$"):
        LabelFile(tmp_path / "labels.csv")
    assert (tmp_path / "labels.csv").read_bytes() == content


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.replace(b",0,", b",maybe,"),
        lambda line: b"a.png,b.png\n",
        lambda line: b"\n",
        lambda line: b"\0" * len(line) + b"\n",
        lambda line: line.replace(b".png", b"\xff.png"),
        lambda line: line + line,
        lambda line: b'"' + line,
        lambda line: b'"' + line[:-1],
    ],
)
def test_a_damaged_row_is_refused_by_name_and_left_alone(tmp_path, root, damage):
    path = tmp_path / "labels.csv"
    labelled(path, [0, 0, 0], root)
    lines = path.read_bytes().splitlines(keepends=True)
    content = b"".join([*lines[:2], damage(lines[2]), lines[3]])
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"^labels.csv: (damaged|its row 4 repeats)[^\n]*left as it is$"
    ):
        LabelFile(path, root=root)
    assert path.read_bytes() == content


def test_a_file_that_another_program_changes_is_not_written_to(tmp_path, root):
    first = labelled(tmp_path / "labels.csv", [0], root)
    second = labelled(tmp_path / "labels.csv", [], root)
    second.add(ALL[1], 1)
    for change in (lambda: first.add(ALL[2], 1), lambda: first.remove(ALL[0])):
        with pytest.raises(ValueError, match=r"labels.csv: another program has changed it"):
            change()
    assert len(sl.read_pairs(tmp_path / "labels.csv", root=root)) == 2


def test_a_full_disk_leaves_whole_rows(tmp_path, root, monkeypatch):
    file = labelled(tmp_path / "labels.csv", [0], root)
    before = (tmp_path / "labels.csv").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"labels.csv: No space left on device"):
        file.add(ALL[1], 1)
    with pytest.raises(ValueError, match=r"labels.csv: No space left on device"):
        file.remove(ALL[0])
    assert (tmp_path / "labels.csv").read_bytes() == before
    monkeypatch.undo()
    file.add(ALL[1], 1)
    assert len(sl.read_pairs(tmp_path / "labels.csv", root=root)) == 2


def test_every_row_is_synced_before_the_call_returns(tmp_path, root, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    file = labelled(tmp_path / "labels.csv", [0, 1], root)
    assert synced[-1] == (tmp_path / "labels.csv").stat().st_size
    file.remove(ALL[0])
    assert synced[-1] == (tmp_path / "labels.csv").stat().st_size
    assert len(synced) == 3


@pytest.mark.parametrize(
    ("row", "label", "words"),
    [
        (pair(), "perhaps", "label must be one of"),
        (pair(), "", "label must be one of"),
        (
            pair(query="absent.png"),
            1,
            "labels.csv: no file './absent.png'|labels.csv: no file 'absent.png'",
        ),
        (pair(query="../a.png"), 1, "labels.csv: .* must be a path inside"),
        (pair("b.png", "a.png"), 1, "labels.csv: the pair 'b.png', 'a.png' has a label"),
        (pair("a.png", "a.png"), 1, "labels.csv: 'a.png' is paired with itself"),
        (
            pair("a.png", "c.png") | {"weight": "much"},
            1,
            "labels.csv: weight must be a finite number",
        ),
        (pair("a.png", "c.png") | {"weight": -1}, 1, "labels.csv: weight must be a finite number"),
        (pair("a.png", "c.png") | {"seed": "x"}, 1, "labels.csv: seed must be a whole number"),
    ],
)
def test_wrong_answers_are_refused(tmp_path, root, row, label, words):
    file = labelled(tmp_path / "labels.csv", [1], root, [pair()])
    before = (tmp_path / "labels.csv").read_bytes()
    with pytest.raises(ValueError, match=words):
        file.add(row, label)
    assert (tmp_path / "labels.csv").read_bytes() == before


def test_a_name_that_is_no_text_is_refused(tmp_path):
    name = b"\xff.png".decode(errors="surrogateescape")
    textured(0).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / name)
    with pytest.raises(ValueError, match=r"labels.csv: a name that is no UTF-8"):
        LabelFile(tmp_path / "labels.csv", root=tmp_path).add(
            pair(name, name, perturbation="mirror"), 1
        )


def test_a_folder_or_no_folder_is_one_clear_line(tmp_path, root):
    with pytest.raises(ValueError, match="is a folder; name a file in it"):
        (tmp_path / "x").mkdir()
        LabelFile(tmp_path / "x")
    with pytest.raises(ValueError, match="no such folder"):
        labelled(tmp_path / "absent" / "labels.csv", [1], root)


# --- several people


def test_two_files_merge_and_disputes_are_listed(tmp_path, root):
    labelled(tmp_path / "mine.csv", [1, 0, 0, 1, 0, 1], root, annotator="m")
    labelled(tmp_path / "hers.csv", [1, 1, 0, 0, 0], root, [*ALL[:4], ALL[6]], annotator="h")
    pairs, disputed, agreement = read_labels(
        tmp_path / "mine.csv", tmp_path / "hers.csv", root=root
    )
    assert agreement.round(3).values.tolist() == [["mine", "hers", 4, 0.5, 0.0]]
    assert disputed[["reference", "query", "label_mine", "label_hers"]].values.tolist() == [
        [*ALL[1].values(), 0, 1],
        [*ALL[3].values(), 1, 0],
    ]
    assert disputed["label"].isna().all()
    assert pairs[["reference", "query", "label"]].values.tolist() == [
        [*ALL[n].values(), label] for n, label in ((0, 1), (2, 0), (4, 0), (5, 1), (6, 0))
    ]
    assert pairs["source_reference"][0] == pairs["source_query"][0]  # sources follow the labels
    assert pairs.attrs["root"] == str(root)


def test_kappa_by_hand_and_the_order_of_sides_does_not_count(tmp_path, root):
    labelled(tmp_path / "a.csv", [1, 1, 1, 0, 0, 0, 0, 0, 0, 0], root)
    turned = [pair(row["query"], row["reference"]) for row in ALL]
    labelled(tmp_path / "b.csv", [1, 1, 0, 1, 0, 0, 0, 0, 0, 0], root, turned)
    agreement = read_labels(tmp_path / "a.csv", tmp_path / "b.csv", root=root).agreement
    by_chance = 0.3 * 0.3 + 0.7 * 0.7
    assert agreement["kappa"][0] == pytest.approx((0.8 - by_chance) / (1 - by_chance))


def test_a_third_person_decides(tmp_path, root):
    for name, labels in {"a": [1, 0], "b": [0, 0], "c": [1, 1]}.items():
        labelled(tmp_path / f"{name}.csv", labels, root)
    pairs, disputed, agreement = read_labels(
        *(tmp_path / f"{name}.csv" for name in "abc"), root=root
    )
    assert pairs["label"].tolist() == [1, 0]
    assert disputed["label"].tolist() == [1, 0]
    assert len(agreement) == 3


def test_one_word_only_has_no_kappa(tmp_path, root):
    for name in "ab":
        labelled(tmp_path / f"{name}.csv", [0, 0], root)
    agreement = read_labels(tmp_path / "a.csv", tmp_path / "b.csv", root=root).agreement
    assert agreement["agreed"][0] == 1
    assert np.isnan(agreement["kappa"][0])


def test_weights_fit_the_answers_there_are(tmp_path, root):
    near = [row | {"weight": 2.0, "stratum": "near", "planned": 4} for row in ALL[:4]]
    far = [row | {"weight": 50.0, "stratum": "far", "planned": 6} for row in ALL[4:10]]
    labelled(tmp_path / "labels.csv", [0] * 5, root, [*near[:2], *far[:3]])
    pairs = read_labels(tmp_path / "labels.csv", root=root).pairs
    assert pairs["weight"].tolist() == [4.0] * 2 + [100.0] * 3
    assert pairs["weight"].sum() == 4 * 2 + 6 * 50
    assert (
        sl.read_pairs(tmp_path / "labels.csv", root=root)["weight"].tolist()
        == [2.0] * 2 + [50.0] * 3
    )


def test_a_plain_csv_is_read_as_well(tmp_path, root):
    (tmp_path / "labels.csv").write_text(
        "reference,query,label\na.png,b.png,same\na.png,c.png,different\n"
    )
    assert read_labels(tmp_path / "labels.csv", root=root).pairs["weight"].tolist() == [1, 1]


def test_one_file_twice_or_none_is_refused(tmp_path, root):
    labelled(tmp_path / "labels.csv", [1], root)
    for paths in ([], [tmp_path / "labels.csv"] * 2):
        with pytest.raises(ValueError, match="paths must be one file or more, each once"):
            read_labels(*paths)
