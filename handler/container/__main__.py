"""Starts the server: python -m container."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

# A server that starts asks no network for anything; the libraries read this as they are imported.
os.environ["HF_HUB_OFFLINE"] = "1"

from container.contract import read_contract, read_server_settings
from container.model import start_model
from container.server import ContainerServer

logger = logging.getLogger("container")


def main() -> int:
    """Serve until SIGTERM; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m container", description=__doc__)
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    parser.add_argument("--model", type=Path, help="folder with an unpacked model archive")
    options = parser.parse_args()
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout
    )
    for name in ("container", "vertex_diffusion"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        contract = read_contract(os.environ)
        settings = read_server_settings(os.environ)
    except ValueError as error:
        logger.error("The model cannot be served. %s", error)
        return 1
    scratch = Path(tempfile.mkdtemp(prefix="vertex-diffusion-"))
    try:
        server = ContainerServer(
            contract,
            settings,
            lambda recorder: start_model(options.model, scratch, recorder),
            options.host,
        )
        return asyncio.run(server.run())
    finally:
        # The worker may still write there.
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    # Without waiting for a worker that still makes a picture or loads the model.
    os._exit(code)
