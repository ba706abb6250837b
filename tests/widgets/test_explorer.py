"""The explorer without a browser: what it shows is what the functions of the package say."""

import asyncio
import io
import warnings

import ipywidgets
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from PIL import Image, ImageDraw, ImageFont

import simlab as sl
from simlab.widgets import picker
from simlab.widgets.variant_controls import Slider, VariantControls, sweep

SAMPLE = sl.datasets.load_sample()
METHODS = ["phash", "dhash(hash_size=16)", "akaze"]


@pytest.fixture
def explorer():
    with warnings.catch_warnings():  # of other versions of Pillow or OpenCV than the recipe's
        warnings.simplefilter("ignore")
        return sl.widgets.explore(SAMPLE, methods=METHODS)


def photo(name):
    return sl.read_image(f"{SAMPLE.attrs['root']}/{name}")


def png(colour):
    Image.new("RGB", (40, 30), colour).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def part(explorer, name):
    return explorer._parts[name].value


def find(widget, kind):
    """All widgets of a kind within one."""
    inner = [found for child in getattr(widget, "children", ()) for found in find(child, kind)]
    return [widget] * isinstance(widget, kind) + inner


@pytest.mark.parametrize(
    "moved", [{"perturbation": "crop(area=0.4)", "seed": 3}, {"other": "coffee.jpg"}]
)
def test_it_says_what_the_functions_say(explorer, moved):
    explorer.reference = "cat.jpg"
    for name, value in moved.items():
        setattr(explorer, name, value)
    cat = photo("cat.jpg")
    second = (
        photo(moved["other"])
        if "other" in moved
        else sl.perturb.apply(cat, "crop(area=0.4)", seed=3)
    )
    expected = sl.distances(cat, second, list(explorer.table.index))
    for method, distance in explorer.table["distance"].items():
        assert distance == expected[method].item()
    recipe = sl.Ensemble.load()
    assert explorer.probability == pytest.approx(recipe.probability(expected).item(), rel=1e-9)
    assert explorer.evidence[:-1].to_dict() == pytest.approx(
        recipe.evidence(expected).iloc[0].to_dict()
    )
    assert all(
        f"<b>{name}</b>" in part(explorer, "hashes") for name in ("phash", "dhash(hash_size=16)")
    )
    assert f"{expected['phash'].item():.0f} of 64 bits differ" in part(explorer, "hashes")
    assert "agree on one geometry" in part(explorer, "matches")
    assert explorer._status.value == ""


def test_thresholds_say_copy_or_not_and_those_given_win(explorer):
    explorer.perturbation = "recompress(quality=30)"
    table = explorer.table
    known = table["threshold"].notna()
    assert known["phash"]
    assert not known["dhash(hash_size=16)"]
    assert (table["says"][known] == "copy").equals((table["distance"] <= table["threshold"])[known])
    assert table["says"]["dhash(hash_size=16)"] == ""
    strict = sl.widgets.explore(SAMPLE, methods="phash", thresholds={"phash": -1})
    assert strict.table.loc["phash", ["threshold", "says"]].tolist() == [-1, "no copy"]


def test_the_verdict_of_a_copy_and_of_a_stranger(explorer):
    explorer.perturbation = "recompress(quality=50)"
    assert explorer.probability > 0.9
    assert ">Copy<" in part(explorer, "verdict")
    explorer.other = "gravel.jpg"
    assert explorer.probability < 0.1
    assert ">No copy<" in part(explorer, "verdict")
    assert explorer.verdict == "different"
    assert part(explorer, "places") == "", "nothing says how a stranger lies on it"


def test_two_captions_are_look_alikes_and_the_places_are_outlined(explorer):
    coffee = photo("coffee.jpg")
    for text in ("NEVER AGAIN ON MONDAYS", "WHO ATE MY LUNCH"):
        pen = ImageDraw.Draw(shown := coffee.copy())
        pen.rectangle((0, coffee.height - 50, coffee.width, coffee.height), fill="white")
        pen.text((10, coffee.height - 45), text, font=ImageFont.load_default(34), fill="black")
        shown.save(file := io.BytesIO(), "PNG")
        explorer.add(text, file.getvalue())
    explorer.reference = "NEVER AGAIN ON MONDAYS"
    explorer.other = "WHO ATE MY LUNCH"
    assert explorer.verdict == "look-alike"
    assert ">Look-alike<" in part(explorer, "verdict")
    assert "each has something of its own" in part(explorer, "places")
    assert "data:image/jpeg" in part(explorer, "places")
    figure = explorer.figure()
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]
    assert any("each has something of its own" in title for title in titles)
    plt.close(figure)


def test_equal_pictures_flat_ones_and_ones_without_keypoints(explorer):
    explorer.perturbation = ""
    assert (explorer.table["distance"] == 0).all()
    explorer.reference = explorer.add("white.png", png("white"))
    explorer.other = explorer.add("white.png", png("#fefefe"))
    assert explorer.other == "dropped white.png"
    assert (explorer.table["says"] == "no evidence").all()
    assert "No method has evidence" in part(explorer, "verdict")
    assert "no keypoints" in part(explorer, "matches")
    explorer.figure()
    plt.close("all")


def test_the_static_twin_shows_the_same_numbers(explorer):
    explorer.perturbation = "text(length=40)"
    figure = explorer.figure()
    words = " ".join(
        text.get_text() for ax in figure.axes for text in [*ax.texts, ax.title, ax._left_title]
    )
    distance = explorer.table["distance"]["phash"]
    assert f"phash\n{distance:.0f} of 64" in words
    assert f"{distance:.3g}  copy" in words
    plt.close(figure)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("reference", "gone.jpg", "must be the name of a picture here"),
        ("other", "gone.jpg", "must be the name of a picture here"),
        ("perturbation", "crop(aera=1)", "area"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line_and_changes_nothing(explorer, name, value, message):
    before = getattr(explorer, name)
    with pytest.raises(ValueError, match=message):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before


def test_a_picture_that_cannot_be_read_is_said_and_the_next_one_works(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    (tmp_path / "white.png").write_bytes(png("white"))
    explorer = sl.widgets.explore(tmp_path, methods="phash")
    assert "not a picture" in explorer._status.value
    explorer.reference = "white.png"
    assert explorer._status.value == "" and "white.png" in part(explorer, "pictures")
    explorer.reference = "broken.jpg"  # nothing stays that is true of another picture
    assert not any(view.value for view in explorer._parts.values())
    for ask in (lambda: explorer.probability, explorer.figure):
        with pytest.raises(ValueError, match=r"'broken.jpg' and .* cannot be compared"):
            ask()


def test_names_are_text_whatever_they_hold(tmp_path):
    name = '<img src=x onerror="1"> 海と山.png'
    (tmp_path / name).write_bytes(png("red"))
    explorer = sl.widgets.explore(tmp_path, methods="phash")
    assert "&lt;img src=x onerror=&#34;1&#34;&gt; 海と山.png" in part(explorer, "pictures")
    assert "<img src=x" not in "".join(view.value for view in explorer._parts.values())
    shelf = find(explorer, picker.Shelf)[0]
    assert shelf.names[shelf.value] == name


def test_ten_thousand_pictures_open_without_one_being_decoded_but_the_first(monkeypatch, tmp_path):
    from simlab.widgets import explore as module

    names = [f"{n:05}.png" for n in range(10_000)]
    (tmp_path / names[0]).write_bytes(png("red"))
    opened, read = [], sl.images.read_bytes
    monkeypatch.setitem(
        module.__globals__, "read_bytes", lambda path: (opened.append(path), read(path))[1]
    )
    table = sl.datasets.as_table(pd.DataFrame({"path": names}), root=tmp_path)
    explorer = sl.widgets.explore(table, methods="phash")
    assert opened == [tmp_path / names[0]]
    search, listed = find(explorer, ipywidgets.Text)[0], find(explorer, picker.Shelf)[0]
    assert len(listed.options) == picker.LISTED
    search.value = "0999"
    assert listed.options[1:4] == ["00999.png", "09990.png", "09991.png"]
    assert (
        explorer.reference == listed.value == names[0]
    )  # what is chosen stays, whatever is searched
    assert len(opened) == 1


def test_a_picture_in_the_list_is_made_small_when_the_page_asks_for_it(tmp_path, monkeypatch):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    photo("cat.jpg").save(tmp_path / "cat.png")
    explorer = sl.widgets.explore(tmp_path, methods="phash")
    explorer.reference = explorer.add("mine.png", png("red"))
    shelf = find(explorer, picker.Shelf)[0]
    assert shelf.options == ["mine.png", "broken.jpg", "cat.png"]
    sent = {}
    monkeypatch.setattr(shelf, "send", lambda said, data: sent.update({said["name"]: data[0]}))
    for name in (*shelf.options, "of an earlier list"):
        shelf._handle_custom_msg({"name": name}, [])
    sizes = {name: sl.read_image(data).size for name, data in sent.items()}
    assert sizes == {"mine.png": (40, 30), "broken.jpg": (240, 180), "cat.png": (160, 106)}


def test_an_ensemble_that_is_not_fitted_is_refused():
    with pytest.raises(ValueError, match="recipe must be an ensemble that is fitted"):
        sl.widgets.explore(SAMPLE, recipe=sl.Ensemble(["phash"]))


def test_a_large_picture_is_scaled_down_and_that_is_said(tmp_path):
    photo("cat.jpg").resize((3200, 2000)).save(tmp_path / "large.png")
    explorer = sl.widgets.explore(tmp_path, methods=["phash"])
    assert explorer.comparison.reference.image.size == (1600, 1000)
    assert "large.png, scaled down" in part(explorer, "pictures")


def test_what_a_person_does_reaches_the_attributes_and_back(explorer):
    kind, slider = find(explorer, ipywidgets.Dropdown)[0], find(explorer, Slider)[0]
    spec, mode = find(explorer, ipywidgets.Text)[-1], find(explorer, ipywidgets.RadioButtons)[0]
    kind.value = "blur"
    assert (explorer.perturbation, slider.label, slider.places[slider.index]) == (
        "blur",
        "Sigma",
        "2",
    )
    slider.index += 10
    assert explorer.perturbation == spec.value == "blur(sigma=7)"
    spec.value = "blur(sima=7)"
    assert "sima" in explorer._status.value
    assert explorer.perturbation == "blur(sigma=7)"
    spec.value = 'crop(area=0.37, anchor="center")'
    assert (kind.value, slider.label, slider.places[slider.index]) == ("crop", "Area", "0.37")
    mode.value = "another picture"
    assert explorer.other == "brick.jpg"
    lists = find(explorer, picker.Shelf)
    lists[1].value = "cat.jpg"
    lists[0].value = "coffee.jpg"
    assert (explorer.reference, explorer.other) == ("coffee.jpg", "cat.jpg")
    mode.value = "a variant of it"
    assert explorer.other == ""
    explorer.other = "page_11.png"
    assert mode.value == "another picture"


def test_a_dropped_picture_is_shown_and_what_is_none_is_said(explorer):
    drop = find(explorer, picker.Drop)[0]
    drop._take(drop, {"name": "mine.png", "bytes": 9}, [memoryview(png("red"))])
    assert explorer.reference == "mine.png"
    assert "40 × 30" in part(explorer, "pictures")
    drop._take(drop, {"name": "words.txt", "bytes": 5}, [memoryview(b"words")])
    assert "words.txt: not a picture" in explorer._status.value
    drop._take(drop, {"name": "huge.png", "bytes": 30_000_000}, [])
    assert "huge.png: 30,000,000 bytes" in explorer._status.value
    assert explorer.reference == "mine.png"


def test_while_a_slider_moves_quickly_the_last_place_wins(explorer):
    async def move():
        for area in np.linspace(0.9, 0.1, 9).round(1):
            explorer.perturbation = f"crop(area={area})"
        assert explorer._status.value == "working…"
        while explorer._status.value:
            await asyncio.sleep(0.01)

    asyncio.run(move())
    assert "crop(area=0.1)" in part(explorer, "pictures")
    assert explorer.comparison.query.name == "crop(area=0.1)"


@pytest.mark.parametrize("kind", sl.perturb.REGISTRY)
def test_every_kind_has_a_slider_from_unchanged_to_strong(kind):
    argument, places = sweep(kind)
    specs = [spec for _, spec in places]
    assert sl.perturb.canonical(kind) in specs
    assert len(set(specs)) == len(specs)
    if argument != "severity":
        severities = [sl.perturb.severity(spec) for spec in specs]
        assert min(severities) == (
            1 if kind == "recompress" else 0
        )  # JPEG of any quality changes something
        assert len(specs) > 7
        assert max(severities) > sl.perturb.severity(kind)
        if severities[0] == 0:
            assert severities == sorted(severities)


def test_a_kind_of_ones_own_has_a_slider_with_the_places_that_it_allows():
    @sl.perturb.register(severity=lambda strength: strength)
    def darken(image, rng, *, strength: sl.perturb.Share = 0.8, tint: str = "red"):
        return image.point(lambda level: round(level * (1 - strength)))

    try:
        argument, places = sweep('darken(tint="blue")')
        assert argument == "strength"
        assert places[0] == ("0", 'darken(strength=0, tint="blue")')
        assert max(float(value) for value, _ in places) <= 1
        variant = VariantControls(print)
        variant.perturbation = "darken(strength=0.48)"
        assert variant.children[1].places[variant.children[1].index] == "0.48"
    finally:
        del sl.perturb.REGISTRY["darken"]
