"""The Python packages in the archive, put before the image's. Needs the standard library alone."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import platform
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from vertex_diffusion.only_one import only_one

LOCK = "packages.lock"
WHEELS = "packages"
# What the wheels are built for.
PLATFORM = ("Linux", "x86_64")

logger = logging.getLogger(__name__)


class PackagesError(RuntimeError):
    """The archive's packages are not what its packages.lock says, or cannot be unpacked."""


def use_packages(folder: Path) -> Path | None:
    """Put the wheels in `folder`/packages first on the path, and say so in one line.

    They are unpacked into a folder that only this user can read, once for all workers and
    restarts. Returns that folder; None where the environment's own packages are used: there are
    no wheels, or none for this Python or machine. Raises PackagesError when one is missing or
    damaged.
    """
    started = time.monotonic()
    if not ((folder / LOCK).is_file() and (folder / WHEELS).is_dir()):
        return None
    wheels, pythons, key = _read_lock(folder / LOCK)
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    here = (platform.system(), platform.machine())
    if here != PLATFORM or python not in pythons:
        logger.warning(
            "Packages: the archive's %d wheels are for Python %s on %s %s, and this is Python %s "
            "on %s %s: the environment's own packages are used",
            *(len(wheels), ", ".join(pythons), *PLATFORM, python, *here),
        )
        return None
    used = [wheel for wheel in wheels if python in wheel["pythons"]]
    target = folder / f".packages-{python}-{key}"
    unpacked = _unpack_once(folder, used, target)
    loaded = _loaded_before(target)
    sys.path.insert(0, str(target))
    logger.info(
        "Packages: %d wheels in the archive, %d used for Python %s from %s (%s in %.1f s), "
        "%d left for other Pythons%s",
        *(len(wheels), len(used), python, target, "unpacked" if unpacked else "there"),
        *(time.monotonic() - started, len(wheels) - len(used)),
        f"; the server's own stay, loaded before: {', '.join(loaded)}" if loaded else "",
    )
    return target


def _read_lock(path: Path) -> tuple[list[dict[str, Any]], list[str], str]:
    """The wheels, the Pythons that they are complete for, and what tells this lock from others."""
    try:
        content = path.read_bytes()
        lock = json.loads(content)
        wheels = [
            {key: wheel[key] for key in ("wheel", "sha256", "pythons")} for wheel in lock["wheels"]
        ]
        return wheels, list(lock["pythons"]), hashlib.sha256(content).hexdigest()[:12]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackagesError(f'"{path}" cannot be read: {error!r}. {_REPACK}') from None


_REPACK = "Pack the archive again from its packages.lock."


def _unpack_once(folder: Path, wheels: list[dict[str, Any]], target: Path) -> bool:
    """Unpack into `target` unless it is there; False when it was."""
    try:
        with only_one(folder / LOCK):
            if target.is_dir():
                return False
            # Whoever held the lock before is gone: what has no name yet is never finished.
            for leftover in folder.glob(".unfinished-packages-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-packages-", dir=folder))
            try:
                for wheel in wheels:
                    _unpack(folder / WHEELS / wheel["wheel"], wheel["sha256"], unfinished)
                unfinished.rename(target)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            return True
    except OSError as error:
        reason = error.strerror or error
        raise PackagesError(
            f'The archive\'s packages could not be unpacked in "{folder}": {reason}.'
        ) from None


def _unpack(path: Path, sha256: str, target: Path) -> None:
    """Check and unpack one wheel, as an installer does without scripts and bytecode."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise PackagesError(
            f'The archive lacks "{path.name}", which its packages.lock names. {_REPACK}'
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise PackagesError(
            f'"{path.name}" in the archive is not the file that its packages.lock names: its '
            f"SHA-256 differs. {_REPACK}"
        )
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        for member in wheel.infolist():
            top, _, inside = member.filename.partition("/")
            if top.endswith(".data"):
                # NAME.data/purelib/... belongs at the top; scripts and headers are for no server.
                scheme, _, member.filename = inside.partition("/")
                if scheme not in ("purelib", "platlib") or not member.filename:
                    continue
            wheel.extract(member, target)


def _loaded_before(target: Path) -> list[str]:
    """Modules of ours that this process has from elsewhere already: they stay what they are."""
    ours = {entry.name.partition(".")[0] for entry in os.scandir(target)}
    return sorted(
        name for name in ours if getattr(sys.modules.get(name), "__file__", None) is not None
    )
