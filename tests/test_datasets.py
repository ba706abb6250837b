"""The sample is what its sheet says, tables and sampling are reproducible, downloads are
checked.
"""

import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import imagehash
import pandas as pd
import pytest
from PIL import Image

from simlab import datasets

REPO = Path(__file__).resolve().parent.parent
SAMPLE = REPO / "datasets" / "sample"
LICENCES = {"CC0-1.0", "public domain", "no known copyright restrictions"}


@pytest.fixture(scope="module")
def sample():
    return datasets.load_sample()


def _png(path, colour="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20), colour).save(path)
    return path


# the sample


def test_the_sheet_lists_every_file_and_no_other(sample):
    assert sorted(sample["path"]) == sorted(file.name for file in SAMPLE.iterdir())
    assert sample.attrs["root"] == str(SAMPLE)


def test_every_file_is_what_the_sheet_says(sample):
    for row in sample.itertuples():
        data = (SAMPLE / row.path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row.sha256, row.path
        with Image.open(SAMPLE / row.path) as image:
            assert image.size == (row.width, row.height), row.path


def test_the_sample_is_small_free_and_described(sample):
    assert sum((SAMPLE / path).stat().st_size for path in sample["path"]) <= 1_500_000
    assert (REPO / "datasets" / "contact_sheet.jpg").stat().st_size < 300_000
    assert set(sample["licence"]) <= LICENCES
    assert sample[["category", "description", "origin"]].ne("").all(axis=None)
    assert sample[["width", "height"]].max(axis=1).between(300, 520).all()


def test_each_picture_of_the_sample_is_its_own_source(sample):
    assert sample["source"].tolist() == sample["path"].tolist()


def test_no_two_pictures_are_near_but_the_look_alikes(sample):
    hashes = {path: imagehash.phash(Image.open(SAMPLE / path)) for path in sample["path"]}
    group = dict(zip(sample["path"], sample["look_alike"], strict=True))
    for a, b in itertools.combinations(hashes, 2):
        alike = group[a] != "" and group[a] == group[b]
        assert hashes[a] - hashes[b] >= (2 if alike else 16), (a, b)


def test_look_alikes_come_in_pairs(sample):
    groups = sample[sample["look_alike"] != ""].groupby("look_alike").size()
    assert len(groups) == 6
    assert (groups == 2).all()


@pytest.mark.sweep
@pytest.mark.slow
def test_the_script_rebuilds_the_sample(sample):
    run = subprocess.run(
        [sys.executable, REPO / "datasets" / "make_sample.py", "--check"],
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    words = [line.split()[0] for line in run.stdout.splitlines()]
    assert len(words) == len(sample)
    assert words.count("left") == (0 if find_spec("skimage") else 16)
    if _as_locked("numpy", "pillow", "matplotlib"):
        assert set(words) <= {"identical", "left"}, run.stdout


def _as_locked(*packages):
    lock = REPO / "requirements.lock"
    pins = dict(re.findall(r"(?m)^([\w.-]+)==([\w.]+)", lock.read_text())) if lock.is_file() else {}
    return all(pins.get(package) == version(package) for package in packages)


def test_an_absent_sample_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "DATA", tmp_path)
    with pytest.raises(ValueError, match=r"no sample at .*pip install \.") as caught:
        datasets.load_sample()
    assert "\n" not in str(caught.value)


def test_a_wheel_brings_the_sample_along(tmp_path):
    clone = tmp_path / "clone"
    clone.mkdir()
    for name in ("simlab", "datasets"):
        shutil.copytree(REPO / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPO / name, clone)
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    built = subprocess.run([*wheel, "."], cwd=clone, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (file,) = clone.glob("*.whl")
    shutil.unpack_archive(file, tmp_path / "installed", format="zip")
    shutil.rmtree(clone)
    program = """
import simlab as sl
sample = sl.datasets.load_sample()
picture = sl.read_image(f"{sample.attrs['root']}/{sample['path'].iloc[-1]}")
print(sl.__file__, len(sample), picture.size, sl.datasets._downloads(), sep="|")
"""
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-c", program]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    package, n_pictures, size, downloads = run.stdout.strip().split("|")
    assert Path(package).is_relative_to(tmp_path / "installed")
    assert int(n_pictures) == 36
    assert size.startswith("(")
    assert not Path(downloads).is_relative_to(tmp_path)


# tables


def test_a_folder_becomes_a_table(tmp_path):
    _png(tmp_path / "b" / "写真.png")
    _png(tmp_path / "a.png")
    table = datasets.as_table(tmp_path)
    assert table.to_dict("list") == {
        "path": ["a.png", "b/写真.png"],
        "source": ["a.png", "b/写真.png"],
    }
    assert table.attrs["root"] == str(tmp_path)


def test_sub_folders_are_sources_of_known_copies(tmp_path):
    for name in ("cat/1.png", "cat/deep/2.png", "dog/1.png", "alone.png"):
        _png(tmp_path / name)
    table = datasets.from_folder(tmp_path, sources="subfolder").set_index("path")["source"]
    assert table.to_dict() == {
        "alone.png": "alone.png",
        "cat/1.png": "cat",
        "cat/deep/2.png": "cat",
        "dog/1.png": "dog",
    }


def test_a_list_keeps_its_order_and_finds_its_root(tmp_path):
    paths = [_png(tmp_path / "b" / "1.png"), str(_png(tmp_path / "a.png"))]
    table = datasets.as_table(iter(paths))
    assert table["path"].tolist() == ["b/1.png", "a.png"]
    assert [Path(table.attrs["root"], path) for path in table["path"]] == [
        Path(path) for path in paths
    ]


def test_a_table_keeps_its_columns_and_is_not_changed():
    given = pd.DataFrame({"mood": [1, 2, 3], "path": ["a", "b", "c"], "source": ["s", "", None]})
    before = given.copy()
    table = datasets.as_table(given, root="pictures")
    assert table.columns.tolist() == ["path", "source", "mood"]
    assert table["source"].tolist() == ["s", "b", "c"]
    assert table.attrs["root"] == "pictures"
    assert datasets.as_table(table).attrs["root"] == "pictures"
    pd.testing.assert_frame_equal(given, before)
    assert not given.attrs


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "no images"),
        (pd.DataFrame({"path": []}), "no images"),
        (pd.DataFrame({"file": ["a"]}), "needs a column path; found: file"),
        (["x/a.png", "y/b.png", "x/a.png"], "'x/a.png' stands there again"),
        ("no/such/folder", "no such folder"),
    ],
)
def test_wrong_images_are_named(images, words):
    with pytest.raises(ValueError, match=words):
        datasets.as_table(images)


def test_unknown_sources_are_named(tmp_path):
    with pytest.raises(ValueError, match="sources must be one of file, subfolder, not 'folder'"):
        datasets.from_folder(tmp_path, sources="folder")


# sampling


def test_sampling_depends_on_names_and_seed_only(sample):
    chosen = datasets.sample_sources(sample, 9, seed=3)
    shuffled = datasets.sample_sources(sample.sample(frac=1, random_state=5), 9, seed=3)
    assert set(chosen["path"]) == set(shuffled["path"])
    assert chosen["path"].tolist() == sorted(chosen["path"])
    assert chosen.attrs["root"] == sample.attrs["root"]
    assert set(datasets.sample_sources(sample, 9, seed=4)["path"]) != set(chosen["path"])


def test_sampling_is_frozen(sample):
    assert datasets.sample_sources(sample, 3)["path"].tolist() == [
        "deep_field.jpg",
        "passengers_2023.png",
        "sudoku_2.png",
    ]


def test_sampling_takes_whole_sources():
    table = datasets.as_table(pd.DataFrame({"path": list("abcdef"), "source": list("xxyyzz")}))
    assert datasets.sample_sources(table, 2)["source"].value_counts().tolist() == [2, 2]
    assert len(datasets.sample_sources(table, 99)) == 6
    with pytest.raises(ValueError, match="n must be a whole number, 1 or more, not 0"):
        datasets.sample_sources(table, 0)


def test_a_new_file_changes_at_most_one_choice(sample):
    more = datasets.as_table(pd.concat([sample, pd.DataFrame({"path": ["new.png"]})]))
    lost = set(datasets.sample_sources(sample, 9)["path"]) - set(
        datasets.sample_sources(more, 9)["path"]
    )
    assert len(lost) <= 1


# downloads


TOY = ("t/1.png", "t/2.png", "v/3.png")


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A local server of three files, their registry, and the paths that were asked for."""
    asked, folder, data = [], tmp_path / "served", tmp_path / "data"
    files = [
        _png(folder / name, colour)
        for name, colour in zip(TOY, ("red", "blue", "tan"), strict=True)
    ]
    data.mkdir()
    rows = [
        (
            file.relative_to(folder).as_posix(),
            hashlib.sha256(file.read_bytes()).hexdigest(),
            file.stat().st_size,
        )
        for file in files
    ]
    pd.DataFrame(rows, columns=["path", "sha256", "bytes"]).to_csv(data / "toy.csv", index=False)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    monkeypatch.setattr(datasets, "DATA", data)
    monkeypatch.delenv("SIMLAB_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setitem(datasets.DOWNLOADS, "toy", datasets.Download(url, "toy.csv"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield folder, data, asked
    server.shutdown()
    server.server_close()
    thread.join()


fetch_toy = partial(datasets.fetch, "toy", retries=0, progress=False)


def test_fetch_downloads_once(served):
    _, data, asked = served
    table = fetch_toy()
    assert table["path"].tolist() == list(TOY)
    assert table["source"].tolist() == table["path"].tolist()
    assert table.attrs["root"] == str(data / "downloads" / "toy")
    assert all(Path(table.attrs["root"], path).is_file() for path in table["path"])
    assert sorted(asked) == ["/t/1.png", "/t/2.png", "/v/3.png"]
    fetch_toy()
    assert len(asked) == 3


def test_fetch_goes_where_it_is_told(served, tmp_path, monkeypatch):
    assert fetch_toy(tmp_path / "here").attrs["root"] == str(tmp_path / "here" / "toy")
    monkeypatch.setenv("SIMLAB_DATA", str(tmp_path / "there"))
    assert fetch_toy().attrs["root"] == str(tmp_path / "there" / "toy")


def test_a_file_with_another_sha256_is_refused_and_not_kept(served):
    folder, data, _ = served
    _png(folder / "t" / "2.png", "green")
    with pytest.raises(
        ValueError, match=r"toy is not complete in .*: a file differs from its sha256"
    ):
        fetch_toy()
    assert not (data / "downloads" / "toy" / "t" / "2.png").exists()
    assert not list((data / "downloads").rglob("tmp*"))


def test_a_file_with_other_content_is_left_as_it_is(served):
    """It may be the user's own, and was once replaced."""
    _, data, asked = served
    fetch_toy()
    kept = data / "downloads" / "toy" / "v" / "3.png"
    kept.write_bytes(b"cut off")
    with pytest.raises(ValueError, match=r"3.png' differs from its sha256.*move it away"):
        fetch_toy()
    assert kept.read_bytes() == b"cut off" and len(asked) == 3
    kept.unlink()
    fetch_toy()
    assert asked[3:] == ["/v/3.png"] and kept.is_file()


def test_a_missing_file_says_what_the_server_answered(served):
    folder, _, _ = served
    (folder / "t" / "1.png").unlink()
    with pytest.raises(ValueError, match="the server answered 404"):
        fetch_toy()


def test_offline_says_in_one_line_what_to_do(served):
    with pytest.raises(
        ValueError, match=r"no connection .*Go online and call again.*base_url=.*by hand"
    ) as caught:
        fetch_toy(base_url="http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_offline_is_no_matter_when_everything_is_there(served):
    fetch_toy()
    assert len(fetch_toy(base_url="http://127.0.0.1:9")) == 3


def test_a_mirror_serves_the_same_files(served, monkeypatch):
    url = datasets.DOWNLOADS["toy"].base_url
    monkeypatch.setitem(
        datasets.DOWNLOADS, "toy", datasets.Download("http://127.0.0.1:9/", "toy.csv")
    )
    assert len(fetch_toy(base_url=url.rstrip("/"))) == 3


def test_an_unwritable_folder_is_named(served, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match=r"toy is not complete in .*Not a directory|File exists"):
        fetch_toy(tmp_path / "file")


def test_unknown_downloads_are_named():
    with pytest.raises(ValueError, match="name must be one of bsds500, not 'coco'"):
        datasets.fetch("coco")


def test_the_registry_of_bsds500_is_whole():
    registry = pd.read_csv(REPO / "datasets" / datasets.DOWNLOADS["bsds500"].registry)
    assert registry["path"].str.split("/").str[0].value_counts().to_dict() == {
        "test": 200,
        "train": 200,
        "val": 100,
    }
    assert registry["path"].is_unique and registry["sha256"].is_unique
    assert registry["sha256"].str.fullmatch("[0-9a-f]{64}").all()


def test_an_example_looks_like_anybodys_folder_and_says_what_shows_the_same(tmp_path):
    table = datasets.make_example(tmp_path / "new" / "pictures", n=3)
    assert list(table["path"]) == [f"DSC_{number:04d}.jpg" for number in range(1, 8)]
    assert table.groupby("source").size().tolist() == [2, 3, 2]
    assert len(datasets.list_images(tmp_path / "new" / "pictures")) == 7
    with pytest.raises(ValueError, match="must be a new one"):
        datasets.make_example(tmp_path / "new" / "pictures")
