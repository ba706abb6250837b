"""The look-alikes to fit a recipe to: drawn alike each time, and labelled as stated."""

import hashlib
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, ImageChops

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def kinds(monkeypatch, tmp_path):
    """The module, where no more photographs than the sample's are."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import lookalike_copies
    import lookalike_kinds

    lookalike_copies.photograph_files.cache_clear()
    monkeypatch.setattr(lookalike_copies, "SHARED", tmp_path / "absent")
    yield lookalike_kinds
    lookalike_copies.photograph_files.cache_clear()


def drawn(kinds, root, name, count=4):
    """The truth of a kind that was drawn into a folder, and its files' digests."""
    folder = kinds.Folder(root, name)
    kinds.draw_kind(folder, name, 3, count)
    folder.close()
    truth = pd.read_csv(root / name / "truth.csv")
    digests = {}
    for file in truth["file"]:
        content = (root / name / "pictures" / file).read_bytes()
        digests[file] = hashlib.sha256(content).hexdigest()
    return truth, digests


@pytest.mark.parametrize("name", ["barcodes", "icons", "tickets", "two_shots"])
def test_a_kind_is_drawn_alike_each_time_and_every_third_picture_has_a_copy(kinds, tmp_path, name):
    truth, digests = drawn(kinds, tmp_path / "one", name)
    again, same_digests = drawn(kinds, tmp_path / "two", name)
    assert digests == same_digests
    assert truth.equals(again)
    assert truth["group"].value_counts().to_dict() == {0: 2, 1: 1, 2: 1, 3: 2}
    assert len(set(digests.values())) == 6
    on_disk = {path.name for path in (tmp_path / "one" / name / "pictures").iterdir()}
    assert on_disk == set(truth["file"])


def test_no_two_colourings_of_a_thing_are_alike(kinds, tmp_path):
    truth, _ = drawn(kinds, tmp_path, "coloured_goods", count=3)
    originals = truth.drop_duplicates("group")["file"]
    pictures = []
    for file in originals:
        picture = Image.open(tmp_path / "coloured_goods" / "pictures" / file)
        pictures.append(picture.convert("RGB").resize((90, 65)))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        difference = ImageChops.difference(pictures[first], pictures[second])
        assert max(high for _, high in difference.getextrema()) > 60


def test_what_hides_the_only_difference_makes_no_copy(kinds):
    for name in ("icons", "coloured_goods", "captioned_photographs"):
        assert kinds.KINDS[name].avoid >= kinds.HIDES_A_PART
    for name in ("icons", "coloured_goods"):
        assert kinds.KINDS[name].avoid >= kinds.COLOURLESS
