"""The custom container's server as a process, on a free port."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torchserve import HANDLER, free_ports

HEALTH = "/v1/endpoints/7/deployedModels/8"
PREDICT = "/v1/endpoints/7/deployedModels/8:predict"
START_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Container:
    """Starts as it is made; ends with the block that it is used in."""

    def __init__(
        self,
        folder: Path,
        model: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        [self.port] = free_ports(1)
        self._console = folder / "console.log"
        options = ["--model", str(model)] if model else []
        path = os.pathsep.join((str(HANDLER), os.environ.get("PYTHONPATH", "")))
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "container", "--host", "127.0.0.1", *options],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": path,
                    "TMPDIR": str(folder),
                    "AIP_HTTP_PORT": str(self.port),
                    "AIP_HEALTH_ROUTE": HEALTH,
                    "AIP_PREDICT_ROUTE": PREDICT,
                    **(environment or {}),
                },
                stdout=console,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Container:
        return self

    def __exit__(self, *_: Any) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process that runs the handler."""
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that was printed so far."""
        return self._console.read_text(encoding="utf-8", errors="replace")

    def wait_until_listening(self) -> None:
        """Return when the server answers anything at all."""
        self._wait_for(lambda: self.get(HEALTH) is not None)

    def wait_until_ready(self) -> Container:
        """Return when it is healthy; raises with the log when it never is."""
        self._wait_for(lambda: self.get(HEALTH).status == 200)
        return self

    def wait_for_end(self) -> int:
        """The exit code of the process."""
        return self._process.wait(timeout=START_SECONDS)

    def terminate(self) -> None:
        """Ask the server to end."""
        self._process.send_signal(signal.SIGTERM)

    def get(self, path: str) -> Answer:
        """The answer to a GET; the body as text unless it is JSON."""
        return self._ask("GET", path)

    def predict(self, body: Any, **headers: str) -> Answer:
        """Send `body`, as it is when it is bytes or pieces of them, and as JSON otherwise."""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        return self._ask("POST", PREDICT, body, headers)

    def stream(self, body: Any, **headers: str) -> Stream:
        """Send `body` and return once the answer begins."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        connection.request("POST", PREDICT, json.dumps(body).encode(), headers)
        return Stream(connection, connection.getresponse())

    def send(self, body: Any) -> http.client.HTTPConnection:
        """Send `body` and wait for no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        connection.request("POST", PREDICT, json.dumps(body).encode())
        return connection

    def _ask(self, method: str, path: str, body: Any = None, headers: Any = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            return read_answer(connection.getresponse())
        finally:
            connection.close()

    def _wait_for(self, is_there: Any) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if is_there():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"The server did not become ready:\n{self.log[-4000:]}")


class Stream:
    """Server-sent events as they come."""

    def __init__(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        self._connection = connection
        self.response = response

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Each event's name and data."""
        while line := self.response.readline().decode("utf-8"):
            name = line.removeprefix("event: ").rstrip("\n")
            data = self.response.readline().decode("utf-8").removeprefix("data: ")
            assert self.response.readline() == b"\n"
            yield name, json.loads(data)
        self._connection.close()


def read_answer(response: http.client.HTTPResponse) -> Answer:
    """The whole of an answer."""
    text = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    is_json = headers.get("content-type") == "application/json"
    return Answer(response.status, headers, json.loads(text) if is_json else text.decode())
