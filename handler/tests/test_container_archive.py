"""Reading a model.mar in Cloud Storage: only what is needed, whatever the connection does."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from container.remote_archive import fetch_archive
from tests.storage import FOLDER, Storage
from tests.test_artifact import content_of
from vertex_diffusion import artifact
from vertex_diffusion.artifact import ArtifactError

TENSORS = bytes(range(256)) * 8192
WEIGHTS = {"weights/model_index.json": b"{}", "weights/unet/model.safetensors": TENSORS}
PACKAGES = {"packages.lock": b'{"schema": 1}', "packages/made-up.whl": b"wheel" * 1000}
# More than anything that is needed.
CODE = {"MAR-INF/MANIFEST.json": b"{}", "handler.py": bytes(9_000_000)}


def pack(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return content.getvalue()


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    """A bucket with an archive."""
    with Storage() as server:
        server.objects[f"{FOLDER}/model.mar"] = pack({**CODE, **PACKAGES, **WEIGHTS})
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("container.remote_archive.RETRY_SECONDS", (0.01, 0.01))
        yield server


def test_only_the_weights_are_fetched(tmp_path: Path, storage: Storage) -> None:
    fetch_archive(tmp_path, with_packages=False)

    assert content_of(tmp_path) == WEIGHTS
    assert storage.sent < len(TENSORS) + 100_000


def test_the_packages_are_taken_along_where_they_are_needed(
    tmp_path: Path, storage: Storage
) -> None:
    fetch_archive(tmp_path, with_packages=True)

    assert content_of(tmp_path) == {**WEIGHTS, **PACKAGES}


def test_a_list_of_weights_is_fetched_in_their_place(tmp_path: Path, storage: Storage) -> None:
    storage.objects[f"{FOLDER}/model.mar"] = pack({**CODE, "weights.json": b"[]"})

    fetch_archive(tmp_path, with_packages=False)

    assert content_of(tmp_path) == {"weights.json": b"[]"}


def test_compressed_entries_are_read_too(tmp_path: Path, storage: Storage) -> None:
    storage.objects[f"{FOLDER}/model.mar"] = pack(WEIGHTS, zipfile.ZIP_DEFLATED)

    fetch_archive(tmp_path, with_packages=False)

    assert content_of(tmp_path) == WEIGHTS


def test_a_cut_connection_goes_on_where_it_was(tmp_path: Path, storage: Storage) -> None:
    storage.cut_at = [500_000] * 20

    fetch_archive(tmp_path, with_packages=False)

    assert content_of(tmp_path) == WEIGHTS
    starts = [int(each.partition("@")[2]) for each in storage.asked]
    [begin, *others] = sorted(start for start in starts if start + 500_000 in starts)
    assert [start - begin for start in others] == [500_000, 1_000_000, 1_500_000]


def test_a_busy_server_is_asked_again(tmp_path: Path, storage: Storage) -> None:
    storage.statuses = [503, 429]

    fetch_archive(tmp_path, with_packages=False)

    assert content_of(tmp_path) == WEIGHTS


@pytest.mark.parametrize(("status", "tries"), [(403, 1), (500, 3)])
def test_what_cannot_be_fetched_is_said_in_one_line(
    tmp_path: Path, storage: Storage, status: int, tries: int
) -> None:
    storage.statuses = [status] * tries

    with pytest.raises(ArtifactError) as raised:
        fetch_archive(tmp_path, with_packages=False)

    assert str(raised.value) == (
        f'"model.mar" in "gs://managed/{FOLDER}" could not be read: HTTP {status}.'
    )
    assert storage.statuses == []


def test_other_bytes_are_refused(tmp_path: Path, storage: Storage) -> None:
    name = f"{FOLDER}/model.mar"
    at = storage.objects[name].index(TENSORS) + 1000
    content = storage.objects[name]
    storage.objects[name] = content[:at] + b"\xff\xff" + content[at + 2 :]

    with pytest.raises(ArtifactError, match=r"Bad CRC-32 for file 'weights/unet/model\.safe"):
        fetch_archive(tmp_path, with_packages=False)


def test_what_is_no_archive_is_refused(tmp_path: Path, storage: Storage) -> None:
    storage.objects[f"{FOLDER}/model.mar"] = b"no archive" * 100

    with pytest.raises(ArtifactError, match="File is not a zip file"):
        fetch_archive(tmp_path, with_packages=False)


@pytest.mark.parametrize("name", ["weights/../../handler.py", "/etc/passwd"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, storage: Storage, name: str) -> None:
    storage.objects[f"{FOLDER}/model.mar"] = pack({name: b"x"})

    with pytest.raises(ArtifactError, match="no path below its folder"):
        fetch_archive(tmp_path / "below", with_packages=False)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_folder: Path, needed: int) -> None:
        raise ArtifactError(f"{needed} bytes")

    monkeypatch.setattr("container.remote_archive.refuse_full_disk", refuse)

    with pytest.raises(ArtifactError, match=f"^{len(TENSORS) + 2} bytes$"):
        fetch_archive(tmp_path, with_packages=False)
    assert list(tmp_path.iterdir()) == []


def test_without_a_storage_uri_nothing_can_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIP_STORAGE_URI", "s3://bucket")

    with pytest.raises(ArtifactError, match="AIP_STORAGE_URI does not say where"):
        fetch_archive(tmp_path, with_packages=False)


def test_the_metadata_server_gives_the_token(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    monkeypatch.setenv("GCE_METADATA_HOST", storage.host)
    monkeypatch.setattr(artifact, "STORAGE_HOST", f"http://{storage.host}")

    fetch_archive(tmp_path, with_packages=False)

    assert set(storage.authorizations) == {"Bearer of-the-service-account"}
