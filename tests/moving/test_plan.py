"""The plan: what may be dropped, what is kept, and what a person must look at."""

import numpy as np
import pandas as pd
import pytest
from corpus import png, textured
from PIL import Image

import simlab as sl
from simlab import images
from simlab.moving import plan as planning

NAMES = ("a.png", "b.png", "c.png", "archive/d.png", "=e.png")


@pytest.fixture
def folder(tmp_path):
    """Small pictures; that they are copies is only said by tables of pairs."""
    (tmp_path / "archive").mkdir()
    for number, name in enumerate(NAMES):
        textured(number, 40, 30).save(tmp_path / name)
    return tmp_path


def pairs(folder, *rows, **columns):
    """Found pairs: reference, query, verdict, keep; probability .99 where nothing else is given."""
    found = pd.DataFrame(rows, columns=["reference", "query", "verdict", "keep"])
    found = found.assign(keep_reason=np.where(found["keep"] == "", "", "more pixels"))
    look_alike = found["verdict"] == "look-alike"
    found["distance"] = np.where(look_alike, 0.99, 0.01)
    found["probability"] = 1 - found["distance"]
    found["same_file"] = False
    for side in ("reference", "query"):
        found[f"sha256_{side}"] = ["of " + name for name in found[side]]
    found = found.assign(**columns)
    found.attrs["root"] = str(folder)
    return found


def decisions(plan):
    return dict(zip(plan["file"], plan["decision"]))


def test_a_plan_keeps_one_and_drops_its_own_copies(folder):
    found = pairs(
        folder, ("b.png", "a.png", "copy", "a.png"), ("a.png", "c.png", "identical", "a.png")
    )
    plan = sl.make_plan(found)
    assert tuple(plan) == planning.PLAN_COLUMNS
    assert decisions(plan) == {"a.png": "keep", "b.png": "drop", "c.png": "drop"}
    reason = dict(zip(plan["file"], plan["reason"]))
    assert reason["b.png"] == "a copy of a.png: more pixels"
    assert reason["c.png"] == "equal pixels to a.png: more pixels"
    assert plan["sha256"].tolist() == ["of " + name for name in plan["file"]]
    assert set(plan["root"]) == {str(folder)} and plan["group"].tolist() == [0, 0, 0]


def test_nothing_is_dropped_across_a_chain_or_for_a_look_alike(folder):
    found = pairs(
        folder,
        ("a.png", "b.png", "copy", "a.png"),
        ("b.png", "c.png", "copy", "b.png"),
        ("a.png", "=e.png", "look-alike", ""),
    )
    plan = sl.make_plan(found)
    assert decisions(plan) == {"a.png": "keep", "b.png": "drop", "c.png": "undecided"}
    assert "copy of the kept file itself" in plan["reason"].iloc[2]
    assert sl.make_plan(found.iloc[2:]).empty


@pytest.mark.parametrize(
    ("columns", "keep", "words"),
    [
        ({}, "", "nothing says which is better, this or a.png"),
        ({"probability": 0.5}, "a.png", "a doubtful copy of a.png"),
    ],
)
def test_doubtful_copies_are_undecided(folder, columns, keep, words):
    plan = sl.make_plan(pairs(folder, ("a.png", "b.png", "copy", keep), **columns))
    assert set(plan["decision"]) == {"keep", "undecided"}
    assert words.split("a.png")[0] in plan["reason"].iloc[1]


def sixteen(values):
    return Image.fromarray(np.asarray(values, dtype=np.uint16))


def with_alpha(lowest):
    image = textured(0, 40, 30).convert("RGBA")
    image.putpixel((3, 3), (0, 0, 0, lowest))
    return image


DEEP = sixteen(np.arange(1200).reshape(30, 40) * 50)
SEVERAL = {"save_all": True, "append_images": [textured(1, 40, 30)]}
UNSEEN = {
    "deep.png": (DEEP, {}, "more than 8 bits a channel"),
    "deep.tif": (DEEP, {}, "more than 8 bits a channel"),
    "deep.jp2": (DEEP, {}, "more than 8 bits a channel"),
    "float.tif": (Image.new("F", (40, 30), 0.3), {}, "more than 8 bits a channel"),
    "clear.png": (with_alpha(254), {}, "transparency"),
    "clear.webp": (with_alpha(0), {"lossless": True}, "transparency"),
    "opaque.png": (with_alpha(255), {}, ""),
    "plain.jp2": (textured(0, 40, 30), {}, ""),
    "plain.avif": (textured(0, 40, 30), {}, ""),
    "plain.tga": (textured(0, 40, 30), {}, ""),
    "plain.ico": (textured(0, 32, 32), {}, ""),
    "plain.jpg": (textured(0, 40, 30), {}, ""),
    "grey.png": (textured(0, 40, 30).convert("L"), {}, ""),
    "palette.png": (textured(0, 40, 30).convert("P"), {}, ""),
    "plain.ppm": (textured(0, 40, 30), {}, ""),
    "pages.tif": (textured(0, 40, 30), SEVERAL, "2 frames or pages"),
    "moving.gif": (textured(0, 40, 30), SEVERAL, "2 frames or pages"),
}


@pytest.mark.parametrize("name", UNSEEN)
def test_what_rgb_does_not_show_is_seen_and_makes_a_copy_undecided(name, folder):
    image, options, words = UNSEEN[name]
    image.save(folder / name, **options)
    assert images.unseen(folder / name) == words
    for files in (("a.png", name), (name, "a.png")):
        found = pairs(folder, (*files, "identical", files[0]))
        decision = decisions(sl.make_plan(found))[files[1]]
        assert decision == ("undecided" if words else "drop")
    same = pairs(folder, ("a.png", name, "identical", "a.png"), same_file=True)
    assert decisions(sl.make_plan(same))[name] == "drop"  # byte for byte: nothing can hide


def test_deep_colour_is_seen(tmp_path):
    (tmp_path / "deep.ppm").write_bytes(b"P6 2 1 1023\n" + bytes(12))
    (tmp_path / "deep.png").write_bytes(png(2, 1, bits=16, rows=[bytes(12)]))
    for name in ("deep.ppm", "deep.png"):
        assert images.unseen(tmp_path / name) == "more than 8 bits a channel"
    with pytest.raises(sl.ImageError, match="no such file"):
        images.unseen(tmp_path / "none.png")


def test_a_file_that_is_gone_is_undecided(folder):
    found = pairs(folder, ("a.png", "b.png", "copy", "a.png"))
    (folder / "b.png").unlink()
    plan = sl.make_plan(found)
    assert decisions(plan) == {"a.png": "keep", "b.png": "undecided"}
    assert plan["reason"].iloc[1] == "b.png can no longer be read: no such file"


def test_pictures_of_a_reference_folder_are_kept(folder):
    (folder / "link").symlink_to("archive")
    found = pairs(
        folder,
        ("a.png", "archive/d.png", "copy", ""),
        ("a.png", "b.png", "copy", "a.png"),
        ("archive/d.png", "c.png", "copy", "c.png"),
    )
    assert decisions(sl.make_plan(found))["archive/d.png"] != "keep"
    for reference in (folder / "archive", [folder / "link", folder / "archive" / ".." / "archive"]):
        plan = sl.make_plan(found, reference=reference)
        assert decisions(plan) == {
            "archive/d.png": "keep",
            "a.png": "drop",
            "b.png": "undecided",  # a copy of a.png, which goes
            "c.png": "undecided",  # the reference is worse than it
        }
        assert sl.group(found, reference=reference)["representative"].iloc[0] == "archive/d.png"
    assert set(decisions(sl.make_plan(found, reference=folder)).values()) == {"keep"}
    found["verdict"] = "identical"
    plan = sl.make_plan(found, reference=folder / "archive")
    assert decisions(plan)["c.png"] == "drop"  # equal pixels: nothing to be better in
    with pytest.raises(ValueError, match="no such folder: 'archiv'"):
        sl.make_plan(found, reference="archiv")


def test_queries_from_elsewhere_have_one_root_with_the_pictures(folder):
    (folder / "new").mkdir()
    textured(0, 40, 30).save(folder / "new" / "x.png")
    found = pairs(folder / "archive", ("d.png", str(folder / "new" / "x.png"), "copy", "d.png"))
    plan = sl.make_plan(found)
    assert set(plan["root"]) == {str(folder)}
    assert decisions(plan) == {"archive/d.png": "keep", "new/x.png": "drop"}


def test_a_table_without_contents_is_refused(folder):
    found = pairs(folder, ("a.png", "b.png", "copy", "a.png"))
    with pytest.raises(ValueError, match="missing: sha256_query"):
        sl.make_plan(found.drop(columns="sha256_query"))
    with pytest.raises(ValueError, match="not one file of the table is in"):
        sl.make_plan(pairs(folder / "archive", ("a.png", "b.png", "copy", "a.png")))
