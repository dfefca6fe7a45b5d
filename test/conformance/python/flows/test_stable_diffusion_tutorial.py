"""The steps of Google's tutorial for Stable Diffusion on TorchServe, in its order.

vertex-ai-samples, notebooks/community/vertex_endpoints/torchserve/dreambooth_stablediffusion.ipynb.
Its arguments but for three: names; the image, since pytorch-gpu.1-12 is past its end of
availability; and the GPU, a T4 for a P100, which few regions serve with. The archive answers with
what it was asked, so that it fits any machine.
"""

import json
from typing import Any

import pytest
from google.api_core.exceptions import NotFound
from google.cloud import aiplatform

from support.clients import raw_session
from support.target import Target

pytestmark = [pytest.mark.machines, pytest.mark.usefixtures("rest_sdk")]

INSTANCES = [{"prompt": "An examplePup dog with a baseball jersey."}]


@pytest.fixture(scope="module")
def model(target: Target, artifact_uri: str, rest_sdk: None) -> Any:
    model = aiplatform.Model.upload(
        display_name=f"{target.prefix}-stable_diffusion_1_5",
        description="stable_diffusion_1_5 container",
        serving_container_image_uri=target.image("gpu"),
        artifact_uri=artifact_uri,
    )
    model.wait()
    return model


@pytest.fixture(scope="module")
def endpoint(target: Target, model: Any) -> Any:
    endpoint = aiplatform.Endpoint.create(
        display_name=f"{target.prefix}-my-stable-diffusion-endpoint"
    )
    model.deploy(
        endpoint=endpoint,
        deployed_model_display_name=model.display_name,
        machine_type="n1-standard-8",
        accelerator_type="NVIDIA_TESLA_T4",
        accelerator_count=1,
        traffic_percentage=100,
        deploy_request_timeout=1200,
        sync=True,
    )
    return endpoint


def test_upload_makes_the_first_and_default_version(
    model: Any, target: Target, artifact_uri: str
) -> None:
    assert model.display_name == f"{target.prefix}-stable_diffusion_1_5"
    assert model.version_id == "1"
    assert list(model.version_aliases) == ["default"]
    assert f"/locations/{target.region}/models/" in model.resource_name


def test_upload_accepts_the_model_for_machines_of_its_own(model: Any) -> None:
    kinds = [kind.name for kind in model.supported_deployment_resources_types]

    assert "DEDICATED_RESOURCES" in kinds


def test_deploy_gives_the_machine_and_all_traffic(endpoint: Any, model: Any) -> None:
    [deployed] = endpoint.list_models()
    machine = deployed.dedicated_resources.machine_spec

    assert deployed.display_name == model.display_name
    assert deployed.model_version_id == "1"
    assert machine.machine_type == "n1-standard-8"
    assert machine.accelerator_type.name == "NVIDIA_TESLA_T4"
    assert machine.accelerator_count == 1
    assert deployed.dedicated_resources.min_replica_count == 1
    assert dict(endpoint.traffic_split) == {deployed.id: 100}


def test_model_names_the_endpoint_that_serves_it(endpoint: Any, model: Any) -> None:
    [deployed] = endpoint.list_models()

    [reference] = aiplatform.Model(model.resource_name).gca_resource.deployed_models

    assert reference.endpoint == endpoint.resource_name
    assert reference.deployed_model_id == deployed.id


def test_predict_answers_each_instance_and_names_the_model(endpoint: Any, model: Any) -> None:
    [deployed] = endpoint.list_models()

    response = endpoint.predict(instances=INSTANCES * 2)

    assert response.predictions == [{"echo": INSTANCES[0]}] * 2
    assert response.deployed_model_id == deployed.id
    assert response.model_version_id == "1"
    assert response.model_resource_name == model.resource_name


def test_raw_predict_passes_body_and_names_the_model_in_headers(
    endpoint: Any, target: Target
) -> None:
    [deployed] = endpoint.list_models()
    endpoint.authorized_session = raw_session(target)

    response = endpoint.raw_predict(
        body=json.dumps({"instances": INSTANCES}).encode(),
        headers={"Content-Type": "application/json"},
    )

    assert response.status_code == 200
    assert response.json() == {"predictions": [{"echo": INSTANCES[0]}]}
    assert response.headers["X-Vertex-AI-Endpoint-Id"] == endpoint.name
    assert response.headers["X-Vertex-AI-Deployed-Model-Id"] == deployed.id


def test_clean_up_leaves_neither_endpoint_nor_model(endpoint: Any, model: Any) -> None:
    endpoint.undeploy_all()
    endpoint.delete()
    model.delete()

    assert aiplatform.Endpoint.list(filter=f'display_name="{endpoint.display_name}"') == []
    with pytest.raises(NotFound):
        aiplatform.Model(model.resource_name)
