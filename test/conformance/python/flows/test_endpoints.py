"""Endpoints without deployed models, through the SDK over both transports."""

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError
from google.cloud import aiplatform

from support.target import Target


@pytest.fixture(scope="module")
def endpoint_id(target: Target, sdk: str) -> str:
    return f"{target.prefix}-{sdk}"


@pytest.fixture(scope="module")
def endpoint(target: Target, endpoint_id: str) -> Any:
    return aiplatform.Endpoint.create(
        display_name=f"{target.prefix}-endpoint",
        endpoint_id=endpoint_id,
        description="made by a test",
        labels={"suite": endpoint_id},
    )


def test_an_endpoint_is_read_back_as_it_was_made(
    endpoint: Any, endpoint_id: str, target: Target
) -> None:
    read = aiplatform.Endpoint(endpoint.resource_name)

    assert read.name == endpoint_id
    assert read.display_name == f"{target.prefix}-endpoint"
    assert read.gca_resource.description == "made by a test"
    assert dict(read.labels) == {"suite": endpoint_id}
    assert dict(read.traffic_split) == {}
    assert read.list_models() == []


def test_an_id_that_is_taken_is_refused(endpoint: Any, endpoint_id: str) -> None:
    with pytest.raises(Conflict):
        aiplatform.Endpoint.create(display_name=endpoint.display_name, endpoint_id=endpoint_id)


@pytest.mark.parametrize(
    "wrong", ["Capital", "ends-with-a-hyphen-", "under_score", "0123", "a" * 64]
)
def test_an_id_against_the_rules_is_refused(endpoint: Any, wrong: str) -> None:
    with pytest.raises(BadRequest):
        aiplatform.Endpoint.create(display_name=endpoint.display_name, endpoint_id=wrong)


def test_names_and_labels_change_in_place(endpoint: Any, target: Target, endpoint_id: str) -> None:
    endpoint.update(
        display_name=f"{target.prefix}-renamed", description="renamed", labels={"suite": "renamed"}
    )

    read = aiplatform.Endpoint(endpoint.resource_name)
    assert read.display_name == f"{target.prefix}-renamed"
    assert read.gca_resource.description == "renamed"
    assert dict(read.labels) == {"suite": "renamed"}


def test_a_split_over_models_that_are_not_there_is_refused(endpoint: Any) -> None:
    with pytest.raises(GoogleAPICallError) as refusal:
        aiplatform.Endpoint(endpoint.resource_name).update(traffic_split={"1234567890": 100})

    assert refusal.value.code in (400, 404)


def test_endpoints_are_found_by_name_and_label_and_sorted(endpoint: Any, target: Target) -> None:
    other = aiplatform.Endpoint.create(display_name=f"{target.prefix}-another")
    ours = {endpoint.resource_name, other.resource_name}

    named = aiplatform.Endpoint.list(filter=f'display_name="{endpoint.display_name}"')
    labelled = aiplatform.Endpoint.list(filter='labels.suite="renamed"')
    newest = aiplatform.Endpoint.list(order_by="create_time desc")

    assert endpoint.resource_name in [found.resource_name for found in named]
    assert endpoint.resource_name in [found.resource_name for found in labelled]
    assert other.resource_name not in [found.resource_name for found in labelled]
    order = [found.resource_name for found in newest if found.resource_name in ours]
    assert order == [other.resource_name, endpoint.resource_name]
    other.delete()


def test_predict_on_an_endpoint_that_serves_nothing_is_refused(endpoint: Any) -> None:
    with pytest.raises(GoogleAPICallError) as refusal:
        endpoint.predict(instances=[{"prompt": "a"}])

    assert 400 <= (refusal.value.code or 0) < 500


def test_a_deleted_endpoint_is_gone(endpoint: Any) -> None:
    endpoint.delete()

    listed = [found.resource_name for found in aiplatform.Endpoint.list()]
    assert endpoint.resource_name not in listed
