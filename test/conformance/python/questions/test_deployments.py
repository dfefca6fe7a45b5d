"""What Google does not say about deployed models.

Asked with one machine that serves and one that never does."""

import json
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import aiplatform, aiplatform_v1
from google.longrunning import operations_pb2

from support.answers import ask, describe, record
from support.archive import pack_archive
from support.clients import gapic, raw_session
from support.target import Target

pytestmark = [pytest.mark.machines, pytest.mark.usefixtures("rest_sdk")]

MACHINE = "n1-standard-2"
RESOURCES = {"machine_spec": {"machine_type": MACHINE}, "min_replica_count": 1}
CHOSEN = "1234567890"


@pytest.fixture(scope="module")
def endpoints(target: Target) -> Any:
    return gapic(target, aiplatform_v1.EndpointServiceClient, "grpc")


@pytest.fixture(scope="module")
def models(target: Target) -> Any:
    return gapic(target, aiplatform_v1.ModelServiceClient, "grpc")


def make_endpoint(endpoints: Any, target: Target, name: str) -> str:
    endpoint = {"display_name": f"{target.prefix}-{name}"}
    return str(endpoints.create_endpoint(parent=target.parent, endpoint=endpoint).result().name)


def upload(
    models: Any, target: Target, name: str, artifact_uri: str, parent_model: str = "", **spec: Any
) -> str:
    model = {
        "display_name": f"{target.prefix}-{name}",
        "artifact_uri": artifact_uri,
        "container_spec": {"image_uri": target.image("cpu"), **spec},
    }
    request = {"parent": target.parent, "model": model, "parent_model": parent_model}
    return str(models.upload_model(request=request).result().model)


@pytest.fixture(scope="module")
def broken(endpoints: Any, models: Any, target: Target, bucket: Any) -> Any:
    """The deployment of an archive that never loads: started now, looked at in the end."""
    archive = pack_archive("raise RuntimeError('this archive never loads')\n")
    bucket.blob("broken/model.mar").upload_from_string(archive)
    uri = f"gs://{bucket.name}/broken"
    model = upload(models, target, "broken", uri, deployment_timeout={"seconds": 900})
    endpoint = make_endpoint(endpoints, target, "broken")
    deployed = {"model": model, "dedicated_resources": RESOURCES}
    return endpoints.deploy_model(
        endpoint=endpoint, deployed_model=deployed, traffic_split={"0": 100}
    )


@pytest.fixture(scope="module")
def model(models: Any, target: Target, artifact_uri: str) -> str:
    """Name of a model of two versions, of which the second is deployed."""
    name = upload(models, target, "serving", artifact_uri)
    upload(models, target, "serving", artifact_uri, parent_model=name)
    return name


@pytest.fixture(scope="module")
def endpoint(endpoints: Any, model: str, target: Target, broken: Any) -> str:
    """An endpoint whose model was deployed without a split. Asks while it gets ready."""
    name = make_endpoint(endpoints, target, "serving")
    deployed = {"id": CHOSEN, "model": f"{model}@2", "dedicated_resources": RESOURCES}
    started = endpoints.deploy_model(endpoint=name, deployed_model=deployed)

    def start_other() -> str:
        other = {"model": model, "dedicated_resources": RESOURCES}
        operation = endpoints.deploy_model(endpoint=name, deployed_model=other)
        operation.cancel()
        error = operation.exception()
        return f"accepted; cancelled: {'not in time' if error is None else describe(error)}"

    def update() -> None:
        change = {"name": name, "description": "changed"}
        endpoints.update_endpoint(endpoint=change, update_mask={"paths": ["description"]})

    def delete() -> None:
        endpoints.delete_endpoint(name=name).result()

    ask("DeployModel while another model is being deployed on the endpoint", lambda: start_other())
    ask("UpdateEndpoint while a model is being deployed on the endpoint", lambda: update())
    ask("DeleteEndpoint while a model is being deployed on it", lambda: delete())
    ask(
        "what GetEndpoint answers of a model that is being deployed",
        lambda: [one.id for one in endpoints.get_endpoint(name=name).deployed_models],
    )

    started.result()
    return name


def test_first_deploy_without_a_split(endpoints: Any, endpoint: str, target: Target) -> None:
    predictions = gapic(target, aiplatform_v1.PredictionServiceClient, "grpc")
    split = dict(endpoints.get_endpoint(name=endpoint).traffic_split)
    record("the split after a first DeployModel without one", str(split))
    if not split:
        ask(
            "Predict while no model has traffic",
            lambda: predictions.predict(endpoint=endpoint, instances=[{"prompt": "a"}]),
        )
        change = {"name": endpoint, "traffic_split": {CHOSEN: 100}}
        endpoints.update_endpoint(endpoint=change, update_mask={"paths": ["traffic_split"]})


def test_names(endpoints: Any, endpoint: str, models: Any, model: str) -> None:
    deployed = endpoints.get_endpoint(name=endpoint).deployed_models[0]
    record("is there a version in the model's name of a deployed model", str("@" in deployed.model))
    ask(
        "deployedModels that GetModel answers for a version that is not deployed, while another is",
        lambda: len(models.get_model(name=f"{model}@1").deployed_models),
    )


def test_taken_id(endpoints: Any, endpoint: str, model: str) -> None:
    deployed = {"id": CHOSEN, "model": model, "dedicated_resources": RESOURCES}

    ask(
        "DeployModel with an id that is on the endpoint",
        lambda: endpoints.deploy_model(endpoint=endpoint, deployed_model=deployed).result(),
    )


def test_refusals_while_deployed(endpoints: Any, endpoint: str, models: Any, model: str) -> None:
    ask("DeleteModel while it is deployed", lambda: models.delete_model(name=model).result())
    ask(
        "DeleteModelVersion while it is deployed",
        lambda: models.delete_model_version(name=f"{model}@2").result(),
    )
    ask(
        "DeleteEndpoint with a deployed model",
        lambda: endpoints.delete_endpoint(name=endpoint).result(),
    )


def test_machines_that_do_not_fit(endpoints: Any, endpoint: str, model: str) -> None:
    def deploy(**machine: Any) -> None:
        resources = {"machine_spec": machine, "min_replica_count": 1}
        deployed = {"model": model, "dedicated_resources": resources}
        endpoints.deploy_model(endpoint=endpoint, deployed_model=deployed).result()

    ask(
        "DeployModel with an L4 on an N1",
        lambda: deploy(
            machine_type="n1-standard-8", accelerator_type="NVIDIA_L4", accelerator_count=1
        ),
    )
    ask(
        "DeployModel with three T4",
        lambda: deploy(
            machine_type="n1-standard-8", accelerator_type="NVIDIA_TESLA_T4", accelerator_count=3
        ),
    )
    ask(
        "DeployModel on a machine type that is not there",
        lambda: deploy(machine_type="n9-standard-1"),
    )


def test_error_of_a_container(endpoint: str, target: Target) -> None:
    sdk_endpoint = aiplatform.Endpoint(endpoint)
    sdk_endpoint.authorized_session = raw_session(target)
    predictions = gapic(target, aiplatform_v1.PredictionServiceClient, "grpc")

    def raw(body: Any) -> str:
        headers = {"Content-Type": "application/json"}
        answer = sdk_endpoint.raw_predict(json.dumps(body).encode(), headers)
        named = "X-Vertex-AI-Deployed-Model-Id" in answer.headers
        return f"HTTP {answer.status_code}, model named in headers: {named}, {answer.text[:300]}"

    ask(
        "Predict whose container raises",
        lambda: predictions.predict(endpoint=endpoint, instances=[{"raise": "x"}]),
    )
    ask("RawPredict whose container raises", lambda: raw({"instances": [{"raise": "x"}]}))
    ask("Predict without instances", lambda: predictions.predict(endpoint=endpoint, instances=[]))
    ask("RawPredict with a body that is not JSON's instances", lambda: raw("text"))
    ask(
        "StreamRawPredict on a shared endpoint",
        lambda: "".join(
            part.data.decode()
            for part in predictions.stream_raw_predict(
                request={
                    "endpoint": endpoint,
                    "http_body": {
                        "content_type": "application/json",
                        "data": b'{"instances": [{"prompt": "a"}]}',
                    },
                }
            )
        ),
    )
    large = [{"prompt": "x" * 1_600_000}]
    ask(
        "predictions of a Predict with 1.6 MB on a shared endpoint",
        lambda: len(predictions.predict(endpoint=endpoint, instances=large).predictions),
    )


def test_container(endpoint: str, target: Target) -> None:
    predictions = gapic(target, aiplatform_v1.PredictionServiceClient, "grpc")
    answer = predictions.predict(endpoint=endpoint, instances=[{"describe": True}])
    container = dict(answer.predictions[0])
    environment = dict(container["environment"])

    image = target.image("cpu").rpartition("/")[2]
    record(f"Python in {image}", container["python"])
    record(f"packages in {image}", str(dict(sorted(container["packages"].items()))))
    record(f"user id in {image}", str(int(container["user"])))
    record("can a prebuilt image's container list AIP_STORAGE_URI", container["storage"])
    record("can a container on a shared endpoint reach the internet", container["internet"])
    for name in ("AIP_STORAGE_URI", "AIP_HEALTH_ROUTE", "AIP_PREDICT_ROUTE", "AIP_HTTP_PORT"):
        record(f"{name} of a prebuilt image", environment.get(name, "not set"))


def test_undeploy_with_traffic(endpoints: Any, endpoint: str) -> None:
    ask(
        "UndeployModel of the only model, with all traffic and without a split",
        lambda: endpoints.undeploy_model(endpoint=endpoint, deployed_model_id=CHOSEN).result(),
    )
    ask(
        "UndeployModel of a model that is not there",
        lambda: endpoints.undeploy_model(endpoint=endpoint, deployed_model_id="9").result(),
    )


def test_deploy_that_never_becomes_ready(broken: Any, endpoints: Any) -> None:
    try:
        broken.result()
        record("DeployModel of an archive that fails when it is loaded", "OK")
    except GoogleAPICallError as error:
        record("DeployModel of an archive that fails when it is loaded", describe(error))
    request = operations_pb2.GetOperationRequest(name=broken.operation.name)
    ended = endpoints.get_operation(request)
    metadata = aiplatform_v1.DeployModelOperationMetadata()
    ended.metadata.Unpack(metadata._pb)
    record("the last stage of that operation", metadata.deployment_stage.name)
