"""Labels from a CSV: what is read is what was written, and nothing is guessed."""

import os

import pandas as pd
import pytest

import simlab as sl
from simlab.pairs.labels import LABELS, read_pairs, read_unchecked
from simlab.tables import check_pairs

HEADER = "reference,query,label\n"
FILES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "sub/e.jpg", "日本.jpg", "NA", "001", "null.jpg")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder of files, each with a content of its own: nothing here looks at pixels."""
    root = tmp_path_factory.mktemp("root")
    for name in FILES:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(name)
    return root


@pytest.fixture
def read(root):
    """Reads a CSV given as text or bytes."""

    def read(content, **options):
        path = root / "labels.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_pairs(path, **options)

    return read


def test_read_pairs(read, root):
    pairs = read(HEADER + "a.jpg,b.jpg,1\nsub/e.jpg,日本.jpg,0\nNA,001,0\n")
    assert pairs["reference"].tolist() == ["a.jpg", "sub/e.jpg", "NA"]
    assert pairs["query"].tolist() == ["b.jpg", "日本.jpg", "001"] and pairs["label"].tolist() == [
        1,
        0,
        0,
    ]
    assert pairs["source_query"].tolist() == ["a.jpg", "日本.jpg", "001"]
    assert pairs.attrs["root"] == str(root)


@pytest.mark.parametrize(
    "content",
    [
        HEADER.replace(",", ";") + "a.jpg;b.jpg;1\n",
        (HEADER + "a.jpg,b.jpg,1\n").replace("\n", "\r\n"),
        (HEADER + "a.jpg,b.jpg,1\n").replace("\n", "\r"),
        (HEADER + "a.jpg,b.jpg,1").encode("utf-8-sig"),
        HEADER + "\n\na.jpg,b.jpg,1\n\n",
        " Query ,LABEL,reference\nb.jpg, Copy ,a.jpg\n",
        'reference,query,label\n"a.jpg","b.jpg","1"\n',
        HEADER + "./a.jpg,sub/./../b.jpg,1\n".replace("sub/./../", ".//"),
        HEADER + "a.jpg,b.jpg,TRUE\n",
    ],
)
def test_the_same_pair_in_many_spellings(content, read):
    pairs = read(content)
    assert pairs[["reference", "query", "label"]].values.tolist() == [["a.jpg", "b.jpg", 1]]


@pytest.mark.parametrize("word", LABELS)
def test_every_word_for_a_label(word, read):
    assert read(HEADER + f"a.jpg,b.jpg,{word.upper()}\n")["label"].tolist() == [LABELS[word]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "cp932", "utf-32"])
def test_other_encodings_when_named(encoding, read):
    content = (HEADER + "a.jpg,日本.jpg,1\n").encode(encoding)
    assert read(content, encoding=encoding)["query"].tolist() == ["日本.jpg"]


def test_backslashes_divide_folders(read):
    assert read(HEADER + "sub\\e.jpg,a.jpg,0\n")["reference"].tolist() == ["sub/e.jpg"]


def test_further_columns(read):
    pairs = read(
        "reference,query,label,perturbation,seed,weight,source_reference,source_query,note\n"
        'a.jpg,a.jpg,1,"crop(area=0.5, anchor=""center"")",3,0.5,s1,s1,NA\n'
    )
    row = pairs.iloc[0]
    assert row["perturbation"] == 'crop(area=0.5, anchor="center")' and (
        row["seed"],
        row["weight"],
    ) == (3, 0.5)
    assert (row["source_reference"], row["source_query"], row["note"]) == ("s1", "s1", "NA")


def test_another_root(root, tmp_path):
    (tmp_path / "labels.csv").write_text(HEADER + "a.jpg,sub/e.jpg,1\n")
    assert read_pairs(tmp_path / "labels.csv", root=root).attrs["root"] == str(root)
    with pytest.raises(ValueError, match=r"line 2: no file 'a\.jpg'"):
        read_pairs(tmp_path / "labels.csv")


def test_files_of_equal_content_share_a_source(tmp_path):
    for name, content in (("a", "1"), ("b", "1"), ("c", "2"), ("d", "3")):
        (tmp_path / name).write_text(content)
    (tmp_path / "labels.csv").write_text(HEADER + "a,c,1\nb,d,0\n")
    pairs = read_pairs(tmp_path / "labels.csv")
    assert pairs[["source_reference", "source_query"]].values.tolist() == [["a", "a"], ["a", "d"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "",
            r"labels\.csv: the first line must name reference, query and label, each once; "
            r"found: nothing",
        ),
        ("\n\n", "found: nothing"),
        ("a.jpg,b.jpg,1\n", r"found: a\.jpg, b\.jpg, 1"),
        ("reference\tquery\tlabel\na.jpg\tb.jpg\t1\n", "each once"),
        (
            "reference,query,label,label\na.jpg,b.jpg,1,0\n",
            "each once; found: reference, query, label, label",
        ),
        (HEADER, "no pairs below the header"),
        (HEADER + "a.jpg,b.jpg,1\na.jpg,c.jpg\n", r"labels\.csv, line 3: fewer cells"),
        (HEADER + "a.jpg,b.jpg,1\n\na.jpg,c.jpg,1,1\n", r"labels\.csv, line 4: more cells"),
        (
            HEADER + 'a.jpg,b.jpg,1\n"a.jpg,c.jpg,1\n',
            r"labels\.csv, line 3: unexpected end of data",
        ),
        (HEADER + "a.jpg,b.jpg,maybe\n", "line 2: label 'maybe' is not one of 1, 1.0, true, yes"),
        (HEADER + "a.jpg,b.jpg,\n", "line 2: label ''"),
        (HEADER + "a.jpg,b.jpg,2\n", "line 2: label '2'"),
        (HEADER + "a.jpg,b.jpg,1\na.jpg,z.jpg,1\n", r"line 3: no file 'z\.jpg'"),
        (HEADER + "a.jpg,sub,1\n", "line 2: no file 'sub'"),
        (HEADER + "a.jpg,,1\n", "line 2: no file ''"),
        (HEADER + "a.jpg, ,1\n", "line 2: no file ' '"),
        (HEADER + f"a.jpg,{'x' * 300},1\n", "line 2: no file 'xxx"),
        (HEADER + "a.jpg,a.jpg,1\n", r"line 2: 'a\.jpg' is paired with itself"),
        (HEADER + "a.jpg,./a.jpg,1\n", "paired with itself"),
        ("reference,query,label,seed\na.jpg,a.jpg,1,1\n", "paired with itself"),
        (
            "reference,query,label,perturbation,perturbation_reference\na.jpg,a.jpg,1,crop,crop\n",
            "with itself",
        ),
        (
            HEADER + "a.jpg,b.jpg,1\na.jpg,b.jpg,1\n",
            r"line 3: the pair 'a\.jpg', 'b\.jpg' of line 2 is repeated",
        ),
        (HEADER + "a.jpg,b.jpg,1\n\nb.jpg,a.jpg,1\n", "line 4: .* of line 2 is repeated"),
        (HEADER + "a.jpg,b.jpg,1\nb.jpg,a.jpg,0\n", "line 3: .* of line 2 has the other label"),
        ("reference,query,label,seed\na.jpg,b.jpg,1,1\na.jpg,b.jpg,1,2\n", "is repeated"),
        (
            "reference,query,label,perturbation\na.jpg,b.jpg,0,crop\na.jpg,b.jpg,1,crop\n",
            "the other label",
        ),
        (
            "reference,query,label,seed\na.jpg,b.jpg,1,1.5\n",
            "line 2: seed '1.5' is not a whole number",
        ),
        ("reference,query,label,weight\na.jpg,b.jpg,1,\n", "line 2: weight '' is not a number"),
        (
            "reference,query,label,weight\na.jpg,b.jpg,1,nan\n",
            "line 2: weight 'nan' is not a number",
        ),
        ("reference,query,label,source_query\na.jpg,b.jpg,1,s\n", "must both be there"),
        (
            (HEADER + "a.jpg,日本.jpg,1\n").encode("cp932"),
            r"labels\.csv, line 2: not utf-8 text; name the encoding",
        ),
        ((HEADER + "a.jpg,b.jpg,1\n").encode("utf-16"), "not utf-8 text"),
        ((HEADER + "a.jpg,b.jpg,1\n").encode("utf-16-le"), "holds zero bytes"),
        (HEADER + "a.jpg,b\0.jpg,1\n", "holds zero bytes"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not utf-8 text"),
    ],
)
def test_wrong_label_files_are_refused_with_the_line(content, words, read):
    with pytest.raises(ValueError, match=words):
        read(content)


@pytest.mark.parametrize("encoding", ["no-such", "hex", "rot13", "undefined", "punycode"])
def test_encodings_that_are_none(encoding, read):
    with pytest.raises(ValueError, match="is no encoding of text"):
        read(HEADER + "a.jpg,b.jpg,1\n", encoding=encoding)


@pytest.mark.parametrize(
    "path",
    [
        "../outside.jpg",
        "sub/../a.jpg",
        "sub/../../outside.jpg",
        "..\\outside.jpg",
        "/etc/passwd",
        "//host/a.jpg",
        "\\\\host\\share\\a.jpg",
        "\\a.jpg",
        "C:\\a.jpg",
        "c:a.jpg",
        "~/a.jpg",
        "~root/a.jpg",
        "$HOME/a.jpg",
        "sub/${HOME}.jpg",
        "http://example.org/a.jpg",
        "https://example.org/a.jpg",
        "file:///etc/passwd",
        "data:image/png;base64,xx",
    ],
)
@pytest.mark.parametrize("side", ["reference", "query"])
def test_paths_stay_under_the_root(path, side, read, root):
    (root.parent / "outside.jpg").write_text("x")
    cells = [f'"{path}"', "a.jpg"] if side == "reference" else ["a.jpg", f'"{path}"']
    with pytest.raises(ValueError, match=r"line 2: .* must be a path inside .*, without"):
        read(HEADER + ",".join(cells) + ",1\n")


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_links_may_not_leave_the_root(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "a.jpg").write_text("a")
    (tmp_path / "secret.jpg").write_text("s")
    (root / "out.jpg").symlink_to("../secret.jpg")
    (root / "folder").symlink_to(tmp_path)
    (root / "sub" / "in.jpg").symlink_to("../a.jpg")
    (root / "loop.jpg").symlink_to("loop.jpg")
    for path, words in (
        ("out.jpg", "is a link that leaves"),
        ("folder/secret.jpg", "is a link that leaves"),
        ("loop.jpg", "no file"),
    ):
        (root / "labels.csv").write_text(HEADER + f"{path},a.jpg,0\n")
        with pytest.raises(ValueError, match=f"line 2: .*{words}"):
            read_pairs(root / "labels.csv")
    (root / "labels.csv").write_text(HEADER + "sub/in.jpg,a.jpg,1\n")
    assert read_pairs(root / "labels.csv")["source_reference"].tolist() == ["a.jpg"]


def test_perturbed_pairs_are_others_and_may_be_of_one_picture(read):
    pairs = read(
        "reference,query,label,perturbation,seed\n"
        "a.jpg,a.jpg,1,crop,0\na.jpg,a.jpg,1,crop,1\na.jpg,a.jpg,1,mirror,0\na.jpg,b.jpg,0,crop,0\n"
        "b.jpg,a.jpg,0,crop,0\na.jpg,b.jpg,0,,0\n"
    )
    assert len(pairs) == 6


def test_a_missing_label_file(root):
    with pytest.raises(ValueError, match=r"cannot read .*absent.csv': No such file"):
        read_pairs(root / "absent.csv")
    with pytest.raises(ValueError, match="cannot read"):
        read_pairs(root)


def test_what_was_written_can_be_read(root, tmp_path):
    pairs = pd.DataFrame(
        {"reference": FILES[:-1], "query": FILES[1:], "label": [0, 1] * 4, "weight": [0.1] * 8}
    )
    pairs = check_pairs(pairs)
    pairs.to_csv(tmp_path / "pairs.csv", index=False)
    pd.testing.assert_frame_equal(
        read_pairs(tmp_path / "pairs.csv", root=root), pairs, check_exact=True
    )


def theirs(tmp_path, *rows, head="reference,query,label,Bits,cos"):
    path = tmp_path / "theirs.csv"
    path.write_text("\n".join([head, *rows, ""]), encoding="utf-8")
    return path


def test_distances_of_any_tool_become_scores_without_a_picture(tmp_path):
    rows = ["a.jpg,a2.jpg,same,3,0.9", "a2.jpg,a3.jpg,1,4,.8", "a.jpg,b.jpg,0,,0.1", "c,d,0,20,-1"]
    path = theirs(tmp_path, *rows)
    scores = sl.read_distances(path, "Bits", similarities=["cos"])
    assert scores["Bits"].tolist()[:2] == [3, 4] and scores["cos"].tolist() == [-0.9, -0.8, -0.1, 1]
    assert scores["status"].tolist() == ["ok", "ok", "error", "ok"]
    assert scores["label"].tolist() == [1, 1, 0, 0]
    sides = scores[["source_reference", "source_query"]].to_numpy().tolist()
    assert sides == [["a.jpg"] * 2, ["a.jpg"] * 2, ["a.jpg", "b.jpg"], ["c", "d"]]
    assert scores.attrs["sources"] == "names"
    metrics = sl.evaluate(scores, "Bits, cos", n_resamples=0, metrics="roc_auc")
    assert metrics["value"].tolist() == [1.0, 1.0] and metrics.attrs["n_errors"] == 1


def test_distances_may_name_their_sources(tmp_path):
    head = "reference;query;label;weight;source_reference;source_query;bits"
    path = theirs(tmp_path, "a;b;1;2.5;x;x;3", "a;c;0;1;x;y;30", head=head)
    scores = sl.read_distances(path, "bits")
    assert scores.attrs["sources"] == "columns"
    assert scores["source_query"].tolist() == ["x", "y"] and scores["weight"].tolist() == [2.5, 1]


@pytest.mark.parametrize(
    ("rows", "named", "words"),
    [
        (["a,b,1,3,.9"], {}, "must name a column or more; there is none"),
        (["a,b,1,3,.9"], {"distances": "bits, sscd"}, r"\(bits, cos\), not 'sscd'"),
        (["a,b,1,3,.9"], {"similarities": "label"}, r"similarities must be among .*, not 'label'"),
        (["a,b,1,few,.9"], {"distances": "bits"}, "line 2: a distance must be .*, not 'few'"),
        (["a,b,1,inf,.9"], {"distances": "bits"}, "line 2: a distance must be .*, not 'inf'"),
        (["a,b,1,3,.9", "b,a,0,3,.9"], {"distances": "bits"}, "line 3: .* has the other label"),
        (["a,b,1,3,.9", "a,a,0,3,.9"], {"distances": "bits"}, "line 3: 'a' is paired with itself"),
        (["a,b,2,3,.9"], {"distances": "bits"}, "line 2: label '2' is not one of"),
    ],
)
def test_what_is_no_table_of_distances_is_refused_by_its_line(tmp_path, rows, named, words):
    with pytest.raises(ValueError, match=words):
        sl.read_distances(theirs(tmp_path, *rows), **named)


def test_labels_are_read_without_a_look_at_pictures(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("reference,query,label\ngone.png,../x.png,Different\n", encoding="utf-8")
    table = read_unchecked(path)
    assert table.to_numpy().tolist() == [["gone.png", "../x.png", 0]]
    assert table.attrs["root"] == str(tmp_path)
