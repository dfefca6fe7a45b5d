"""A server that answers as Cloud Storage's JSON API does, and as the metadata server."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from vertex_diffusion import artifact

FOLDER = "copied/7"


class Storage(ThreadingHTTPServer):
    """The objects of one bucket, and what was asked for. It answers while it is entered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        # What was asked for, each as PATH_IN_THE_FOLDER@FIRST_BYTE.
        self.asked: list[str] = []
        # How many bytes were sent for the objects.
        self.sent = 0
        self.authorizations: list[str | None] = []
        self.statuses: list[int] = []
        self.cut_at: list[int] = []
        self.knows_ranges = True
        # Nothing is answered before it is set.
        self.is_open = threading.Event()
        self.is_open.set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a container finds its artifacts here."""
        return {
            "STORAGE_EMULATOR_HOST": f"http://{self.host}",
            "AIP_STORAGE_URI": f"gs://managed/{FOLDER}",
        }

    def __enter__(self) -> Storage:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.is_open.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Storage

    def do_GET(self) -> None:
        self.server.is_open.wait()
        url = urlsplit(self.path)
        if url.path == artifact.TOKEN_PATH:
            assert self.headers["Metadata-Flavor"] == "Google"
            self._answer(200, json.dumps({"access_token": "of-the-service-account"}).encode())
            return
        name = unquote(url.path.partition("/storage/v1/b/managed/o/")[2])
        content = self.server.objects.get(name)
        first, end = self._range(len(content or b""))
        if url.query == "alt=media":
            self.server.asked.append(f"{name.partition(FOLDER + '/')[2]}@{first}")
        self.server.authorizations.append(self.headers["Authorization"])
        if self.server.statuses:
            self._answer(self.server.statuses.pop(0), b"")
        elif content is not None and url.query == "fields=size":
            self._answer(200, json.dumps({"size": str(len(content))}).encode())
        elif content is None or url.query != "alt=media":
            self._answer(404, b"")
        else:
            is_part = self.headers["Range"] and self.server.knows_ranges
            self._answer(206 if is_part else 200, content[first:end])

    def _range(self, length: int) -> tuple[int, int]:
        given = self.headers["Range"]
        if not given or not self.server.knows_ranges:
            return 0, length
        first, _, last = given[len("bytes=") :].partition("-")
        return int(first), int(last) + 1 if last else length

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = self.server.cut_at.pop(0) if self.server.cut_at and len(body) > 9 else len(body)
        self.server.sent += cut
        try:
            self.wfile.write(body[:cut])
        except OSError:
            return  # the client has what it wanted

    def log_message(self, *_: object) -> None:
        """The test's output is the test's."""
