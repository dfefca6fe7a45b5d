"""The files that the custom container's image is made of. Only Docker shows that it builds."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

from tests.torchserve import HANDLER

DOCKERFILE = (HANDLER / "Dockerfile").read_text(encoding="utf-8")
LOCK = (HANDLER / "container" / "requirements.txt").read_text(encoding="utf-8")
# The names of packages that are imported by another one.
IMPORT_NAMES = {"pillow": "PIL"}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each on one line."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines]


def locked() -> dict[str, str]:
    """The packages of the image and their versions."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", LOCK, flags=re.MULTILINE))


def test_the_base_is_pinned_by_version_and_digest() -> None:
    [base] = [what for name, what in instructions() if name == "FROM"]

    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)


def test_the_server_is_not_root_and_gets_signals_itself() -> None:
    last = [each for each in instructions() if each[0] in ("USER", "ENTRYPOINT", "CMD")]

    assert last == [("USER", "10001:10001"), ("CMD", '["python", "-m", "container"]')]
    assert json.loads(last[1][1])[1:] == ["-m", "container"]


def test_packages_are_installed_by_hash_alone() -> None:
    [install] = [what for name, what in instructions() if name == "RUN"]

    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in install
    assert install.count("pip install") == 1
    blocks = re.split(r"^(?=[a-z])", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(locked())
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_lock_is_made_from_what_is_required() -> None:
    lines = [
        line
        for name in ("requirements.in", "container/requirements.in")
        for line in (HANDLER / name).read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "-r"))
    ]
    pinned = dict(line.split("==") for line in lines if "==" in line)

    assert pinned.items() <= locked().items()
    assert {re.split("[=<]", line)[0] for line in lines} <= set(locked())


def test_the_packages_that_make_pictures_are_those_of_the_archive() -> None:
    wheels = json.loads((HANDLER / "packages.lock").read_text(encoding="utf-8"))["wheels"]
    archive = {wheel["name"]: wheel["version"] for wheel in wheels}

    for name in ("diffusers", "transformers", "tokenizers", "pillow"):
        assert locked()[name] == archive[name]


def test_the_local_environment_has_the_same_server() -> None:
    local = (HANDLER.parent / "scripts/toolchain/python/requirements.lock").read_text("utf-8")

    for name in ("starlette", "uvicorn", "h11", "anyio"):
        assert f"\n{name}=={locked()[name]} \\\n" in local


def test_the_image_has_every_module_that_the_server_imports_and_nothing_else() -> None:
    copied = [what.split()[0] for name, what in instructions() if name == "COPY"]
    code = [folder.rstrip("/") for folder in copied if folder.endswith("/")]
    files = [path for folder in code for path in (HANDLER / folder).rglob("*.py")]
    packages = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in locked()}

    assert copied == ["container/requirements.txt", "vertex_diffusion/", "container/"]
    # What of TorchServe's is imported is so where TorchServe is.
    standard = sys.stdlib_module_names  # type: ignore[attr-defined] # new in 3.10
    known = {*code, *packages, *standard, "ts"}
    assert imported_by(files) <= known


def imported_by(files: list[Path]) -> set[str]:
    names = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_docker_is_sent_what_the_image_takes_and_nothing_else() -> None:
    lines = (HANDLER / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if line and not line.startswith("#")] == [
        *("*", "!container", "!vertex_diffusion", "**/__pycache__"),
    ]
