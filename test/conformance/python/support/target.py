"""The cloud that the tests run on, as scripts/conformance.ts hands it over."""

import json
import os
from dataclasses import dataclass

VARIABLE = "VERTEX_CONFORMANCE_TARGET"


@dataclass(frozen=True)
class Target:
    """One cloud. Tests never ask which: only how clients reach it, and marks, depend on that."""

    kind: str
    """"emulator" or "google"."""
    project: str
    region: str
    run: str
    """8 hex digits, new for each run."""
    machines: bool
    """Whether models may be deployed."""
    rest: str | None = None
    """The emulator's REST address, "http://127.0.0.1:8085"."""
    grpc: str | None = None
    """The emulator's gRPC address, "127.0.0.1:8086"."""

    @property
    def prefix(self) -> str:
        """What the names of everything begin with that this run makes."""
        return f"{PREFIX}{self.run}"

    @property
    def parent(self) -> str:
        """The location that models and endpoints are in."""
        return f"projects/{self.project}/locations/{self.region}"

    def image(self, processor: str) -> str:
        """The newest prebuilt PyTorch image in the region's continent, for "cpu" or "gpu"."""
        continent = self.region.split("-")[0]
        host = continent if continent in ("europe", "asia") else "us"
        return f"{host}-docker.pkg.dev/vertex-ai/prediction/pytorch-{processor}.2-4:latest"


PREFIX = "vd-conformance-"


def read_target() -> Target:
    """Reads it from the environment. Raises when the tests were not started by the script."""
    text = os.environ.get(VARIABLE)
    if text is None:
        raise RuntimeError(
            f'{VARIABLE} is not set. Start the tests with "npm run test:conformance".'
        )
    fields = json.loads(text)
    known = Target.__dataclass_fields__
    return Target(**{name: value for name, value in fields.items() if name in known})
