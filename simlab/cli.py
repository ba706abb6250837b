"""The ``simlab`` command: each verb is a few lines over the public names.

Heavy modules are imported inside the verbs, so that ``simlab --help`` answers at once.
"""

import contextlib
import gc
import importlib.util
import inspect
import os
import shlex
import shutil
import signal
import sys
import webbrowser
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import simlab as sl
from simlab import specs
from simlab.messages import counted, in_bytes
from simlab.paths import (
    check_replaced,
    expanded,
    folder_to_write,
    folders_named,
    identity_of,
    lies_in,
    relative_root,
)

if TYPE_CHECKING:
    import pandas as pd

LINKAGES = ("single", "average", "complete")
"""How groups are joined; those of :data:`simlab.grouping.Linkage`, which is heavy to import."""

BE = ("strict", "normal", "lenient")
"""The largest distance of a copy in words; those of :data:`simlab.search.judging.BE`."""


WRITTEN = (
    "found.csv",
    "groups.csv",
    "leaks.csv",
    "lookalikes.csv",
    "pairs.csv",
    "plan.csv",
    "recipe.json",
    "run.json",
    "scores.csv",
    "shares.csv",
    "test_pictures.csv",
)
"""What a verb may write into its folder, beside ``figures`` and what is told of these (see
:data:`simlab.report.files.TOLD`): no input has such a name there."""

EXAMPLES: dict[str, tuple[str, str]] = {
    "study": (
        "simlab study --out study",
        'simlab study ~/Pictures --out study --methods "phash, dhash, akaze" --sources 200',
    ),
    "evaluate": (
        "simlab evaluate labels.csv --out measured",
        'simlab evaluate labels.csv --root ~/Pictures --methods "phash, akaze" --out measured',
    ),
    "tune": (
        "simlab tune labels.csv --out tuned",
        'simlab tune labels.csv --methods "phash, correlation, aligned" --out tuned',
    ),
    "find": (
        "simlab find ~/Pictures --out found",
        "simlab find ~/Pictures --query one.jpg two.jpg --be strict --out found",
    ),
    "leaks": (
        "simlab leaks data/train data/test --out leaks",
        "simlab leaks data/train data/test --labels judged.csv --be strict --out leaks",
    ),
    "move": (
        "simlab move found/plan.csv --to found/dropped        (add --yes to move)",
        "simlab move --undo found/dropped/journal-1.csv",
    ),
    "features": (
        "simlab features ~/Pictures --out features.csv",
        'simlab features ~/Pictures --methods "phash(hash_size=16), akaze" --out features.csv',
    ),
    "verify": ("simlab verify study", "simlab verify tuned --seed 1"),
    "methods": ("simlab methods", "simlab methods --methods-file networks.toml"),
    "perturbations": ("simlab perturbations", "simlab perturbations | grep crop"),
}
"""Of each verb two uses, which its help ends with."""

FEATURES_BEGIN = b"file,status,error"
"""How the table of ``simlab features`` begins; only such a file is replaced by another."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return the exit status: 0 done, 1 could not, 2 wrong use, 130 stopped."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files: no window, no display needed
    if sys.stderr is None:
        # closed: a file that is opened next would take what libraries write there
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    # what a run makes lives as long as it does: searched for cycles less often, it takes less time
    gc.set_threshold(50_000)
    options = _parser().parse_args(arguments)
    options.command = _typed(*(sys.argv[1:] if arguments is None else arguments))
    try:
        with _stoppable():
            _check_numbers(options)
            if getattr(options, "methods_file", None):
                sl.methods.from_file(options.methods_file)
            options.verb(options)
    except KeyboardInterrupt:
        _say("\nstopped; what is finished is in the cache, the same command goes on from there")
        return 130
    except BrokenPipeError:  # who reads our output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError) as error:
        _say(f"simlab: {_printable(str(error))}")
        return 1
    return 0


def study(options: Namespace) -> None:
    """Compare methods on the variants of pictures: tables, figures and a report in `--out`."""
    out = folder_to_write(options.out)
    images = _images(options)
    _check_pictures(out, images)
    pairs = sl.make_pairs(
        images,
        options.perturbations,
        negatives=options.negatives,
        design=options.design,
        seed=options.seed,
    )
    names = [method.name for method in sl.methods.resolve(options.methods)]
    with sl.cache.Cache(options.cache) as cache:
        audit = sl.audit_sources(images, cache=cache, n_jobs=options.jobs, progress=False)
        _say(sl.scoring.preview(pairs, names, n_jobs=options.jobs))
        scores = sl.score_pairs(pairs, names, cache=cache, n_jobs=options.jobs)
    run = _run(options, names, images) | {"inputs": sl.features.digests(images)}
    page = {"last": [sl.report.next_steps(*_after_study(options))]}
    page["example"] = None if options.images else "cat.jpg"  # of the sample
    if len(names) > 1:
        page |= _join(scores, names, options.seed)
    report = sl.report.study(scores, out, audit=audit, run=run, **page)
    timings = sl.scoring.timings(images, names)
    with sl.report.whole(out) as folder:
        sl.report.write_csv(timings, folder / "timings.csv")
    for row in timings.itertuples():
        each = f"{row.ms_picture:.1f} ms a picture, {row.ms_pair:.3f} ms a pair"
        _say(f"{row.method}: {each} ({row.megapixels:.2g} megapixels)")
    _say(f"report: {report}")


def _join(scores: "pd.DataFrame", names: list[str], seed: int) -> dict:
    """Put what the methods say together beside them, in the table, and why not on the page."""
    try:
        ensemble = sl.Ensemble(names, seed=seed).fit(scores)
    except ValueError as error:
        words = f"No ensemble of the methods could be fitted to these pictures: {error}."
        return {"first": [sl.report.Section("All methods together", words)]}
    scores["ensemble"] = ensemble.out_of_fold_["ensemble"]
    return {"joined": sl.report.tuned(ensemble)}


def _after_study(options: Namespace) -> tuple[str, list[str]]:
    """What to do with a study, and the commands."""
    folder = options.images or "FOLDER"
    words = (
        "These copies were made. To find those that are there, search; the page of a search shows"
        " each group, which file to keep, and why.\n\nBefore a threshold is trusted, label some"
        " pairs of your own (notebook 12, or any CSV with reference, query and label), measure the"
        " methods on them, and fit an ensemble.\n\nWhat each method takes in"
        " milliseconds of one processor core, a picture and a pair, is in timings.csv beside this"
        " page. It was measured in this run, and no two runs give the same."
    )
    return words, [
        _typed("find", folder, "--out", "found"),
        _typed("evaluate", "labels.csv", "--root", folder, "--out", "measured"),
        _typed("tune", "labels.csv", "--root", folder, "--out", "tuned"),
    ]


def _after_tune(out: Path) -> tuple[str, list[str]]:
    """What to do with a recipe, and the command."""
    recipe = out / "recipe.json"
    words = f"The recipe is {recipe}. Search with it:"
    return words, [_typed("find", "FOLDER", "--recipe", str(recipe), "--out", "found")]


def evaluate(options: Namespace) -> None:
    """Measure methods on labelled pairs: metrics, thresholds, figures and a report in `--out`."""
    page = {"title": "Which method tells your copies"}
    if options.distances or options.similarities:
        out, scores, run = _read_scores(options)
        said = sl.report.sentences.what_was_read(scores, options.similarities)
        _say(said)
        page["first"] = [sl.report.Section("What was read", said)]
        page |= {"methods": run["arguments"]["methods"], "pictures": False}
        page["last"] = [sl.report.next_steps(*_after_distances(options))]
    else:
        out, scores, run = _score_labels(options)
        page["last"] = [sl.report.next_steps(*_after_evaluate(options))]
    _say(f"report: {sl.report.study(scores, out, run=run, **page)}")


def _after_distances(options: Namespace) -> tuple[str, list[str]]:
    """What to do with what others measured, and the command."""
    words = "Where the pictures are at hand, measure the methods of simlab on the same pairs:"
    return words, [_typed("evaluate", options.labels, "--root", "FOLDER", "--out", "measured")]


def _after_evaluate(options: Namespace) -> tuple[str, list[str]]:
    """What to do with labels, and the command."""
    words = "Fit an ensemble on the same pairs: it weighs the methods, and its recipe searches."
    root = ["--root", options.root] if options.root else []
    return words, [_typed("tune", options.labels, "--out", "tuned", *root)]


def _read_scores(options: Namespace) -> "tuple[Path, pd.DataFrame, dict]":
    """What another tool measured; the pictures stay where they are."""
    if options.methods or options.root:
        raise ValueError("--distances and --similarities read no pictures: no --methods or --root")
    out = folder_to_write(options.out)
    _check_kept(out, [options.labels])
    given = {"similarities": options.similarities, "encoding": options.encoding}
    scores = sl.read_distances(options.labels, options.distances, **given)
    return out, scores, _run(options, [*options.distances, *options.similarities])


def tune(options: Namespace) -> None:
    """Fit an ensemble on labelled pairs: recipe.json, and a report on it, out of fold."""
    shipped = sl.Ensemble.load()
    # few people have labelled look-alikes: of the default methods the guard stays as it ships
    is_guarded = options.methods is None
    options.methods = options.methods or ", ".join(shipped.methods_)
    out, scores, run = _score_labels(options)
    weighed = shipped.voting_ if is_guarded else run["arguments"]["methods"]
    fitted = sl.Ensemble(weighed, seed=options.seed).fit(scores)
    ensemble = fitted.guarded_as(shipped) if is_guarded else fitted
    with sl.report.whole(out) as folder:
        ensemble.save(folder / "recipe.json")
    _say(fitted.report_)
    scores["ensemble"] = ensemble.out_of_fold_["ensemble"]
    page = {"title": "What the methods do together", "first": sl.report.tuned(fitted)}
    page["seed"] = options.seed  # so that the ranking and the ensemble's own verdict are the same
    page["last"] = [sl.report.next_steps(*_after_tune(out))]
    _say(f"report: {sl.report.study(scores, out, run=run, **page)}")


def find(options: Namespace) -> None:
    """List copies and look-alikes among pictures, or of `--query`: tables, a report in `--out`."""
    if options.methods:
        raise ValueError(
            "--methods: a search uses those of its recipe; simlab tune makes one of other methods"
        )
    out = folder_to_write(options.out)
    queries = options.query or []
    _check_kept(out, [options.recipe, options.labels, *queries])
    recipe = sl.Ensemble.load(options.recipe)
    _part_sides(options)
    images = _with_references(_images(options), options)
    _check_pictures(out, images)
    for folder in filter(os.path.isdir, [options.between or "", *queries]):
        _check_pictures(out, sl.datasets.as_table(folder, any_name=options.any_name))
    search = {"queries": options.query, "threshold": options.threshold, "n_jobs": options.jobs}
    search |= {"between": options.between, "labels": _judged(options), "any_name": options.any_name}
    found = sl.find_copies(images, recipe, cache=options.cache, **search)
    run = _run(options, list(recipe.methods_), images)
    run |= _labels_used(found)
    root = relative_root(found.attrs["root"], out)
    # what was found is kept, whatever fails from here on, and no groups of other pairs beside it
    told = ["groups.csv", "lookalikes.csv", "plan.csv", "report.html"]
    with sl.report.whole(out, stale=told) as folder:
        sl.report.write_csv(found, folder / "found.csv")
        warnings = found.attrs["warnings"]
        sl.report.files.write_run(run | {"root": root, "warnings": warnings}, folder)
    for warning in warnings:
        _say(f"warning: {warning}")
    try:
        groups = sl.group(found, linkage=options.linkage, reference=options.reference)
    except ValueError as error:
        raise ValueError(f"the pairs are in {out / 'found.csv'}, but no groups: {error}") from error
    plan = sl.make_plan(found, groups, reference=options.reference)
    shown = {"cache": options.cache, "page": not options.no_report}
    page = sl.report.found(found, groups, out, plan=plan, run=run, **shown)
    _say_what_was_found(found, plan)
    if not options.no_report:
        _say_line(f"page: {page}")
    _say_what_is_next(plan, out, has_page=not options.no_report)
    if options.open:
        webbrowser.open(page.resolve().as_uri())


def _labels_used(found: "pd.DataFrame") -> dict:
    """What run.json says of the labels of a search, which is said here too."""
    labels = found.attrs.get("labels")
    if not labels:
        return {}
    copies = counted(labels["copy"], "copy", "copies")
    elsewhere = f"{labels['elsewhere']:,} name no two pictures of this search"
    _say(f"labels: {copies}, {labels['different']:,} different; {elsewhere}")
    return {"labels": labels}


def _say_what_was_found(found: "pd.DataFrame", plan: "pd.DataFrame") -> None:
    facts = found.attrs
    pictures = counted(len(facts["pictures"]["file"]), "picture")
    _say(f"{sl.report.answer(plan) or 'no copies'} (of {pictures})")
    n_lookalikes = int(found["verdict"].eq("look-alike").sum())
    if n_lookalikes:
        _say(f"{counted(n_lookalikes, 'pair')} of look-alikes, which are no copies")
    left_out = [sl.images.in_words(facts["passed_over"])] if facts.get("passed_over") else []
    if facts["errors"]:
        left_out.append(f"{counted(len(facts['errors']), 'picture')} that cannot be read")
    if left_out:
        _say_line(f"passed over: {' and '.join(left_out)}")


def _say_what_is_next(plan: "pd.DataFrame", out: Path, *, has_page: bool) -> None:
    _say_line(f"tables: {out}")
    if plan.empty:
        return
    move = _typed("move", str(out / "plan.csv"), "--to", "DIR")
    if has_page:
        _say("next: look through the groups in the page, which writes a plan of what you decide")
    _say_line(f"next: {move} : it says what this plan would move, and moves nothing yet")


def _judged(options: Namespace) -> "pd.DataFrame | None":
    """What people said of pairs, where `--labels` names it."""
    from simlab.pairs.labels import read_unchecked

    if options.labels is None:
        return None
    return read_unchecked(options.labels, encoding=options.encoding)


def _part_sides(options: Namespace) -> None:
    """Let `images` name one folder, and `between` the other where there are two."""
    n_wanted = 2 if options.between else 1
    if len(options.images) != n_wanted:
        raise ValueError(
            f"IMAGES must be one folder, or two with --between; given {len(options.images)}"
        )
    options.images, *others = options.images
    options.between = others[0] if others else None


def leaks(options: Namespace) -> None:
    """List the test pictures that are copies of training pictures, and their share, in `--out`."""
    out = folder_to_write(options.out)
    _check_kept(out, [options.recipe, options.labels])
    recipe = sl.Ensemble.load(options.recipe)
    sides = []
    for folder in (options.train, options.test):
        options.images = folder
        side = _images(options)
        _check_pictures(out, side)
        sides.append(side)
    search = {"labels": _judged(options), "threshold": options.threshold, "n_jobs": options.jobs}
    found = sl.find_leaks(*sides, recipe, cache=options.cache, **search)
    del options.images  # the last of the two; run.json names both
    run = _run(options, list(recipe.methods_)) | {"labels": found.pairs.attrs.get("labels")}
    report = sl.report.leaks(found, out, run=run)
    _say(f"{sl.report.leaks_page.lead(found)} report: {report}")


def move(options: Namespace) -> None:
    """Move the files that a plan drops to another folder, or bring them back."""
    if options.undo is not None:
        if options.plan is not None or options.to is not None:
            raise ValueError("--undo takes a journal, and neither a plan nor --to")
        _undo(options)
        return
    if options.plan is None or options.to is None:
        raise ValueError("name a plan.csv and a folder (--to DIR), or a journal (--undo JOURNAL)")
    plan = sl.moving.read_plan(options.plan, root=options.root)
    sl.moving.check_folder(plan, options.to)
    if not options.yes:
        _preview(plan, options)
        return
    moved = sl.moving.move(plan, options.to, companions=options.companions)
    gone = [file for file, reason in moved.left.items() if reason == sl.moving.GONE]
    stay = _say_left({file: moved.left[file] for file in moved.left if file not in gone})
    if gone:
        _say(f"{counted(len(gone), 'file')} of the plan moved before, or gone")
    _say_line(f"{counted(len(moved.files), 'file')} moved to {options.to}")
    if moved.files:
        undo = _typed("move", "--undo", str(moved.journal))
        _say_line(f"to bring them back, type:  {undo}")
    if stay:
        raise ValueError(f"{counted(stay, 'file')} not moved; see above")


def _preview(plan: "sl.moving.Plan", options: Namespace) -> None:
    """Say what would move, and what to type so that it does."""
    would = sl.moving.preview(plan, companions=options.companions)
    _say_left(would.left)
    fate = "moves along" if options.companions else "stays; --companions moves it along"
    for name in would.companions:
        _say_line(f"{name}: beside a picture that goes; {fate}")
    files = f"{counted(would.n_files, 'file')} ({in_bytes(would.n_bytes)})"
    _say_line(f"{files} of {plan.root} would move to {options.to}; nothing has moved yet")
    if would.n_files:
        _say_line(f"to move, type:  {options.command} --yes")


def _undo(options: Namespace) -> None:
    undone = sl.moving.undo(options.undo, root=options.root)
    for name, path in undone.renamed.items():
        _say_line(f"{name}: the name is taken; it is {path.name} now")
    stay = _say_left(undone.left)
    there = f"{len(undone.there):,} were there" if undone.there else ""
    _say("; ".join(filter(None, [f"{counted(len(undone.back), 'file')} brought back", there])))
    if stay:
        raise ValueError(f"{counted(stay, 'file')} not brought back; see above")


def _say_left(left: Mapping[str | Path, str]) -> int:
    """Say why files stay where they are; returned is how many."""
    for file, reason in left.items():
        _say_line(f"{file}: {reason}")
    return len(left)


def features(options: Namespace) -> None:
    """Write one row per picture: status, error and each method's feature."""
    target = expanded(options.out)
    if target.is_dir():
        raise ValueError(f"--out must be a file, such as features.csv; {str(target)!r} is a folder")
    check_replaced(target, FEATURES_BEGIN, "table of features")
    folder_to_write(target.parent)
    methods = [method.name for method in sl.methods.resolve(options.methods)]
    table = sl.features.describe(
        _images(options), methods, cache=options.cache, n_jobs=options.jobs
    )
    with sl.report.whole(target.parent) as folder:
        sl.report.write_csv(table, folder / target.name)
    n_unreadable = int(table["status"].eq("error").sum())
    _say(f"{counted(len(table), 'picture')}, {n_unreadable:,} unreadable: {target}")


def methods(options: Namespace) -> None:
    """Print a line per method: how it is written, its distances, and what its feature is."""
    for name, definition in sl.methods.REGISTRY.items():
        try:
            method = sl.methods.get(name)
        except ValueError as error:  # its package is not installed
            print(f"{name}  {error}")
            continue
        # of methods that share a feature only the first is told by it
        told = definition.extract
        if definition.feature != name:
            told = definition.distance
        largest = f"0 to {method.maximum:g} {method.unit}".strip()
        print(f"{method.key}  {largest}: {_summary(told)}")


def perturbations(options: Namespace) -> None:
    """Print a line per perturbation: how it is written, and what it does; then the presets."""
    for name, known in sl.perturb.REGISTRY.items():
        spec = specs.complete(name, specs.defaults_of(known.function))
        print(f"{spec}  {_summary(known.function)}")
    for preset, members in sl.perturb.PRESETS.items():
        print(f"{preset}  a preset of {counted(len(members), 'perturbation')}")


def _summary(function: Callable) -> str:
    """What a function returns, in the words of its docstring's first line."""
    first, *_ = (inspect.getdoc(function) or "of your own").splitlines()
    return first.removeprefix("Return ")


def verify(options: Namespace) -> None:
    """Score a sample of a study again, and list what has drifted; the status is 1 if any has."""
    drift = sl.report.verify(
        options.study,
        root=options.root,
        n_pairs=options.pairs,
        seed=options.seed,
        n_jobs=options.jobs,
    )
    for row in drift.itertuples():
        _say_line(f"{row.what} {row.name}: {row.drift}")
    if len(drift):
        raise ValueError(f"{options.study} no longer holds; see above")
    pairs = counted(options.pairs, "pair")
    _say(
        f"{options.study} holds: versions, pictures and distances of up to {pairs} are as they were"
    )


def default_cache() -> Path:
    """Return the file that keeps features: in ``SIMLAB_CACHE``, else in the user's cache folder."""
    import pooch

    folder = os.environ.get("SIMLAB_CACHE") or pooch.os_cache("simlab")
    return expanded(folder) / "cache.sqlite"


class _Parser(ArgumentParser):
    """A parser whose errors are one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(
            2, _printable(f"{self.prog}: {message}; simlab VERB --help tells what to write") + "\n"
        )


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="simlab",
        description="Find out which method finds copies of your pictures, and find them.",
    )
    parser.add_argument("--version", action="version", version=f"simlab {sl.__version__}")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    _add_study(verbs)
    _add_evaluate(verbs)
    _add_tune(verbs)
    _add_find(verbs)
    _add_leaks(verbs)
    _add_move(verbs)
    _add_features(verbs)
    _add_verify(verbs)
    _add_lists(verbs)
    return parser


def _add_study(verbs) -> None:
    verb = _scoring_verb(
        verbs, study, "compare methods on variants of pictures: tables, figures, a report"
    )
    verb.add_argument(
        "images",
        nargs="?",
        metavar="IMAGES",
        help="folder of pictures (default: the built-in sample)",
    )
    _add_out(verb)
    verb.add_argument(
        "--perturbations",
        default="basic",
        metavar="SPECS",
        help="a preset or specs (default: basic)",
    )
    verb.add_argument(
        "--negatives",
        type=int,
        default=3000,
        metavar="N",
        help="pairs of different pictures (3000)",
    )
    verb.add_argument(
        "--design", default="original-variant", help="which pictures make a negative pair"
    )
    _add_any_name(verb)
    _add_sources(verb)


def _add_evaluate(verbs) -> None:
    summary = "measure methods on labelled pairs: metrics, thresholds, a report"
    verb = _scoring_verb(verbs, evaluate, summary)
    _add_labels(verb)
    verb.add_argument(
        "--distances",
        nargs="+",
        default=[],
        metavar="NAME",
        help="columns of LABELS.csv that any tool wrote, smaller for copies; no picture is read",
    )
    verb.add_argument(
        "--similarities",
        nargs="+",
        default=[],
        metavar="NAME",
        help="such columns, larger for copies",
    )


def _add_tune(verbs) -> None:
    summary = "fit an ensemble of methods on labelled pairs: a recipe, a report"
    verb = _scoring_verb(verbs, tune, summary)
    _add_labels(verb)


def _add_find(verbs) -> None:
    summary = "list copies in a folder, or of a picture: tables of pairs and groups, a report"
    verb = _scoring_verb(verbs, find, summary)
    verb.add_argument(
        "images",
        nargs="+",
        metavar="IMAGES",
        help="folder of pictures, or two with --between; nothing in it is changed",
    )
    _add_out(verb)
    verb.add_argument(
        "--between", action="store_true", help="only pairs of a picture of each of two folders"
    )
    verb.add_argument(
        "--query", nargs="+", metavar="PICTURE", help="look for these, or a folder's, among IMAGES"
    )
    verb.add_argument(
        "--reference",
        action="append",
        default=[],
        metavar="DIR",
        help="its pictures are searched too, and kept: never proposed to be dropped (repeatable)",
    )
    verb.add_argument(
        "--linkage", default="single", choices=LINKAGES, help="how groups are joined (single)"
    )
    page = verb.add_mutually_exclusive_group()
    page.add_argument("--open", action="store_true", help="open the page when it is written")
    page.add_argument("--no-report", action="store_true", help="write the tables only, no page")
    _add_search(verb)


def _add_leaks(verbs) -> None:
    summary = "list test pictures that are copies of training pictures, and their share"
    verb = _verb(verbs, leaks, summary)
    verb.add_argument("train", metavar="TRAIN", help="folder of training pictures")
    verb.add_argument("test", metavar="TEST", help="folder of test pictures")
    _add_out(verb)
    _add_cache(verb)
    _add_seed_and_jobs(verb)
    _add_search(verb)


def _add_search(verb) -> None:
    verb.add_argument(
        "--labels",
        metavar="LABELS.csv",
        help="pairs that a person judged (reference, query, label): a copy always is one, different"
        " pictures are never proposed again",
    )
    _add_encoding(verb)
    verb.add_argument(
        "--recipe",
        metavar="FILE",
        help="from simlab tune (default: the one that ships with simlab)",
    )
    one_of = verb.add_mutually_exclusive_group()
    one_of.add_argument(
        "--threshold", type=float, default=0.5, metavar="D", help="largest distance of a copy (0.5)"
    )
    one_of.add_argument(
        "--be",
        dest="threshold",
        choices=BE,
        help="the same in words: strict misses copies, lenient has false ones (normal)",
    )
    _add_any_name(verb)
    verb.set_defaults(sources=None)


def _add_move(verbs) -> None:
    summary = "move the files that a plan of simlab find drops, or bring them back"
    verb = _verb(verbs, move, summary)
    verb.add_argument("plan", nargs="?", metavar="PLAN.csv", help="of simlab find, as you left it")
    verb.add_argument("--to", metavar="DIR", help="a new folder, or one of an earlier move")
    verb.add_argument("--yes", action="store_true", help="move; without it, only say what would be")
    verb.add_argument(
        "--companions",
        action="store_true",
        help="files of the same name go along: XMP, the RAW of a JPEG, the MOV of a live photo",
    )
    verb.add_argument("--undo", metavar="JOURNAL", help="bring back all that this journal names")
    verb.add_argument(
        "--root",
        metavar="DIR",
        help="folder of the pictures (default: as the plan or journal says)",
    )


def _add_features(verbs) -> None:
    verb = _scoring_verb(
        verbs, features, "write one row per picture: status and each method's feature"
    )
    verb.add_argument("images", metavar="IMAGES", help="folder of pictures")
    verb.add_argument("--out", required=True, metavar="FILE.csv", help="the table to write")
    _add_any_name(verb)
    _add_sources(verb)


def _add_labels(verb) -> None:
    verb.add_argument("labels", metavar="LABELS.csv", help="columns reference, query, label")
    verb.add_argument(
        "--root",
        metavar="DIR",
        help="folder that the paths are relative to (default: the CSV's)",
    )
    _add_encoding(verb)
    _add_out(verb)


def _add_encoding(verb) -> None:
    verb.add_argument(
        "--encoding", metavar="NAME", help="of the CSV, such as shift_jis (default: UTF-8)"
    )


def _add_out(verb) -> None:
    verb.add_argument("--out", required=True, metavar="DIR", help="folder for the results")


def _add_any_name(verb) -> None:
    verb.add_argument(
        "--any-name",
        action="store_true",
        help="look into files of other endings too, and take those that are pictures",
    )


def _add_sources(verb) -> None:
    verb.add_argument(
        "--sources",
        type=int,
        metavar="N",
        help="take N of the pictures, always the same for a seed",
    )


def _add_lists(verbs) -> None:
    verb = _verb(verbs, methods, "list the methods, with their arguments and largest distances")
    _add_methods_file(verb)
    _verb(verbs, perturbations, "list the perturbations, with their arguments, and the presets")


def _add_verify(verbs) -> None:
    summary = "score a sample of a study again; exit status 1 if anything has drifted"
    verb = _verb(verbs, verify, summary)
    verb.add_argument("study", metavar="DIR", help="folder that study, evaluate or tune wrote")
    verb.add_argument(
        "--root", metavar="DIR", help="folder that the pictures are in (default: as run.json says)"
    )
    verb.add_argument(
        "--pairs", type=int, default=200, metavar="N", help="pairs that are scored again (200)"
    )
    _add_seed_and_jobs(verb)


def _scoring_verb(verbs, function, summary: str) -> ArgumentParser:
    verb = _verb(verbs, function, summary)
    verb.add_argument(
        "--methods", metavar="SPECS", help="such as 'phash, dhash(hash_size=16), akaze'"
    )
    _add_methods_file(verb)
    _add_cache(verb)
    _add_seed_and_jobs(verb)
    return verb


def _add_cache(verb: ArgumentParser) -> None:
    verb.add_argument(
        "--cache", type=Path, metavar="FILE", help="where features are kept between runs"
    )


def _add_methods_file(verb: ArgumentParser) -> None:
    verb.add_argument(
        "--methods-file",
        metavar="TOML",
        help="networks (ONNX files) that are methods, too: see docs/methods.md",
    )


def _verb(verbs, function, summary: str) -> ArgumentParser:
    description = f"{summary[0].upper()}{summary[1:]}."
    name = function.__name__
    verb = verbs.add_parser(
        name,
        help=summary,
        description=description,
        epilog="\n  ".join(["examples:", *EXAMPLES[name]]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    verb.set_defaults(verb=function)
    return verb


def _add_seed_and_jobs(verb: ArgumentParser) -> None:
    verb.add_argument("--seed", type=int, default=0, metavar="S", help="of every random choice (0)")
    verb.add_argument(
        "--jobs", type=int, default=-1, metavar="N", help="processes; -1 is one per core"
    )


def _score_labels(options: Namespace) -> "tuple[Path, pd.DataFrame, dict]":
    import pandas as pd

    out = folder_to_write(options.out)
    names = [method.name for method in sl.methods.resolve(options.methods)]
    _check_kept(out, [options.labels])
    pairs = sl.read_pairs(options.labels, root=options.root, encoding=options.encoding)
    files = pd.DataFrame({"path": sorted({*pairs["reference"], *pairs["query"]})})
    images = sl.datasets.as_table(files, root=pairs.attrs["root"])
    _check_pictures(out, images)
    with sl.cache.Cache(options.cache or default_cache()) as cache:
        _say(sl.scoring.preview(pairs, names, n_jobs=options.jobs))
        scores = sl.score_pairs(pairs, names, cache=cache, n_jobs=options.jobs)
    return out, scores, _run(options, names) | {"inputs": sl.features.digests(images)}


def _images(options: Namespace) -> "pd.DataFrame":
    options.cache = default_cache() if options.cache is None else options.cache
    if options.images is not None:
        table = sl.datasets.as_table(options.images, any_name=options.any_name)
    else:
        table = sl.datasets.load_sample()
    _say_what_is_not_read(table)
    if options.sources is None:
        return table
    specs.check_count("--sources", options.sources)
    return sl.datasets.sample_sources(table, options.sources, seed=options.seed)


def _with_references(table: "pd.DataFrame", options: Namespace) -> "pd.DataFrame":
    """The pictures, and those of the folders of `--reference` that are not among them."""
    root = Path(table.attrs["root"])
    paths = [root / path for path in table["path"]]
    folders = folders_named(options.reference)
    for folder in folders:
        if not lies_in(folder, [root]):
            others = sl.list_images(folder, any_name=options.any_name)
            paths.extend(folder / path for path in others)
    if len(paths) == len(table):
        return table
    both = sl.datasets.as_table(list(dict.fromkeys(map(os.path.realpath, paths))))
    both.attrs["passed_over"] = table.attrs.get("passed_over", {})
    return both


def _say_what_is_not_read(table: "pd.DataFrame") -> None:
    if passed_over := table.attrs.get("passed_over"):
        _say_line(f"passed over: {sl.images.in_words(passed_over)}")
    n_heif = int(table["path"].str.lower().str.endswith((".heic", ".heif")).sum())
    if n_heif and importlib.util.find_spec("pillow_heif") is None:
        pictures = counted(n_heif, "HEIC picture")
        _say(f"{pictures} cannot be read until you install:  pip install 'simlab[heif]'")


def _run(options: Namespace, methods: list[str], images: "pd.DataFrame | None" = None) -> dict:
    """What run.json says of how a result was made."""
    arguments = {**vars(options), "methods": methods}
    del arguments["verb"], arguments["command"]
    run = {"command": options.command, "arguments": arguments, "seed": options.seed}
    if images is not None and images.attrs.get("passed_over"):
        run["passed_over"] = images.attrs["passed_over"]
    return run


def _check_pictures(out: Path, images: "pd.DataFrame") -> None:
    _check_kept(out, [Path(images.attrs["root"], name) for name in images["path"]])


def _check_kept(out: Path, inputs: "Sequence[str | Path | None]") -> None:
    """Refuse a folder in which the run would replace a file that it reads, by any of its names."""
    targets = [out / name for name in (*WRITTEN, *sl.report.files.TOLD)]
    targets += (out / "figures").glob("*")
    replaced = {identity_of(path) for path in targets} - {None}
    if not replaced:
        return
    for path in filter(None, inputs):
        if identity_of(expanded(path)) in replaced:
            raise ValueError(
                f"--out: the run would replace its input {str(path)!r}; name another folder"
            )


def _check_numbers(options: Namespace) -> None:
    """Refuse what is out of range before anything is made, whether or not the verb would use it."""
    if getattr(options, "jobs", 1) == 0:
        raise ValueError("--jobs must be 1 or more, or -1 for one per core, not 0")
    specs.check_count("--seed", getattr(options, "seed", 0), 0)


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """A closed terminal and a polite kill do what Ctrl-C does: nothing half-made stays."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # not what nohup has set to be ignored
    default = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    try:
        for number in default:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number in default:
            signal.signal(number, signal.SIG_DFL)


def _typed(*words: str) -> str:
    """A command as it can be typed here: with its folder, where the system would not find it."""
    program = "simlab"
    if Path(sys.argv[0]).name == program and shutil.which(program) is None:
        program = sys.argv[0]
    return shlex.join([program, *words])


def _printable(text: str) -> str:
    """One line that a terminal can show: names in it are untrusted."""
    text = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in text)


def _say_line(text: str) -> None:
    _say(_printable(text))


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads any more
        print(text, file=sys.stderr)
