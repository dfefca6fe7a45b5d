"""The steps of Google's tutorial for text classification on the prebuilt image, in its order.

vertex-ai-samples, community-content/pytorch_pre_built_images_deployment/
pytorch-text-classification-vertex-ai-deploy.ipynb, option 2. Names and the image's version differ.
"""

import base64
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import aiplatform

from support.target import Target

pytestmark = [pytest.mark.machines, pytest.mark.usefixtures("rest_sdk")]

TEXTS = [
    b"Jaw dropping visual affects and action! One of the best I have seen to date.",
    b"Take away the CGI and the A-list cast and you end up with film with less punch.",
]


@pytest.fixture(scope="module")
def model(target: Target, artifact_uri: str, rest_sdk: None) -> Any:
    model = aiplatform.Model.upload(
        display_name=f"{target.prefix}-pytorch-v1",
        description="PyTorch based text classifier with the pre-built PyTorch image",
        serving_container_image_uri=target.image("cpu"),
        artifact_uri=artifact_uri,
    )
    model.wait()
    return model


@pytest.fixture(scope="module")
def endpoint(target: Target, model: Any) -> Any:
    endpoint = aiplatform.Endpoint.create(display_name=f"{target.prefix}-pytorch-endpoint")
    model.deploy(
        endpoint=endpoint,
        deployed_model_display_name=model.display_name,
        machine_type="n1-standard-2",
        traffic_percentage=100,
        sync=True,
    )
    return endpoint


def test_endpoint_is_found_by_its_display_name(endpoint: Any, model: Any) -> None:
    [found] = aiplatform.Endpoint.list(filter=f'display_name="{endpoint.display_name}"')

    [deployed] = aiplatform.Endpoint(found.resource_name).list_models()

    assert found.resource_name == endpoint.resource_name
    assert deployed.display_name == model.display_name


def test_predict_hands_base64_data_to_the_model_as_bytes(endpoint: Any) -> None:
    instances = [{"data": {"b64": base64.b64encode(text).decode()}} for text in TEXTS]

    prediction = endpoint.predict(instances=instances)

    assert prediction.predictions == [{"echo": {"data": text.decode()}} for text in TEXTS]


def test_an_endpoint_that_serves_is_not_deleted_unless_forced(endpoint: Any, model: Any) -> None:
    # Its words are Google's to choose; that it is refused is not.
    with pytest.raises(GoogleAPICallError) as refusal:
        endpoint.delete()
    assert refusal.value.code == 400

    endpoint.delete(force=True)
    model.delete()

    assert aiplatform.Endpoint.list(filter=f'display_name="{endpoint.display_name}"') == []
