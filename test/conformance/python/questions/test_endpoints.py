"""What Google does not say about endpoints. Nothing is deployed."""

import re
from typing import Any

import pytest
from google.cloud import aiplatform_v1
from google.longrunning import operations_pb2

from support.answers import ask, record
from support.clients import gapic
from support.target import Target


@pytest.fixture(scope="module")
def endpoints(target: Target) -> Any:
    return gapic(target, aiplatform_v1.EndpointServiceClient, "grpc")


@pytest.fixture(scope="module")
def endpoint(endpoints: Any, target: Target) -> str:
    made = endpoints.create_endpoint(
        parent=target.parent, endpoint={"display_name": f"{target.prefix}-questions"}
    )
    return str(made.result().name)


def test_chosen_ids(endpoints: Any, target: Target) -> None:
    def create(endpoint_id: str) -> str:
        made = endpoints.create_endpoint(
            parent=target.parent,
            endpoint={"display_name": f"{target.prefix}-id"},
            endpoint_id=endpoint_id,
        ).result()
        endpoints.delete_endpoint(name=made.name).result()
        return "created"

    # The run's own digits, so that two runs on one project do not meet.
    digits = str(int(target.run, 16)).rjust(10, "7")[-9:].replace("0", "1")
    ask("CreateEndpoint with a chosen id of 9 digits", lambda: create(digits))
    ask("CreateEndpoint with a chosen id of 10 digits", lambda: create(f"{digits}1"))
    ask("CreateEndpoint with a chosen id of 11 digits", lambda: create(f"{digits}11"))
    ask(
        "CreateEndpoint with a chosen id of digits that begins with 0",
        lambda: create(f"0{digits[1:]}"),
    )


def test_names(endpoints: Any, endpoint: str, target: Target) -> None:
    generated = endpoint.rpartition("/")[2]
    record("digits of a generated endpoint id", str(len(generated)))
    started = endpoints.create_endpoint(
        parent=target.parent, endpoint={"display_name": f"{target.prefix}-named"}
    )
    record("the operation that CreateEndpoint answers is named", started.operation.name)
    made = started.result()
    ask(
        "ListOperations under the location, with no filter",
        lambda: f"{_count(endpoints, target.parent)} operations",
    )
    ask(
        "ListOperations under the endpoint",
        lambda: f"{_count(endpoints, made.name)} operations",
    )
    endpoints.delete_endpoint(name=made.name).result()
    ask(
        "ListOperations under an endpoint that has been deleted",
        lambda: f"{_count(endpoints, made.name)} operations",
    )


def test_dedicated_dns(endpoints: Any, target: Target) -> None:
    made = endpoints.create_endpoint(
        parent=target.parent,
        endpoint={"display_name": f"{target.prefix}-dns", "dedicated_endpoint_enabled": True},
    ).result()
    dns = made.dedicated_endpoint_dns.replace(made.name.rpartition("/")[2], "ENDPOINT")
    record("dedicatedEndpointDns of a new endpoint", re.sub("[0-9]{6,}", "NUMBER", dns) or "empty")


def test_etag(endpoints: Any, endpoint: str) -> None:
    def update(etag: str) -> None:
        change = {"name": endpoint, "description": "changed", "etag": etag}
        endpoints.update_endpoint(endpoint=change, update_mask={"paths": ["description"]})

    ask("UpdateEndpoint with an etag that is not the present one", lambda: update("AMEw9yNAAAAA"))


def test_masks(endpoints: Any, endpoint: str, target: Target) -> None:
    def update(**fields: Any) -> None:
        change = {"name": endpoint, "display_name": f"{target.prefix}-unmasked", **fields}
        endpoints.update_endpoint(endpoint=change, update_mask={"paths": list(fields)})

    ask("UpdateEndpoint with an empty mask", lambda: update())
    ask(
        "UpdateEndpoint of dedicatedEndpointEnabled",
        lambda: update(dedicated_endpoint_enabled=True),
    )
    ask("UpdateEndpoint of network", lambda: update(network="projects/1/global/networks/default"))
    ask("UpdateEndpoint of clientConnectionConfig", lambda: update(client_connection_config={}))
    ask(
        "UpdateEndpoint of a split whose model is not there",
        lambda: update(traffic_split={"1": 100}),
    )
    ask("UpdateEndpoint of createTime", lambda: update(create_time={"seconds": 1}))


def test_predict_without_models(endpoint: str, target: Target) -> None:
    predictions = gapic(target, aiplatform_v1.PredictionServiceClient, "grpc")

    ask(
        "Predict on an endpoint without models",
        lambda: predictions.predict(endpoint=endpoint, instances=[{"prompt": "a"}]),
    )
    ask(
        "Predict on an endpoint that is not there",
        lambda: predictions.predict(
            endpoint=f"{target.parent}/endpoints/123456789", instances=[{"prompt": "a"}]
        ),
    )


def test_two_at_once(endpoints: Any, target: Target) -> None:
    made = endpoints.create_endpoint(
        parent=target.parent, endpoint={"display_name": f"{target.prefix}-twice"}
    ).result()
    first = endpoints.delete_endpoint(name=made.name)

    def update() -> None:
        change = {"name": made.name, "description": "changed"}
        endpoints.update_endpoint(endpoint=change, update_mask={"paths": ["description"]})

    ask("UpdateEndpoint while the endpoint is being deleted", update)
    ask(
        "DeleteEndpoint while the endpoint is being deleted",
        lambda: endpoints.delete_endpoint(name=made.name).result(),
    )
    first.result()


def test_cancel(endpoints: Any, target: Target) -> None:
    started = endpoints.create_endpoint(
        parent=target.parent, endpoint={"display_name": f"{target.prefix}-cancelled"}
    )
    name = started.operation.name
    ask(
        "CancelOperation of a CreateEndpoint that has just started",
        lambda: endpoints.cancel_operation(operations_pb2.CancelOperationRequest(name=name)),
    )
    ask("how that operation ended", lambda: "done" if started.result() else "")
    ask(
        "CancelOperation of an operation that has ended",
        lambda: endpoints.cancel_operation(operations_pb2.CancelOperationRequest(name=name)),
    )


def _count(client: Any, name: str) -> int:
    answer = client.list_operations(operations_pb2.ListOperationsRequest(name=name))
    return len(answer.operations)
