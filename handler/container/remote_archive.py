"""Reading a model.mar where it lies in Cloud Storage, and only what is needed of it.

An archive of several gigabytes would otherwise be on the disk twice. Needs the standard library
alone.
"""

from __future__ import annotations

import io
import logging
import shutil
import struct
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any

from vertex_diffusion.artifact import (
    CONNECTIONS,
    LISTING,
    PIECE_BYTES,
    RETRY_SECONDS,
    WEIGHTS,
    ArtifactError,
    Source,
    is_refusal,
    megabytes,
    reason_of,
    refuse_full_disk,
)
from vertex_diffusion.packages import LOCK, WHEELS

ARCHIVE = "model.mar"
# What stands before an entry's content: a fixed part, which says how long name and extra are.
LOCAL_HEADER = struct.Struct("<26xHH")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Entry:
    """An entry of the archive, and the byte before which the next one begins."""

    info: zipfile.ZipInfo
    end: int


def fetch_archive(folder: Path, with_packages: bool) -> None:
    """Unpack the weights of AIP_STORAGE_URI's model.mar into `folder`, or the list of them.

    `with_packages` takes the Python packages along. Raises ArtifactError with one line.
    """
    started = time.monotonic()
    source = Source.from_environment()
    try:
        entries = [each for each in _list(source) if _is_needed(each.info, with_packages)]
        refuse_full_disk(folder, sum(each.info.file_size for each in entries))
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            # list() raises what a thread raised.
            list(pool.map(lambda entry: _unpack(source, entry, folder), entries))
    except (OSError, EOFError, HTTPException, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ArtifactError(
            f'"{ARCHIVE}" in "{source.uri}" could not be read: {reason_of(error)}.'
        ) from None
    logger.info(
        "Archive: %d files, %s MB, fetched from %s in %.1f s",
        *(len(entries), megabytes(sum(each.info.file_size for each in entries)), source.uri),
        time.monotonic() - started,
    )


def _list(source: Source) -> Sequence[_Entry]:
    remote = _RemoteFile(source, _retry(lambda: source.size(ARCHIVE)))
    with io.BufferedReader(remote) as file, zipfile.ZipFile(file) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        ends = [*(info.header_offset for info in infos[1:]), archive.start_dir]
    return [_Entry(info, end) for info, end in zip(infos, ends)]


def _is_needed(info: zipfile.ZipInfo, with_packages: bool) -> bool:
    path = PurePosixPath(info.filename)
    if info.is_dir():
        return False
    if path.is_absolute() or ".." in path.parts:
        raise ArtifactError(f'"{ARCHIVE}" names "{path}", which is no path below its folder.')
    is_weight = path.parts[0] == WEIGHTS or info.filename == LISTING
    return is_weight or (with_packages and (path.parts[0] == WHEELS or info.filename == LOCK))


def _unpack(source: Source, entry: _Entry, folder: Path) -> None:
    target = folder / entry.info.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    remote = _RemoteFile(source, entry.end, entry.info.header_offset)
    with io.BufferedReader(remote, PIECE_BYTES) as file, target.open("wb") as output:
        name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        file.read(name + extra)
        # It compares the content with the archive's checksum.
        with zipfile.ZipExtFile(file, "r", entry.info) as content:
            shutil.copyfileobj(content, output, PIECE_BYTES)


class _RemoteFile(io.RawIOBase):
    """A file in a bucket, read on where a lost connection left it."""

    def __init__(self, source: Source, end: int, position: int = 0) -> None:
        self._source = source
        self._end = end
        self._position = position
        self._answer: Any = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}[whence]
        if start + offset != self._position:
            self._hang_up()
            self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._end - self._position)
        if wanted <= 0:
            return 0
        return _retry(lambda: self._read_some(memoryview(buffer)[:wanted]))

    def close(self) -> None:
        self._hang_up()
        super().close()

    def _read_some(self, buffer: memoryview) -> int:
        try:
            if self._answer is None:
                self._answer = self._source.open(ARCHIVE, self._position, self._end)
                if self._position > 0 and self._answer.status != 206:
                    raise OSError("the server sends whole files only")
            count = int(self._answer.readinto(buffer))
            if count == 0:
                raise EOFError("the connection was closed before the end")
        except (OSError, EOFError, HTTPException):
            self._hang_up()
            raise
        self._position += count
        return count

    def _hang_up(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None


def _retry(ask: Callable[[], int]) -> int:
    for wait in RETRY_SECONDS:
        try:
            return ask()
        except (OSError, EOFError, HTTPException) as error:
            if is_refusal(error):
                raise
        time.sleep(wait)
    return ask()
