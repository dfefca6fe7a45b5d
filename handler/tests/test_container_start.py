"""How the custom container's server starts: from where, and how it says that it can't."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handler import DiffusionHandler
from tests.container_process import HEALTH, Container
from tests.storage import FOLDER, Storage
from tests.test_artifact import write_listing
from tests.test_handler import GOOD, predict
from tests.torchserve import HANDLER, pack_archive


def test_serves_the_archive_in_cloud_storage_once_it_is_loaded(
    weights: Path, packages: Path, handler: DiffusionHandler, tmp_path: Path
) -> None:
    """As the local stack runs it: torch in the environment, the other packages in the archive."""
    pack_archive(tmp_path / "model.mar", weights, packages)
    with Storage() as storage:
        storage.objects = {f"{FOLDER}/model.mar": (tmp_path / "model.mar").read_bytes()}
        storage.is_open.clear()
        environment = {**storage.environment, "PYTHONPATH": str(HANDLER)}
        with Container(tmp_path, environment=environment) as container:
            container.wait_until_listening()
            health = container.get(HEALTH)
            early = container.predict({"instances": [GOOD]})
            storage.is_open.set()
            container.wait_until_ready()

            answer = container.predict({"instances": [GOOD]})

            assert (health.status, health.body) == (503, {"state": "starting", "waiting": 0})
            assert (early.status, early.headers["retry-after"]) == (503, "5")
            assert early.body["error"]["message"].startswith("the model is not loaded yet")
            assert answer.body == {"predictions": predict(handler, GOOD)}
            for stage in ("Packages imported", "Pipeline loaded", "Warm-up picture made"):
                assert f"{stage} in " in container.log
            assert f"fetched from gs://managed/{FOLDER}" in container.log
            container.terminate()
            assert container.wait_for_end() == 0
    assert not list(tmp_path.glob("vertex-diffusion-*"))


def test_serves_weights_that_stand_beside_the_archive(
    weights: Path, handler: DiffusionHandler, tmp_path: Path
) -> None:
    files = {
        path.relative_to(weights).as_posix(): path.read_bytes()
        for path in weights.rglob("*")
        if path.is_file()
    }
    write_listing(tmp_path, files)
    pack_archive(tmp_path / "model.mar", None, listing=tmp_path / "weights.json")
    with Storage() as storage:
        storage.objects = {f"{FOLDER}/weights/{path}": data for path, data in files.items()}
        storage.objects[f"{FOLDER}/model.mar"] = (tmp_path / "model.mar").read_bytes()
        with Container(tmp_path, environment=storage.environment) as container:
            container.wait_until_ready()

            answer = container.predict({"instances": [GOOD]})

    assert answer.body == {"predictions": predict(handler, GOOD)}


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, "The model archive has no weights: "),
        ({"VERTEX_DIFFUSION_DEFAULT_STEPS": "0"}, "VERTEX_DIFFUSION_DEFAULT_STEPS must be "),
        ({"VERTEX_DIFFUSION_DRAIN_SECONDS": "0"}, "VERTEX_DIFFUSION_DRAIN_SECONDS must be "),
        ({"AIP_HTTP_PORT": "http"}, 'AIP_HTTP_PORT must be a port between 1 and 65535, got "http"'),
        (
            {"AIP_PREDICT_ROUTE": "p"},
            'AIP_PREDICT_ROUTE must be a path that begins with /, got "p"',
        ),
    ],
    ids=["weights", "setting", "own setting", "port", "route"],
)
def test_a_model_that_cannot_be_served_is_one_line_and_exit_code_1(
    tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    with Container(tmp_path, tmp_path, environment) as container:
        assert container.wait_for_end() == 1

    [line] = [line for line in container.log.splitlines() if "cannot be served" in line]
    assert f"The model cannot be served. {reason}" in line
    assert "Traceback" not in container.log


def test_an_archive_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    with Storage() as storage, Container(tmp_path, environment=storage.environment) as container:
        assert container.wait_for_end() == 1

    assert (
        'The model cannot be served. "model.mar" in "gs://managed/copied/7" could not be read: '
        "HTTP 404."
    ) in container.log


def test_ends_at_once_when_it_is_told_to_while_it_loads(tmp_path: Path) -> None:
    with Storage() as storage:
        storage.is_open.clear()
        with Container(tmp_path, environment=storage.environment) as container:
            container.wait_until_listening()
            container.terminate()

            assert container.wait_for_end() == 0

    assert os.listdir(tmp_path) == ["console.log"]
