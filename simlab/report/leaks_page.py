"""What has leaked into a test set as a folder: tables, and a page that ends in what to do now."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from simlab.messages import counted
from simlab.paths import AnyPath, expanded, relative_root
from simlab.plots.pictures import plot_rows
from simlab.report.files import Run, passed_over, unreadable, versions, whole, write_csv, write_run
from simlab.report.page import Figure, Section, figure_of, next_steps, write_report
from simlab.report.sentences import interval, intervals
from simlab.search.judging import COPY, LOOK_ALIKE
from simlab.search.leaks import LEAKED, UNREADABLE, Leaks
from simlab.tables import root_of

_SHOWN = 6  # most pairs in a figure
_COLUMNS = ["test_file", "train_file", "verdict", "probability", "edit", "agreed"]


def leaks(
    found: Leaks,
    out: AnyPath,
    *,
    root: AnyPath | None = None,
    run: Run | None = None,
) -> Path:
    """Return the path of report.html, after it was written to `out`.

    Beside it: leaks.csv (the pairs), test_pictures.csv, shares.csv and run.json.

    Args:
        found: as from :func:`simlab.find_leaks`.
        root: folder that the paths are relative to; by default ``found.pairs.attrs["root"]``.
        run: how it was made; the root and versions are added.

    Raises:
        ValueError: not one file of the pairs is there.
    """
    if not isinstance(found, Leaks):
        given = type(found).__name__
        raise ValueError(f"found must be what sl.find_leaks returns, not of type {given}")
    root = root_of(found.pairs, root, columns=["test_file", "train_file"])
    facts = found.pairs.attrs
    run = {**(run or {}), "root": relative_root(root, out), "versions": versions()}
    with whole(out, stale=["report.html"]) as folder:
        write_csv(found.pairs, folder / "leaks.csv")
        write_csv(found.pictures, folder / "test_pictures.csv")
        write_csv(found.shares, folder / "shares.csv")
        write_run(run, folder)
        write_report(
            folder / "report.html",
            title="What the test set has in common with the training set",
            lead=lead(found),
            facts=_numbers(found),
            sections=list(_sections(found, root, run.get("command", ""))),
            run=run,
            warnings=facts.get("warnings", ()),
        )
    return expanded(out) / "report.html"


def lead(found: Leaks) -> str:
    """Return how much has leaked, in a sentence or two."""
    leaked = found.shares.iloc[0]
    share = interval(leaked, "share", ".4f")
    alarms = f"{leaked['false_alarms']:.2g}"
    text = (
        f"{leaked['n']:,} of {counted(leaked['n_test'], 'test picture')} are copies of training"
        f" pictures: {share}, 95 % interval by groups of copies."
    )
    if leaked["n"]:
        text += (
            f" By the recipe's own probabilities, about {alarms} of them are expected to be none."
        )
    n_alike = found.shares.set_index("kind").loc[LOOK_ALIKE, "n"]
    if n_alike:
        text += f" Look-alikes are counted apart: {counted(n_alike, 'other test picture')}."
    return text


def _numbers(found: Leaks) -> dict[str, str]:
    n_of = found.shares.set_index("kind")["n"]
    n_unreadable = int(found.pictures["verdict"].eq(UNREADABLE).sum())
    numbers = {
        "test pictures": len(found.pictures) - n_unreadable,
        "leaked": n_of["leaked"],
        "of them identical": n_of["identical"],
        "look-alikes": n_of[LOOK_ALIKE],
        "test pictures that cannot be read": n_unreadable,
    }
    return {name: f"{number:,}" for name, number in numbers.items()}


def _sections(found: Leaks, root: Path, command: str) -> Iterator[Section]:
    shares = intervals(found.shares, "share", ".4f")
    table = found.shares[["kind", "n", "false_alarms"]].assign(share=shares)
    note = "Test pictures by what they are; false_alarms are expected among n."
    text = (
        "Test pictures that are copies of one training picture stand together in an interval; any"
        " other counts by itself, as copies within the test set were not looked for."
    )
    yield Section("How much has leaked", text, tables=[(table, note)])
    pairs = found.pairs
    copies = pairs[pairs["verdict"] == COPY]
    if len(copies):
        text = "Left the training picture. Decide on these first: the others are surer."
        yield Section("The least certain leaks", text, [_figure(copies.tail(_SHOWN), root)])
    alike = pairs[pairs["verdict"] == LOOK_ALIKE]
    if len(alike):
        text = (
            "Much speaks for a copy, and something contradicts it: two shots of a scene, two pages"
            " of one form. They have not leaked as pictures; whether they make the test easier is"
            " for you to say."
        )
        shown = alike.drop_duplicates("test_file").head(_SHOWN)
        yield Section("Look-alikes across the split", text, [_figure(shown, root)])
    if len(pairs):
        note = "Surest first; with every distance in leaks.csv"
        yield Section("All pairs", tables=[(pairs[_COLUMNS], note)])
    yield _left_out(found)
    yield next_steps(_advice(found), [command or "simlab leaks TRAIN TEST --out leaks"])


def _figure(pairs: pd.DataFrame, root: Path) -> Figure:
    rows = pairs.rename(columns={"train_file": "reference", "test_file": "query"})
    notes = [
        f"{row.verdict}, probability {row.probability:.4f}, {row.edit}" for row in rows.itertuples()
    ]
    return figure_of(plot_rows(root, rows, notes), "Pairs", "", dpi=140, page_dpi=110)


def _left_out(found: Leaks) -> Section:
    text = (
        "Only pairs whose hashes or vectors are near, or whose keypoints vote for each other, were"
        " compared by every method: a copy that shares neither is not here. Nothing was changed."
    )
    facts = found.pairs.attrs
    words = f"{text} {passed_over(facts)}"
    return Section("What this leaves out", words, tables=unreadable(facts))


def _advice(found: Leaks) -> str:
    leaked = found.shares.iloc[0]
    if not leaked["n"]:
        return (
            "Nothing is to be removed. Say beside your results that no test picture was found to be"
            f" a copy of a training picture, and that up to {leaked['high']:.2%} of pictures like"
            " these may be (95 %)."
        )
    n_train = found.pairs[found.pairs["verdict"].isin(LEAKED)]["train_file"].nunique()
    clean = leaked["n_test"] - leaked["n"]
    return (
        "1. Look at the least certain leaks. What is none, write into a CSV with the columns"
        " reference, query and label (different), and run the command again with --labels.\n\n"
        f"2. Remove the {counted(n_train, 'training picture')} that leaks.csv names in train_file,"
        " whose verdict is identical or copy, and train again. The test set then stays the one that"
        " others use.\n\n"
        f"3. Where you cannot train again, test on the {counted(clean, 'picture')} of"
        " test_pictures.csv that are not identical or copy, and report both results, with and"
        " without them.\n\n"
        "4. Run the command again: it should find none. Publish the lists, so that others do not"
        " count what you have removed."
    )
