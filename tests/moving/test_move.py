"""A plan is carried out and undone: whatever is in the plan, and whichever file operation fails.

The files here are no pictures: a move looks at their bytes only.
"""

import builtins
import contextlib
import csv
import errno
import functools
import hashlib
import io
import itertools
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import simlab as sl
from simlab import moving
from simlab.cli import main
from simlab.images import MOVED
from simlab.moving import one_file

FILES = {
    "a.jpg": b"kept",
    "sub/b.jpg": b"a copy",
    "sub/b.xmp": b"beside b",
    "c.png": b"kept, too",
    "日本, \n=x.png": b"another copy",
    "other.jpg": b"not in the plan",
}
PLAN = (
    ("a.jpg", "0", "keep"),
    ("sub/b.jpg", "0", "drop"),
    ("c.png", "1", "keep"),
    ("日本, \n=x.png", "1", "drop"),
)
DROPPED = ["sub/b.jpg", "日本, \n=x.png"]


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Thousands of moves would wait for it; that fsync is called, its faults show."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def collect(folder, files=None):
    """A collection with times and permissions of its own."""
    for number, (name, data) in enumerate((files or FILES).items()):
        path = folder / "p" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o640 - number % 2 * 0o200)
        os.utime(path, ns=(10**18 + number, 10**18 + number * 1001))
    return folder


def write_plan(folder, rows=PLAN, *, root="p", files=None, **options):
    contents = {**FILES, **(files or {})}
    with open(folder / "plan.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", **options)
        writer.writerow(moving.PLAN_COLUMNS)
        for name, group, decision in rows:
            writer.writerow([root, name, group, decision, "why", sha(contents[name])])
    return folder / "plan.csv"


@pytest.fixture
def place(tmp_path):
    write_plan(collect(tmp_path))
    return tmp_path


def state(folder):
    """What a person has: content, time and permissions of each file."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): (
            path.read_bytes(),
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in paths
    }


def contents(folder):
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def moved(place, to="out", **options):
    return moving.move(moving.read_plan(place / "plan.csv"), place / to, **options)


def undo_all(folder):
    """Undo every journal, the last first; what did not come back."""
    left = {}
    for journal in sorted(folder.glob("journal-*.csv"), reverse=True):
        left |= moving.undo(journal).left
    return left


# --- what it does


@pytest.mark.parametrize("to", ["out", "p/out", "p/sub/deep/out"])
def test_files_move_with_their_folders_times_and_permissions_and_come_back(place, to):
    before = state(place / "p")
    result = moved(place, to)
    assert result.files == DROPPED and result.left == {}
    there = state(place / to)
    for name in DROPPED:
        assert there[name] == before[name] and not (place / "p" / name).exists()
    assert (place / to / "sub" / "b.jpg").is_file() and (place / "p" / "sub" / "b.xmp").is_file()
    undone = moving.undo(result.journal)
    assert len(undone.back) == 2 and not undone.left and not undone.renamed
    after = state(place / "p")
    assert {name: after[name] for name in before} == before
    again = moving.undo(result.journal)
    assert len(again.there) == 2 and not again.back and not again.left


def test_a_search_leaves_out_what_was_moved_and_says_so(place):
    moved(place, "p/dropped")
    assert sl.list_images(place / "p") == ["a.jpg", "c.png", "other.jpg"]
    assert sl.images.survey(place / "p").passed_over["folders of simlab move"] == 1
    assert len(sl.list_images(place / "p" / "dropped")) == 2  # where it is asked for itself


def test_the_whole_tree_may_be_moved_elsewhere_before_the_undo(place):
    before = state(place / "p")
    moved(place, "p/out")
    (place / "p").rename(place / "q")
    assert not undo_all(place / "q" / "out")
    after = state(place / "q")
    assert {name: after[name] for name in before} == before


def test_a_plan_alone_elsewhere_is_refused_in_words_or_told_its_root(place):
    (place / "else" / "where").mkdir(parents=True)
    elsewhere = place / "else" / "where" / "plan.csv"
    shutil.move(place / "plan.csv", elsewhere)
    with pytest.raises(ValueError, match=r"no folder .*put it back to where it was made, or name"):
        moving.read_plan(elsewhere)
    assert moving.read_plan(elsewhere, root=place / "p").root == place / "p"


def test_running_twice_moves_what_is_left_and_two_plans_share_a_folder(place):
    moved(place)
    again = moved(place)
    assert again.journal is None and set(again.left.values()) == {moving.GONE}
    collect(place, {"sub/b.jpg": b"a copy"})  # a picture comes again
    third = moved(place)
    assert third.files == ["sub/b.jpg"] and third.journal.name == "journal-2.csv"
    assert (place / "out" / "sub" / "b (2).jpg").read_bytes() == b"a copy"
    assert (place / "out" / "sub" / "b.jpg").read_bytes() == b"a copy"
    assert not undo_all(place / "out")
    assert contents(place / "p") == set(FILES.values())


def test_two_plans_that_contradict_each_other_leave_one(place):
    write_plan(place, [("a.jpg", "0", "keep"), ("c.png", "0", "drop")])
    moved(place)
    write_plan(place, [("a.jpg", "0", "drop"), ("c.png", "0", "keep")])
    assert moved(place).left == {"a.jpg": "the file to keep, c.png: No such file or directory"}


def test_a_name_taken_meanwhile_gets_a_number_on_both_ways(place):
    (place / "out").mkdir()
    (place / "out" / MOVED).touch()
    (place / "out" / "sub").mkdir()
    (place / "out" / "sub" / "b.jpg").write_bytes(b"mine")
    (place / "out" / "sub" / "b (2).xmp").write_bytes(b"mine, too")
    result = moved(place, companions=True)
    assert (place / "out" / "sub" / "b (3).jpg").read_bytes() == b"a copy"
    assert (place / "out" / "sub" / "b (3).xmp").read_bytes() == b"beside b"
    (place / "p" / "sub" / "b.jpg").write_bytes(b"new")
    undone = moving.undo(result.journal)
    source = place / "p" / "sub" / "b.jpg"
    assert undone.renamed == {source: source.with_name("b (2).jpg")}
    assert source.read_bytes() == b"new"
    assert source.with_name("b (2).jpg").read_bytes() == b"a copy"
    assert (place / "out" / "sub" / "b.jpg").read_bytes() == b"mine"
    assert len(moving.undo(result.journal).left) == 0


def test_what_was_changed_after_its_move_stays_and_is_named(place):
    result = moved(place)
    edited = place / "out" / "sub" / "b.jpg"
    edited.write_bytes(b"edited")
    undone = moving.undo(result.journal)
    assert list(undone.left) == [edited] and "changed since" in undone.left[edited]
    assert edited.read_bytes() == b"edited" and len(undone.back) == 1
    edited.unlink()
    assert "neither here nor at" in moving.undo(result.journal).left[edited]


# --- companions


def test_companions_go_along_where_no_other_picture_of_their_name_stays(place):
    beside = {
        "i.jpg": b"1",
        "i.JPG.xmp": b"of another",
        "i.jpg.xmp": b"2",
        "i.CR2": b"3",
        "i.MOV": b"4",
        "h.jpg": b"5",
        "h.heic": b"6",
        "h.mov": b"7",
        "h.jpg.xmp": b"8",
    }
    collect(place, beside)
    (place / "p" / "i.aae").symlink_to("i.MOV")
    rows = [("a.jpg", "0", "keep"), ("i.jpg", "0", "drop"), ("h.jpg", "0", "drop")]
    write_plan(place, rows, files=beside)
    plan = moving.read_plan(place / "plan.csv")
    would = moving.preview(plan)
    # h.mov is that of h.heic, too, which stays
    assert sorted(would.companions) == ["h.jpg.xmp", "i.CR2", "i.MOV", "i.jpg.xmp"]
    assert (would.n_files, would.n_bytes) == (2, 2)
    assert moving.preview(plan, companions=True).n_files == 6
    before = state(place / "p")
    moved(place, companions=True)
    assert sorted(sl.images.survey(place / "out", any_name=True).paths) == ["h.jpg", "i.jpg"]
    assert (place / "out" / "i.MOV").read_bytes() == b"4"
    assert (place / "p" / "h.mov").exists() and (place / "p" / "i.JPG.xmp").exists()
    assert not undo_all(place / "out") and state(place / "p") == before


# --- the plan is untrusted


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("../plan.csv", "0", "keep")], "must be a path inside"),
        ([("/etc/passwd", "0", "drop")], "must be a path inside"),
        ([("sub/../../x", "0", "drop")], "must be a path inside"),
        ([("", "0", "drop")], "must be a path inside"),
        ([("away/x.jpg", "0", "drop")], "goes through a link that leaves"),
        ([("sub/b.jpg", "0", "drop")], "group '0' keeps no file"),
        ([("a.jpg", "1", "keep"), ("sub/b.jpg", "0", "drop")], "group '0' keeps no file"),
        ([("a.jpg", "0", "keep"), ("a.jpg", "0", "keep")], "stands there twice, also in line 2"),
        (
            [("a.jpg", "0", "keep"), ("./a.jpg", "1", "drop")],
            "a.jpg. .drop. stands there twice, also in line 2 .keep.",
        ),
        ([("a.jpg", "0", "perhaps")], "decision must be keep, drop or undecided"),
        (
            [("a.jpg", "0", "keep"), ("c.png", "1", "keep"), ("hard.jpg", "1", "drop")],
            "is the same file as 'a.jpg', which is kept .line 2.",
        ),
        (
            [("a.jpg", "0", "keep"), ("c.png", "1", "keep"), ("soft.jpg", "1", "drop")],
            "is the same file as 'a.jpg', which is kept .line 2.",
        ),
    ],
)
def test_a_plan_that_could_harm_is_refused_before_anything_moves(rows, words, place, capsys):
    (place / "p" / "away").symlink_to(place)
    (place / "p" / "hard.jpg").hardlink_to(place / "p" / "a.jpg")
    (place / "p" / "soft.jpg").symlink_to("a.jpg")
    names = {name: b"" for name, _, _ in rows if name not in FILES}
    write_plan(place, rows, files=names)
    before = state(place)
    with pytest.raises(ValueError, match=rf"plan.csv, line \d: .*{words}"):
        moving.read_plan(place / "plan.csv")
    command = ["move", str(place / "plan.csv"), "--to", str(place / "out"), "--yes"]
    assert main(command) == 1 and capsys.readouterr().err.count("\n") == 1
    assert state(place) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("decision", "choice"), "the first line must name root, file"),
        (lambda text: text.replace(sha(b"kept"), "12"), "line 2: sha256 must be 64 digits"),
        (lambda text: text.replace("p,a.jpg", "q,a.jpg"), "every row must name the same root"),
        (lambda text: text.replace("\np,", "\nnone,"), "no folder '.*none'"),
        (lambda text: text + "p,x\n", "fewer cells than the header"),
        (lambda text: text + '"', "unexpected end of data"),
        (lambda text: text + "\0", "zero bytes"),
        (lambda text: "", "found: nothing"),
    ],
)
def test_a_damaged_plan_is_refused(change, words, place):
    path = place / "plan.csv"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        moving.read_plan(path)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_plan_edited_in_a_spreadsheet_is_read(delimiter, place):
    write_plan(place, delimiter=delimiter)
    path = place / "plan.csv"
    text = path.read_text(encoding="utf-8").replace(",drop", ", DROP ")
    data = text.replace("\n", "\r\n").replace("\r\n=x", "\n=x")
    path.write_bytes(b"\xef\xbb\xbf" + data.encode())
    assert moved(place).files == DROPPED


def test_a_plan_saved_in_another_encoding_is_not_taken_for_one_whose_files_are_gone(place):
    write_plan(
        collect(place, {"海.jpg": b"sea"}), [("海.jpg", "0", "keep")], files={"海.jpg": b"sea"}
    )
    path = place / "plan.csv"
    path.write_bytes(path.read_text(encoding="utf-8").encode("shift_jis"))
    with pytest.raises(ValueError, match="line 2: no UTF-8 text; save the plan as UTF-8"):
        moving.read_plan(path)


ODD = ["=1+1.jpg", "-rf.jpg", "'=x.jpg", "@a\r.jpg", "~b.jpg", "$HOME.jpg", "c:d.jpg", "\udcff.jpg"]


@pytest.mark.skipif(os.name != "posix", reason="such names are Linux's")
def test_odd_names_go_there_and_back(tmp_path):
    """Through a plan as a search writes it."""
    files = {"k.jpg": b"kept"} | {name: name.encode("utf-8", "replace") for name in ODD}
    collect(tmp_path, files)
    plan = pd.DataFrame(
        [
            ("p", name, 0, "keep" if name == "k.jpg" else "drop", "why", sha(data))
            for name, data in files.items()
        ],
        columns=list(moving.PLAN_COLUMNS),
    )
    sl.report.write_csv(plan, tmp_path / "plan.csv")
    before = state(tmp_path / "p")
    result = moved(tmp_path)
    assert sorted(result.files) == sorted(ODD) and not result.left
    assert sorted(state(tmp_path / "p")) == ["k.jpg"]
    assert not undo_all(tmp_path / "out") and state(tmp_path / "p") == before


# --- each file is looked at once more


def changed(path):
    path.write_bytes(b"new")


def linked(path):
    os.replace(path, path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("name", "harm", "words"),
    [
        ("sub/b.jpg", changed, "it has changed since it was judged"),
        ("sub/b.jpg", linked, "a link, a folder or a device"),
        ("sub/b.jpg", Path.unlink, moving.GONE),
        ("a.jpg", changed, "the file to keep, a.jpg: it has changed"),
        ("a.jpg", linked, "the file to keep, a.jpg: a link"),
        ("a.jpg", Path.unlink, "the file to keep, a.jpg: No such file"),
    ],
)
def test_what_is_not_as_it_was_judged_stays(name, harm, words, place):
    path = place / "p" / name
    path.chmod(0o600)
    harm(path)
    before = contents(place)
    result = moved(place)
    assert result.files == DROPPED[1:] and words in result.left["sub/b.jpg"]
    assert before <= contents(place)


def test_names_of_one_file_are_told_and_all_kept_files_count(place):
    (place / "p" / "hard.jpg").hardlink_to(place / "p" / "a.jpg")
    files = {"hard.jpg": b"kept"}
    write_plan(place, [("a.jpg", "0", "keep"), ("hard.jpg", "0", "drop")], files=files)
    assert "the same file as a.jpg, which is kept" in moved(place).left["hard.jpg"]
    write_plan(place, [*PLAN, ("other.jpg", "0", "keep")])  # two that are kept
    changed(place / "p" / "other.jpg")
    assert "the file to keep, other.jpg" in moved(place).left["sub/b.jpg"]


def test_folders_that_could_hide_pictures_are_refused(place):
    plan = moving.read_plan(place / "plan.csv")
    (place / "link").symlink_to("p")
    (place / "p" / "album").mkdir()
    (place / "p" / "album" / "x.jpg").touch()
    for to, words in (
        ("p", "holds the pictures' folder"),
        (".", "holds the pictures' folder"),
        ("link", "holds the pictures' folder"),
        ("p/album", "holds other files"),
        ("a.txt/b", "is a file"),
    ):
        (place / "a.txt").touch()
        with pytest.raises(ValueError, match=words):
            moving.move(plan, place / to)
    (place / "p" / "sub" / MOVED).touch()
    with pytest.raises(ValueError, match="files of the plan lie in --to"):
        moving.move(plan, place / "p" / "sub")


def test_a_link_in_the_folder_leads_no_file_away(place):
    result = moved(place)
    moving.undo(result.journal)
    (place / "out" / "sub").rmdir()
    (place / "out" / "sub").symlink_to(place)
    assert "goes through a link that leaves" in moved(place).left["sub/b.jpg"]


def test_a_journal_is_untrusted_text_too(place):
    result = moved(place)
    text = result.journal.read_text(encoding="utf-8")
    for wrong in (text.replace("sub/b", "../b"), text.replace("sub/b.jpg", str(place / "x"))):
        result.journal.write_text(wrong, encoding="utf-8")
        with pytest.raises(ValueError, match=r"journal-1.csv, line 2: .* must be a path inside"):
            moving.undo(result.journal)
    with pytest.raises(ValueError, match="the first line must name root, file, moved_to"):
        moving.undo(place / "plan.csv")


def test_a_journal_that_breaks_off_anywhere_brings_back_what_it_names(place):
    before = state(place / "p")
    journal = moved(place).journal
    whole = journal.read_bytes()
    for end in range(len(whole)):
        journal.write_bytes(whole[:end])
        assert not moving.undo(journal).left
        n_there = sum((place / "p" / name).exists() for name in DROPPED)
        n_named = sum(whole[:end].count(f'"{sha(FILES[name])}"\n'.encode()) for name in DROPPED)
        assert n_there == n_named
    journal.write_bytes(whole)
    moving.undo(journal)
    assert state(place / "p") == before


# --- the command


def test_the_command_says_what_would_move_moves_and_brings_back(place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    before = state(place)
    command = ["move", "plan.csv", "--to", "out"]
    assert main(command) == 0
    said = capsys.readouterr().err
    assert "sub/b.xmp: beside a picture that goes; stays; --companions moves it along" in said
    assert re.search(r"2 files \(\d+ bytes\) of ", said)
    assert f" of {place / 'p'} would move to out; nothing has moved yet" in said
    assert said.endswith("to move, type: simlab move plan.csv --to out --yes\n")
    with monkeypatch.context() as patch:  # as `make find` has it: no simlab on the path
        patch.setenv("PATH", "")
        patch.setattr("sys.argv", [".venv/bin/simlab"])
        assert main(command) == 0
    said = capsys.readouterr().err
    assert said.endswith("to move, type: .venv/bin/simlab move plan.csv --to out --yes\n")
    assert state(place) == before
    assert main([*command, "--yes", "--companions"]) == 0
    assert "3 files moved to out" in (said := capsys.readouterr().err)
    assert f"type: simlab move --undo {place / 'out' / 'journal-1.csv'}" in said
    assert main([*command, "--yes"]) == 0
    assert "2 files of the plan moved before, or gone" in capsys.readouterr().err
    assert main(["move", "--undo", "out/journal-1.csv"]) == 0
    assert capsys.readouterr().err == "3 files brought back\n"
    changed(place / "p" / "other.jpg")
    (place / "p" / "a.jpg").unlink()
    assert main([*command, "--yes"]) == 1
    assert capsys.readouterr().err.endswith("simlab: 1 file not moved; see above\n")
    for wrong in (["move"], ["move", "plan.csv"], [*command, "--undo", "x.csv"]):
        assert main(wrong) == 1 and capsys.readouterr().err.count("\n") == 1
    with pytest.raises(SystemExit):
        main(["move", "--help"])
    assert capsys.readouterr().out.count("  simlab move") >= 2


# --- whichever operation fails


class Killed(BaseException):
    """The process ends here, and does nothing any more."""


class Written(io.RawIOBase):
    """A file that is written, each write an operation; one that fails may have begun."""

    def __init__(self, file, faults):
        self.file = file
        self.faults = faults

    def write(self, data):
        if self.faults.strikes("write"):
            self.file.write(data[: len(data) // 2])
            self.faults.fail()
        return self.file.write(data)

    def fileno(self):
        return self.file.fileno()

    def close(self):
        self.file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


WRITING = {"write", "create", "link", "mkdir", "fsync", "copystat", "sendfile"}
LOOKING = {"lstat", "stat", "scandir", "access"}


class Faults:
    """The N-th file operation fails, or the process dies there; a full disk stays full."""

    def __init__(self, monkeypatch, kind, disk):
        self.monkeypatch = monkeypatch
        self.kind = kind
        self.disk = disk
        self.at = self.count = 0

    def strikes(self, operation):
        if not self.at or (self.kind == "full" and operation not in WRITING):
            return False
        if self.kind != "denied" and operation in LOOKING:  # many, which harm nothing
            return False
        self.count += 1
        if self.kind in ("full", "killed"):
            return self.count >= self.at
        return self.count == self.at

    def fail(self):
        if self.kind == "killed":
            raise Killed
        code = {"full": errno.ENOSPC, "broken": errno.EIO, "denied": errno.EACCES}[self.kind]
        raise OSError(code, os.strerror(code))

    def check(self, operation):
        if self.strikes(operation):
            self.fail()

    @contextlib.contextmanager
    def during(self, n):
        with self.monkeypatch.context() as patch:
            self._install(patch)
            self.at, self.count = n, 0
            try:
                yield
            finally:
                self.at = 0

    def free(self, function):
        """The function's answer, on such disks, where nothing fails."""
        with self.during(10**9):
            return function()

    def _install(self, patch):
        def counted(module, name, operation=None):
            real = getattr(module, name)

            def function(*arguments, **options):
                self.check(operation or name)
                self._other_disk(name, arguments)
                return real(*arguments, **options)

            patch.setattr(module, name, function)

        for name in (
            "link",
            "unlink",
            "replace",
            "fsync",
            "mkdir",
            "sendfile",
            *LOOKING,
        ):
            counted(os, name)
        counted(os, "open", "create")
        counted(shutil, "copystat")
        opened = builtins.open

        def opening(path, mode="r", *rest, **options):
            is_written = "x" in mode or "w" in mode
            self.check("create" if is_written else "open")
            file = opened(path, mode, *rest, **options)
            return Written(file, self) if "x" in mode else file

        patch.setattr(builtins, "open", opening)
        patch.setattr(io, "open", opening)

    def _other_disk(self, name, arguments):
        """Disks without second names, and names on two disks."""
        if name not in ("link", "replace"):
            return
        sides = ["out" in Path(path).parts for path in arguments[:2]]
        if "other" in self.disk and sides[0] != sides[1]:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if "plain" in self.disk and name == "link":
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))


QUICK = [("killed", "one plain"), ("broken", "one"), ("killed", "other"), ("full", "other plain")]
ALL = itertools.product(
    ("full", "broken", "denied", "killed"), ("one", "one plain", "other", "other plain")
)
SLOW = [pytest.param(*case, marks=pytest.mark.sweep) for case in ALL if case not in QUICK]
CASES = pytest.mark.parametrize(("kind", "disk"), [*QUICK, *SLOW])


def attempt(faults, n, function):
    """Call a function of which one operation may fail; ``faults.n_done`` says how many it did."""
    with faults.during(n), contextlib.suppress(OSError, ValueError, Killed):
        function()
    faults.n_done = faults.count


def broken_places(faults, tmp_path):
    """A number, a place and what is in it, for each operation of what the caller attempts there."""
    faults.n_done = n = 0
    while n <= faults.n_done:
        n += 1
        place = tmp_path / str(n)
        yield n, place, prepared(place)
        shutil.rmtree(place)
    assert n >= 10


def prepared(place):
    write_plan(collect(place))
    return state(place / "p")


def check(place, before, names, n):
    """All pictures are there, and those of these names where and as they were."""
    assert set(FILES.values()) <= contents(place / "p"), n
    after = state(place / "p")
    assert {name: after[name] for name in names} == {name: before[name] for name in names}, n


@CASES
def test_whichever_operation_of_a_move_fails_nothing_is_lost(kind, disk, tmp_path, monkeypatch):
    """After each, it is undone at once, or run again and undone."""
    faults = Faults(monkeypatch, kind, disk)
    for n, place, before in broken_places(faults, tmp_path):
        moving_all = functools.partial(moved, place, "p/out", companions=True)
        attempt(faults, n, moving_all)
        check(place, before, ("a.jpg", "c.png", "other.jpg"), n)
        if n % 2:
            assert set(faults.free(moving_all).left.values()) <= {moving.GONE}, n
            assert not any((place / "p" / name).exists() for name in DROPPED), n
        assert faults.free(functools.partial(undo_all, place / "p" / "out")) == {}, n
        check(place, before, before, n)


@CASES
def test_whichever_operation_of_an_undo_fails_nothing_is_lost(kind, disk, tmp_path, monkeypatch):
    faults = Faults(monkeypatch, kind, disk)
    for n, place, before in broken_places(faults, tmp_path):
        undoing = functools.partial(moving.undo, moved(place, "p/out", companions=True).journal)
        attempt(faults, n, undoing)
        check(place, before, ("a.jpg", "c.png", "other.jpg"), n)
        undone = faults.free(undoing)
        assert not undone.left and not undone.renamed, n
        check(place, before, before, n)
        there = {path.name for path in (place / "p" / "out").rglob("*") if path.is_file()}
        assert there == {"journal-1.csv", MOVED}, n


def test_a_copy_that_differs_or_an_original_that_changes_is_not_removed(place, monkeypatch):
    def elsewhere(*paths):
        raise OSError(errno.EXDEV, "another disk")

    real = shutil.copyfile

    def torn(source, target):
        real(source, target)
        Path(target).write_bytes(b"torn")

    def edited(source, target):
        real(source, target)
        Path(source).chmod(0o600)
        Path(source).write_bytes(b"edited")

    links = os.link
    monkeypatch.setattr(
        os, "link", lambda a, b: links(a, b) if "out" in Path(a).parts else elsewhere()
    )
    monkeypatch.setattr(shutil, "copyfile", torn)
    assert set(moved(place).left.values()) == {"its copy differs from it"}
    assert not list((place / "out").rglob("*.part"))
    monkeypatch.setattr(shutil, "copyfile", edited)
    assert set(moved(place).left.values()) == {"it changed while it was copied"}
    assert sorted(path.name for path in (place / "out").rglob("*.*") if path.is_file()) == [
        MOVED,
        "journal-1.csv",
        "journal-2.csv",
    ]


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a second disk")
def test_another_disk_keeps_times_and_permissions(place):
    other = Path("/dev/shm") / f"simlab-{os.getpid()}"
    if os.stat("/dev/shm").st_dev == os.stat(place).st_dev:
        pytest.skip("needs a second disk")
    try:
        before = state(place / "p")
        result = moving.move(moving.read_plan(place / "plan.csv"), other)
        there = state(other)
        assert {name: there[name] for name in DROPPED} == {name: before[name] for name in DROPPED}
        assert not moving.undo(result.journal).left and state(place / "p") == before
    finally:
        shutil.rmtree(other, ignore_errors=True)


def test_a_file_that_goes_meanwhile_leaves_nothing_behind(tmp_path):
    with pytest.raises(FileNotFoundError):
        one_file.move_file(tmp_path / "a", tmp_path / "b", tmp_path / "part", sha(b""))
    assert not list(tmp_path.iterdir())


def test_no_file_is_replaced_by_any_way_of_moving(tmp_path, monkeypatch):
    for number, name in enumerate(("link", "plain")):
        if name == "plain":
            monkeypatch.setattr(os, "link", lambda *_: exec("raise OSError(1, 'no links')"))
        source, target = tmp_path / f"a{number}", tmp_path / f"b{number}"
        source.write_bytes(b"mine")
        target.write_bytes(b"yours")
        with pytest.raises(FileExistsError):
            one_file.move_file(source, target, tmp_path / "part", sha(b"mine"))
        assert (source.read_bytes(), target.read_bytes()) == (b"mine", b"yours")
