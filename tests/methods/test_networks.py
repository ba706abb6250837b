"""Networks that a person brings: small ones of known answers, in studies and searches."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus import textured
from onnx_by_hand import layout_network, mean_network, network, node
from PIL import Image
from score_tables import scores_of

import simlab as sl
from simlab import cli, methods
from simlab.methods import networks, registry
from simlab.search.indexes import VectorIndex, build_indexes

PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1)}


@pytest.fixture(autouse=True)
def a_registry_of_its_own(monkeypatch):
    monkeypatch.setattr(registry, "REGISTRY", dict(registry.REGISTRY))


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "配置.onnx"
    path.write_bytes(layout_network(side=32))
    return path


@pytest.fixture
def folder(tmp_path):
    """Six pictures, and copies of two."""
    root = tmp_path / "pictures"
    root.mkdir()
    for seed in range(6):
        textured(seed, 120, 90).save(root / f"{seed}.png")
    for seed in range(2):
        sl.perturb.apply(textured(seed, 120, 90), "recompress(quality=30)").save(
            root / f"copy_{seed}.png"
        )
    return root


def vector_of(image, name="layout"):
    feature = registry.get(name).feature
    return feature.function(image)


def test_the_network_beside_the_notebooks_is_no_more_than_it_says():
    file = Path(__file__).parents[2] / "notebooks" / "layout.onnx"
    assert file.read_bytes() == layout_network(side=224)


def test_the_vector_is_what_the_network_gives_of_the_prepared_picture(model):
    methods.from_onnx("layout", model, size=32, mean=(0.5, 0.25, 0), std=(0.5, 1, 2))
    picture = textured(0, 32, 32)
    pixels = np.asarray(picture, dtype=np.float64) / 255
    prepared = (pixels - (0.5, 0.25, 0)) / (0.5, 1, 2)
    expected = prepared.reshape(4, 8, 4, 8, 3).mean((1, 3)).transpose(2, 0, 1).ravel()
    assert vector_of(picture) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_the_middle_is_cut_out_where_resize_is_given(model):
    wide = Image.new("RGB", (300, 100), "red")
    wide.paste("white", (100, 0, 200, 100))
    methods.from_onnx("layout", model, size=32, resize=32, **PLAIN)
    assert vector_of(wide) == pytest.approx(np.full(48, 48**-0.5), abs=0.003)
    methods.from_onnx("layout", model, size=32, **PLAIN)  # registered again: it replaces itself
    assert vector_of(wide).std() > 0.01


def test_vectors_propose_the_copies_of_a_search_by_themselves(model, folder):
    methods.from_onnx("layout", model, size=32)
    found = sl.find_copies(folder, fitted(), n_jobs=1, progress=False)
    copies = found[found["verdict"] == "copy"]
    assert {frozenset(pair) for pair in zip(copies["reference"], copies["query"])} == {
        frozenset((f"{seed}.png", f"copy_{seed}.png")) for seed in range(2)
    }
    gallery = sl.Gallery(folder, fitted(), n_jobs=1, progress=False)
    best = gallery.query(folder / "copy_1.png", top=2)
    assert set(best["file"]) == {"1.png", "copy_1.png"}


def fitted():
    """A recipe of the network and phash, fitted to plain numbers."""
    rng = np.random.default_rng(0)
    is_copy = np.arange(400) % 2 == 0
    near = rng.uniform(0, 0.01, 400)
    far = rng.uniform(0.02, 0.3, 400)
    layout = np.where(is_copy, near, far)
    phash = np.where(is_copy, rng.integers(0, 12, 400), rng.integers(16, 40, 400))
    scores = scores_of(is_copy, n_sources=40, layout=layout, phash=phash.astype(float))
    return sl.Ensemble("layout, phash", n_resamples=2).fit(scores)


def test_the_nearest_vectors_are_candidates_however_far_apart():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 64)).astype(np.float32)  # of any length, at right angles or so
    packed = [registry.pack(vector) for vector in vectors]
    found = VectorIndex(has_scale=False).filled(packed).candidates([packed], n=3, near=0.16)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = np.argsort(-(unit @ unit.T), axis=1)[:, :3]
    assert found.picture.reshape(30, 3).tolist() == expected.tolist()


def test_a_vector_of_ones_own_has_an_index_too():
    def brightness(image):
        return np.asarray(image.convert("L").resize((8, 8)), dtype=np.float32).ravel()

    registry.register(
        "brightness", brightness, distance=lambda one, other: abs(one - other).max(), maximum=255
    )
    method = registry.get("brightness")
    packed = [method.feature.extract(textured(seed)) for seed in range(3)]
    ((of_method, index),) = build_indexes([method], lambda feature: packed)
    assert of_method is method
    assert index.candidates([packed], n=1).picture.tolist() == [0, 1, 2]


def test_features_come_from_this_process_and_are_the_same_for_any_number_of_workers(
    model, folder, monkeypatch
):
    batches = []
    run = networks.Network.each

    def noted(network, images):
        batches.append(len(images))
        return run(network, images)

    monkeypatch.setattr(networks.Network, "each", noted)
    methods.from_onnx("layout", model, size=32)
    (folder / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (40, 40), "red").save(folder / "flat.png")
    pairs = sl.make_pairs(folder, "crop, text", negatives=6, seed=0)
    tables = []
    for n_jobs in (1, 2):
        batches.clear()
        scores = sl.score_pairs(pairs, "phash, layout", n_jobs=n_jobs, progress=False)
        tables.append(scores)
        assert sum(batches) >= 12  # not in a worker, and many at a time
        assert max(batches) > 4
    pd.testing.assert_frame_equal(*tables)
    unusable = scores["reference"].eq("broken.png") | scores["query"].eq("broken.png")
    assert (scores["status"].eq("error") == unusable).all()
    assert scores.loc[~unusable, "layout"].notna().all()


def test_of_a_batch_only_the_culprit_fails(folder):
    def red(image):
        return np.array([np.asarray(image)[..., 0].mean()])

    def many(images):
        for image in images:
            if image.getpixel((0, 0)) == (1, 2, 3):
                raise RuntimeError("the network stumbled")
        return [red(image) for image in images]

    registry.register(
        "red",
        red,
        extract_many=many,
        distance=lambda one, other: float(abs(one - other)[0]),
        maximum=255,
    )
    picture = textured(9, 60, 60)
    picture.putpixel((0, 0), (1, 2, 3))
    picture.save(folder / "culprit.png")
    pairs = pd.DataFrame(
        {"reference": ["0.png", "culprit.png"], "query": ["1.png", "2.png"], "label": 0}
    )
    scores = sl.score_pairs(pairs, "red", root=folder, n_jobs=1, progress=False)
    assert scores["status"].tolist() == ["ok", "error"]
    assert "the network stumbled" in scores["error"][1]
    expected = abs(float(red(textured(0, 120, 90))[0]) - float(red(textured(1, 120, 90))[0]))
    assert scores["red"][0] == pytest.approx(expected)


def test_another_file_makes_features_anew_and_the_same_takes_them_from_the_cache(model, folder):
    methods.from_onnx("layout", model, size=32)
    first = registry.get("layout").feature.key
    model.write_bytes(mean_network(32))
    with pytest.raises(ValueError, match="has changed since it was registered"):
        networks._loaded.cache_clear()
        vector_of(textured())
    methods.from_onnx("layout", model, size=32)
    second = registry.get("layout").feature.key
    methods.from_onnx("layout", model, size=32, std=(1, 1, 1))
    assert len({first, second, registry.get("layout").feature.key}) == 3


def test_what_cannot_be_a_method_is_one_clear_line(model, tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no network" * 9)
    several = tmp_path / "several.onnx"
    nodes = [node("GlobalAveragePool", ["x"], "mean"), node("GlobalMaxPool", ["x"], "largest")]
    several.write_bytes(
        network((1, 3, 32, 32), nodes, {"mean": (1, 3, 1, 1), "largest": (1, 3, 1, 1)})
    )
    map_ = tmp_path / "map.onnx"
    pool = node("AveragePool", ["x"], "y", kernel_shape=[8, 8], strides=[8, 8])
    map_.write_bytes(network((1, 3, 32, 32), [pool], {"y": (1, 3, 4, 4)}))
    for path, options, words in [
        (tmp_path / "absent.onnx", {}, "no such file"),
        (bad, {}, "OpenCV cannot run|neither OpenCV nor onnxruntime"),
        (several, {}, "output must name one of the network's outputs: 'largest', 'mean'"),
        (several, {"output": "least"}, "output must be one of 'largest', 'mean'; given 'least'"),
        (map_, {}, r"has the shape \(1, 3, 4, 4\), which is not one vector"),
        (model, {"size": 3}, "size must be a whole number from 16 to 4096"),
        (model, {"size": "big"}, "size must be a whole number"),
        (model, {"resize": 16}, "resize must be 32"),
        (model, {"mean": 0.5}, "mean must be three numbers"),
        (model, {"std": (1, 0, 1)}, "std must be three numbers over 0"),
        (model, {"resample": "nearest"}, "resample must be"),
    ]:
        with pytest.raises(ValueError, match=words) as caught:
            methods.from_onnx("layout", path, **({"size": 32} | options))
        assert "\n" not in str(caught.value)
    methods.from_onnx("largest", several, size=32, output="largest", **PLAIN)
    assert vector_of(textured(), "largest").shape == (3,)
    with pytest.raises(ValueError, match="exists"):
        methods.from_onnx("phash", model, size=32)


def test_what_opencv_does_not_know_onnxruntime_runs(tmp_path):
    path = tmp_path / "trilu.onnx"
    nodes = [node("Trilu", ["x"], "z"), node("GlobalAveragePool", ["z"], "y")]
    path.write_bytes(network((1, 3, 32, 32), nodes, {"y": (1, 3, 1, 1)}))
    if importlib.util.find_spec("onnxruntime") is None:
        with pytest.raises(
            ValueError, match=r'it does not know Trilu.*pip install "simlab\[onnx\]"'
        ):
            methods.from_onnx("upper", path, size=32)
        return
    methods.from_onnx("upper", path, size=32, **PLAIN)
    picture = textured(0, 32, 32)
    upper = np.triu(np.asarray(picture, dtype=float).transpose(2, 0, 1)).mean((1, 2))
    assert vector_of(picture, "upper") == pytest.approx(upper / np.linalg.norm(upper), abs=1e-5)


def test_the_command_takes_networks_from_a_file_without_running_code(
    model, folder, tmp_path, capsys
):
    (tmp_path / "methods.toml").write_text(
        f'[layout]\nmodel = "{model.name}"\nsize = [32, 32]\nstd = [1, 1, 1]\n', encoding="utf-8"
    )
    out = tmp_path / "features.csv"
    options = ["--methods", "layout, phash", "--methods-file", str(tmp_path / "methods.toml")]
    ended = cli.main(["features", str(folder), "--out", str(out), "--jobs", "1", *options])
    assert ended == 0, capsys.readouterr().err
    assert (pd.read_csv(out)["layout"] == 48).all()
    capsys.readouterr()

    for text, words in [
        ("[layout\n", "is no TOML file"),
        ("layout = 3\n", 'it needs a line such as model = "model.onnx"'),
        (f'[layout]\nmodel = "{model.name}"\n', "it needs a line such as size = 224"),
        (f'[layout]\nmodel = "{model.name}"\nsize = 32\nwidth = 3\n', "there is no key 'width'"),
        ('[layout]\nmodel = "absent.onnx"\nsize = 32\n', "no such file"),
    ]:
        (tmp_path / "methods.toml").write_text(text, encoding="utf-8")
        assert cli.main(["features", str(folder), "--out", str(out), *options]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line
