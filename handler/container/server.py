"""The server from its start to its end: not ready, ready, draining, gone."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from container.call_log import CallLog
from container.contract import Contract, ServerSettings
from container.predict import PredictRoute, to_response
from container.waiting import WaitingCalls
from container.worker import Worker
from vertex_diffusion.calls import answer_outcome
from vertex_diffusion.errors import RequestError
from vertex_diffusion.metrics import PrometheusRecorder, Recorder
from vertex_diffusion.settings import Settings

if TYPE_CHECKING:
    from vertex_diffusion.service import Service

# Longer than the 600 seconds for which Google's load balancers keep an idle connection, so that
# the server is never the one that closes it under a request.
KEEP_ALIVE_SECONDS = 620
# For answers that are written but not yet read when the server ends.
FLUSH_SECONDS = 2
# Prometheus' text format.
METRICS_TYPE = "text/plain; version=0.0.4"

logger = logging.getLogger(__name__)


class ContainerServer:
    """One server for one model. `run` returns the exit code of its process."""

    def __init__(
        self,
        contract: Contract,
        settings: ServerSettings,
        start_model: Callable[[Recorder], Service],
        host: str,
    ) -> None:
        self.waiting = WaitingCalls(settings.max_waiting_calls, settings.max_batch_delay_ms / 1000)
        self._contract = contract
        self._drain_seconds = settings.drain_seconds
        self._start_model = start_model
        self._host = host
        self._recorder = PrometheusRecorder()
        self._service: Service | None = None
        self._is_draining = False
        self._has_failed = False

    def find_settings(self) -> Settings:
        """The settings of the model; RequestError with 503 while no call may be made."""
        if self._is_draining:
            raise RequestError("", "this server is about to end; ask another one", 503)
        if self._service is None:
            raise RequestError("", "the model is not loaded yet; try again later", 503)
        return self._service.settings

    def count_refusal(self, error: RequestError) -> None:
        """Count a call that was answered before it could wait for pictures."""
        self._recorder.record("errors_total", 1, "busy" if error.code == 503 else "invalid")

    async def run(self) -> int:
        """Listen at once, load the model meanwhile, and answer until SIGTERM or SIGINT."""
        self._loop = asyncio.get_running_loop()
        self._log = CallLog(PredictRoute(self))
        self._server = _Uvicorn(
            uvicorn.Config(
                self._make_app(),
                host=self._host,
                port=self._contract.port,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=FLUSH_SECONDS,
            )
        )
        self._worker = Worker(
            lambda: self._start_model(self._recorder),
            self.waiting,
            lambda service: self._call_from_worker(self._set_ready, service),
            lambda: self._call_from_worker(self._end_with_worker),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._begin_drain, self._drain_seconds)
        self._worker.start()
        await self._server.serve()
        return 1 if self._has_failed else 0

    def _make_app(self) -> Starlette:
        predict = Route(self._contract.predict_route, self._log, methods=["POST"])
        return Starlette(
            routes=[
                predict,
                Route(self._contract.health_route, self._health),
                Route("/schema", self._schema),
                Route("/metrics", self._metrics),
            ],
            exception_handlers={HTTPException: _refuse},
        )

    async def _health(self, _request: Request) -> Response:
        is_ready = self._service is not None and not self._is_draining
        state = "draining" if self._is_draining else "ready" if is_ready else "starting"
        body = json.dumps({"state": state, "waiting": len(self.waiting)})
        return Response(body, 200 if is_ready else 503, None, "application/json")

    async def _schema(self, _request: Request) -> Response:
        try:
            settings = self.find_settings()
        except RequestError as error:
            return to_response(answer_outcome(error))
        # It imports packages, which may have come with the model.
        from vertex_diffusion.schema import schema_text

        return Response(schema_text(settings), 200, None, "application/json")

    async def _metrics(self, _request: Request) -> Response:
        return PlainTextResponse(self._recorder.render(), media_type=METRICS_TYPE)

    def _set_ready(self, service: Service) -> None:
        self._service = service

    def _begin_drain(self, seconds: float) -> None:
        if self._is_draining:
            return
        self._is_draining = True
        if not self._has_failed:
            logger.info("Draining: %d calls are still answered", self._log.count)
        self._draining = self._loop.create_task(self._drain(seconds))

    async def _drain(self, seconds: float) -> None:
        await self._wait_until_idle(seconds)
        left = self.waiting.close()
        error = RequestError("", "this server had to end before the pictures were made", 503)
        for ticket in (*left, *self._worker.taken):
            ticket.tell(error)
        await self._wait_until_idle(FLUSH_SECONDS)
        self._server.should_exit = True

    async def _wait_until_idle(self, seconds: float) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._log.wait_until_idle(), seconds)

    def _end_with_worker(self) -> None:
        """Without its worker the server is of no use; the platform starts a new one."""
        if not self._is_draining:
            self._has_failed = True
            self._begin_drain(0)

    def _call_from_worker(self, function: Callable[..., None], *arguments: object) -> None:
        # The server may have ended meanwhile.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to us: Uvicorn would stop listening at once, and end by the signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _refuse(_request: Request, error: Exception) -> Response:
    """What is asked for on another path, or by another method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for no other
    response = to_response(answer_outcome(RequestError("", error.detail, error.status_code)))
    response.headers.update(error.headers or {})
    return response
