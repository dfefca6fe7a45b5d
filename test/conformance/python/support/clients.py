"""Google's clients for a target. Host and credentials are all that they are told."""

from collections.abc import Callable
from typing import Any

import google.auth
import grpc
import requests
from google.api_core import grpc_helpers
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import aiplatform, aiplatform_v1, storage
from requests.adapters import HTTPAdapter

from support.target import Target

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


def storage_client(target: Target) -> Any:
    """google-cloud-storage."""
    if target.rest is None:
        return storage.Client(project=target.project)
    return storage.Client(
        project=target.project,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": target.rest},
    )


def init_sdk(target: Target, transport: str, staging_bucket: str | None = None) -> None:
    """aiplatform.init as the tutorials call it, with "rest" or "grpc"."""
    address = target.rest if transport == "rest" else target.grpc
    host = (
        {} if address is None else {"api_endpoint": address, "credentials": AnonymousCredentials()}
    )
    aiplatform.init(
        project=target.project,
        location=target.region,
        staging_bucket=staging_bucket,
        api_transport=transport,
        **host,
    )


def allow_plain_grpc(target: Target, patch: Any) -> None:
    """Changes the credentials of the SDK's gRPC channels, and nothing else, to none at all.

    It makes them by itself, always with TLS, which an emulator has not. Does nothing on Google."""
    if target.grpc is None:
        return

    def create_channel(target: str, *_: Any, **options: Any) -> Any:
        return grpc.insecure_channel(target, options=options.get("options"))

    patch.setattr(grpc_helpers, "create_channel", create_channel)


def gapic(target: Target, client_class: Callable[..., Any], transport: str = "rest") -> Any:
    """A client generated from the API's descriptors: aiplatform_v1.EndpointServiceClient, say."""
    if target.rest is None or target.grpc is None:
        options = {"api_endpoint": f"{target.region}-aiplatform.googleapis.com"}
        return client_class(transport=transport, client_options=options)
    if transport == "rest":
        return client_class(
            transport="rest",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": target.rest},
        )
    make_transport = client_class.get_transport_class("grpc")  # type: ignore[attr-defined]
    return client_class(transport=make_transport(channel=grpc.insecure_channel(target.grpc)))


def dedicated_predictions(target: Target, dns: str) -> Any:
    """Predictions of a dedicated endpoint over gRPC, from the host of its own."""
    client_class = aiplatform_v1.PredictionServiceClient
    if target.grpc is None:
        return client_class(client_options={"api_endpoint": dns})
    options = [("grpc.default_authority", dns)]
    channel = grpc.insecure_channel(target.grpc, options=options)
    return client_class(transport=client_class.get_transport_class("grpc")(channel=channel))


def raw_session(target: Target) -> Any:
    """The session that Endpoint.raw_predict sends with.

    The SDK writes "https://" and Google's or the dedicated endpoint's host into these addresses,
    whatever api_endpoint says. On the emulator they are led there, under the same Host header."""
    if target.rest is None:
        credentials, _ = google.auth.default(scopes=SCOPES)
        return AuthorizedSession(credentials)
    session = AuthorizedSession(AnonymousCredentials())
    session.mount("https://", _EmulatorAdapter(target.rest))
    return session


class _EmulatorAdapter(HTTPAdapter):  # type: ignore[misc]
    """Sends a request to the emulator under the host that it was meant for."""

    def __init__(self, rest: str) -> None:
        super().__init__()
        self._rest = rest

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        _, _, rest = request.url.partition("://")
        host, _, path = rest.partition("/")
        request.headers["Host"] = host
        request.url = f"{self._rest}/{path}"
        return super().send(request, *args, **options)
