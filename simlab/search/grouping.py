"""Groups: found pairs clustered, how well groups agree with the truth, and the cut best by that.

Copies are grouped by their distance, and look-alikes apart from them, by whatever links them. Only
pairs that were found have a distance; any other two pictures are as unlike as can be, 1, unless so
many are linked that not all were compared (:data:`CLOSED`).
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame, Series
from scipy.cluster import hierarchy
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import squareform

from simlab import specs, tables
from simlab.cards import shown
from simlab.paths import Folders, folders_named, lies_in

Linkage = Literal["single", "complete", "average"]
Of = Literal["copy", "look-alike"]
Pictures = DataFrame | Mapping[str, Sequence] | None
"""Files, and what is known of them, as columns; None for those of the pairs alone."""
Truth = DataFrame | Mapping[str, Any]
"""Which source each file shows: a table with file and source, or a dict."""

CLOSED = 50
"""Pictures that found pairs link, up to which a search compares all their pairs.

Of more it compares each with the :func:`hubs`. Not compared does not mean no copy: what is known of
two pictures and a hub stands for what is not known of the two.
"""

_MOST_HUBS = 20

MAX_LINKED = 15_000
"""Most pictures, all linked by pairs, that complete or average linkage clusters, in 3 GB.

Single linkage needs no more than the pairs, and knows no limit.
"""

MEASURES = (
    "pair_precision",
    "pair_recall",
    "pair_f1",
    "bcubed_precision",
    "bcubed_recall",
    "bcubed_f1",
    "adjusted_rand",
)
"""What :func:`quality` says of groups."""

_BATCH = 300  # files of small parts that are clustered in one matrix


@shown
def group(
    found: DataFrame,
    *,
    of: Of = "copy",
    linkage: Linkage = "single",
    threshold: float | None = None,
    pictures: Pictures = None,
    reference: Folders = (),
) -> DataFrame:
    """Return one row per picture with its group: the largest first, its representative at its head.

    Args:
        found: pairs with reference, query and distance (0 to 1), as :func:`simlab.find_copies`
            gives them. A pair that is marked apart joins nothing.
        of: "copy" groups identical pictures and copies only, whatever else the column verdict
            names. "look-alike" gives the similar pictures that one wants to see together: all that
            look-alikes link, and the copies of these, at any distance; each such group holds a pair
            of look-alikes or more.
        linkage: groups are joined at the smallest ("single"), largest ("complete") or mean
            ("average") distance of their pictures. Single linkage joins a and c in a chain a~b~c
            though they are no copies of each other, as two crops of one picture may be; complete
            linkage never does.
        threshold: largest distance at which groups are joined; by default that of the search, which
            the column threshold states, else 0.5.
        pictures: file, pixels (how many) and sharpness, to list pictures without a pair too: each
            is a group of its own. Without it the pictures are those of the pairs, as the columns of
            a search describe them.
        reference: folder or folders whose pictures are kept before all others.

    Returns:
        Columns file; group, from 0; size; keep, true for one file of each group: the one that the
        pairs' column keep names against most of the others, and against which it names the fewest,
        then likewise by likelier, then the largest, then the sharpest; reason, in words; undecided,
        whether nothing says which of a file and the one to keep is better; representative, the file
        to keep; distance, to it;
        compared: how many pairs of the group were, of up to :data:`CLOSED` pictures all; chained:
        whether two of the group were compared and are farther apart than the threshold; of
        look-alikes, whether two are no found pair. Of look-alikes there are two more: copy_of, the
        representative of the file's copies, itself where it has none, so that the rows with file ==
        copy_of show each picture once; and partial, whether the group is so large
        (:data:`CLOSED`) that only candidates were compared, and pictures may be missing.

    Raises:
        ValueError: an unknown linkage, a threshold outside 0 to 1, a missing column, a row that is
            no pair of files, a picture that is there twice, or more than :data:`MAX_LINKED`
            pictures that are linked to each other, with complete or average linkage.

    >>> pairs = pd.DataFrame({"reference": ["a", "b"], "query": ["b", "c"], "distance": [0.1, 0.2]})
    >>> group(pairs)[["file", "group", "chained"]].values.tolist()
    [['a', 0, True], ['b', 0, True], ['c', 0, True]]
    >>> group(pairs, linkage="complete")["group"].tolist()
    [0, 0, 1]
    """
    specs.check_choice("of", of, get_args(Of))
    if of == "look-alike":
        if linkage != "single" or threshold is not None:
            raise ValueError(
                "of='look-alike' joins whatever is linked: it takes linkage 'single' and no"
                f" threshold, not {linkage!r} and {threshold!r}"
            )
        return _below_root(_of_look_alikes(found, pictures, reference), found)
    merges = linkage_table(found, linkage=linkage)
    is_copy = _is_copy(found)
    copies = found[is_copy]
    table = _pictures(copies, pictures)
    threshold = _stated_threshold(copies) if threshold is None else threshold
    table["group"] = _cut(merges, table["file"], threshold)
    table["protected"] = are_protected(table["file"], found, reference)
    is_near = is_copy & (found["distance"] <= threshold).to_numpy()
    return _below_root(_described(table, found, is_near), found)


def _below_root(groups: DataFrame, found: DataFrame) -> DataFrame:
    """The groups, which then know where their files are: figures of them need nothing else."""
    if "root" in found.attrs:
        groups.attrs["root"] = found.attrs["root"]
    return groups


def _is_copy(found: DataFrame) -> ndarray:
    """Which pairs join pictures: no look-alikes, where verdicts tell them, and none apart."""
    is_copy = np.ones(len(found), dtype=bool)
    if "apart" in found:
        is_copy &= ~found["apart"].to_numpy(dtype=bool)
    if "verdict" in found:
        is_copy &= (found["verdict"] != "look-alike").to_numpy()
    return is_copy


def hubs(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return a few that are paired with all the others, or nearly all: those with most pairs first.

    They speak for the others in a group that is too large to compare every pair.

    >>> hubs([("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("d", "f")])
    ['d', 'b']
    """
    near = defaultdict(set)
    for first, second in pairs:
        near[first].add(second)
        near[second].add(first)
    left = set(near)
    chosen = []
    while left and len(chosen) < _MOST_HUBS:
        hub = max(sorted(near), key=lambda one: (len((near[one] | {one}) & left), len(near[one])))
        if chosen and len(near[hub] & left) < len(near) / _MOST_HUBS:
            break  # it would be compared with all for the sake of a few
        chosen.append(hub)
        left -= {hub, *near[hub]}
    return chosen


def _of_look_alikes(
    found: DataFrame,
    pictures: Pictures,
    reference: Folders,
) -> DataFrame:
    """The groups that look-alikes make, together with the copies of their pictures."""
    _check_found(found)
    tables.check_table(found, "found", "verdict")
    found = found.reset_index(drop=True)
    sources = tables.connected_sources(found.assign(label=1))["source_reference"]
    pairs = found[sources.isin(sources[found["verdict"] == "look-alike"])]
    group_of = dict(zip(pairs["reference"], sources[pairs.index]))
    group_of |= dict(zip(pairs["query"], sources[pairs.index]))
    table = _pictures(pairs, pictures)
    # a file without a pair is a group of its own; groups are named by files
    names = [group_of.get(file, file) for file in table["file"]]
    table["group"] = pd.factorize(np.array(names, dtype=object))[0]
    table["protected"] = are_protected(table["file"], found, reference)
    groups = _described(table, pairs, np.ones(len(pairs), dtype=bool))
    copies = group(pairs, reference=reference)
    representative = dict(zip(copies["file"], copies["representative"]))
    groups["copy_of"] = [representative.get(file, file) for file in groups["file"]]
    groups["partial"] = groups["size"] > CLOSED
    return groups


def are_protected(files: Iterable[str], found: DataFrame, reference: Folders) -> list[bool]:
    """Return of each file whether it lies in a folder whose pictures are kept before all others."""
    folders = folders_named(reference)
    if not folders:
        return [False for _ in files]
    root = tables.root_of(found)
    holds = functools.cache(functools.partial(lies_in, folders=folders))
    return [holds((root / file).parent) for file in files]


def _described(table: DataFrame, found: DataFrame, is_near: ndarray) -> DataFrame:
    """The table of groups, from file, group, pixels, sharpness, and protected, of each picture.

    Args:
        is_near: which of the found pairs hold a group together.
    """
    table["size"] = table.groupby("group")["file"].transform("size")
    # empty where no search wrote them
    choice = found.reindex(columns=["keep", "keep_reason", "likelier"]).astype(object).fillna("")
    near = found.assign(**choice)[is_near]
    for column, won, lost in (("keep", "better", "worse"), ("likelier", "likelier", "unlikelier")):
        said = near[near[column] != ""]
        other = said["reference"].where(said[column] == said["query"], said["query"])
        table[won] = table["file"].map(said[column].value_counts()).fillna(0)
        table[lost] = table["file"].map(other.value_counts()).fillna(0)
    signs = ["worse", "better", "unlikelier", "likelier", "pixels", "sharpness"]
    table = table.sort_values(
        ["size", "group", "protected", *signs, "file"],
        ascending=[False, True, False, True, False, True, False, False, False, True],
        ignore_index=True,
    )
    table["group"] = pd.factorize(table["group"])[0]
    table["representative"] = table.groupby("group")["file"].transform("first")
    table["distance"] = _to_representative(found, table)
    table["keep"] = table["file"] == table["representative"]
    table = _reasoned(table, near)
    group_of = table.set_index("file")["group"]
    n_pairs = table["size"] * (table["size"] - 1) // 2
    if "between" in found:  # two pictures of one side were not compared
        n_queries = table["file"].isin(found["query"]).groupby(table["group"]).transform("sum")
        n_pairs = n_queries * (table["size"] - n_queries)
    n_known = table["group"].map(_n_within(found, group_of)).fillna(0).astype(int)
    table["compared"] = n_pairs.where(table["size"] <= CLOSED, n_known)
    n_near = table["group"].map(_n_within(near, group_of)).fillna(0)
    table["chained"] = n_near < table["compared"]
    columns = ["file", "group", "size", "keep", "reason", "undecided"]
    return table[[*columns, "representative", "distance", "compared", "chained"]]


def _reasoned(table: DataFrame, near: DataFrame) -> DataFrame:
    """The table with reason, and undecided, by what was said of each file and the one to keep."""
    pairs = map(frozenset, tables.pairs_of(near))
    said = dict(zip(pairs, zip(near["keep"], near["keep_reason"])))
    reasons = []
    undecided = []
    for file, best, size in zip(table["file"], table["representative"], table["size"]):
        kept, reason = said.get(frozenset((file, best)), ("", _NOT_COMPARED))
        if file == best:
            kept = best
            reason = _BEST if size > 1 else ""
        if kept != best and not reason:
            reason = _NOTHING_SAYS
        undecided.append(kept != best)
        reasons.append(reason)
    table = table.assign(reason=reasons, undecided=undecided)
    # the one to keep is as sure as the surest choice against another
    doubts = table.groupby("group")["undecided"].transform("sum")
    is_doubtful = table["keep"] & (table["size"] > 1) & (doubts == table["size"] - 1)
    return table.assign(undecided=table["undecided"] | is_doubtful)


_BEST = "the others, as far as is said, could be made from it"
_NOT_COMPARED = "no pair of copies with the one to keep"
_NOTHING_SAYS = "nothing says which of the two came first"


def linkage_table(found: DataFrame, *, linkage: Linkage = "single") -> DataFrame:
    """Return the merges as scipy's linkage matrix: left, right, distance, size.

    ``attrs["files"]`` names the leaves. Pictures without a pair are none; what no pair connects is
    joined at distance 1. Pairs whose verdict is "look-alike" are left out.

    Raises:
        ValueError: as :func:`group`.
    """
    specs.check_choice("linkage", linkage, get_args(Linkage))
    _check_found(found)
    is_copy = _is_copy(found)
    copies = found[is_copy]
    files = sorted({*copies["reference"], *copies["query"]})
    links = _links(copies, files)
    n_files = len(files)
    if linkage == "single":
        joins = _spanning(links, n_files)
    else:
        # look-alikes were compared: nothing stands for them
        is_inside = found["reference"].isin(files) & found["query"].isin(files)
        known = found.assign(distance=found["distance"].where(is_copy, 1.0))
        joins = _clustered(_links(known[is_inside], files), n_files, linkage)
    merges = _numbered(joins, n_files)
    table = DataFrame(merges, columns=["left", "right", "distance", "size"])
    table = table.astype({"left": int, "right": int, "size": int})
    table.attrs["files"] = files
    return table


def _check_found(found: DataFrame) -> None:
    tables.check_table(found, "found", "reference, query, distance")
    if not pd.to_numeric(found["distance"], errors="coerce").between(0, 1).all():
        raise ValueError("the distance of every found pair must lie in 0 to 1")
    for pair in tables.pairs_of(found):
        files = {name for name in pair if isinstance(name, str)}
        if len(files) < 2:
            raise ValueError(
                f"reference and query must be two files, as text, in every row, not {pair}"
            )


def _links(found: DataFrame, files: list[str]) -> DataFrame:
    """The found pairs, each once: first, second (numbers of files), their smallest distance."""
    number = {file: n for n, file in enumerate(files)}
    sides = [found[side].map(number).to_numpy(dtype=np.int64) for side in tables.SIDES]
    first, second = np.sort(sides, axis=0)
    distance = found["distance"].to_numpy(dtype=float)
    links = DataFrame({"first": first, "second": second, "distance": distance})
    return links.groupby(["first", "second"], as_index=False)["distance"].min()


def _spanning(links: DataFrame, n_files: int) -> ndarray:
    """What single linkage joins, (m, 3): two files and their distance, a minimum spanning tree."""
    if links.empty:
        return np.zeros((0, 3))
    # by rank, as scipy takes an edge of weight 0 for none
    distances, rank = np.unique(links["distance"], return_inverse=True)
    graph = coo_array((rank + 1.0, (links["first"], links["second"])), shape=(n_files, n_files))
    tree = minimum_spanning_tree(graph).tocoo()
    return np.column_stack([tree.row, tree.col, distances[tree.data.astype(int) - 1]])


def _clustered(links: DataFrame, n_files: int, linkage: Linkage) -> ndarray:
    """What complete or average linkage joins, (m, 3): a file of either side and the distance.

    Files that pairs connect are clustered apart from the others, which are at distance 1 from all
    of them; those of small parts a few hundred at a time.
    """
    near = links[links["distance"] < 1]
    component = tables.components(near[["first", "second"]].to_numpy(), n_files)
    sizes = np.bincount(component, minlength=1)
    if sizes.max() > MAX_LINKED:
        raise ValueError(
            f"{sizes.max():,} pictures are all linked to each other, more than {MAX_LINKED:,}, the"
            f" most that {linkage} linkage can group; take linkage 'single', which knows no limit,"
            " or a lower threshold"
        )
    batch = np.cumsum(sizes) // _BATCH
    is_large = sizes > CLOSED
    batch[is_large] = -1 - np.flatnonzero(is_large)  # each alone
    links = links[component[links["first"]] == component[links["second"]]]
    joins = [np.zeros((0, 3))]
    for number, part in links.groupby(batch[component[links["first"]]]):
        joins.append(_joins_within(part.to_numpy(float), linkage, all_compared=number >= 0))
    return np.concatenate(joins)


def _joins_within(links: ndarray, linkage: Linkage, *, all_compared: bool) -> ndarray:
    """The joins of some files, each cluster named by one of its files."""
    files, ends = np.unique(links[:, :2], return_inverse=True)
    i, j = ends.reshape(-1, 2).T
    apart = np.ones((len(files), len(files)))
    if not all_compared:
        _lessen_by_hubs(apart, i, j, links[:, 2])
    apart[i, j] = links[:, 2]
    apart[j, i] = links[:, 2]
    np.fill_diagonal(apart, 0)
    condensed = squareform(apart)
    del apart  # of the largest groups it holds 2 GB
    speaks_for = files.tolist()  # a file of each cluster
    joins = []
    for left, right, distance, _ in hierarchy.linkage(condensed, linkage):
        joins.append((speaks_for[int(left)], speaks_for[int(right)], distance))
        speaks_for.append(speaks_for[int(left)])
    return np.array([join for join in joins if join[2] < 1]).reshape(-1, 3)


def _lessen_by_hubs(apart: ndarray, i: ndarray, j: ndarray, distance: ndarray) -> None:
    """Set the distance of any two files to the larger of those to a hub.

    Of the hub for which that is smallest; they were compared with all.
    """
    is_near = distance < 1
    chosen = hubs(zip(i[is_near].tolist(), j[is_near].tolist()))
    to_hub = np.ones((len(chosen), len(apart)))
    for place, hub in enumerate(chosen):
        to_hub[place, j[i == hub]] = distance[i == hub]
        to_hub[place, i[j == hub]] = distance[j == hub]
        to_hub[place, hub] = 0
    for file, row in enumerate(apart):
        np.maximum(to_hub[:, [file]], to_hub).min(axis=0, out=row)


def _numbered(joins: ndarray, n_files: int) -> ndarray:
    """Joins of files as scipy's linkage matrix (n - 1, 4); what they leave is joined at 1."""
    far = [(0, file, 1.0) for file in range(1, n_files)]
    nearest_first = joins[np.argsort(joins[:, 2], kind="stable")].tolist()
    clusters = hierarchy.DisjointSet(range(n_files))
    number = list(range(n_files))  # in the matrix, of the cluster that a file speaks for
    merges = []
    for first, second, distance in [*nearest_first, *far]:
        kept = clusters[int(first)]
        joined = clusters[int(second)]
        if clusters.merge(kept, joined):
            left, right = sorted((number[kept], number[joined]))
            merges.append((left, right, distance, clusters.subset_size(kept)))
            number[clusters[kept]] = n_files + len(merges) - 1
    return np.array(merges, dtype=float).reshape(-1, 4)


def _pictures(found: DataFrame, pictures: Pictures) -> DataFrame:
    """File, pixels and sharpness of the pictures that are listed, then of the others in pairs."""
    if pictures is None:
        pictures = {"file": []}
    listed = DataFrame(specs.by_name("pictures", pictures))
    if "file" not in listed or listed["file"].duplicated().any():
        raise ValueError("pictures must have a column file that names each picture once")
    sides = []
    for side in tables.SIDES:
        names = {side: "file", f"pixels_{side}": "pixels", f"sharpness_{side}": "sharpness"}
        # a search notes pixels and sharpness
        sides.append(found[[name for name in names if name in found]].rename(columns=names))
    paired = pd.concat(sides).sort_values("file", kind="stable")
    table = pd.concat([listed.astype({"file": object}), paired])
    table = table.drop_duplicates("file", ignore_index=True)
    table = table.reindex(columns=["file", "pixels", "sharpness"])
    return table.fillna({"pixels": 0, "sharpness": 0.0})


def _stated_threshold(found: DataFrame) -> float:
    stated = found["threshold"].unique() if "threshold" in found else []
    if len(stated) > 1:
        raise ValueError(
            f"found holds searches with {len(stated)} thresholds; name one with threshold="
        )
    return float(stated[0]) if len(stated) else 0.5


def _cut(merges: DataFrame, files: Series, threshold: float) -> ndarray:
    """A number per file: the same for those that are merged at the threshold or below it."""
    specs.check_number("threshold", threshold, 0, 1)
    if threshold == 1:
        raise ValueError(f"threshold must be at least 0 and less than 1, not {threshold!r}")
    leaves = merges.attrs["files"]
    clusters = hierarchy.fcluster(merges.to_numpy(float), threshold, "distance") if leaves else []
    cluster_of = dict(zip(leaves, clusters))
    # a file without a pair is a cluster of its own
    numbers = [cluster_of.get(file, -place - 1) for place, file in enumerate(files)]
    return pd.factorize(np.array(numbers))[0]


def _to_representative(found: DataFrame, table: DataFrame) -> list[float]:
    """The distance of each file to its representative: 1 where the two were not found."""
    pairs = map(frozenset, tables.pairs_of(found))
    distance_of = dict(zip(pairs, found["distance"]))
    distance_of |= {frozenset((file,)): 0.0 for file in table["file"]}
    shown = map(frozenset, zip(table["file"], table["representative"]))
    return [distance_of.get(pair, 1.0) for pair in shown]


def _n_within(pairs: DataFrame, group_of: Series) -> Series:
    """How many of the pairs lie within each group."""
    reference_group = pairs["reference"].map(group_of)
    query_group = pairs["query"].map(group_of)
    return reference_group[reference_group == query_group].value_counts()


def quality(groups: DataFrame, truth: Truth) -> Series:
    """Return how well groups agree with the truth, by :data:`MEASURES`; NaN where undefined.

    Pair measures count the pairs that share a group; B-cubed averages over pictures, so that one
    large group does not outweigh many small ones; the adjusted Rand index is 0 for chance.

    Args:
        groups: file and group, as from :func:`group`.
        truth: file → what it shows; or a table with file (or path) and source. A file of it that no
            row of `groups` names is taken for a group of its own: it was found to be no copy.

    Raises:
        ValueError: no file has a truth.

    Source: A. Bagga, B. Baldwin, "Algorithms for scoring coreference chains", 1998; L. Hubert, P.
    Arabie, "Comparing partitions", 1985.

    >>> groups = pd.DataFrame({"file": list("abc"), "group": [0, 0, 0]})
    >>> quality(groups, {"a": 1, "b": 1, "c": 2})["pair_recall"]
    np.float64(1.0)
    """
    known = _labelled(groups, _truth(truth))
    cells = known.groupby(["group", "truth"]).size()
    n = len(known)
    precision = (cells**2 / cells.groupby(level="group").transform("sum")).sum() / n
    recall = (cells**2 / cells.groupby(level="truth").transform("sum")).sum() / n

    both = _n_pairs(cells)
    said = _n_pairs(known["group"].value_counts())
    true = _n_pairs(known["truth"].value_counts())
    chance = _ratio(said * true, n * (n - 1) / 2)
    rand = 1.0 if both == said == true else _ratio(both - chance, (said + true) / 2 - chance)
    pair = [_ratio(both, said), _ratio(both, true), _ratio(2 * both, said + true)]
    bcubed = [precision, recall, 2 / (1 / precision + 1 / recall)]
    return Series([*pair, *bcubed, rand], index=MEASURES)


def _truth(truth: Truth) -> Mapping[str, Any]:
    if not isinstance(truth, DataFrame):
        return specs.by_name("truth", truth)
    file = "file" if "file" in truth else "path"
    tables.check_table(truth, "truth", [file, "source"])
    return dict(zip(truth[file], truth["source"]))


def _labelled(groups: DataFrame, shows: Mapping[str, Any]) -> DataFrame:
    """Group and truth of each file that has a truth."""
    tables.check_table(groups, "groups", "file, group")
    if len(groups) and not groups["file"].isin(list(shows)).any():
        raise ValueError("truth must name files of the groups; it names none of them")
    numbers = pd.factorize(groups["group"])[0].tolist()
    number_of = dict(zip(groups["file"], numbers))
    rows = []
    for place, (file, truth) in enumerate(shows.items()):
        rows.append((number_of.get(file, -place - 1), truth))
    known = DataFrame(rows, columns=["group", "truth"]).dropna()
    if known.empty:
        raise ValueError("truth must name what a file shows; it names none")
    return known


def _n_pairs(counts: Series) -> float:
    return float((counts * (counts - 1) / 2).sum())


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def choose_cut(
    found: DataFrame,
    truth: Truth,
    *,
    measure: str = "bcubed_f1",
    linkages: Iterable[Linkage] = ("single", "complete", "average"),
    pictures: Pictures = None,
    steps: int = 100,
) -> DataFrame:
    """Return the quality of every cut, the best first.

    The best cut is chosen on these very pictures: report its quality on others. Among equals the
    strictest leads.

    Args:
        found: pairs from a search with a threshold near 1, so that there is something to cut.
        measure: of :data:`MEASURES`, by which a cut is best.
        linkages, pictures: as in :func:`group`.
        steps: most thresholds that are tried for a linkage, quantiles of where it merges.

    Returns:
        Columns linkage, threshold, n_groups, and :data:`MEASURES`.

    Raises:
        ValueError: as :func:`group` and :func:`quality`; an unknown measure.
    """
    specs.check_choice("measure", measure, MEASURES)
    specs.check_count("steps", steps)
    _check_found(found)
    table = _pictures(found[_is_copy(found)], pictures)
    rows = []
    for linkage in specs.names(linkages, "linkages"):
        merges = linkage_table(found, linkage=linkage)
        for threshold in _cuts(merges, steps):
            groups = table.assign(group=_cut(merges, table["file"], threshold))
            n_groups = groups["group"].nunique()
            facts = {"linkage": linkage, "threshold": threshold, "n_groups": n_groups}
            rows.append(facts | quality(groups, truth).to_dict())
    cuts = DataFrame(rows)
    return cuts.sort_values(
        [measure, "threshold"], ascending=[False, True], kind="stable", ignore_index=True
    )


def _cuts(merges: DataFrame, steps: int) -> Iterable[float]:
    """The distances at which clusters merge, or as many quantiles of them as there are steps."""
    heights = merges["distance"][merges["distance"] < 1]
    if heights.empty:
        return [0.5]
    return np.unique(np.quantile(heights, np.linspace(0, 1, steps), method="nearest"))
