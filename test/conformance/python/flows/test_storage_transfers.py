"""google-cloud-storage's transfer_manager: many files at once, and one file in many parts."""

import os
from pathlib import Path
from typing import Any

import pytest
from google.cloud.storage import transfer_manager

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def content() -> bytes:
    return os.urandom(12 * MIB + 3)


@pytest.fixture(scope="module")
def uploaded(bucket: Any, content: bytes, tmp_path_factory: Any) -> Any:
    """A file that was sent in parts of 5 MiB, the smallest that the XML API takes."""
    path = tmp_path_factory.mktemp("parts") / "large.bin"
    path.write_bytes(content)
    blob = bucket.blob("transfers/large.bin")
    transfer_manager.upload_chunks_concurrently(
        str(path), blob, chunk_size=5 * MIB, worker_type=transfer_manager.THREAD, max_workers=3
    )
    return blob


def test_a_file_that_was_sent_in_parts_is_whole(bucket: Any, uploaded: Any, content: bytes) -> None:
    read = bucket.get_blob(uploaded.name)

    assert read.size == len(content)
    assert read.download_as_bytes() == content


def test_a_file_is_fetched_in_parts(
    bucket: Any, uploaded: Any, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "fetched.bin"

    transfer_manager.download_chunks_concurrently(
        bucket.get_blob(uploaded.name),
        str(path),
        chunk_size=5 * MIB,
        worker_type=transfer_manager.THREAD,
        max_workers=3,
    )

    assert path.read_bytes() == content


def test_many_files_go_and_come(bucket: Any, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    names = [f"folder/{index}.txt" for index in range(5)]
    for name in names:
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)

    sent = transfer_manager.upload_many_from_filenames(
        bucket,
        names,
        source_directory=str(source),
        blob_name_prefix="many/",
        worker_type=transfer_manager.THREAD,
    )
    fetched = transfer_manager.download_many_to_path(
        bucket,
        [f"many/{name}" for name in names],
        destination_directory=str(back),
        worker_type=transfer_manager.THREAD,
    )

    assert [outcome for outcome in [*sent, *fetched] if isinstance(outcome, Exception)] == []
    assert [(back / "many" / name).read_text() for name in names] == names
