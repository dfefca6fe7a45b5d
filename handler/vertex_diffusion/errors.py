"""What is wrong with an instance or a call."""

from __future__ import annotations

from typing import Any


class RequestError(Exception):
    """What is wrong with an instance or a call, and where. Never quotes a prompt."""

    code = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message

    def to_answer(self) -> dict[str, Any]:
        """The object that stands in the answer where a picture would."""
        return {"error": {"code": self.code, "message": self.message, "field": self.field}}
