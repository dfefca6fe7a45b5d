"""The model.mar that the tests deploy."""

import json
import zipfile
from io import BytesIO
from pathlib import Path

HANDLER = Path(__file__).parents[2] / "handler" / "handler.py"
MANIFEST = {
    "createdOn": "01/01/2026 00:00:00",
    "runtime": "python",
    "archiverVersion": "0.12.0",
    "model": {"modelName": "model", "handler": "handler.py", "modelVersion": "1.0"},
}


def pack_archive(handler: str | None = None) -> bytes:
    """As torch-model-archiver makes it, of the test handler or of another program text."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zip_file:
        zip_file.writestr("handler.py", HANDLER.read_text() if handler is None else handler)
        zip_file.writestr("MAR-INF/MANIFEST.json", json.dumps(MANIFEST))
    return archive.getvalue()
