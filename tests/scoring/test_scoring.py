"""Scores: every row in its place, the same whatever the workers, the order or the interruptions."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from corpus import encoded, flat, textured
from PIL import Image, ImageOps
from processes import members, rows_of, until
from test_features import counted

import simlab as sl
from simlab import messages, perturb, tables
from simlab.methods import alignment
from simlab.methods import registry as methods
from simlab.scoring import features
from simlab.scoring import table as scoring
from simlab.scoring.cache import Cache
from simlab.scoring.cost import preview
from simlab.scoring.one_pair import (
    LazyPicture,
    _unpacked,
    answers,
    answers_of_many,
    distances,
)
from simlab.scoring.table import score_pairs

ROOT = Path(__file__).resolve().parents[2]
SPECS = ("mirror", "crop(area=0.5)", "recompress(quality=30)")
METHODS = "phash, dhash(hash_size=4), akaze, phash(mirror=True)"


def usable(name):
    try:
        methods.get(name)
    except ValueError:
        return False  # it needs a package that is not installed
    return True


EVERY = [name for name in methods.REGISTRY if usable(name)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, and among them the same pixels twice, flat and tiny ones, and one that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    for n in range(4):
        textured(n).save(folder / f"{n}.png")
    (folder / "0 again.bmp").write_bytes(encoded(textured(0), "BMP"))
    for name, level in (("black", 0), ("black again", 0), ("white", 255)):
        flat(level).save(folder / f"{name}.png")
    for n in (8, 9):
        textured(n, 12, 12).save(folder / f"tiny {n}.png")
    (folder / "tiny 9 again.png").write_bytes((folder / "tiny 9.png").read_bytes())
    (folder / "text.jpg").write_text("no picture")
    return folder


@pytest.fixture
def registries(monkeypatch):
    """Copies that a test may fill."""
    monkeypatch.setattr(methods, "REGISTRY", dict(methods.REGISTRY))
    monkeypatch.setattr(perturb.registry, "REGISTRY", dict(perturb.registry.REGISTRY))


def pair(*rows, **columns):
    """A pair table of (reference, query) or (reference, query, perturbation)."""
    names = ("reference", "query", "perturbation")
    return pd.DataFrame([{"label": 0, **dict(zip(names, row)), **columns} for row in rows])


def score(pairs, wanted=METHODS, **options):
    return score_pairs(pairs, wanted, **{"n_jobs": 1, "progress": False, **options})


@pytest.fixture(scope="module")
def pairs(folder):
    return sl.make_pairs(folder, SPECS, negatives=60)


@pytest.fixture(scope="module")
def scores(pairs):
    return score(pairs)


def equal(a, b):
    pd.testing.assert_frame_equal(a, b, check_exact=True)


def defined(source):
    """What a notebook's cell defines: functions that no other process can import."""
    names = {"__name__": "notebook"}
    exec(textwrap.dedent(source), names)
    return names


MEAN = """
    import os
    import numpy as np

    WEIGHT = 1.0

    def feature(image):
        return np.asarray(image, dtype=float).mean(axis=(0, 1)) * WEIGHT

    def distance(a, b):
        return float(np.abs(a - b).max())
"""


def forbid(monkeypatch, module, name):
    monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail(f"{name} was called"))


# --- the table


def test_every_row_is_in_its_place_with_what_it_came_with(pairs, scores):
    assert list(scores) == [
        *tables.SCORE_COLUMNS,
        "phash",
        "dhash(hash_size=4)",
        "akaze",
        "phash(mirror=True)",
    ]
    assert len(scores) == len(pairs)
    equal(scores[list(pairs)], pairs)
    assert (
        scores.attrs["methods"]
        == sl.methods.columns(scores)
        == list(scores)[len(tables.SCORE_COLUMNS) :]
    )
    assert scores.attrs["root"] == pairs.attrs["root"]


def test_a_distance_is_nan_if_and_only_if_the_row_is_an_error(scores):
    unusable = scores["reference"].eq("text.jpg") | scores["query"].eq("text.jpg")
    assert unusable.any() and scores["status"].eq("error").equals(unusable)
    nan = scores[sl.methods.columns(scores)].isna()
    assert nan.all(axis=1).equals(unusable) and nan.any(axis=1).equals(unusable)
    assert (
        scores["error"].ne("").equals(unusable) and scores.loc[unusable, "no_evidence"].eq("").all()
    )
    reasons = scores.loc[unusable, "error"]
    assert reasons.str.match(r"(reference|query): not a picture").all()


def test_extra_columns_and_the_index_stay(pairs):
    some = pairs.sample(6, random_state=1).assign(note=list("abcdef"))
    found = score(some, "phash")
    assert found.index.equals(some.index) and found["note"].tolist() == list("abcdef")
    assert list(some) == [*pairs, "note"]


def test_distances_are_what_the_methods_give(folder, scores):
    for row in scores[scores["status"] == "ok"].itertuples():
        reference = sl.read_image(folder / row.reference)
        query = perturb.apply(sl.read_image(folder / row.query), row.perturbation, row.seed)
        single = distances(reference, query, METHODS).iloc[0]
        names = sl.methods.columns(scores)
        assert single[names].tolist() == scores.loc[row.Index, names].tolist()
        assert single["no_evidence"] == row.no_evidence


def test_an_empty_table_gives_an_empty_table(pairs):
    found = score(pairs.iloc[:0])
    assert len(found) == 0 and sl.methods.columns(found) == sl.methods.columns(
        score(pairs.iloc[:1])
    )


def test_repeated_rows_have_repeated_scores(pairs, scores, tmp_path, monkeypatch):
    twice = pd.concat([pairs.iloc[:5], pairs.iloc[:5]], ignore_index=True)
    found = score(twice, cache=tmp_path / "c.sqlite")
    equal(found.iloc[:5], scores.iloc[:5])
    equal(found.iloc[5:].reset_index(drop=True), scores.iloc[:5])
    forbid(monkeypatch, scoring, "_compare_chunk")
    equal(score(twice, cache=tmp_path / "c.sqlite"), found)


def test_specs_are_written_in_one_form(folder):
    spellings = pair(("0.png", "1.png", "crop(area = 0.50)"), ("0.png", "1.png", "crop"), root=0)
    found = score(spellings, root=folder)
    assert found["perturbation"].tolist() == ["crop", "crop"]
    assert found["akaze"].nunique() == found["phash"].nunique() == 1


def test_the_seed_is_the_draw_of_a_perturbation_and_of_nothing_else(folder):
    rows = [("0.png", "1.png", "noise(variance=0.05)"), ("0.png", "1.png", "")]
    found = [score(pair(*rows, seed=seed), "sift", root=folder)["sift"] for seed in (1, 2)]
    assert found[0][0] != found[1][0] and found[0][1] == found[1][1]


def test_both_sides_may_be_perturbed(folder):
    rows = pair(("0.png", "0.png", "mirror"), perturbation_reference="mirror")
    assert score(rows, "phash, akaze", root=folder)[["phash", "akaze"]].eq(0).all(axis=None)


def test_wrong_names_are_refused_before_any_work(pairs, monkeypatch):
    forbid(monkeypatch, features, "read_bytes")
    for wanted, words in (
        ("phas", "did you mean 'phash'"),
        ("phash(size=8)", "hash_size"),
        ([], "methods must name one or more"),
    ):
        with pytest.raises(ValueError, match=words):
            score(pairs, wanted)
    with pytest.raises(ValueError, match="unknown perturbation 'krop'"):
        score(pairs.assign(perturbation="krop"))


# --- the same, whatever happens


def test_scores_do_not_depend_on_the_number_of_workers(pairs, scores, monkeypatch):
    monkeypatch.setattr(scoring, "CHUNK", 7)
    equal(score(pairs, n_jobs=2), scores)


def test_scores_do_not_depend_on_the_order_of_rows_or_methods(pairs, scores):
    shuffled = pairs.sample(frac=1, random_state=3)
    names = sl.methods.columns(scores)[::-1]
    found = score(shuffled, names).sort_index()
    equal(found[list(scores)].drop(columns="no_evidence"), scores.drop(columns="no_evidence"))
    assert found["no_evidence"].map(without_order).equals(scores["no_evidence"].map(without_order))


def without_order(no_evidence):
    return ";".join(sorted(no_evidence.split(";")))


def test_a_run_in_two_halves_is_the_whole_run(pairs, scores, tmp_path):
    half = len(pairs) // 2
    parts = [
        score(part, cache=tmp_path / "c.sqlite") for part in (pairs.iloc[:half], pairs.iloc[half:])
    ]
    equal(pd.concat(parts), scores)
    equal(score(pairs, cache=tmp_path / "c.sqlite"), scores)


def test_a_second_run_makes_and_matches_nothing(pairs, scores, tmp_path, monkeypatch):
    usable = pairs[(pairs["reference"] != "text.jpg") & (pairs["query"] != "text.jpg")]
    first = score(usable, cache=tmp_path / "c.sqlite")
    for module, name in (
        (features, "_extract_source"),
        (scoring, "_compare_chunk"),
        (features, "read_image"),
    ):
        forbid(monkeypatch, module, name)
    equal(score(usable, cache=tmp_path / "c.sqlite"), first)
    equal(first, scores.loc[usable.index])


def test_a_further_method_makes_only_its_own(pairs, scores, tmp_path, monkeypatch):
    score(pairs, "phash", cache=tmp_path / "c.sqlite")
    made = counted(monkeypatch)
    equal(score(pairs, cache=tmp_path / "c.sqlite"), scores)
    assert made and methods.get("phash").feature.key not in made


def test_each_source_is_decoded_once(pairs, monkeypatch):
    reads, read = [], features.read_image
    monkeypatch.setattr(
        features, "read_image", lambda data, **options: reads.append(1) or read(data, **options)
    )
    score(pairs)
    files = {
        (Path(pairs.attrs["root"]) / name).read_bytes()
        for name in [*pairs["reference"], *pairs["query"]]
    }
    assert len(reads) == len(files)


def test_hash_seeds_change_nothing(folder, tmp_path):
    script = (
        "import sys, hashlib, simlab as sl\n"
        "pairs = sl.make_pairs(sys.argv[1], ['crop', 'mirror'], negatives=30)\n"
        "scores = sl.score_pairs(pairs, 'phash, akaze, dhash', n_jobs=1, progress=False)\n"
        "print(hashlib.sha256(scores.to_csv().encode()).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script, folder],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] and len(runs[0]) > 60


@pytest.mark.filterwarnings("ignore:the cache")
def test_a_damaged_cache_changes_nothing(pairs, scores, tmp_path):
    score(pairs, cache=tmp_path / "whole.sqlite")
    whole = np.frombuffer((tmp_path / "whole.sqlite").read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    for n, place in enumerate((100, len(whole) // 4, len(whole) // 2, len(whole) - 9000)):
        damaged = whole.copy()
        damaged[place : place + 6000] = rng.integers(0, 256, 6000)
        (tmp_path / f"{n}.sqlite").write_bytes(damaged.tobytes())
        equal(score(pairs, cache=tmp_path / f"{n}.sqlite"), scores)


def test_a_cache_that_cannot_be_written_changes_nothing(pairs, scores, tmp_path, monkeypatch):
    path = tmp_path / "c.sqlite"
    score(pairs.iloc[:10], cache=path)
    before = path.read_bytes()
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: Path(p) != path and access(p, mode))
    made, extract = [], features.extract_all
    monkeypatch.setattr(
        features, "extract_all", lambda image, wanted: made.append(1) or extract(image, wanted)
    )
    with pytest.warns(UserWarning, match="read-only"):
        equal(score(pairs, cache=path), scores)
    assert path.read_bytes() == before
    assert len(made) <= len(features_of(pairs))


def features_of(pairs):
    """The variants that a pair table needs."""
    return {(row.query, row.perturbation) for row in pairs.itertuples()} | {
        (name, "") for name in pairs["reference"]
    }


class WriteFailed(Exception):
    pass


def test_whichever_write_fails_running_again_gives_the_same(pairs, scores, tmp_path, monkeypatch):
    put, n, done = Cache.put, 0, False
    monkeypatch.setattr(scoring, "CHUNK", 20)
    while not done:
        n += 1
        left = [n]

        def failing(self, entries, left=left):
            left[0] -= 1
            if left[0] == 0:
                raise WriteFailed
            put(self, entries)

        monkeypatch.setattr(Cache, "put", failing)
        path = tmp_path / f"{n}.sqlite"
        try:
            found, done = score(pairs, "phash, akaze", cache=path), True
        except WriteFailed:
            monkeypatch.setattr(Cache, "put", put)
            found = score(pairs, "phash, akaze", cache=path)
        equal(
            found[["status", "error", "phash", "akaze"]],
            scores[["status", "error", "phash", "akaze"]],
        )
    assert n > 10


def test_an_interrupted_run_goes_on_where_it_stopped(pairs, scores, tmp_path, monkeypatch):
    made, extract, stop_at = [], features.extract_all, 9

    def counted(image, wanted):
        made.append(1)
        if len(made) == stop_at:
            raise KeyboardInterrupt
        return extract(image, wanted)

    monkeypatch.setattr(features, "extract_all", counted)
    with pytest.raises(KeyboardInterrupt):
        score(pairs, cache=tmp_path / "c.sqlite")
    made.clear()
    stop_at = None
    equal(score(pairs, cache=tmp_path / "c.sqlite"), scores)
    first = len(made)
    made.clear()
    equal(score(pairs), scores)
    assert len(made) - 9 < first < len(made)


INTERRUPTED = textwrap.dedent("""
    import sys, time
    import numpy as np
    import simlab as sl
    from simlab.methods import registry as methods

    def feature(image):
        import time
        time.sleep(0.4)
        return np.asarray(image).mean(axis=(0, 1))

    def distance(a, b):
        return float(abs(a - b).max())

    methods.register("slow", feature, distance=distance, maximum=255)
    pairs = sl.make_pairs(sys.argv[1], ["mirror", "crop", "blur"], negatives=40)
    sl.score_pairs(pairs, "slow", cache=sys.argv[2], n_jobs=2, progress=False)
""")


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks for processes in /proc")
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_ends_at_once_and_leaves_its_work(blow, folder, tmp_path):
    path = tmp_path / "c.sqlite"
    with open(tmp_path / "output", "wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, folder, path],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until(lambda: path.exists() and rows_of(path) > 3, 60)
        start = time.perf_counter()
        process.send_signal(blow)
        assert process.wait(30) != 0 and time.perf_counter() - start < 10
        if blow == signal.SIGINT:
            until(lambda: not members(process.pid), 10)
        assert rows_of(path) > 3
    finally:
        for member in members(process.pid):
            os.kill(member, signal.SIGKILL)


@pytest.mark.filterwarnings("ignore:Couldn't detect a suitable IP address")
def test_a_dask_cluster_gives_the_same_table(pairs, scores, registries):
    distributed = pytest.importorskip("distributed")
    # in this process: nothing is sent, though Dask asks for the machine's address
    cluster = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        equal(score(pairs, n_jobs=-1), scores)


def test_features_that_are_stacked_a_part_at_a_time_give_the_same_table(pairs, scores, monkeypatch):
    n_pairs = []
    compare = scoring._compare_block

    def noted(its_scoring, column, rows):
        n_pairs.append(len(rows))
        compare(its_scoring, column, rows)

    monkeypatch.setattr(scoring, "_compare_block", noted)
    monkeypatch.setattr(scoring, "STACKED_BYTES", 3_000)
    equal(score(pairs, n_jobs=1), scores)
    assert len(n_pairs) > 3 and max(n_pairs) < len(pairs)


# --- equal pixels, no evidence


@pytest.mark.parametrize("name", EVERY)
def test_equal_pixels_are_zero_for_every_method(name, folder):
    rows = pair(
        ("0.png", "0 again.bmp"),
        ("black.png", "black again.png"),
        ("tiny 8.png", "tiny 8.png"),
        ("0.png", "0.png", "mirror+mirror"),
    )
    found = score(rows, name, root=folder)
    assert found[name].tolist() == [0, 0, 0, 0] and found["no_evidence"].eq("").all()
    for a, b in ((textured(0), textured(0)), (flat(9), flat(9))):
        row = distances(a, b, name)
        assert row[name].tolist() == [0] and row["no_evidence"].tolist() == [""]


@pytest.mark.parametrize("name", EVERY)
def test_a_flat_side_is_no_evidence_and_the_maximum(name, folder):
    rows = pair(
        ("black.png", "0.png"),
        ("0.png", "black.png"),
        ("black.png", "white.png"),
        ("0.png", "black.png", "mirror"),
    )
    found = score(rows, name, root=folder)
    assert found[name].eq(methods.get(name).maximum).all() and found["no_evidence"].eq(name).all()
    row = distances(flat(0), flat(255), name)
    assert row[name].tolist() == [methods.get(name).maximum] and row["no_evidence"].tolist() == [
        name
    ]


def test_tiny_pictures_have_hashes_and_no_keypoints(folder):
    rows = pair(("tiny 8.png", "tiny 9.png"), ("tiny 8.png", "0.png"), ("0.png", "tiny 8.png"))
    found = score(rows, "phash, akaze, orb", root=folder)
    assert (
        found["akaze"].eq(486).all()
        and found["orb"].eq(256).all()
        and found["phash"].between(1, 63).all()
    )
    assert found["no_evidence"].eq("akaze;orb").all()


def test_keypoints_that_match_nothing_are_evidence(folder):
    found = score(pair(("0.png", "1.png")), "akaze_inliers", root=folder)
    assert found["akaze_inliers"].iloc[0] > 0.5 and found["no_evidence"].iloc[0] == ""


@pytest.mark.parametrize("name", ["phash", "dhash", "akaze", "akaze_inliers"])
def test_mirror_takes_the_nearer_of_two(name, folder):
    rows = pair(
        ("0.png", "0.png", "mirror"), ("0.png", "0.png", "crop(area=0.8)"), ("0.png", "1.png")
    )
    found = score(rows, [name, f"{name}(mirror=True)"], root=folder)
    plain, mirrored = found[name], found[f"{name}(mirror=True)"]
    image, other = textured(0), textured(1)
    assert (
        mirrored[0]
        == distances(image, ImageOps.mirror(ImageOps.mirror(image)), name)[name].iloc[0]
        == 0
        < plain[0]
    )
    assert mirrored[1] == min(plain[1], mirrored[1]) and mirrored[2] <= plain[2]
    assert mirrored[2] == min(
        plain[2], distances(image, ImageOps.mirror(other), name)[name].iloc[0]
    )


def test_mirror_images_are_made_of_queries_only(folder, monkeypatch):
    made, extract = [], features.extract_all

    def count(image, wanted):
        wanted = list(wanted)
        made.extend(feature.key for feature in wanted)
        return extract(image, wanted)

    monkeypatch.setattr(features, "extract_all", count)
    score(pair(("0.png", "2.png"), ("1.png", "2.png")), "phash(mirror=True)", root=folder)
    assert len(made) == 4 and sum(key.startswith("mirror of") for key in made) == 1


# --- what a user adds, and what goes wrong in it


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_users_method_and_perturbation_work_in_other_processes(n_jobs, folder, registries):
    names = defined(MEAN)
    shift = 10

    def darker(image, rng, *, levels: int = 5):
        return image.point(lambda level: max(0, level - levels - shift + 10))

    methods.register("own", names["feature"], distance=names["distance"], maximum=255)
    perturb.register(severity=lambda levels: levels)(darker)
    rows = pair(("0.png", "0.png", "darker(levels=20)"), ("0.png", "1.png"), ("0.png", "black.png"))
    found = score(rows, "own, phash", root=folder, n_jobs=n_jobs)
    assert (
        found["status"].eq("ok").all()
        and 15 < found["own"][0] <= 20
        and found["no_evidence"][2] == "own;phash"
    )
    means = [np.asarray(textured(n), dtype=float).mean(axis=(0, 1)) for n in (0, 1)]
    assert found["own"][1] == np.abs(means[0] - means[1]).max()


def test_a_method_that_fails_on_a_picture_costs_its_rows(pairs, scores, registries):
    names = defined(MEAN)
    victim = textured(1).tobytes()

    def feature(image):
        if image.tobytes() == victim:
            raise ZeroDivisionError("no light")
        return names["feature"](image)

    methods.register("own", feature, distance=names["distance"], maximum=255)
    found = score(pairs, ["phash", "own"])
    plain = pairs["reference"].eq("1.png")  # queries are perturbed
    assert found["status"].eq("error").equals(plain | scores["status"].eq("error"))
    assert (
        found.loc[plain & scores["status"].eq("ok"), "error"]
        .str.endswith("ZeroDivisionError: no light")
        .all()
    )
    assert found.loc[~plain, "phash"].equals(scores.loc[~plain, "phash"])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("float('nan')", "gave the distance nan"),
        ("-1", "gave the distance -1"),
        ("256", r"must lie in 0 to 255 \(its stated maximum\)"),
        ("'far'", "ValueError"),
    ],
)
def test_a_distance_that_fails_costs_its_pair(answer, words, folder, tmp_path, registries):
    feature, distance = (defined(MEAN)[name] for name in ("feature", "distance"))
    limit = 1.0

    def failing(a, b):
        return eval(answer) if distance(a, b) > limit else distance(a, b)

    rows = pair(
        ("0.png", "0.png", "recompress(quality=95)"), ("0.png", "1.png"), ("1.png", "1.png")
    )
    methods.register("own", feature, distance=failing, maximum=255)
    found = score(rows, "own, phash", root=folder, cache=tmp_path / "c.sqlite")
    assert found["status"].tolist() == ["ok", "error", "ok"]
    assert found["error"].str.contains(f"own: .*{words}").tolist() == [False, True, False]
    assert found.loc[1, ["own", "phash"]].isna().all() and found.loc[
        [0, 2], ["own", "phash"]
    ].notna().all(axis=None)
    methods.register("own", feature, distance=distance, maximum=255, replace=True)
    assert score(rows, "own", root=folder, cache=tmp_path / "c.sqlite")["status"].eq("ok").all()


def test_a_distance_of_none_is_no_evidence_of_the_two(folder, registries):
    feature = defined(MEAN)["feature"]
    methods.register("own", feature, distance=lambda a, b: None, maximum=255)
    found = score(pair(("0.png", "1.png")), "own", root=folder).iloc[0]
    assert (found["status"], found["own"], found["no_evidence"]) == ("ok", 255, "own")


def test_a_distance_of_many_that_fails_falls_back_to_pairs(folder, registries):
    names = defined(MEAN)

    def sides(image):
        return np.full(
            image.size, image.getpixel((0, 0))[0]
        )  # of pictures of different size, which do not stack

    def apart(a, b):
        return 0.25 if a.shape == b.shape else [][len(a)]

    def never(stack, i, j):
        raise RuntimeError

    methods.register(
        "sides", sides, distance=apart, compare_many=lambda stack, i, j: 0.25 + 0 * i, maximum=1
    )
    methods.register(
        "own", names["feature"], distance=names["distance"], compare_many=never, maximum=255
    )
    rows = pair(("0.png", "1.png"), ("0.png", "tiny 8.png"), ("0.png", "0.png"))
    found = score(rows, "sides, own", root=folder)
    assert found["status"].tolist() == ["ok", "error", "ok"] and found["sides"].tolist()[::2] == [
        0.25,
        0,
    ]
    assert found["error"][1] == "sides: IndexError: list index out of range" and found["own"][0] > 1


def test_a_process_that_dies_costs_exactly_its_picture(folder, scores, pairs, registries, tmp_path):
    names = defined(
        MEAN
        + """
    def fatal(image):
        if image.size == (12, 12):
            os._exit(1)
        return feature(image)
    """
    )
    methods.register("own", names["fatal"], distance=names["distance"], maximum=255)
    found = score(pairs, "own, phash", n_jobs=2, cache=tmp_path / "c.sqlite")
    dead = pairs["reference"].str.startswith("tiny") | pairs["query"].str.startswith("tiny")
    assert dead.any() and found["status"].eq("error").equals(dead | scores["status"].eq("error"))
    assert found.loc[dead & scores["status"].eq("ok"), "error"].str.contains("died twice").all()
    assert found.loc[~dead, "phash"].equals(scores.loc[~dead, "phash"])
    # again, when nothing but that picture is left to do, and where it is the one that the time is
    # measured with
    alone = pair(("tiny 8.png", "0.png"), ("0.png", "1.png"))
    again = score(alone, "own, phash", root=folder, n_jobs=2, cache=tmp_path / "c.sqlite")
    assert again["status"].tolist() == ["error", "ok"]
    assert preview(pair(("tiny 8.png", "tiny 8.png")), "own", root=folder, n_jobs=2).endswith(
        "about 0 s"
    )


def test_a_process_that_dies_in_matching_costs_exactly_its_pair(folder, registries, monkeypatch):
    names = defined(
        MEAN
        + """
    def fatal(a, b):
        if min(a.sum(), b.sum()) < 1:
            os._exit(1)
        return distance(a, b)
    """
    )
    nearly_black = Image.new("RGB", (50, 50))
    nearly_black.putpixel((3, 3), (255, 255, 255))
    nearly_black.save(folder / "nearly black.gif")
    rows = pair(
        *(("0.png", f"{n}.png") for n in (1, 2, 3)),
        ("0.png", "nearly black.gif"),
        ("1.png", "2.png"),
    )
    monkeypatch.setattr(scoring, "CHUNK", 3)
    methods.register("own", names["feature"], distance=names["fatal"], maximum=255)
    found = score(rows, "own, phash", root=folder, n_jobs=2)
    assert found["status"].tolist() == ["ok", "ok", "ok", "error", "ok"]
    assert found["error"][3].startswith("own: the process that worked on it died twice")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_files_that_vanish_or_change_cost_exactly_their_rows(n_jobs, tmp_path, monkeypatch):
    for n in range(4):
        textured(n).save(tmp_path / f"{n}.png")
    pairs = sl.make_pairs(tmp_path, "mirror", negatives=12)
    read = features.Store.read

    def then_vanish(self, paths):
        read(self, paths)
        (tmp_path / "1.png").unlink(missing_ok=True)
        textured(7).save(tmp_path / "2.png")

    monkeypatch.setattr(features.Store, "read", then_vanish)
    found = score(pairs, "phash, akaze", n_jobs=n_jobs)
    hit = pairs["reference"].isin(["1.png", "2.png"]) | pairs["query"].isin(["1.png", "2.png"])
    assert found["status"].eq("error").equals(hit) and len(found) == len(pairs)
    assert (
        found.loc[hit, "error"]
        .str.contains("no such file|the file changed while it was being read")
        .all()
    )


def test_a_feature_that_is_lost_for_good_is_an_error_not_a_distance(tmp_path, monkeypatch):
    for n in range(3):
        textured(n).save(tmp_path / f"{n}.png")
    make = features.Store.make

    def then_lose(self, wanted):
        make(self, wanted)
        with self.cache._connection:
            self.cache._connection.execute("DELETE FROM entries")
        (tmp_path / "1.png").unlink(missing_ok=True)

    monkeypatch.setattr(features.Store, "make", then_lose)
    pairs = pair(("0.png", "1.png"), ("0.png", "2.png"))
    found = score(pairs, "phash, akaze", root=tmp_path, cache=tmp_path / "c.sqlite")
    assert (
        found["status"].tolist() == ["error", "ok"] and found["error"][0] == "query: no such file"
    )
    assert found[["phash", "akaze"]].notna().all(axis=1).tolist() == [False, True]


# --- two pictures, and what a run costs


def test_distances_takes_whatever_read_image_takes(folder):
    data = (folder / "0.png").read_bytes()
    array = np.asarray(textured(1))
    assert distances(folder / "0.png", data)["akaze"].tolist() == [0]
    found = distances(data, array)
    assert list(found) == [*methods.DEFAULT, "no_evidence"] and len(found) == 1
    assert found.equals(distances(textured(0), textured(1)))


def test_preview_says_how_much_and_how_long(pairs):
    text = preview(pairs, METHODS, n_jobs=1)
    variants = len(features_of(pairs))
    assert (
        text.startswith(f"{len(pairs)} pairs of {variants} pictures, about ") and text[-1] in "snh"
    )
    lost = pairs.assign(reference="absent.png", query="absent.png", perturbation="")
    with pytest.raises(ValueError, match=r"not one file of the table is in .*with root="):
        preview(lost)


@pytest.mark.parametrize("names", [["0.png", "1.png"], ["0.png", "0.png"]])
def test_preview_measures_two_different_pictures(folder, registries, names):
    """One compared with itself has equal features, which no method is asked about."""
    compared = []

    def noted(left, right):
        compared.append(np.array_equal(left, right))
        time.sleep(0.2)
        return 1.0

    def corner(image):
        return np.asarray(image)[:8, :8].ravel()

    methods.register("slow", corner, distance=noted, maximum=255)
    text = preview(pd.concat([pair(names)] * 1000), "slow", root=folder, n_jobs=1)
    assert compared == [False, False]
    assert text.startswith("1,000 pairs of ") and text.endswith(" min")


def test_the_result_survives_a_csv(scores, tmp_path):
    scores.to_csv(tmp_path / "scores.csv", index=False)
    back = tables.read_scores(tmp_path / "scores.csv")
    for name in scores:
        assert (
            back[name].tolist() == scores[name].tolist()
            or (back[name].isna() == scores[name].isna()).all()
        )
    assert sl.methods.columns(back) == sl.methods.columns(scores)
    names = sl.methods.columns(scores)
    assert np.array_equal(back[names].to_numpy(), scores[names].to_numpy(), equal_nan=True)


def test_progress_is_silent_when_asked(pairs, capfd, monkeypatch):
    monkeypatch.setattr(messages, "_is_watched", lambda: True)
    score(pairs.iloc[:3])
    assert capfd.readouterr() == ("", "")
    score(pairs.iloc[:3], progress=True)
    assert "features" in capfd.readouterr().err


def test_designs_differ_in_their_negatives_alone(folder, tmp_path):
    images = [folder / f"{n}.png" for n in range(4)]
    cache = tmp_path / "cache.sqlite"
    options = {"negatives": 5, "seed": 3, "cache": cache, "n_jobs": 1, "progress": False}
    designs = scoring.score_designs(images, ["mirror", "crop"], "phash, dhash", **options)
    assert list(designs) == ["original-variant", "variant-variant", "original-original"]
    for design, scores in designs.items():
        pairs = sl.make_pairs(images, ["mirror", "crop"], negatives=5, design=design, seed=3)
        pd.testing.assert_frame_equal(
            scores, score_pairs(pairs, "phash, dhash", n_jobs=1, progress=False)
        )
    assert len(sl.evaluation.compare_designs(designs, metric="roc_auc")) == 6


def test_many_references_get_what_each_gets_alone_and_matches_are_worked_out_once(monkeypatch):
    specs = ("phash(orientations=8)", "aligned(orientations=8)", "contradiction(orientations=8)")
    resolved = [methods.get(spec) for spec in specs]
    query = LazyPicture(textured(0, 120, 80))
    references = [LazyPicture(textured(seed, 120, 80)) for seed in (1, 2, 0)]
    references.append(LazyPicture(textured(0, 120, 80).resize((110, 80))))
    alone = [answers(resolved, reference, query) for reference in references]

    matched = []
    ratio_matches = alignment.ratio_matches
    monkeypatch.setattr(
        alignment, "ratio_matches", lambda *pair: matched.append(pair) or ratio_matches(*pair)
    )
    _unpacked.cache_clear()
    assert answers_of_many(resolved, references, query) == alone
    # as it is, and half of the mirror image: none for equal pixels, no second time for a method
    assert len(matched) <= 2 * 3
    assert [row[specs[2]] for row in alone[:3]] == [1.0, 1.0, 0.0] and alone[3][specs[1]] < 0.2
