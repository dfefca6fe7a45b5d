"""An archive starts with what is in it and in the image: no package index, no model hub."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from handler import DiffusionHandler
from tests.test_handler import GOOD, predict
from tests.torchserve import HANDLER, TorchServe, pack_archive

# Nothing listens there: whoever asks the network for anything fails.
NOWHERE = "http://127.0.0.1:9"
CUT_OFF = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_ENDPOINT"), NOWHERE),
    **dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), NOWHERE),
    "NO_PROXY": "127.0.0.1",
}


@pytest.fixture
def image_alone() -> dict[str, str]:
    """The environment of a server that has the image's packages and no network."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**environment, **CUT_OFF}


def test_the_image_has_no_packages_of_the_handler(image_alone: dict[str, str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import diffusers"], env=image_alone, capture_output=True, text=True
    )

    assert "No module named 'diffusers'" in ended.stderr


@pytest.mark.torchserve
def test_serves_with_the_archives_packages_and_the_images_torch(
    tmp_path: Path,
    weights: Path,
    packages: Path,
    handler: DiffusionHandler,
    image_alone: dict[str, str],
) -> None:
    pack_archive(tmp_path / "model.mar", weights, packages)

    with TorchServe(tmp_path, "json", environment=image_alone) as server:
        server.wait_until_ready()
        answer = server.predict({"instances": [GOOD]})
        libraries = server.loaded_libraries()

    assert answer.body == {"predictions": predict(handler, GOOD)}
    said = re.search(
        r"Packages: \d+ wheels in the archive, \d+ used for Python \S+ from (\S+) \(unpacked in",
        server.log,
    )
    assert said is not None
    private = Path(said[1])
    assert libraries_of("tokenizers", libraries) <= {private}
    assert libraries_of("PIL", libraries) <= {private}
    assert private not in libraries_of("torch", libraries) | libraries_of("numpy", libraries)


def libraries_of(package: str, libraries: set[Path]) -> set[Path]:
    """The folders that a package's compiled modules were loaded from; at least one."""
    folders = {
        parent.parent
        for library in libraries
        for parent in library.parents
        if parent.name == package and library.suffix == ".so"
    }
    assert folders, f"no compiled module of {package} is loaded"
    return folders


def test_a_damaged_package_is_one_line_and_no_handler(tmp_path: Path, packages: Path) -> None:
    shutil.copy(HANDLER / "handler.py", tmp_path)
    shutil.copytree(HANDLER / "vertex_diffusion", tmp_path / "vertex_diffusion")
    shutil.copy(packages / "packages.lock", tmp_path)
    (tmp_path / "packages").mkdir()

    ended = subprocess.run(
        [sys.executable, "-c", "import handler"], cwd=tmp_path, capture_output=True, text=True
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith('The model cannot be served. The archive lacks "certifi-')
    assert ended.stderr.rstrip().splitlines()[-1].startswith("vertex_diffusion.packages.Packages")
