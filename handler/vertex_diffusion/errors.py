"""What is wrong with an instance or a call."""

from __future__ import annotations

from typing import Any


class RequestError(Exception):
    """What is wrong with an instance or a call, and where. Never quotes a prompt."""

    code = 400

    def __init__(self, field: str, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
        self.code = code or self.code

    def to_answer(self) -> dict[str, Any]:
        """The object that stands in the answer where a picture would."""
        return {"error": {"code": self.code, "message": self.message, "field": self.field}}


class MemoryShortError(RequestError):
    """One picture alone is too large for the memory of the server's device."""

    code = 413

    def __init__(self, width: int, height: int) -> None:
        super().__init__(
            "width",
            f"{width} x {height} pixels do not fit into this server's memory; "
            "ask for a smaller picture",
        )


class FailedError(RequestError):
    """The pipeline failed on a picture, for a reason that is not the caller's."""

    code = 500

    def __init__(self, kind: str) -> None:
        super().__init__("", f"the picture could not be made: {kind}")
