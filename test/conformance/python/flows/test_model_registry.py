"""Models and their versions, through the SDK over both transports. Nothing is deployed."""

from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.cloud import aiplatform

from support.target import Target


@pytest.fixture(scope="module")
def name(target: Target, sdk: str) -> str:
    """Display name and id of the model."""
    return f"{target.prefix}-registry-{sdk}"


@pytest.fixture(scope="module")
def model(target: Target, artifact_uri: str, name: str) -> Any:
    return aiplatform.Model.upload(
        model_id=name,
        display_name=name,
        labels={"suite": "registry", "run": target.run},
        version_description="the first",
        serving_container_image_uri=target.image("cpu"),
        artifact_uri=artifact_uri,
        serving_container_environment_variables={"GREETING": "hello"},
    )


@pytest.fixture(scope="module")
def second(target: Target, artifact_uri: str, model: Any) -> Any:
    return aiplatform.Model.upload(
        parent_model=model.resource_name,
        is_default_version=False,
        version_aliases=["canary"],
        version_description="the second",
        display_name=model.display_name,
        serving_container_image_uri=target.image("cpu"),
        artifact_uri=artifact_uri,
    )


@pytest.fixture(scope="module")
def registry(model: Any, second: Any) -> Any:
    return aiplatform.models.ModelRegistry(model.resource_name)


def test_a_model_is_read_back_as_it_was_uploaded(model: Any, name: str, target: Target) -> None:
    read = aiplatform.Model(model.resource_name)

    assert read.name == name
    assert read.display_name == name
    assert dict(read.labels) == {"suite": "registry", "run": target.run}
    assert read.version_description == "the first"
    assert read.create_time <= read.update_time


def test_labels_change_in_place(model: Any) -> None:
    changed = aiplatform.Model(model.resource_name).update(labels={"suite": "renamed"})

    assert dict(changed.labels) == {"suite": "renamed"}


def test_an_id_that_is_taken_is_refused(model: Any, artifact_uri: str, target: Target) -> None:
    with pytest.raises(GoogleAPICallError) as refusal:
        aiplatform.Model.upload(
            model_id=model.name,
            display_name=model.display_name,
            serving_container_image_uri=target.image("cpu"),
            artifact_uri=artifact_uri,
        )

    assert refusal.value.code in (400, 409)


def test_versions_are_listed_with_aliases_and_descriptions(registry: Any) -> None:
    versions = {version.version_id: version for version in registry.list_versions()}

    assert sorted(versions) == ["1", "2"]
    assert list(versions["1"].version_aliases) == ["default"]
    assert list(versions["2"].version_aliases) == ["canary"]
    assert versions["2"].version_description == "the second"


def test_a_version_is_found_by_id_alias_and_default(registry: Any) -> None:
    assert registry.get_model("2").version_id == "2"
    assert registry.get_version_info("canary").version_id == "2"
    assert registry.get_model().version_id == "1"
    with pytest.raises(NotFound):
        registry.get_version_info("3")


def test_aliases_are_added_and_removed(registry: Any) -> None:
    registry.add_version_aliases(["live", "blue"], "2")
    registry.remove_version_aliases(["canary"], "2")

    assert sorted(registry.get_version_info("2").version_aliases) == ["blue", "live"]


def test_default_moves_to_another_version(registry: Any, model: Any) -> None:
    registry.add_version_aliases(["default"], "2")

    assert aiplatform.Model(model.resource_name).version_id == "2"
    assert "default" not in registry.get_version_info("1").version_aliases


def test_names_change_in_place(model: Any, name: str) -> None:
    changed = aiplatform.Model(model.resource_name).update(
        display_name=f"{name}-renamed", description="renamed"
    )

    assert changed.display_name == f"{name}-renamed"
    assert changed.description == "renamed"


def test_a_version_description_changes_in_place(registry: Any) -> None:
    registry.update_version("1", version_description="still the first")

    assert registry.get_version_info("1").version_description == "still the first"


def test_models_are_found_by_display_name_and_label(model: Any, name: str) -> None:
    by_name = aiplatform.Model.list(filter=f'display_name="{name}-renamed"')
    by_label = aiplatform.Model.list(
        filter=f'labels.suite="renamed" AND display_name="{name}-renamed"'
    )
    none = aiplatform.Model.list(filter=f'labels.suite="nothing" AND display_name="{name}-renamed"')

    assert [found.resource_name for found in by_name] == [model.resource_name]
    assert [found.resource_name for found in by_label] == [model.resource_name]
    assert none == []


def test_models_are_listed_in_the_asked_order(
    model: Any, name: str, artifact_uri: str, target: Target
) -> None:
    later = aiplatform.Model.upload(
        display_name=f"{name}-a-later-one",
        serving_container_image_uri=target.image("cpu"),
        artifact_uri=artifact_uri,
    )
    ours = {model.resource_name, later.resource_name}

    newest = aiplatform.Model.list(order_by="create_time desc")
    names = aiplatform.Model.list(order_by="display_name")

    order = [model.resource_name, later.resource_name]
    assert [found.resource_name for found in newest if found.resource_name in ours] == order[::-1]
    assert [found.resource_name for found in names if found.resource_name in ours] == order[::-1]
    later.delete()


def test_the_only_version_is_not_deleted_by_itself(registry: Any) -> None:
    registry.delete_version("1")

    with pytest.raises(BadRequest):
        registry.delete_version("2")
    assert [version.version_id for version in registry.list_versions()] == ["2"]


def test_delete_removes_all_versions(model: Any) -> None:
    model.delete()

    with pytest.raises(NotFound):
        aiplatform.Model(model.resource_name)
