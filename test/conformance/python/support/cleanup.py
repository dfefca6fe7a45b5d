"""Removes what runs have left behind: `python -m support.cleanup`, with --all of every run.

All that the tests make bears a name that begins with "vd-conformance-" and the run's 8 hex digits.
"""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, NotFound
from google.cloud import aiplatform_v1
from google.longrunning import operations_pb2

from support.clients import gapic, storage_client
from support.target import PREFIX, Target, read_target

LONGEST_OPERATION_S = 3600
POLL_S = 2


def remove_bucket(bucket: Any) -> None:
    """Deletes a bucket with all its objects, noncurrent ones too."""
    for blob in bucket.list_blobs(versions=True):
        blob.delete()
    bucket.delete()


def remove_all(target: Target, prefix: str) -> Iterator[str]:
    """Removes everything whose name begins with `prefix`, in the order that Vertex AI allows.

    Yields a line for each thing: that it was removed, or why it could not be."""
    # gRPC, whose channels serve many threads.
    endpoints = gapic(target, aiplatform_v1.EndpointServiceClient, "grpc")
    models = gapic(target, aiplatform_v1.ModelServiceClient, "grpc")
    storage = storage_client(target)
    with ThreadPoolExecutor(max_workers=8) as pool:
        remove_endpoint = partial(_attempt, partial(_remove_endpoint, endpoints))
        yield from pool.map(
            remove_endpoint, _ours(endpoints.list_endpoints(parent=target.parent), prefix)
        )
        remove_model = partial(_attempt, partial(_remove_model, models))
        yield from pool.map(remove_model, _ours(models.list_models(parent=target.parent), prefix))
    for bucket in list(storage.list_buckets(prefix=prefix)):
        yield _attempt(lambda name: remove_bucket(storage.bucket(name)), bucket.name)


def _ours(found: Any, prefix: str) -> list[str]:
    return [one.name.partition("@")[0] for one in found if one.display_name.startswith(prefix)]


def _remove_endpoint(endpoints: Any, name: str) -> None:
    _await_operations(endpoints, name)
    endpoint = endpoints.get_endpoint(name=name)
    if endpoint.traffic_split:
        # Without traffic each of them may go, in any order.
        emptied = {"name": name, "traffic_split": {}}
        endpoints.update_endpoint(endpoint=emptied, update_mask={"paths": ["traffic_split"]})
    for deployed in endpoint.deployed_models:
        endpoints.undeploy_model(endpoint=name, deployed_model_id=deployed.id).result()
    endpoints.delete_endpoint(name=name).result()


def _await_operations(endpoints: Any, name: str) -> None:
    """A run that was interrupted may have left a deployment under way, which holds the endpoint."""
    listed = endpoints.list_operations(operations_pb2.ListOperationsRequest(name=name))
    for operation in listed.operations:
        request = operations_pb2.GetOperationRequest(name=operation.name)
        deadline = time.monotonic() + LONGEST_OPERATION_S
        while not endpoints.get_operation(request).done and time.monotonic() < deadline:
            time.sleep(POLL_S)


def _remove_model(models: Any, name: str) -> None:
    models.delete_model(name=name).result()


def _attempt(remove: Callable[[str], None], name: str) -> str:
    try:
        remove(name)
    except NotFound:
        return f"removed {name}"
    except GoogleAPICallError as error:
        return f"could not remove {name}: {error.message}"
    return f"removed {name}"


def main() -> int:
    """Prints what happened; 1 when something is left."""
    target = read_target()
    lines = list(remove_all(target, PREFIX if "--all" in sys.argv else target.prefix))
    for line in lines:
        print(line)
    return 1 if any(not line.startswith("removed") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
