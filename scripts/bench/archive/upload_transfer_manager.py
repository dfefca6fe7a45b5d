"""An upload by the transfer manager of Google's Python client: address, bucket, object, file."""

import os
import sys

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage import transfer_manager

CHUNK_BYTES = 32 * 1024 * 1024


def main() -> None:
    rest, bucket, name, path = sys.argv[1:]
    # It sends the chunks to where this leads, whatever the client was told.
    os.environ["STORAGE_EMULATOR_HOST"] = rest
    client = storage.Client(project="local-project", credentials=AnonymousCredentials())
    transfer_manager.upload_chunks_concurrently(
        path, client.bucket(bucket).blob(name), chunk_size=CHUNK_BYTES, max_workers=4
    )


if __name__ == "__main__":
    main()
