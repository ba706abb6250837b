"""The two tables: what is read is what was written, and nothing is guessed."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simlab import tables
from simlab.methods.registry import columns
from simlab.tables import (
    PAIR_COLUMNS,
    SCORE_COLUMNS,
    check_pairs,
    connected_sources,
    rank_by_hash,
    read_pairs,
    read_scores,
    split_by_source,
)

ROOT = Path(__file__).resolve().parents[1]
HEADER = "reference,query,label\n"
FILES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "sub/e.jpg", "日本.jpg", "NA", "001", "null.jpg")
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=12
)


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


def frame(**columns):
    return pd.DataFrame({"reference": ["a"], "query": ["b"], "label": [1], **columns})


# --- pair tables


def test_a_pair_table_is_completed_in_order_and_left_alone():
    given_ = pd.DataFrame(
        {"note": ["x", "y"], "label": [1, 0], "query": ["b", "c"], "reference": ["a", "a"]},
        index=[7, 3],
    )
    copy = given_.copy()
    pairs = check_pairs(given_)
    assert list(pairs) == [*PAIR_COLUMNS, "note"] and pairs.index.tolist() == [7, 3]
    assert pairs["perturbation"].tolist() == ["", ""] and pairs["seed"].tolist() == [0, 0]
    assert pairs["weight"].tolist() == [1, 1] and pairs["source_query"].tolist() == ["a", "c"]
    pd.testing.assert_frame_equal(given_, copy)
    pd.testing.assert_frame_equal(check_pairs(pairs), pairs)


def test_types_are_settled():
    loose = frame(label=[True], seed=[3.0], weight=["0.5"], perturbation=[None])
    types = check_pairs(loose).dtypes
    assert types["seed"] == types["label"] == np.int64 and types["weight"] == np.float64
    assert all(
        types[name] == np.dtype("O") for name in ("reference", "perturbation", "source_query")
    )


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (frame().drop(columns="query"), "missing: query"),
        (pd.DataFrame(), "missing: reference, query, label"),
        (frame(label=[2]), "label must be 1"),
        (frame(label=["1"]), "label must be 1"),
        (frame(label=[None]), "label must be 1"),
        (frame(label=[0.5]), "label must be 1"),
        (frame(query=[None]), "query must be a path, as text, in every row, not None"),
        (frame(query=[""]), "query must be a path"),
        (frame(reference=[1]), "reference must be a path, as text, in every row, not 1"),
        (frame(weight=[-1]), "weight must be"),
        (frame(weight=[np.inf]), "weight must be"),
        (frame(weight=["heavy"]), "weight must be"),
        (frame(seed=[1.5]), "seed must be a whole number"),
        (frame(seed=["x"]), "seed must be a whole number"),
        (frame(seed=[10**20]), "seed must be a whole number of at most 63 bits"),
        (frame(source_reference=["x"]), "must both be there"),
        (frame(source_reference=["x"], source_query=[""]), "name a source in every row"),
        (frame(source_reference=["x"], source_query=[None]), "name a source in every row"),
    ],
)
def test_wrong_pair_tables_are_refused(pairs, words):
    with pytest.raises(ValueError, match=words):
        check_pairs(pairs)


def test_an_empty_pair_table_is_one():
    pairs = check_pairs(frame().iloc[:0])
    assert len(pairs) == 0 and list(pairs) == list(PAIR_COLUMNS)


# --- labelled pairs


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


@pytest.mark.parametrize("word", tables.LABELS)
def test_every_word_for_a_label(word, read):
    assert read(HEADER + f"a.jpg,b.jpg,{word.upper()}\n")["label"].tolist() == [tables.LABELS[word]]


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
            r"labels\.csv: the first line must name reference, query and label, each once; found: nothing",
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


# --- sources


def test_connected_sources_by_hand():
    pairs = pd.DataFrame(
        [("d", "c", 1), ("c", "b", 1), ("x", "y", 0), ("x", "z", 1), ("p", "q", 0)],
        columns=["reference", "query", "label"],
    )
    found = connected_sources(pairs)
    assert found["source_reference"].tolist() == ["b", "b", "x", "x", "p"]
    assert found["source_query"].tolist() == ["b", "b", "y", "x", "q"]
    joined = connected_sources(
        pairs, {"q": "same", "y": "same", "p": "other", "not in the table": "same"}
    )
    assert joined["source_query"].tolist() == ["b", "b", "q", "x", "q"]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 1)), min_size=1, max_size=15
    )
)
def test_connected_sources_against_a_slow_one(edges):
    pairs = pd.DataFrame(edges, columns=["reference", "query", "label"]).astype(
        {"reference": str, "query": str}
    )
    found = connected_sources(pairs)
    name = {file: file for file in [*pairs["reference"], *pairs["query"]]}
    for _ in range(20):
        for reference, query, label in pairs.itertuples(index=False):
            if label:
                name[reference] = name[query] = min(name[reference], name[query])
    assert found["source_reference"].tolist() == [name[file] for file in pairs["reference"]]
    assert found["source_query"].tolist() == [name[file] for file in pairs["query"]]


def many(n=40):
    rng = np.random.default_rng(0)
    i, j = rng.integers(0, n, (2, 400))
    return check_pairs(
        pd.DataFrame(
            {
                "reference": [f"{a}.jpg" for a in i],
                "query": [f"{b}-x.jpg" for b in j],
                "label": (i == j).astype(int),
                "source_reference": [f"s{a}" for a in i],
                "source_query": [f"s{b}" for b in j],
            }
        )
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_split_by_source_has_no_source_on_both_sides(share):
    pairs = many()
    first, second = split_by_source(pairs, share, seed=3)
    sources = [
        set(side["source_reference"]) | set(side["source_query"]) for side in (first, second)
    ]
    assert len(first) and len(second) and not sources[0] & sources[1]
    assert abs(len(sources[0]) - share * 40) <= 3
    again = split_by_source(pairs.sample(frac=1, random_state=1), share, seed=3)
    assert set(again[0].index) == set(first.index) and set(again[1].index) == set(second.index)
    assert set(split_by_source(pairs, share, seed=4)[0].index) != set(first.index)


@pytest.mark.parametrize("share", [0, 1, -0.5, 2, float("nan")])
def test_split_by_source_refuses_other_shares(share):
    with pytest.raises(ValueError, match="share must be between 0 and 1"):
        split_by_source(many(), share)


def test_split_by_source_refuses_an_empty_side():
    with pytest.raises(ValueError, match="2 sources cannot be split"):
        split_by_source(check_pairs(frame(label=[0])), 0.1)


@settings(max_examples=50)
@given(st.sets(NAMES, min_size=1, max_size=20), st.integers(0, 5))
def test_rank_by_hash_depends_on_names_and_seed_only(names, seed):
    ranked = rank_by_hash(sorted(names), seed)
    assert sorted(ranked) == sorted(names) and ranked == rank_by_hash(
        sorted(names, reverse=True), seed
    )


def test_rank_by_hash_is_frozen_in_every_process():
    names = ["a.jpg", "b.jpg", "日本.jpg", "c/d.png", "\udce9.jpg"]
    expected = ["日本.jpg", "b.jpg", "\udce9.jpg", "c/d.png", "a.jpg"]
    assert rank_by_hash(names, 0) == expected != rank_by_hash(names, 1)
    script = f"from simlab.tables import rank_by_hash; print(ascii(rank_by_hash({names!a}, 0)))"
    for seed in ("0", "7"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert run.stdout.strip() == ascii(expected)


def test_a_new_name_leaves_the_order_of_the_others():
    names = [f"{n}.jpg" for n in range(50)]
    ranked = rank_by_hash([*names, "new.jpg"], 5)
    assert [name for name in ranked if name != "new.jpg"] == rank_by_hash(names, 5)


# --- score tables


def scores_of(names, n_methods=2):
    n = len(names)
    rng = np.random.default_rng(1)
    pairs = check_pairs(
        pd.DataFrame(
            {"reference": names, "query": names[::-1], "label": [0] * n, "extra": range(n)}
        )
    )
    scores = pairs.assign(status="ok", error="", no_evidence="")
    for m in range(n_methods):
        scores[f"phash(hash_size={2 + m})"] = rng.random(n) * 10.0 ** rng.integers(-3, 4, n)
    return scores


@settings(max_examples=25)
@given(
    st.lists(
        NAMES.filter(lambda name: not name.startswith("'")), min_size=2, max_size=6, unique=True
    )
)
def test_a_score_table_survives_its_csv(tmp_path_factory, names):
    scores = scores_of(names)
    scores.iloc[0, -2:] = np.nan
    scores.loc[scores.index[0], ["status", "error"]] = "error", "query: no such file"
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    path.write_text(scores.to_csv(index=False, lineterminator="\n"), encoding="utf-8", newline="")
    back = read_scores(path)
    pd.testing.assert_frame_equal(back, scores, check_exact=True, check_dtype=False)
    assert columns(back) == ["phash(hash_size=2)", "phash(hash_size=3)"]
    assert back.dtypes.iloc[-2:].tolist() == [float, float]


def test_names_that_look_like_something_else_stay_text(tmp_path):
    names = [
        "NA",
        "nan",
        "null",
        "None",
        "",
        "001",
        "1e5",
        "1.50",
        "True",
        "-",
        "=1+1",
        "inf",
        "2020-01-01",
        " x ",
    ]
    scores = scores_of([name or "x" for name in names])
    scores["no_evidence"] = ["", "NA", "null", *[""] * 11]
    scores.to_csv(tmp_path / "scores.csv", index=False)
    back = read_scores(tmp_path / "scores.csv")
    for column in (
        "reference",
        "query",
        "source_reference",
        "source_query",
        "no_evidence",
        "error",
        "perturbation",
    ):
        assert back[column].tolist() == scores[column].tolist()


def test_a_row_without_distances_has_nan_in_every_method(tmp_path):
    scores = scores_of(["a", "b", "c"], n_methods=1)
    scores.iloc[1, -1] = np.nan
    scores.to_csv(tmp_path / "scores.csv", index=False)
    back = read_scores(tmp_path / "scores.csv")
    assert back.iloc[:, -1].isna().tolist() == [False, True, False]
    assert back.iloc[[0, 2], -1].tolist() == scores.iloc[[0, 2], -1].tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read the score table"),
        ("", "cannot read the score table"),
        ("a,b\n1,2\n", "is not a score table; missing columns: reference, query"),
        (",".join(SCORE_COLUMNS[:-1]) + "\n", "missing columns: no_evidence"),
        (b"\xff\xfe\x00\x01", "cannot read the score table"),
        (",".join(SCORE_COLUMNS) + '\n"never closed', "cannot read the score table"),
    ],
)
def test_other_files_are_no_score_tables(content, words, tmp_path):
    path = tmp_path / "scores.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=words):
        read_scores(path)


def test_a_table_says_where_its_pictures_are_by_the_run_beside_it(tmp_path):
    made = tmp_path / "out"
    made.mkdir()
    scores_of(["a", "b"]).to_csv(made / "scores.csv", index=False)
    assert not read_scores(made / "scores.csv").attrs
    for text in ("no JSON", "[]", '{"root": 1, "methods": "phash"}'):
        (made / "run.json").write_text(text)
        assert not read_scores(made / "scores.csv").attrs
    (made / "run.json").write_text('{"root": "../pictures", "methods": ["phash(hash_size=2)"]}')
    noted = read_scores(made / "scores.csv").attrs
    assert os.path.normpath(noted["root"]) == os.path.realpath(tmp_path / "pictures")
    assert noted["methods"] == ["phash(hash_size=2)"]
