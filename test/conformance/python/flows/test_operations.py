"""Long-running operations through the generated clients, over both transports."""

import contextlib
import itertools
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, MethodNotImplemented, NotFound
from google.cloud import aiplatform_v1
from google.longrunning import operations_pb2
from google.protobuf import duration_pb2

from support.clients import gapic
from support.target import Target

LONG_ENOUGH = duration_pb2.Duration(seconds=60)


@pytest.fixture(scope="module", params=["rest", "grpc"])
def client(request: Any, target: Target) -> Any:
    return gapic(target, aiplatform_v1.EndpointServiceClient, request.param)


_count = itertools.count()


@pytest.fixture
def operation(client: Any, target: Target) -> Any:
    """One that has just started: the creation of an endpoint."""
    future = client.create_endpoint(
        parent=target.parent,
        endpoint={"display_name": f"{target.prefix}-operation-{next(_count)}"},
    )
    return future.operation


def wait(client: Any, name: str) -> Any:
    answer = client.wait_operation(
        operations_pb2.WaitOperationRequest(name=name, timeout=LONG_ENOUGH)
    )
    # Over gRPC this client, alone of its methods, hands out the message as it came.
    return operations_pb2.Operation.FromString(answer) if isinstance(answer, bytes) else answer


def test_an_operation_is_named_under_what_it_makes(operation: Any, target: Target) -> None:
    assert f"/locations/{target.region}/" in operation.name
    assert "/operations/" in operation.name
    assert "CreateEndpointOperationMetadata" in operation.metadata.type_url


def test_wait_answers_the_ended_operation_with_what_it_made(client: Any, operation: Any) -> None:
    ended = wait(client, operation.name)

    made = aiplatform_v1.Endpoint()
    assert ended.done
    assert ended.response.Unpack(made._pb)
    assert client.get_endpoint(name=made.name).display_name.startswith("vd-conformance-")


def test_get_answers_an_operation_with_its_times(client: Any, operation: Any) -> None:
    wait(client, operation.name)

    read = client.get_operation(operations_pb2.GetOperationRequest(name=operation.name))

    metadata = aiplatform_v1.CreateEndpointOperationMetadata()
    assert read.metadata.Unpack(metadata._pb)
    assert metadata.generic_metadata.create_time <= metadata.generic_metadata.update_time


def test_list_names_the_operations_of_an_endpoint(client: Any, operation: Any) -> None:
    wait(client, operation.name)
    endpoint, _, _ = operation.name.rpartition("/operations/")

    listed = client.list_operations(operations_pb2.ListOperationsRequest(name=endpoint))

    assert operation.name in [one.name for one in listed.operations]


def test_an_operation_that_never_was_is_not_found(client: Any, target: Target) -> None:
    name = f"{target.parent}/operations/1234567890123456789"

    with pytest.raises(NotFound):
        client.get_operation(operations_pb2.GetOperationRequest(name=name))


def test_a_cancelled_operation_ends(client: Any, operation: Any) -> None:
    """Google promises its best effort: it may be too late, or there may be nothing to cancel."""
    with contextlib.suppress(BadRequest, MethodNotImplemented):
        client.cancel_operation(operations_pb2.CancelOperationRequest(name=operation.name))

    assert wait(client, operation.name).done


def test_a_deleted_operation_is_forgotten_and_what_it_made_stays(
    client: Any, operation: Any
) -> None:
    ended = wait(client, operation.name)
    made = aiplatform_v1.Endpoint()
    ended.response.Unpack(made._pb)

    client.delete_operation(operations_pb2.DeleteOperationRequest(name=operation.name))

    with pytest.raises(NotFound):
        client.get_operation(operations_pb2.GetOperationRequest(name=operation.name))
    assert client.get_endpoint(name=made.name).name == made.name
