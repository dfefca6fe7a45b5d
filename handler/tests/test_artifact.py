"""Fetches weights from a server that answers as Cloud Storage's JSON API does."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.storage import Storage
from vertex_diffusion import artifact
from vertex_diffusion.artifact import ArtifactError, find_weights

UNET = bytes(range(256)) * 2048
SAFETENSORS = "weights/unet/model.safetensors"
FILES = {"model_index.json": b"{}", "unet/model.safetensors": UNET}


class DiskUsage(NamedTuple):
    """What shutil says of a disk, as far as it is asked."""

    free: int


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with Storage() as server:
        server.objects = {f"copied/7/weights/{path}": data for path, data in FILES.items()}
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(artifact, "RETRY_SECONDS", (0.01, 0.01))
        yield server


def write_listing(folder: Path, files: dict[str, bytes] = FILES) -> None:
    listing = [
        {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in files.items()
    ]
    (folder / "weights.json").write_text(json.dumps({"schema": 1, "files": listing}))


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_an_archive_with_its_own_weights_asks_nobody(tmp_path: Path, storage: Storage) -> None:
    assert find_weights(tmp_path) == tmp_path / "weights"
    assert storage.asked == []


def test_files_beside_the_archive_are_fetched_once(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)

    first = find_weights(tmp_path)
    second = find_weights(tmp_path)

    assert first == second
    assert content_of(first) == FILES
    assert sorted(storage.asked) == ["weights/model_index.json@0", f"{SAFETENSORS}@0"]


def test_another_listing_is_fetched_beside_the_first(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)
    first = find_weights(tmp_path)
    storage.objects["copied/7/weights/new.json"] = b"[]"
    write_listing(tmp_path, {"new.json": b"[]"})

    second = find_weights(tmp_path)

    assert content_of(second) == {"new.json": b"[]"}
    assert content_of(first) == FILES


def test_a_cut_connection_goes_on_where_it_was(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)
    storage.cut_at = [100_000]

    assert content_of(find_weights(tmp_path)) == FILES
    assert f"{SAFETENSORS}@100000" in storage.asked


def test_a_server_without_ranges_is_asked_from_the_start(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)
    storage.cut_at = [100_000]
    storage.knows_ranges = False

    assert content_of(find_weights(tmp_path)) == FILES


def test_what_a_killed_worker_had_is_not_fetched_again(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)
    unfinished = tmp_path / ".unfinished-weights"
    (unfinished / "unet").mkdir(parents=True)
    (unfinished / "model_index.json").write_bytes(FILES["model_index.json"])
    (unfinished / "unet/model.safetensors.part").write_bytes(UNET[:5000])

    assert content_of(find_weights(tmp_path)) == FILES
    assert storage.asked == [f"{SAFETENSORS}@5000"]


def test_a_busy_server_is_asked_again(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)
    storage.statuses = [503, 429]

    assert content_of(find_weights(tmp_path)) == FILES


def test_workers_that_start_together_fetch_once(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)
    workers = [
        multiprocessing.get_context("fork").Process(target=find_weights, args=(tmp_path,))
        for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(storage.asked) == len(FILES)


def test_google_is_asked_with_the_service_accounts_token(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_listing(tmp_path)
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setenv("GCE_METADATA_HOST", storage.host)
    monkeypatch.setattr(artifact, "STORAGE_HOST", f"http://{storage.host}")

    find_weights(tmp_path)

    assert set(storage.authorizations) == {"Bearer of-the-service-account"}


def test_a_local_storage_needs_no_token(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)

    find_weights(tmp_path)

    assert set(storage.authorizations) == {None}


def test_other_bytes_are_refused(tmp_path: Path, storage: Storage) -> None:
    write_listing(tmp_path)
    storage.objects["copied/7/weights/unet/model.safetensors"] = UNET[::-1]

    with pytest.raises(ArtifactError, match="is not the one that the archive names"):
        find_weights(tmp_path)
    assert not list(tmp_path.glob(".weights-*"))


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (500, 3)])
def test_what_cannot_be_fetched_is_named(
    tmp_path: Path, storage: Storage, status: int, tries: int
) -> None:
    write_listing(tmp_path, {"unet/model.safetensors": UNET})
    storage.statuses = [status] * tries

    with pytest.raises(ArtifactError) as raised:
        find_weights(tmp_path)

    assert str(raised.value) == (
        'The weights file "unet/model.safetensors" could not be fetched from '
        f'"gs://managed/copied/7": HTTP {status}.'
    )
    assert len(storage.asked) == tries


def test_a_container_without_a_storage_uri_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_listing(tmp_path)
    monkeypatch.delenv("AIP_STORAGE_URI", raising=False)

    with pytest.raises(ArtifactError, match="Declare weightsIn: archive for this container"):
        find_weights(tmp_path)


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_listing(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: DiskUsage(free=1000))

    with pytest.raises(ArtifactError, match=r"The weights take 0\.5 MB, and .* has 0\.0 MB free"):
        find_weights(tmp_path)
    assert storage.asked == []


@pytest.mark.parametrize("path", ["../handler.py", "/etc/passwd"])
def test_a_listing_that_leads_out_is_refused(tmp_path: Path, storage: Storage, path: str) -> None:
    write_listing(tmp_path, {path: b"x"})

    with pytest.raises(ArtifactError, match="no path below weights/"):
        find_weights(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"files": [{"path": "a"}]}'])
def test_a_listing_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "weights.json").write_text(text)

    with pytest.raises(ArtifactError, match=r"weights.json\" cannot be read: "):
        find_weights(tmp_path)
