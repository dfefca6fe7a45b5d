"""Buckets through google-cloud-storage."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core.exceptions import Conflict, NotFound, PreconditionFailed
from google.cloud import storage as gcs

from support.cleanup import remove_bucket
from support.target import Target


@pytest.fixture(scope="module")
def described(target: Target, storage: Any) -> Iterator[Any]:
    """A bucket with the fields that this project sets."""
    bucket = gcs.Bucket(storage, name=f"{target.prefix}-fields")
    bucket.labels = {"suite": "buckets"}
    bucket.storage_class = "STANDARD"
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.versioning_enabled = True
    bucket.add_lifecycle_delete_rule(age=30, matches_prefix=["archives/"])
    bucket.create(location=target.region)
    yield bucket
    remove_bucket(bucket)


def test_a_bucket_is_read_back_with_its_fields(
    storage: Any, described: Any, target: Target
) -> None:
    read = storage.get_bucket(described.name)

    assert read.location == target.region.upper()
    assert read.location_type == "region"
    assert read.storage_class == "STANDARD"
    assert read.labels == {"suite": "buckets"}
    assert read.iam_configuration.uniform_bucket_level_access_enabled is True
    assert read.iam_configuration.public_access_prevention == "enforced"
    assert read.versioning_enabled is True
    [rule] = list(read.lifecycle_rules)
    assert rule["condition"] == {"age": 30, "matchesPrefix": ["archives/"]}
    assert read.metageneration == 1
    assert read.time_created is not None


def test_a_patch_changes_one_field_and_counts(storage: Any, described: Any) -> None:
    read = storage.get_bucket(described.name)
    read.labels = {**read.labels, "more": "yes"}
    read.patch()

    again = storage.get_bucket(described.name)
    assert again.labels == {"suite": "buckets", "more": "yes"}
    assert again.versioning_enabled is True
    assert again.metageneration == 2


def test_a_patch_of_an_older_state_is_refused(storage: Any, described: Any) -> None:
    read = storage.get_bucket(described.name)
    read.labels = {"never": "seen"}

    with pytest.raises(PreconditionFailed):
        read.patch(if_metageneration_match=1)


def test_a_name_that_is_taken_is_refused(storage: Any, described: Any, target: Target) -> None:
    with pytest.raises(Conflict):
        storage.create_bucket(described.name, location=target.region)


def test_buckets_are_listed_by_prefix(storage: Any, described: Any, target: Target) -> None:
    names = [bucket.name for bucket in storage.list_buckets(prefix=described.name)]

    assert names == [described.name]


def test_a_bucket_that_is_not_there_is_not_found(storage: Any, target: Target) -> None:
    assert storage.lookup_bucket(f"{target.prefix}-missing") is None
    with pytest.raises(NotFound):
        storage.get_bucket(f"{target.prefix}-missing")


def test_the_iam_policy_is_a_document_of_its_own(described: Any) -> None:
    policy = described.get_iam_policy(requested_policy_version=3)
    before = {binding["role"] for binding in policy.bindings}

    assert policy.etag
    described.set_iam_policy(policy)

    again = described.get_iam_policy(requested_policy_version=3)
    assert {binding["role"] for binding in again.bindings} == before


def test_a_bucket_with_objects_is_not_deleted(storage: Any, described: Any) -> None:
    described.blob("in the way").upload_from_string(b"x")

    with pytest.raises(Conflict):
        described.delete()
