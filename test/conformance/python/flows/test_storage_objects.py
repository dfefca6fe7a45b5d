"""Objects through google-cloud-storage."""

import base64
import hashlib
import io
import os
from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core.exceptions import NotFound, PreconditionFailed

from support.cleanup import remove_bucket
from support.target import Target

KIB = 1024


@pytest.fixture(scope="module")
def objects(target: Target, storage: Any) -> Iterator[Any]:
    bucket = storage.create_bucket(f"{target.prefix}-objects", location=target.region)
    yield bucket
    remove_bucket(bucket)


@pytest.mark.parametrize("name", ["plain.bin", "a folder/ümlaut & 50%?#.bin", "a//b/"])
def test_an_object_is_read_back_under_any_name(objects: Any, name: str) -> None:
    content = os.urandom(1000)
    blob = objects.blob(name)
    blob.metadata = {"who": "a test"}

    blob.upload_from_string(content, content_type="application/x-test")

    read = objects.get_blob(name)
    assert read.download_as_bytes() == content
    assert read.content_type == "application/x-test"
    assert read.metadata == {"who": "a test"}
    assert read.size == 1000


@pytest.mark.parametrize("size", [0, 256 * KIB, 700 * KIB + 1])
def test_a_resumable_upload_in_chunks_arrives_whole(objects: Any, size: int) -> None:
    content = os.urandom(size)
    blob = objects.blob(f"resumable/{size}.bin", chunk_size=256 * KIB)

    blob.upload_from_file(io.BytesIO(content), size=size, checksum="crc32c")

    read = objects.get_blob(blob.name)
    assert read.size == size
    assert read.download_as_bytes(checksum="crc32c") == content


def test_a_resumable_upload_of_unknown_length_arrives_whole(objects: Any) -> None:
    with objects.blob("written.bin", chunk_size=256 * KIB).open("wb", ignore_flush=True) as writer:
        for _ in range(5):
            writer.write(b"0123456789" * 10 * KIB)

    with objects.blob("written.bin").open("rb") as reader:
        assert reader.read() == b"0123456789" * 50 * KIB


@pytest.mark.parametrize("checksum", ["md5", "crc32c"])
def test_checksums_are_verified_both_ways(objects: Any, checksum: str) -> None:
    blob = objects.blob(f"checked {checksum}")

    blob.upload_from_string(b"checked", checksum=checksum)

    md5 = hashlib.md5(b"checked", usedforsecurity=False).digest()
    assert objects.get_blob(blob.name).md5_hash == base64.b64encode(md5).decode()
    assert blob.download_as_bytes(checksum=checksum) == b"checked"


def test_a_part_of_an_object_is_read(objects: Any) -> None:
    blob = objects.blob("parts.txt")
    blob.upload_from_string(b"0123456789")

    assert blob.download_as_bytes(start=2, end=4) == b"234"
    assert blob.download_as_bytes(start=7) == b"789"


def test_a_generation_guards_against_overwriting(objects: Any) -> None:
    blob = objects.blob("guarded")
    blob.upload_from_string(b"first", if_generation_match=0)
    first = blob.generation

    with pytest.raises(PreconditionFailed):
        objects.blob("guarded").upload_from_string(b"second", if_generation_match=0)
    blob.upload_from_string(b"third", if_generation_match=first)

    assert blob.generation != first
    assert objects.blob("guarded").download_as_bytes() == b"third"
    with pytest.raises(PreconditionFailed):
        blob.delete(if_generation_match=first)


def test_a_metageneration_counts_changes_of_metadata(objects: Any) -> None:
    blob = objects.blob("described")
    blob.upload_from_string(b"x")
    blob.metadata = {"a": "1"}
    blob.patch()
    blob.metadata = {"a": None, "b": "2"}
    blob.patch()

    read = objects.get_blob("described")
    assert read.metadata == {"b": "2"}
    assert read.metageneration == 3
    with pytest.raises(PreconditionFailed):
        read.patch(if_metageneration_match=1)


def test_a_copy_and_a_rewrite_keep_content_and_type(objects: Any) -> None:
    source = objects.blob("source")
    source.upload_from_string(b"copied", content_type="text/x-source")

    copied = objects.copy_blob(source, objects, "copied")
    token, written, total = objects.blob("rewritten").rewrite(source)

    assert copied.download_as_bytes() == b"copied"
    assert (token, written, total) == (None, 6, 6)
    assert objects.get_blob("rewritten").content_type == "text/x-source"
    assert objects.get_blob("rewritten").crc32c == objects.get_blob("source").crc32c


def test_compose_joins_objects_in_order(objects: Any) -> None:
    parts = [objects.blob(f"part-{index}") for index in range(3)]
    for index, part in enumerate(parts):
        part.upload_from_string(str(index) * 3)
    whole = objects.blob("composed")
    whole.content_type = "text/plain"

    whole.compose(parts)

    read = objects.get_blob("composed")
    assert read.download_as_bytes() == b"000111222"
    assert read.component_count == 3
    assert read.md5_hash is None


def test_a_listing_with_a_delimiter_shows_folders(storage: Any, objects: Any) -> None:
    for name in ("tree/a.txt", "tree/b/c.txt", "tree/b/d.txt", "tree/e/f.txt"):
        objects.blob(name).upload_from_string(b"x")

    listing = storage.list_blobs(objects, prefix="tree/", delimiter="/")

    assert [blob.name for blob in listing] == ["tree/a.txt"]
    assert listing.prefixes == {"tree/b/", "tree/e/"}


def test_a_listing_comes_in_pages(storage: Any, objects: Any) -> None:
    pages = [
        [blob.name for blob in page]
        for page in storage.list_blobs(objects, prefix="tree/", page_size=3).pages
    ]

    assert pages == [["tree/a.txt", "tree/b/c.txt", "tree/b/d.txt"], ["tree/e/f.txt"]]


def test_a_deleted_object_is_not_found(objects: Any) -> None:
    blob = objects.blob("short-lived")
    blob.upload_from_string(b"x")

    blob.delete()

    assert not blob.exists()
    with pytest.raises(NotFound):
        blob.download_as_bytes()


def test_an_overwritten_object_stays_as_an_older_generation(storage: Any, objects: Any) -> None:
    objects.versioning_enabled = True
    objects.patch()
    blob = objects.blob("versioned")
    blob.upload_from_string(b"old")
    old = blob.generation
    blob.upload_from_string(b"new")

    generations = [
        found.generation for found in storage.list_blobs(objects, prefix="versioned", versions=True)
    ]

    assert generations == [old, blob.generation]
    assert objects.blob("versioned", generation=old).download_as_bytes() == b"old"
