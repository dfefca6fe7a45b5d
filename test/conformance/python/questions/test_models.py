"""What Google does not say about models and versions. Nothing is deployed."""

from collections.abc import Callable
from typing import Any

import pytest
from google.cloud import aiplatform_v1

from support.answers import ask, describe, record
from support.clients import gapic
from support.target import Target


@pytest.fixture(scope="module")
def models(target: Target) -> Any:
    # gRPC: its errors come with their codes, where REST has only HTTP's.
    return gapic(target, aiplatform_v1.ModelServiceClient, "grpc")


@pytest.fixture(scope="module")
def start_upload(models: Any, target: Target, artifact_uri: str) -> Callable[..., Any]:
    """Starts an upload of the given model, or of a version of it, and answers the operation."""

    def start(
        name: str,
        uri: str = artifact_uri,
        parent_model: str = "",
        model_id: str = "",
        **fields: Any,
    ) -> Any:
        model = {
            "display_name": f"{target.prefix}-{name}",
            "artifact_uri": uri,
            "container_spec": {"image_uri": target.image("cpu")},
            **fields,
        }
        request = {
            "parent": target.parent,
            "model": model,
            "parent_model": parent_model,
            "model_id": model_id,
        }
        return models.upload_model(request=request)

    return start


@pytest.fixture(scope="module")
def model(start_upload: Callable[..., Any], target: Target) -> str:
    """Name of a model whose versions 1 (default) and 2 (alias "taken") exist."""
    labels = {"from": "the-upload", "both": "first"}
    chosen = f"{target.prefix}-questions"
    name = str(start_upload("questions", model_id=chosen, labels=labels).result().model)
    second = {"version_aliases": ["taken"], "labels": {"both": "second"}}
    start_upload("questions", parent_model=name, **second).result()
    return name


def version_in(name: str) -> str:
    _, at, version = name.partition("@")
    return at + version or "none"


def test_names(models: Any, model: str) -> None:
    def named(name: str) -> str:
        return str(models.get_model(name=name).name.rpartition("/models/")[0])

    def suffix(name: str) -> str:
        return version_in(models.get_model(name=name).name)

    ask("is a project in names by its number or by its id", lambda: named(model))
    ask("the version in the name that GetModel answers for a model", lambda: suffix(model))
    ask("the version in the name that GetModel answers for MODEL@1", lambda: suffix(f"{model}@1"))
    ask(
        "the version in the name that GetModel answers for MODEL@taken",
        lambda: suffix(f"{model}@taken"),
    )
    ask(
        "the versions in the names that ListModelVersions answers",
        lambda: [version_in(one.name) for one in models.list_model_versions(name=model)],
    )


def test_container_spec(models: Any, model: str) -> None:
    ask(
        "what GetModel answers of the containerSpec, which is input only",
        lambda: " ".join(str(models.get_model(name=model).container_spec).split()) or "nothing",
    )


def test_labels(models: Any, model: str) -> None:
    def labels(name: str) -> dict[str, str]:
        return dict(sorted(models.get_model(name=name).labels.items()))

    ask(
        "labels of version 1 after an upload of version 2 with other ones",
        lambda: labels(f"{model}@1"),
    )
    ask("labels of version 2 after the same", lambda: labels(f"{model}@2"))
    models.update_model(
        model={"name": model, "labels": {"both": "updated"}}, update_mask={"paths": ["labels"]}
    )
    ask("labels of version 1 after an update of the model's labels", lambda: labels(f"{model}@1"))
    ask("labels of version 2 after an update of the model's labels", lambda: labels(f"{model}@2"))


def test_aliases(models: Any, model: str, start_upload: Callable[..., Any]) -> None:
    def merge(version: str, *aliases: str) -> list[str]:
        answer = models.merge_version_aliases(name=f"{model}@{version}", version_aliases=aliases)
        return sorted(answer.version_aliases)

    ask("MergeVersionAliases of an alias that another version has", lambda: merge("1", "taken"))
    ask("MergeVersionAliases of -default", lambda: merge("1", "-default"))
    ask("MergeVersionAliases of an alias that begins with a capital", lambda: merge("1", "Capital"))
    ask(
        "MergeVersionAliases of a removal of an alias that is not there",
        lambda: merge("1", "-nowhere"),
    )
    ask(
        "UploadModel of a version with an alias that another version has",
        lambda: (
            start_upload("questions", parent_model=model, version_aliases=["taken"])
            .result()
            .model_version_id
        ),
    )
    ask(
        "aliases after all of that, by version",
        lambda: {
            one.version_id: sorted(one.version_aliases)
            for one in models.list_model_versions(name=model)
        },
    )


def test_default_version(models: Any, model: str) -> None:
    def delete_default() -> None:
        version = models.get_model(name=model).version_id
        models.delete_model_version(name=f"{model}@{version}").result()

    ask("DeleteModelVersion of the default version while others exist", delete_default)
    ask(
        "the default version after that",
        lambda: models.get_model(name=model).version_id,
    )


def test_etag(models: Any, model: str) -> None:
    def update(etag: str) -> None:
        change = {"name": model, "description": "changed", "etag": etag}
        models.update_model(model=change, update_mask={"paths": ["description"]})

    ask("UpdateModel with an etag that is not the present one", lambda: update("AMEw9yNAAAAA"))


def test_artifacts(start_upload: Callable[..., Any], bucket: Any) -> None:
    for index in range(2):
        bucket.blob(f"two/{index}.mar").upload_from_string(b"x")
    bucket.blob("deeper/inside/model.mar").upload_from_string(b"x")
    folder = f"gs://{bucket.name}"

    def upload(uri: str) -> str:
        operation = start_upload("questions-artifacts", uri=uri)
        error = operation.exception()
        return "uploaded" if error is None else f"an operation that fails with {describe(error)}"

    ask("UploadModel with a prebuilt image and an empty folder", lambda: upload(f"{folder}/empty"))
    ask(
        "UploadModel with a prebuilt image and two archives of other names",
        lambda: upload(f"{folder}/two"),
    )
    ask(
        "UploadModel with a prebuilt image and model.mar one folder deeper",
        lambda: upload(f"{folder}/deeper"),
    )
    ask(
        "UploadModel with a prebuilt image and the archive itself as artifactUri",
        lambda: upload(f"{folder}/model_artifacts/model.mar"),
    )


def test_two_at_once(start_upload: Callable[..., Any], model: str) -> None:
    first = start_upload("questions", parent_model=model)

    def second() -> str:
        operation = start_upload("questions", parent_model=model)
        return f"version {operation.result().model_version_id}"

    ask("UploadModel of a version while another version of the model is being uploaded", second)
    first.result()


def test_taken_id(model: str, start_upload: Callable[..., Any]) -> None:
    def upload() -> str:
        uploaded = start_upload("questions", model_id=model.rpartition("/")[2]).result()
        return f"version {uploaded.model_version_id}"

    ask("UploadModel under the id of a model that exists, without parentModel", upload)


def test_container_specs_that_are_doubtful(
    start_upload: Callable[..., Any], target: Target
) -> None:
    def upload(**spec: Any) -> str:
        container = {"image_uri": target.image("cpu"), **spec}
        start_upload("questions-spec", container_spec=container).result()
        return "uploaded"

    ask(
        "UploadModel with a variable of the environment that begins with AIP_",
        lambda: upload(env=[{"name": "AIP_HTTP_PORT", "value": "1"}]),
    )
    ask(
        "UploadModel with pytorch-gpu.1-12, which is past its end of availability",
        lambda: upload(image_uri=target.image("gpu").replace("2-4", "1-12")),
    )


def test_deleting_twice(models: Any, model: str) -> None:
    first = models.delete_model(name=model)

    ask(
        "DeleteModel while the model is being deleted",
        lambda: models.delete_model(name=model).result(),
    )
    first.result()
    record(
        "the operation that DeleteModel answers is named under", _collection(first.operation.name)
    )


def _collection(name: str) -> str:
    return "/".join(name.split("/")[4::2])
