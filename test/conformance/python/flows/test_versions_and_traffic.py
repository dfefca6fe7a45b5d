"""A second version beside the first on one dedicated endpoint, until it has all traffic."""

import json
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import aiplatform, aiplatform_v1

from support.clients import dedicated_predictions, gapic, raw_session
from support.target import Target

pytestmark = [pytest.mark.machines, pytest.mark.usefixtures("rest_sdk")]

MACHINE = "n1-standard-2"


@pytest.fixture(scope="module")
def first(target: Target, artifact_uri: str, rest_sdk: None) -> Any:
    return aiplatform.Model.upload(
        model_id=f"{target.prefix}-traffic",
        display_name=f"{target.prefix}-traffic",
        serving_container_image_uri=target.image("cpu"),
        artifact_uri=artifact_uri,
    )


@pytest.fixture(scope="module")
def second(target: Target, artifact_uri: str, first: Any) -> Any:
    return aiplatform.Model.upload(
        parent_model=first.resource_name,
        is_default_version=False,
        version_aliases=["candidate"],
        version_description="the next one",
        display_name=first.display_name,
        serving_container_image_uri=target.image("cpu"),
        artifact_uri=artifact_uri,
    )


@pytest.fixture(scope="module")
def endpoint(target: Target, first: Any, second: Any) -> Any:
    endpoint = aiplatform.Endpoint.create(
        display_name=f"{target.prefix}-traffic", dedicated_endpoint_enabled=True
    )
    endpoint.authorized_session = raw_session(target)
    endpoint.deploy(first, machine_type=MACHINE, deployed_model_display_name="first")
    endpoint.deploy(
        second,
        machine_type=MACHINE,
        deployed_model_display_name="second",
        traffic_percentage=20,
    )
    return endpoint


@pytest.fixture(scope="module")
def ids(endpoint: Any) -> dict[str, str]:
    return {deployed.display_name: deployed.id for deployed in endpoint.list_models()}


def test_upload_with_a_parent_makes_a_version_that_is_not_the_default(
    first: Any, second: Any
) -> None:
    assert second.resource_name == first.resource_name
    assert second.version_id == "2"
    assert list(second.version_aliases) == ["candidate"]
    assert aiplatform.Model(first.resource_name).version_id == "1"


def test_deploy_with_a_percentage_takes_it_from_the_others(
    endpoint: Any, ids: dict[str, str]
) -> None:
    assert dict(endpoint.traffic_split) == {ids["first"]: 80, ids["second"]: 20}


def test_a_dedicated_endpoint_answers_under_a_name_of_its_own(
    endpoint: Any, target: Target, ids: dict[str, str]
) -> None:
    assert endpoint.dedicated_endpoint_enabled
    assert target.region in endpoint.dedicated_endpoint_dns

    response = endpoint.predict(instances=[{"prompt": "a"}])

    assert response.predictions == [{"echo": {"prompt": "a"}}]
    assert response.deployed_model_id in ids.values()


def test_a_dedicated_endpoint_does_not_answer_under_the_regional_host(
    endpoint: Any, target: Target
) -> None:
    predictions = gapic(target, aiplatform_v1.PredictionServiceClient)

    with pytest.raises(GoogleAPICallError) as refusal:
        predictions.predict(endpoint=endpoint.resource_name, instances=[{"prompt": "a"}])

    assert 400 <= (refusal.value.code or 0) < 500


def test_raw_and_streamed_answers_come_from_the_dedicated_host(endpoint: Any) -> None:
    call = {
        "body": b'{"instances": [{"prompt": "a"}]}',
        "headers": {"Content-Type": "application/json"},
    }

    raw = endpoint.raw_predict(**call)
    streamed = b"".join(endpoint.stream_raw_predict(**call))

    assert raw.json() == {"predictions": [{"echo": {"prompt": "a"}}]}
    assert b'"predictions"' in streamed


def test_predictions_and_streams_come_over_grpc(
    endpoint: Any, target: Target, ids: dict[str, str]
) -> None:
    predictions = dedicated_predictions(target, endpoint.dedicated_endpoint_dns)
    metadata = [("x-vertex-ai-endpoint-id", endpoint.name)]
    body = {"content_type": "application/json", "data": b'{"instances": [{"prompt": "a"}]}'}
    request = {"endpoint": endpoint.resource_name, "http_body": body}

    predicted = predictions.predict(
        endpoint=endpoint.resource_name, instances=[{"prompt": "a"}], metadata=metadata
    )
    raw = predictions.raw_predict(request=request, metadata=metadata)
    streamed = predictions.stream_raw_predict(request=request, metadata=metadata)

    assert predicted.deployed_model_id in ids.values()
    expected = {"predictions": [{"echo": {"prompt": "a"}}]}
    assert json.loads(raw.data) == expected
    assert json.loads(b"".join(part.data for part in streamed)) == expected


def test_only_replicas_of_a_deployed_model_can_be_changed(
    endpoint: Any, target: Target, ids: dict[str, str]
) -> None:
    endpoints = gapic(target, aiplatform_v1.EndpointServiceClient)
    resources = {"machine_spec": {"machine_type": MACHINE}, "min_replica_count": 1}

    answer = endpoints.mutate_deployed_model(
        endpoint=endpoint.resource_name,
        deployed_model={
            "id": ids["second"],
            "dedicated_resources": {**resources, "max_replica_count": 2},
        },
        update_mask={"paths": ["dedicated_resources.max_replica_count"]},
    ).result()
    assert answer.deployed_model.dedicated_resources.max_replica_count == 2

    other = {"machine_spec": {"machine_type": "n1-standard-8"}, "min_replica_count": 1}
    with pytest.raises(GoogleAPICallError) as refusal:
        endpoints.mutate_deployed_model(
            endpoint=endpoint.resource_name,
            deployed_model={"id": ids["second"], "dedicated_resources": other},
            update_mask={"paths": ["dedicated_resources.machine_spec.machine_type"]},
        ).result()
    assert refusal.value.code == 400


def test_a_split_that_does_not_add_up_to_100_is_refused(endpoint: Any, ids: dict[str, str]) -> None:
    read = aiplatform.Endpoint(endpoint.resource_name)

    with pytest.raises(BadRequest):
        read.update(traffic_split={ids["first"]: 50, ids["second"]: 49})


def test_a_version_that_is_deployed_is_not_deleted(first: Any) -> None:
    registry = aiplatform.models.ModelRegistry(first.resource_name)

    with pytest.raises(BadRequest):
        registry.delete_version("candidate")
    with pytest.raises(BadRequest):
        first.delete()


def test_update_moves_all_traffic_to_the_second(endpoint: Any, ids: dict[str, str]) -> None:
    # Read anew: what the SDK keeps bears the etag of before the mutation.
    aiplatform.Endpoint(endpoint.resource_name).update(traffic_split={ids["second"]: 100})

    answers = [endpoint.predict(instances=[{"prompt": "a"}]) for _ in range(5)]

    assert {answer.deployed_model_id for answer in answers} == {ids["second"]}
    assert {answer.model_version_id for answer in answers} == {"2"}


def test_a_model_with_traffic_is_not_undeployed_without_a_new_split(
    endpoint: Any, target: Target, ids: dict[str, str]
) -> None:
    endpoints = gapic(target, aiplatform_v1.EndpointServiceClient)

    with pytest.raises(BadRequest):
        endpoints.undeploy_model(
            endpoint=endpoint.resource_name, deployed_model_id=ids["second"]
        ).result()


def test_the_first_can_be_undeployed_and_deleted(
    endpoint: Any, first: Any, ids: dict[str, str]
) -> None:
    registry = aiplatform.models.ModelRegistry(first.resource_name)

    endpoint.undeploy(ids["first"])
    registry.add_version_aliases(["default"], "candidate")
    registry.delete_version("1")

    assert [deployed.id for deployed in endpoint.list_models()] == [ids["second"]]
    assert [version.version_id for version in registry.list_versions()] == ["2"]


def test_the_last_one_leaves_an_empty_split(endpoint: Any, first: Any, ids: dict[str, str]) -> None:
    endpoint.undeploy(ids["second"])

    assert endpoint.list_models() == []
    assert dict(endpoint.traffic_split) == {}

    endpoint.delete()
    first.delete()
