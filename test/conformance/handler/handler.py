"""What the conformance tests deploy: it answers each instance with itself.

An instance {"raise": ...} fails; {"describe": true} is answered with what the container is like,
which Google does not document. Any Python from 3.8 runs it.
"""

import importlib.metadata
import json
import os
import platform
import urllib.error
import urllib.request

METADATA = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default"
TIMEOUT_S = 5


def handle(data, context):
    """One prediction per instance."""
    if data is None:
        return None
    return [answer(item) for item in data]


def answer(item):
    if isinstance(item, dict) and "raise" in item:
        raise ValueError(item["raise"])
    if isinstance(item, dict) and "describe" in item:
        return describe()
    return {"echo": to_json(item)}


def to_json(value):
    """Text for bytes, which the JSON envelope makes of {"b64": ...}."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8")
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    return value


def describe():
    packages = ("torch", "torchserve", "diffusers", "transformers", "google-cloud-storage")
    return {
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in packages},
        "environment": {
            name: value for name, value in os.environ.items() if name.startswith("AIP_")
        },
        "user": os.getuid(),
        "storage": read_storage_uri(),
        "internet": reach("https://pypi.org/simple/pip/"),
    }


def version_of(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def read_storage_uri():
    """Lists AIP_STORAGE_URI with whatever identity the container has."""
    bucket, _, folder = os.environ.get("AIP_STORAGE_URI", "").replace("gs://", "").partition("/")
    host = os.environ.get("STORAGE_EMULATOR_HOST", "https://storage.googleapis.com")
    return reach(f"{host}/storage/v1/b/{bucket}/o?prefix={folder}", authorization())


def authorization():
    request = urllib.request.Request(f"{METADATA}/token", headers={"Metadata-Flavor": "Google"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            return {"Authorization": f"Bearer {json.load(response)['access_token']}"}
    except OSError:
        return {}


def reach(url, headers=None):
    try:
        request = urllib.request.Request(url, headers=headers or {})  # noqa: S310
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            return f"HTTP {response.status}"
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except OSError as error:
        return type(error).__name__
