"""Fuzz targets: whatever the bytes, a reader gives what it promises or one error in words.

A fixed number of examples, the same in every run; more, and others each time, with

    SIMLAB_FUZZ=100000 make test ARGS="-n 0 tests/test_fuzz.py"
"""

import os

import corpus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simlab import ImageError, read_image, read_pairs, tables
from simlab.ensemble import recipe
from simlab.pairs import labelling

MORE = os.environ.get("SIMLAB_FUZZ")
fuzzed = settings(max_examples=int(MORE or 250), derandomize=not MORE)

FILES = {**corpus.in_every_format(), **corpus.doubtful_files()}
MARKS = [b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\xff\xd8", b"\xff\xda"]
HEADER = "reference,query,label\n"
WORDS = [
    "reference",
    "query",
    "label",
    "seed",
    "weight",
    "perturbation",
    "source_query",
    "a.jpg",
    "b.jpg",
    "./a.jpg",
    "1",
    "0",
    "same",
    "NaN",
    "1e999",
    "-1",
    "\ufeff",
    '"',
    '""',
    ",",
    ";",
    "\n",
    "\r\n",
    "\r",
    "\0",
    "..",
    "/",
    "\\",
    "crop",
    "crop(area=2)",
    "=1+1",
    "9" * 400,
    "日本",
    "\udcff",
]


@st.composite
def damaged(draw, files):
    """A file with bytes changed, taken out, put in twice, cut off, or with another one's
    behind it.
    """
    data = bytearray(files[draw(st.sampled_from(sorted(files)))])
    for _ in range(draw(st.integers(1, 5))):
        end = max(0, len(data) - 1)
        at = draw(
            st.one_of(st.integers(0, min(150, end)), st.integers(0, end))
        )  # headers lie at the beginning
        to = min(len(data), at + draw(st.integers(1, 64)))
        match draw(
            st.sampled_from(
                ["change", "change", "change", "cut", "drop", "double", "insert", "join"]
            )
        ):
            case "change":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=4))
            case "cut":
                del data[at:]
            case "drop":
                del data[at:to]
            case "double":
                data[at:at] = data[at:to]
            case "insert":
                data[at:at] = draw(st.sampled_from(MARKS))
            case "join":
                data[at:] = files[draw(st.sampled_from(sorted(files)))][at:]
    return bytes(data)


@fuzzed
@given(st.one_of(damaged(FILES), st.binary(max_size=400)))
def test_any_bytes_give_a_picture_or_one_error_in_words(data):
    try:
        assert read_image(data, max_pixels=10_000_000).mode == "RGB"
    except ImageError as error:
        assert str(error) and "\n" not in str(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    for name in ("a.jpg", "b.jpg", "日本"):
        (folder / name).write_text(name)
    return folder


TABLES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(WORDS), max_size=30).map(
        lambda words: (HEADER + "".join(words)).encode(errors="replace")
    ),
    st.lists(st.sampled_from(WORDS), max_size=30).map(
        lambda words: ",".join(words).encode(errors="surrogatepass")
    ),
)


@fuzzed
@given(content=TABLES)
def test_any_file_is_a_table_of_labels_or_one_error_in_words(folder, content):
    (folder / "labels.csv").write_bytes(content)
    for read in (read_pairs, tables.read_scores, labelling.LabelFile):
        try:
            read(folder / "labels.csv")
        except ValueError as error:
            assert str(error)
        assert (folder / "labels.csv").read_bytes() == content or read is labelling.LabelFile


@fuzzed
@given(
    content=st.one_of(
        st.just(recipe.DEFAULT.read_bytes()).flatmap(lambda data: damaged({"recipe": data})), TABLES
    )
)
def test_any_file_is_a_recipe_or_one_error_in_words(folder, content):
    (folder / "recipe.json").write_bytes(content)
    try:
        recipe.read(folder / "recipe.json")
    except ValueError as error:
        assert str(error) and "\n" not in str(error)
