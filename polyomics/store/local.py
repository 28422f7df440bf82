"""The object store in a directory: atomic, create-only and compare-and-swap writes on a local file system."""

from __future__ import annotations

import errno
import fcntl
import os
import zlib
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from polyomics.errors import NotFoundError, PlatformError, ResourceError
from polyomics.store.interface import ObjectInfo
from polyomics.store.layout import check_key

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCRATCH = ".polyomics"  # begins with a dot: never a valid key, never listed
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV}


class LocalStore:
    """An ``ObjectStore`` in a directory; every write is complete or absent, whenever the process dies.

    Parameters
    ----------
    root
        Directory; made when the first object is written.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(os.path.expanduser(root)))
        self.requests: Counter[str] = Counter()

    @property
    def address(self) -> str:
        """Root address, ``file:///absolute/path``."""
        return f"file://{self.root}"

    def get(self, key: str) -> bytes:
        """Return an object; raises NotFoundError."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise self._missing(key) from None

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``start``; raises NotFoundError."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise self._missing(key) from None

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, or None."""
        path = self._path(key)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return None if path.is_dir() else _info(key, status)

    def create(self, key: str, data: bytes) -> bool:
        """Write only if the key is free: a hard link cannot replace a file, so exactly one caller wins."""
        path = self._path(key)
        scratch = self._scratch(path, data)
        try:
            os.link(scratch, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise self._explained(error) from error
            return self._create_under_lock(key, path, scratch)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(scratch)
        _sync_directory(path.parent)
        return True

    def put(self, key: str, data: bytes) -> str:
        """Write unconditionally; returns the etag."""
        path = self._path(key)
        scratch = self._scratch(path, data)
        with self._lock(key):
            return self._move(scratch, path)

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        """Compare and swap; returns the new etag, or None if the object changed or vanished meanwhile."""
        path = self._path(key)
        scratch = self._scratch(path, data)
        with self._lock(key):
            current = self.head(key)
            if current is None or current.etag != etag:
                os.unlink(scratch)
                return None
            return self._move(scratch, path)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield objects below a prefix (any string, as on S3) in key order."""
        parent, _, _ = prefix.rpartition("/")
        yield from self._walk(f"{parent}/" if parent else "", prefix)

    def delete(self, key: str) -> None:
        """Delete; deleting what is absent is no error."""
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self._path(key))

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _missing(self, key: str) -> NotFoundError:
        return NotFoundError("no such object", subject=self.address, field=key)

    def _explained(self, error: OSError) -> Exception:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return ResourceError("the disk is full", subject=self.address, remedy="free some space and run again")
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            return PlatformError(f"cannot write: {error.strerror}", subject=self.address, remedy="check permissions")
        return error

    def _scratch(self, path: Path, data: bytes) -> Path:
        """Write the bytes durably beside the store, ready to be linked or renamed into place."""
        scratch = self.root / _SCRATCH / "tmp" / uuid4().hex
        try:
            scratch.parent.mkdir(parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            with scratch.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with suppress(OSError):
                os.unlink(scratch)
            raise self._explained(error) from error
        return scratch

    def _create_under_lock(self, key: str, path: Path, scratch: Path) -> bool:
        """Create-only on file systems without hard links (FAT, some network mounts)."""
        with self._lock(key):
            if path.exists():
                return False
            self._move(scratch, path)
            return True

    def _move(self, scratch: Path, path: Path) -> str:
        os.replace(scratch, path)
        etag = _etag(path.stat())
        _sync_directory(path.parent)
        return etag

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """Hold the lock of a key against every process on this machine; locks are shared by 256 classes of keys."""
        path = self.root / _SCRATCH / "locks" / f"{zlib.crc32(key.encode()) & 0xFF:02x}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _walk(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        try:
            with os.scandir(self.root / folder) as scan:
                entries = [(entry.name + "/" if entry.is_dir() else entry.name, entry) for entry in scan]
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, entry in sorted(entries, key=lambda pair: pair[0]):  # 'a-b' sorts before 'a/b', as on S3
            key = folder + name
            if name.startswith(".") or not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if name.endswith("/"):
                yield from self._walk(key, prefix)
            elif key.startswith(prefix):
                with suppress(FileNotFoundError):
                    yield _info(key, entry.stat())


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key=key, size=status.st_size, etag=_etag(status), modified=status.st_mtime)


def _etag(status: os.stat_result) -> str:
    """Every write makes a new inode, so inode, size and time tell any two versions apart."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
