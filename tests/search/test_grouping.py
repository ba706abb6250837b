"""Grouping: linkages, chains, representatives; quality against a naive count of pairs; the choice
of a cut.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from sklearn.metrics import adjusted_rand_score

import simlab as sl
from simlab.search import grouping
from simlab.search.copies import uncompared


def table(*rows, **attrs):
    found = pd.DataFrame(rows, columns=["reference", "query", "distance"])
    found.attrs = attrs
    return found


CHAIN = table(("a", "b", 0.1), ("b", "c", 0.2), ("x", "y", 0.05))


def sets_of(groups):
    return {frozenset(part["file"]) for _, part in groups.groupby("group")}


def test_single_linkage_joins_a_chain_and_says_so():
    groups = sl.group(CHAIN)
    assert sets_of(groups) == {frozenset("abc"), frozenset("xy")}
    chained = groups.groupby("group")["chained"].first()
    assert chained.tolist() == [True, False]


@pytest.mark.parametrize("linkage", ["complete", "average"])
def test_other_linkages_break_the_chain(linkage):
    groups = sl.group(CHAIN, linkage=linkage)
    assert sets_of(groups) == {frozenset("ab"), frozenset("c"), frozenset("xy")}
    assert not groups["chained"].any()


def test_a_closed_triangle_is_no_chain():
    groups = sl.group(table(("a", "b", 0.1), ("b", "c", 0.2), ("a", "c", 0.45)), linkage="complete")
    assert sets_of(groups) == {frozenset("abc")} and not groups["chained"].any()
    assert groups.set_index("file")["distance"].to_dict() == {"a": 0, "b": 0.1, "c": 0.45}


def judged(*rows):
    """Pairs with verdicts: copies are near, look-alikes far."""
    found = pd.DataFrame(rows, columns=["reference", "query", "verdict"])
    return found.assign(distance=np.where(found["verdict"] == "look-alike", 0.999, 0.01))


def test_groups_of_look_alikes_hold_the_copies_of_their_pictures_and_no_others():
    found = judged(
        ("a", "b", "copy"),
        ("b", "c", "look-alike"),
        ("d", "c", "identical"),
        ("x", "y", "copy"),
        ("p", "q", "look-alike"),
    )
    assert sets_of(sl.group(found)) == {frozenset("ab"), frozenset("cd"), frozenset("xy")}
    groups = sl.group(found, of="look-alike")
    assert sets_of(groups) == {frozenset("abcd"), frozenset("pq")}
    assert dict(zip(groups["file"], groups["copy_of"])) == dict(zip("abcdpq", "aaccpq"))
    assert groups["chained"].tolist() == [True] * 4 + [False] * 2
    assert groups["distance"].tolist() == [0, 0.01, 1, 1, 0, 0.999]
    # whatever the index is, and whatever else was found
    again = pd.concat([found, found]).iloc[::-1]
    assert sets_of(sl.group(again, of="look-alike")) == sets_of(groups)
    assert sl.group(found.iloc[:0], of="look-alike").empty
    cut = grouping.choose_cut(found, dict(zip("abcdxy", "111122")))
    assert (cut["n_groups"] >= 3).all()  # no cut joins by a look-alike


def test_a_large_group_of_look_alikes_says_that_it_may_be_partial():
    names = [f"{number:02}" for number in range(grouping.CLOSED + 1)]
    rows = [(first, second, "look-alike") for first, second in itertools.pairwise(names)]
    assert sl.group(judged(*rows), of="look-alike")["partial"].all()
    assert not sl.group(judged(*rows[1:]), of="look-alike")["partial"].any()


def test_what_groups_of_look_alikes_cannot_be_is_refused():
    for options, words in (
        ({"of": "scene"}, "of must be one of copy, look-alike, not 'scene'"),
        ({"of": "look-alike"}, "found must have the columns verdict; missing: verdict"),
        ({"of": "look-alike", "linkage": "complete"}, "takes linkage 'single' and no threshold"),
        ({"of": "look-alike", "threshold": 0.9}, "takes linkage 'single' and no threshold"),
    ):
        with pytest.raises(ValueError, match=words):
            sl.group(CHAIN, **options)


def test_threshold_cuts():
    assert sets_of(sl.group(CHAIN, threshold=0.1)) == {
        frozenset("ab"),
        frozenset("c"),
        frozenset("xy"),
    }
    assert sets_of(sl.group(CHAIN, threshold=0.0)) == {frozenset(name) for name in "abcxy"}
    noted = table(("a", "b", 0.3)).assign(threshold=0.2)
    assert len(sets_of(sl.group(noted))) == 2  # the threshold of the search
    with pytest.raises(ValueError, match="searches with 2 thresholds; name one"):
        sl.group(pd.concat([noted, noted.assign(threshold=0.4)]))


def test_where_nobody_can_tell_the_likelier_is_kept_before_the_larger():
    found = table(("a", "b", 0.1)).assign(keep="", keep_reason="", likelier="a")
    pictures = {"file": ["a", "b"], "pixels": [4, 9], "sharpness": [1, 2]}
    groups = sl.group(found, pictures=pictures)
    assert groups["representative"].tolist() == ["a", "a"]
    assert groups["undecided"].all()
    # what is sure counts before
    groups = sl.group(found.assign(keep="b", keep_reason="it is a part"), pictures=pictures)
    assert groups["representative"].tolist() == ["b", "b"]


def test_representative_is_the_largest_then_the_sharpest():
    pictures = {
        "file": list("abcxyz"),
        "pixels": [5, 9, 9, 1, 1, 7],
        "sharpness": [9, 1, 2, 3, 3, 0],
    }
    groups = sl.group(CHAIN, pictures=pictures)
    assert groups["file"].tolist() == ["c", "b", "a", "x", "y", "z"]
    assert groups["representative"].tolist() == ["c", "c", "c", "x", "x", "z"]
    assert groups["group"].tolist() == [0, 0, 0, 1, 1, 2] and groups["size"].tolist() == [
        3,
        3,
        3,
        2,
        2,
        1,
    ]
    assert groups.set_index("file")["distance"]["a"] == 1  # joined through b, no copy of c


def test_the_order_of_pairs_does_not_matter():
    turned = CHAIN.iloc[::-1].rename(columns={"reference": "query", "query": "reference"})
    pd.testing.assert_frame_equal(sl.group(CHAIN), sl.group(turned))


def test_linkage_table_is_scipys():
    merges = grouping.linkage_table(CHAIN)
    assert list(merges) == ["left", "right", "distance", "size"] and merges.attrs["files"] == list(
        "abcxy"
    )
    assert hierarchy.is_valid_linkage(merges.to_numpy(float))
    assert merges["distance"].tolist() == pytest.approx([0.05, 0.1, 0.2, 1.0])


def by_one_matrix(found, linkage, threshold):
    """Groups by scipy, from the distances of all pairs in one matrix: 1 where no pair was found."""
    files = sorted({*found["reference"], *found["query"]})
    square = np.ones((len(files), len(files)))
    for first, second, distance in found.itertuples(index=False):
        i, j = files.index(first), files.index(second)
        square[i, j] = square[j, i] = min(distance, square[i, j])
    merges = hierarchy.linkage(square[np.triu_indices(len(files), 1)], method=linkage)
    labels = hierarchy.fcluster(merges, threshold, "distance")
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return {frozenset(files[n] for n in part) for part in members}, merges[:, 2]


@pytest.mark.parametrize("linkage", ["single", "complete", "average"])
def test_groups_are_those_of_one_matrix(linkage):
    rng = np.random.default_rng(0)
    for n_pairs in (1, 2, 5, 12, 12, 25, 40):
        i = rng.integers(20, size=n_pairs)
        j = (i + rng.integers(1, 20, size=n_pairs)) % 20
        distance = rng.random(n_pairs)
        distance[: n_pairs // 4] = 0  # identical
        found = table(*zip(map(str, i), map(str, j), distance))
        for threshold in (0.2, 0.6):
            expected, heights = by_one_matrix(found, linkage, threshold)
            assert sets_of(sl.group(found, linkage=linkage, threshold=threshold)) == expected
        merges = grouping.linkage_table(found, linkage=linkage)
        assert np.sort(merges["distance"]) == pytest.approx(np.sort(heights))
        assert hierarchy.is_valid_linkage(merges.to_numpy(float))


@pytest.mark.parametrize("linkage", ["complete", "average"])
def test_one_large_part_is_grouped_as_one_matrix_is(linkage, monkeypatch):
    """The chain of nearest neighbours joins what scipy does, ties too."""
    monkeypatch.setattr(grouping, "CLOSED", 1000)
    rng = np.random.default_rng(1)
    for n_pairs in (400, 9000):
        first, second = rng.integers(200, size=(2, n_pairs))
        is_pair = first != second
        distance = rng.integers(0, 12, n_pairs) / 16
        pairs = zip(map(str, first[is_pair]), map(str, second[is_pair]), distance[is_pair])
        found = table(*pairs)
        expected, heights = by_one_matrix(found, linkage, 0.45)
        assert 10 < len(expected) < 150
        assert sets_of(sl.group(found, linkage=linkage, threshold=0.45)) == expected
        merges = grouping.linkage_table(found, linkage=linkage)
        assert np.sort(merges["distance"]) == pytest.approx(np.sort(heights))


def linked(n, n_each, distance=0.01):
    """Pairs of n pictures, each with some of the others."""
    rng = np.random.default_rng(0)
    pairs = set()
    for first in range(n):
        others = rng.choice(n, n_each, replace=False).tolist()
        pairs |= {(min(first, other), max(first, other)) for other in others if other != first}
    return [(f"{first:04}", f"{second:04}", distance) for first, second in sorted(pairs)]


@pytest.mark.parametrize("n", [90, 1000])
def test_a_large_group_is_one_though_not_all_were_compared(n):
    known = linked(n, 8)
    files = [f"{number:04}" for number in range(n)]
    asked = uncompared(table(*known), [pair[:2] for pair in known], files, with_hubs=True)
    assert 0 < len(asked) < n  # those of one hub
    assert not uncompared(table(*known), [pair[:2] for pair in known], files)
    found = table(*known, *((*pair, 0.02) for pair in asked))
    assert not uncompared(found, zip(found["reference"], found["query"]), files, with_hubs=True)
    for linkage in ("single", "complete", "average"):
        groups = sl.group(found, linkage=linkage)
        assert set(groups["size"]) == {n} and not groups["chained"].any()
        assert set(groups["compared"]) == {len(found)}


def test_in_a_large_group_what_was_compared_and_differs_stays_apart():
    """Two sets of 60 about a hub each, one false pair between them, and every look-alike known."""
    pairs = []
    for first in ("a", "b"):
        pairs += [(f"{first}00", f"{first}{number:02}", 0.01) for number in range(1, 60)]
    found = table(*pairs, ("a07", "b07", 0.3)).assign(verdict="copy")
    for linkage, sizes in (("single", {120}), ("complete", {60}), ("average", {60})):
        assert set(sl.group(found, linkage=linkage)["size"]) == sizes
    # one that the hub takes for a copy, and another picture of the set does not
    unlike = table(("a03", "a05", 0.97)).assign(verdict="look-alike")
    groups = sl.group(pd.concat([found, unlike]), linkage="complete").set_index("file")["group"]
    assert groups["a03"] != groups["a05"] and groups.nunique() == 3


@pytest.mark.parametrize("linkage", ["single", "complete", "average"])
def test_more_pictures_than_one_matrix_holds(linkage):
    """Over 15,000 pictures with a copy, a search once ended in an error; here in pairs and sets of
    three.
    """
    first = np.arange(0, 18_000, 3)
    number = "{:05}".format
    couples = [(number(n), number(n + 1), 0.1) for n in first]
    thirds = [(number(n), number(n + 2), 0.2) for n in first[::20]]
    groups = sl.group(table(*couples, *thirds), linkage=linkage, threshold=0.15)
    assert len(groups) == 12_300 and groups["size"].value_counts().to_dict() == {2: 12_000, 1: 300}


def test_a_chain_longer_than_a_matrix_holds_is_for_single_linkage(monkeypatch):
    monkeypatch.setattr(grouping, "MAX_LINKED", 4)
    chain = table(*((f"{n:03}", f"{n + 1:03}", 0.1) for n in range(500)), ("x", "y", 0.1))
    groups = sl.group(chain)
    assert groups["size"].tolist() == [501] * 501 + [2, 2]
    words = "501 pictures are all linked to each other, more than 4.*'single'.*a lower threshold"
    with pytest.raises(ValueError, match=words):
        sl.group(chain, linkage="complete")


def test_nothing_found():
    groups = sl.group(table(), pictures={"file": ["a", "b"], "pixels": [1, 2], "sharpness": [0, 0]})
    assert sets_of(groups) == {frozenset("a"), frozenset("b")} and not groups["chained"].any()
    assert sl.group(table()).empty


def naive(groups, truth):
    """Pair and B-cubed measures by their definitions, picture by picture and pair by pair."""
    files = list(groups)
    said = {p for p in itertools.combinations(files, 2) if groups[p[0]] == groups[p[1]]}
    true = {p for p in itertools.combinations(files, 2) if truth[p[0]] == truth[p[1]]}
    both = len(said & true)
    mates = {f: {g for g in files if groups[g] == groups[f]} for f in files}
    kin = {f: {g for g in files if truth[g] == truth[f]} for f in files}
    precision = np.mean([len(mates[f] & kin[f]) / len(mates[f]) for f in files])
    recall = np.mean([len(mates[f] & kin[f]) / len(kin[f]) for f in files])
    rand = adjusted_rand_score([truth[f] for f in files], [groups[f] for f in files])
    pair = [both / len(said) if said else np.nan, both / len(true) if true else np.nan]
    pair.append(2 * both / (len(said) + len(true)) if said or true else np.nan)
    return [*pair, precision, recall, 2 * precision * recall / (precision + recall), rand]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=9))
def test_quality_agrees_with_its_definitions(labels):
    groups = {f"f{n}": g for n, (g, _) in enumerate(labels)}
    truth = {f"f{n}": t for n, (_, t) in enumerate(labels)}
    found = grouping.quality(
        pd.DataFrame({"file": list(groups), "group": list(groups.values())}), truth
    )
    np.testing.assert_allclose(found[list(grouping.MEASURES)], naive(groups, truth), atol=1e-12)


def test_a_truth_without_its_columns_is_refused():
    with pytest.raises(
        ValueError, match="truth must have the columns file, source; missing: source"
    ):
        grouping.quality(sl.group(table(("a", "b", 0.1))), pd.DataFrame({"file": ["a"]}))


def test_quality_takes_a_table_and_skips_what_has_no_truth():
    groups = pd.DataFrame({"file": ["a", "b", "c"], "group": [0, 0, 0]})
    assert (
        grouping.quality(groups, pd.DataFrame({"path": ["a", "b"], "source": ["s", "s"]}))[
            "pair_precision"
        ]
        == 1
    )
    with pytest.raises(ValueError, match="names none of them"):
        grouping.quality(groups, {"z": 1})


def test_the_best_cut_is_chosen():
    found = table(("a", "b", 0.1), ("c", "d", 0.2), ("b", "c", 0.6), ("x", "y", 0.9))
    cuts = grouping.choose_cut(found, {"a": 1, "b": 1, "c": 2, "d": 2, "x": 3, "y": 4})
    best = cuts.iloc[0]
    assert best["threshold"] == 0.2 and best["bcubed_f1"] == 1 and best["linkage"] == "single"
    assert set(cuts["linkage"]) == {"single", "complete", "average"}
    groups = sl.group(found, linkage=best["linkage"], threshold=best["threshold"])
    assert sets_of(groups) == {frozenset("ab"), frozenset("cd"), frozenset("x"), frozenset("y")}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"linkage": "ward"}, "linkage must be one of single"),
        ({"threshold": 1}, "threshold must be at least 0"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        sl.group(CHAIN, **options)


def test_bad_tables():
    with pytest.raises(ValueError, match="missing: distance"):
        sl.group(CHAIN.drop(columns="distance"))
    with pytest.raises(ValueError, match="must lie in 0 to 1"):
        sl.group(table(("a", "b", 12.0)))
    with pytest.raises(ValueError, match="must lie in 0 to 1"):
        sl.group(table(("a", "b", "near")))
    for pair in (
        ("a", "a"),
        ("a", None),
        (1, "b"),
    ):  # a pair with itself once changed another pair's distance
        with pytest.raises(ValueError, match="must be two files"):
            sl.group(table(("a", "b", 0.4), (*pair, 0.1)))
    for pictures in ({"file": ["a", "a"]}, {"path": ["a"]}):
        with pytest.raises(ValueError, match="names each picture once"):
            sl.group(CHAIN, pictures=pictures)
    with pytest.raises(ValueError, match="measure must be one of"):
        grouping.choose_cut(CHAIN, {}, measure="f1")


def test_groups_know_where_their_files_are():
    found = pd.DataFrame({"reference": ["a"], "query": ["b"], "distance": [0.1]})
    found.attrs["root"] = "pictures"
    assert sl.group(found).attrs["root"] == "pictures"
    found["verdict"] = "look-alike"
    assert sl.group(found, of="look-alike").attrs["root"] == "pictures"
