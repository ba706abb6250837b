"""One file moves: at every moment it has a name, and no other file is ever replaced.

Whatever fails, and wherever the process is killed, the file is whole under its old name, its new
name, or both.
"""

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path

from simlab.paths import sha256_of

_NO_SUCH_SERVICE = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def content_of(path: Path) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: it is not there, cannot be read, or is a link, a folder, a pipe or a device.
    """
    check_is_file(path)
    return sha256_of(path)


def check_is_file(path: Path) -> None:
    """Raise unless a path is a file itself.

    Raises:
        OSError: it is not there, or is a link, a folder, a pipe or a device.
    """
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise OSError(errno.EINVAL, "a link, a folder or a device, no file of its own")


def move_file(source: Path, target: Path, partial: Path, sha256: str) -> None:
    """Give a file another name, on its disk or on another.

    Args:
        target: the name, which nobody has; its folder is made where it is absent.
        partial: a name beside the target for a copy that is not whole yet.
        sha256: of the file, by which a copy on another disk is checked.

    Raises:
        OSError: it could not be moved, and is where it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_to_another_disk(source, target, partial, sha256)


def _rename(source: Path, target: Path) -> None:
    """A second name, which is refused where somebody has it; then the first name goes."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EEXIST, errno.ENOENT):
            raise
        _rename_without_links(source, target)
        return
    _remove_old_name(source, target)


def _rename_without_links(source: Path, target: Path) -> None:
    """As above, on a disk that knows no second names, such as a USB stick's.

    An empty file holds the new name, which is refused where somebody has it, and is replaced.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        os.replace(source, target)
    except OSError:
        _take_back(source, target)
        raise


def _move_to_another_disk(source: Path, target: Path, partial: Path, sha256: str) -> None:
    """A copy with times and permissions, on the disk and read again, before the source goes."""
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        shutil.copyfile(source, partial)
        with open(partial, "rb+") as copy:
            os.fsync(copy.fileno())
        shutil.copystat(source, partial)
        if content_of(partial) != sha256:
            raise OSError(errno.EIO, "its copy differs from it")
        _rename(partial, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(partial)  # which this call has made
        raise
    _remove_old_name(source, target, sha256)


def _remove_old_name(source: Path, target: Path, copied: str = "") -> None:
    """The last step, once the new name is on the disk; where it fails, the new name goes instead.

    Args:
        copied: SHA-256 of the target, where that is a copy: the source must still be the same.
    """
    try:
        sync_folder(target.parent)
        if copied and content_of(source) != copied:
            raise OSError(errno.EIO, "it changed while it was copied")
        os.unlink(source)
    except OSError:
        _take_back(source, target)
        raise


def _take_back(source: Path, target: Path) -> None:
    """Remove the new name, which this call has made, where the file still has its old one."""
    if os.path.lexists(source):
        os.unlink(target)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where a system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SUCH_SERVICE:
            raise
    finally:
        os.close(descriptor)
