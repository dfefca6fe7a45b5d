"""What Vertex AI tells a custom container by its environment, and this server's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vertex_diffusion.settings import number, read_fields


@dataclass(frozen=True)
class Contract:
    """Where to listen, and under which paths to answer."""

    port: int
    health_route: str
    predict_route: str


@dataclass(frozen=True)
class ServerSettings:
    """Settings of this server alone, beside those of the handler; read alike."""

    max_batch_delay_ms: int = number(
        20, 0, 10_000, "How long a call waits for others to be made with, in milliseconds"
    )
    max_waiting_calls: int = number(
        100, 1, 10_000, "Calls that wait for their pictures; more are answered with 503"
    )
    drain_seconds: int = number(
        25, 1, 3_600, "How long calls are still answered after SIGTERM, in seconds"
    )


def read_contract(environment: Mapping[str, str]) -> Contract:
    """Read the AIP_* variables; without them the server answers on /health and /predict."""
    text = environment.get("AIP_HTTP_PORT", "") or "8080"
    is_port = text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65_535
    if not is_port:
        raise ValueError(f'AIP_HTTP_PORT must be a port between 1 and 65535, got "{text[:40]}".')
    return Contract(
        int(text),
        _read_route(environment, "AIP_HEALTH_ROUTE", "/health"),
        _read_route(environment, "AIP_PREDICT_ROUTE", "/predict"),
    )


def read_server_settings(environment: Mapping[str, str]) -> ServerSettings:
    """Read this server's settings; ValueError says, in one line, each that is wrong."""
    return read_fields(ServerSettings, environment)


def _read_route(environment: Mapping[str, str], name: str, default: str) -> str:
    route = environment.get(name, "") or default
    if not route.startswith("/") or not route.isprintable():
        raise ValueError(f'{name} must be a path that begins with /, got "{route[:40]}".')
    return route
