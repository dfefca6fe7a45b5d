"""The archive's packages: which wheels are taken, where they go, and what is said of them."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import logging
import platform
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.torchserve import HANDLER
from vertex_diffusion.packages import PackagesError, use_packages

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
OTHER = "3.99"


@pytest.fixture(autouse=True)
def same_path_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test may put its packages on the path and import them."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def hear_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Let `caplog` have what the server would log."""
    caplog.set_level(logging.INFO)


class Archive:
    """The unpacked archive of a model, with made-up packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._wheels: list[dict[str, Any]] = []
        (folder / "packages").mkdir()
        self.write_lock()

    def add(self, name: str, pythons: list[str], files: dict[str, str]) -> None:
        """Add a wheel with these files and its line in the lock."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as wheel:
            for path, text in files.items():
                wheel.writestr(path, text)
        (self.folder / "packages" / name).write_bytes(content.getvalue())
        sha256 = hashlib.sha256(content.getvalue()).hexdigest()
        self._wheels.append({"wheel": name, "sha256": sha256, "pythons": pythons})
        self.write_lock()

    def write_lock(self, pythons: tuple[str, ...] = (HERE, OTHER)) -> None:
        """Write packages.lock as it is for these Pythons."""
        lock = {"schema": 1, "pythons": pythons, "wheels": self._wheels}
        (self.folder / "packages.lock").write_text(json.dumps(lock))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An archive with one package for every Python and one for each of two."""
    archive = Archive(tmp_path)
    archive.add("made_up_all-1-py3-none-any.whl", [HERE, OTHER], {"made_up_all.py": "FROM = 'all'"})
    archive.add("made_up_own-1-here.whl", [HERE], {"made_up_own/__init__.py": "FROM = 'here'"})
    archive.add("made_up_own-1-other.whl", [OTHER], {"made_up_own/__init__.py": "FROM = 'other'"})
    return archive


def test_takes_the_wheels_of_this_python_before_everything_else(archive: Archive) -> None:
    target = use_packages(archive.folder)

    assert target is not None
    assert sys.path[0] == str(target)
    for name, source in [("made_up_all", "all"), ("made_up_own", "here")]:
        module = importlib.import_module(name)
        assert source == module.FROM
        assert Path(module.__file__ or "").is_relative_to(target)


def test_only_this_user_reads_the_folder(archive: Archive) -> None:
    target = use_packages(archive.folder)

    assert target is not None
    assert stat.S_IMODE(target.stat().st_mode) == 0o700


def test_says_in_one_line_what_was_found_used_and_left(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    target = use_packages(archive.folder)

    (line,) = caplog.messages
    assert line.startswith(
        f"Packages: 3 wheels in the archive, 2 used for Python {HERE} from {target} (unpacked in "
    )
    assert line.endswith(" s), 1 left for other Pythons")


def test_names_what_the_server_had_loaded_before(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    archive.add("json-1-py3-none-any.whl", [HERE], {"json/__init__.py": "raise SystemExit"})

    use_packages(archive.folder)

    assert caplog.messages[0].endswith("; the server's own stay, loaded before: json")
    assert json.loads("1") == 1


def test_a_restarted_worker_takes_what_is_unpacked(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    first = use_packages(archive.folder)
    for wheel in (archive.folder / "packages").iterdir():
        wheel.unlink()

    assert use_packages(archive.folder) == first
    assert "(there in 0.0 s)" in caplog.messages[1]


def test_workers_that_start_at_once_unpack_once(archive: Archive) -> None:
    program = (
        "import logging, sys; from pathlib import Path; logging.basicConfig(level=logging.INFO);"
        "from vertex_diffusion.packages import use_packages; use_packages(Path(sys.argv[1]));"
        "import made_up_all"
    )
    command = [sys.executable, "-c", program, str(archive.folder)]

    workers = [
        subprocess.Popen(command, cwd=HANDLER, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]

    said = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0, 0]
    assert sum("(unpacked in" in text for text in said) == 1


def test_what_a_killed_worker_left_half_unpacked_is_removed(archive: Archive) -> None:
    half = archive.folder / ".unfinished-packages-killed"
    half.mkdir()

    use_packages(archive.folder)

    assert not half.exists()


def test_takes_the_code_of_a_wheel_and_leaves_its_scripts(archive: Archive) -> None:
    archive.add(
        "made_up_data-1-py3-none-any.whl",
        [HERE],
        {
            "made_up_data-1.data/purelib/made_up_pure.py": "",
            "made_up_data-1.data/scripts/run": "",
            "made_up_data-1.dist-info/METADATA": "Name: made-up-data",
        },
    )

    target = use_packages(archive.folder)

    assert target is not None
    assert {path.name for path in target.iterdir() if "made_up_" in path.name} == {
        *("made_up_all.py", "made_up_own", "made_up_pure.py", "made_up_data-1.dist-info"),
    }


def test_a_wheel_that_is_missing_is_an_error_and_leaves_nothing(archive: Archive) -> None:
    (archive.folder / "packages" / "made_up_own-1-here.whl").unlink()

    with pytest.raises(PackagesError) as raised:
        use_packages(archive.folder)

    assert str(raised.value) == (
        'The archive lacks "made_up_own-1-here.whl", which its packages.lock names. '
        "Pack the archive again from its packages.lock."
    )
    assert not list(archive.folder.glob(".*packages*"))


def test_a_wheel_that_is_damaged_is_an_error(archive: Archive) -> None:
    (archive.folder / "packages" / "made_up_own-1-here.whl").write_bytes(b"half")

    with pytest.raises(PackagesError, match=r'^"made_up_own-1-here.whl" in the archive is not'):
        use_packages(archive.folder)


@pytest.mark.parametrize("text", ["", "[]", '{"pythons": [], "wheels": [{}]}'])
def test_a_lock_that_cannot_be_read_is_an_error(archive: Archive, text: str) -> None:
    (archive.folder / "packages.lock").write_text(text)

    with pytest.raises(PackagesError, match=r'packages\.lock" cannot be read: '):
        use_packages(archive.folder)


def test_a_folder_that_cannot_be_written_is_an_error(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)

    with pytest.raises(PackagesError, match=r"could not be unpacked in .*: No space left"):
        use_packages(archive.folder)


def test_a_python_that_is_not_locked_has_its_own_packages(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    archive.write_lock(pythons=(OTHER,))
    before = list(sys.path)

    assert use_packages(archive.folder) is None

    assert sys.path == before
    assert f"are for Python {OTHER} on Linux x86_64, and this is Python {HERE} on" in caplog.text


def test_another_machine_has_its_own_packages(
    archive: Archive, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")

    assert use_packages(archive.folder) is None

    assert "on Darwin arm64: the environment's own packages are used" in caplog.text


def test_an_archive_without_packages_is_left_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "packages").mkdir()  # a handler's own folder of that name

    assert use_packages(tmp_path) is None

    assert not caplog.messages
