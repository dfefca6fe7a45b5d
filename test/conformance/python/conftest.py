"""What all flows and questions start from."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from support.archive import pack_archive
from support.cleanup import remove_bucket
from support.clients import allow_plain_grpc, init_sdk, storage_client
from support.target import Target, read_target


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Leaves out what the target must not or can't do, and says so."""
    target = read_target()
    for item in items:
        if "machines" in item.keywords and not target.machines:
            item.add_marker(pytest.mark.skip(reason="needs machines that are billed: --deploy"))
        if "emulator_only" in item.keywords and target.kind != "emulator":
            item.add_marker(pytest.mark.skip(reason="promised by the local Vertex AI only"))


@pytest.fixture(scope="session")
def target() -> Target:
    """The cloud under test."""
    return read_target()


@pytest.fixture(scope="session")
def storage(target: Target) -> Any:
    """google-cloud-storage's client."""
    return storage_client(target)


@pytest.fixture(scope="session")
def bucket(target: Target, storage: Any) -> Iterator[Any]:
    """A bucket in the region, as "gsutil mb -l REGION" makes it."""
    # Flows and questions run side by side.
    name = f"{target.prefix}-{secrets.token_hex(2)}"
    made = storage.create_bucket(name, location=target.region)
    yield made
    remove_bucket(made)


@pytest.fixture(scope="session")
def artifact_uri(bucket: Any) -> str:
    """The folder that model.mar lies in, as "gsutil cp -r model_artifacts BUCKET" leaves it."""
    bucket.blob("model_artifacts/model.mar").upload_from_string(pack_archive())
    return f"gs://{bucket.name}/model_artifacts"


@pytest.fixture(scope="module")
def module_patch() -> Iterator[Any]:
    """Patches for as long as a module's own fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def rest_sdk(target: Target, bucket: Any) -> None:
    """The Python SDK over REST, as the tutorials initialize it."""
    init_sdk(target, "rest", staging_bucket=bucket.name)


@pytest.fixture(scope="module", params=["rest", "grpc"])
def sdk(request: Any, target: Target, bucket: Any, module_patch: Any) -> str:
    """The Python SDK over both of its transports: a module that takes this runs twice."""
    if request.param == "grpc":
        allow_plain_grpc(target, module_patch)
    init_sdk(target, request.param, staging_bucket=bucket.name)
    return str(request.param)
