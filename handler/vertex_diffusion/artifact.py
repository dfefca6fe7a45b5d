"""Weights beside model.mar, fetched from where Vertex AI keeps its copy of the artifact folder.

Needs the standard library alone. The archive brings weights.json, which names every file with its
size and SHA-256; AIP_STORAGE_URI (a custom-container variable of Vertex AI) names the folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from vertex_diffusion.only_one import only_one

LISTING = "weights.json"
WEIGHTS = "weights"
STORAGE_HOST = "https://storage.googleapis.com"
# Where a container on Google Cloud gets its service account's token.
METADATA_HOST = "metadata.google.internal"
TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105
# Files at a time: one connection alone does not fill a machine's network.
CONNECTIONS = 4
PIECE_BYTES = 1024 * 1024
# Waits between tries of one file, seconds.
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0)
TIMEOUT_SECONDS = 60.0
REFUSALS = (400, 401, 403, 404)

logger = logging.getLogger(__name__)


class ArtifactError(RuntimeError):
    """The weights beside the archive cannot be fetched, or are not those that it names."""


class WeightsFile(NamedTuple):
    """One file as weights.json names it."""

    path: str
    size: int
    sha256: str


def find_weights(folder: Path) -> Path:
    """The folder of weights for the archive unpacked in `folder`.

    The archive's own weights/ if it has no weights.json; else the files that weights.json names,
    fetched once for all workers and restarts. Raises ArtifactError with one line that says why.
    """
    listing = folder / LISTING
    if not listing.is_file():
        return folder / WEIGHTS
    files, key = _read_listing(listing)
    target = folder / f".weights-{key}"
    with only_one(listing):
        if not target.is_dir():
            _fetch_all(files, folder, target)
    return target


def _read_listing(path: Path) -> tuple[list[WeightsFile], str]:
    try:
        content = path.read_bytes()
        files = [
            WeightsFile(str(file["path"]), int(file["size"]), str(file["sha256"]))
            for file in json.loads(content)["files"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f'"{path}" cannot be read: {error!r}. Pack the archive again.'
        ) from None
    for file in files:
        if Path(file.path).is_absolute() or ".." in Path(file.path).parts:
            raise ArtifactError(f'"{path}" names "{file.path}", which is no path below weights/.')
    return files, hashlib.sha256(content).hexdigest()[:12]


def _fetch_all(files: list[WeightsFile], folder: Path, target: Path) -> None:
    """Fetch into a folder without a name, which becomes `target` when it is whole."""
    started = time.monotonic()
    source = Source.from_environment()
    unfinished = folder / ".unfinished-weights"
    unfinished.mkdir(mode=0o700, exist_ok=True)
    missing = [file for file in files if not _is_whole(unfinished / file.path, file)]
    refuse_full_disk(folder, sum(file.size for file in missing))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        # list() raises what a thread raised.
        list(pool.map(lambda file: _fetch(source, file, unfinished / file.path), missing))
    unfinished.rename(target)
    total = sum(file.size for file in files)
    logger.info(
        "Weights: %d files, %s MB, fetched from %s in %.1f s",
        *(len(files), megabytes(total), source.uri, time.monotonic() - started),
    )


def refuse_full_disk(folder: Path, needed: int) -> None:
    """Raise ArtifactError when weights of so many bytes do not fit into `folder`."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ArtifactError(
            f'The weights take {megabytes(needed)} MB, and "{folder}" has {megabytes(free)} MB '
            "free. Deploy on a machine type with a larger disk."
        )


def _is_whole(path: Path, file: WeightsFile) -> bool:
    """Whether an earlier process fetched and checked it: only then it has its name."""
    return path.is_file() and path.stat().st_size == file.size


class Source:
    """A folder in a bucket."""

    def __init__(self, uri: str, bucket: str, prefix: str) -> None:
        self.uri = uri
        host = os.environ.get("STORAGE_EMULATOR_HOST", "")
        self._is_local = host != ""
        self._base = f"{host or STORAGE_HOST}/storage/v1/b/{bucket}/o/"
        self._prefix = f"{prefix}/" if prefix else ""

    @classmethod
    def from_environment(cls) -> Source:
        uri = os.environ.get("AIP_STORAGE_URI", "")
        scheme, _, path = uri.partition("://")
        bucket, _, prefix = path.partition("/")
        if scheme != "gs" or not bucket:
            raise ArtifactError(
                "The weights lie beside the archive, and AIP_STORAGE_URI does not say where "
                f'(it is "{uri}"). Declare weightsIn: archive for this container.'
            )
        return cls(uri, bucket, prefix.strip("/"))

    def open(self, path: str, start: int = 0, end: int | None = None) -> Any:
        """The response with the content of a file from byte `start` on, to before `end`."""
        request = self._request(path, "?alt=media")
        if start > 0 or end is not None:
            last = "" if end is None else end - 1
            request.add_header("Range", f"bytes={start}-{last}")
        return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310

    def size(self, path: str) -> int:
        """How long a file is."""
        request = self._request(path, "?fields=size")
        with closing(urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)) as answer:  # noqa: S310
            return int(json.load(answer)["size"])

    def _request(self, path: str, query: str) -> urllib.request.Request:
        name = quote(f"{self._prefix}{path}", safe="")
        request = urllib.request.Request(f"{self._base}{name}{query}")  # noqa: S310
        if not self._is_local:
            request.add_header("Authorization", f"Bearer {_access_token()}")
        return request


def _access_token() -> str:
    host = os.environ.get("GCE_METADATA_HOST", METADATA_HOST)
    request = urllib.request.Request(f"http://{host}{TOKEN_PATH}")
    request.add_header("Metadata-Flavor", "Google")
    with closing(urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)) as answer:  # noqa: S310
        return str(json.load(answer)["access_token"])


def _fetch(source: Source, file: WeightsFile, path: Path) -> None:
    """Fetch one file; what arrived before a lost connection is not fetched again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    for wait in (*RETRY_SECONDS, None):
        try:
            _fetch_rest(source, file, part)
            break
        except (OSError, EOFError, HTTPException) as error:
            if wait is None or is_refusal(error):
                raise ArtifactError(
                    f'The weights file "{file.path}" could not be fetched from "{source.uri}": '
                    f"{reason_of(error)}."
                ) from None
            time.sleep(wait)
    if _sha256(part) != file.sha256:
        part.unlink()
        raise ArtifactError(
            f'The weights file "{file.path}" in "{source.uri}" is not the one that the archive '
            "names: its SHA-256 differs. Upload archive and weights again."
        )
    part.rename(path)


def _fetch_rest(source: Source, file: WeightsFile, part: Path) -> None:
    start = part.stat().st_size if part.is_file() else 0
    if start > file.size:
        part.unlink()
        start = 0
    if start == file.size:
        part.touch()
        return
    with closing(source.open(f"{WEIGHTS}/{file.path}", start)) as answer, part.open("ab") as target:
        if start > 0 and answer.status != 206:
            # A server that sends the whole: begin again.
            target.truncate(0)
        shutil.copyfileobj(answer, target, PIECE_BYTES)
    if part.stat().st_size < file.size:
        raise EOFError("the connection was closed before the end")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE_BYTES), b""):
            digest.update(piece)
    return digest.hexdigest()


def is_refusal(error: Exception) -> bool:
    """Whether a server refused, and would again. HTTPError is an OSError as all others are."""
    return isinstance(error, urllib.error.HTTPError) and error.code in REFUSALS


def reason_of(error: Exception) -> str:
    """What went wrong with a request, in a few words."""
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    return str(getattr(error, "reason", None) or error)


def megabytes(size: int) -> str:
    """Bytes as millions of them."""
    return f"{size / 1e6:.1f}"
