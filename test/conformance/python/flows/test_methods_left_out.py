"""What the local Vertex AI does not serve, it refuses by name."""

from typing import Any

import pytest
from google.api_core.exceptions import MethodNotImplemented
from google.cloud import aiplatform_v1

from support.clients import gapic
from support.target import Target

pytestmark = pytest.mark.emulator_only


@pytest.mark.parametrize("transport", ["rest", "grpc"])
@pytest.mark.parametrize(
    ("service", "method", "request_field"),
    [
        ("DatasetServiceClient", "list_datasets", "parent"),
        ("JobServiceClient", "list_custom_jobs", "parent"),
        ("PipelineServiceClient", "list_training_pipelines", "parent"),
    ],
)
def test_a_method_that_is_left_out_answers_unimplemented_and_its_name(
    target: Target, transport: str, service: str, method: str, request_field: str
) -> None:
    client: Any = gapic(target, getattr(aiplatform_v1, service), transport)

    with pytest.raises(MethodNotImplemented) as refusal:
        list(getattr(client, method)(**{request_field: target.parent}))

    assert method.title().replace("_", "") in refusal.value.message
