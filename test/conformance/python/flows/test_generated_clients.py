"""What only the generated clients reach: both API versions and transports, masks, pages."""

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.cloud import aiplatform_v1, aiplatform_v1beta1

from support.clients import gapic
from support.target import Target

VERSIONS = {"v1": aiplatform_v1, "v1beta1": aiplatform_v1beta1}


@pytest.fixture(scope="module", params=["v1-rest", "v1-grpc", "v1beta1-rest", "v1beta1-grpc"])
def surface(request: Any) -> tuple[str, str]:
    """API version and transport."""
    version, transport = request.param.split("-")
    return version, transport


@pytest.fixture(scope="module")
def endpoints(surface: tuple[str, str], target: Target) -> Any:
    version, transport = surface
    return gapic(target, VERSIONS[version].EndpointServiceClient, transport)


@pytest.fixture(scope="module")
def models(surface: tuple[str, str], target: Target) -> Any:
    version, transport = surface
    return gapic(target, VERSIONS[version].ModelServiceClient, transport)


@pytest.fixture(scope="module")
def made(endpoints: Any, surface: tuple[str, str], target: Target) -> list[Any]:
    """Three endpoints."""
    name = f"{target.prefix}-{'-'.join(surface)}"
    futures = [
        endpoints.create_endpoint(
            parent=target.parent,
            endpoint={"display_name": f"{name}-{index}", "labels": {"surface": name}},
        )
        for index in range(3)
    ]
    return [future.result() for future in futures]


def test_lists_come_in_pages(endpoints: Any, made: list[Any], target: Target) -> None:
    # A filter, since other tests make endpoints meanwhile.
    surface = made[0].labels["surface"]
    request = {"parent": target.parent, "page_size": 2, "filter": f'labels.surface="{surface}"'}

    pages = list(endpoints.list_endpoints(request=request).pages)

    listed = [endpoint.name for page in pages for endpoint in page.endpoints]
    assert [len(page.endpoints) for page in pages] == [2, 1]
    assert sorted(listed) == sorted(endpoint.name for endpoint in made)


def test_a_field_outside_the_mask_stays(endpoints: Any, made: list[Any]) -> None:
    other = f"{made[0].display_name}-not-this"
    change = {"name": made[0].name, "description": "changed", "display_name": other}

    answer = endpoints.update_endpoint(endpoint=change, update_mask={"paths": ["description"]})

    assert answer.description == "changed"
    assert answer.display_name == made[0].display_name
    assert dict(answer.labels) == dict(made[0].labels)


def test_a_masked_field_that_is_left_out_is_cleared(endpoints: Any, made: list[Any]) -> None:
    change = {"name": made[1].name, "display_name": made[1].display_name}

    answer = endpoints.update_endpoint(
        endpoint=change, update_mask={"paths": ["display_name", "labels"]}
    )

    assert dict(answer.labels) == {}


def test_a_mask_with_a_field_that_is_not_there_is_refused(endpoints: Any, made: list[Any]) -> None:
    with pytest.raises(BadRequest):
        endpoints.update_endpoint(
            endpoint={"name": made[0].name}, update_mask={"paths": ["no_such_field"]}
        )


def test_what_is_not_there_is_not_found(endpoints: Any, models: Any, target: Target) -> None:
    with pytest.raises(NotFound):
        endpoints.get_endpoint(name=f"{target.parent}/endpoints/123456789")
    with pytest.raises(NotFound):
        models.get_model(name=f"{target.parent}/models/vd-conformance-no-such-model")


def test_a_prebuilt_image_needs_its_archive(
    models: Any, surface: tuple[str, str], bucket: Any, target: Target
) -> None:
    model = {
        "display_name": f"{target.prefix}-no-archive-{'-'.join(surface)}",
        "artifact_uri": f"gs://{bucket.name}/nothing-here",
        "container_spec": {"image_uri": target.image("cpu")},
    }

    with pytest.raises(GoogleAPICallError) as refusal:
        models.upload_model(parent=target.parent, model=model).result()

    assert 400 <= int(refusal.value.code or 400) < 500


def test_a_model_is_uploaded_and_deleted(
    models: Any, surface: tuple[str, str], artifact_uri: str, target: Target
) -> None:
    model = {
        "display_name": f"{target.prefix}-{'-'.join(surface)}",
        "artifact_uri": artifact_uri,
        "container_spec": {"image_uri": target.image("cpu")},
    }

    uploaded = models.upload_model(parent=target.parent, model=model).result()
    read = models.get_model(name=uploaded.model)
    models.delete_model(name=uploaded.model).result()

    assert uploaded.model_version_id == "1"
    assert read.display_name == model["display_name"]
    with pytest.raises(NotFound):
        models.get_model(name=uploaded.model)


def test_endpoints_are_deleted(endpoints: Any, made: list[Any]) -> None:
    for deletion in [endpoints.delete_endpoint(name=endpoint.name) for endpoint in made]:
        deletion.result()

    with pytest.raises(NotFound):
        endpoints.get_endpoint(name=made[0].name)
