"""A handler that computes nothing: each instance {"bytes": N} is answered with N characters."""

from __future__ import annotations


def handle(data: list[dict[str, int]] | None, context: object) -> list[str] | None:
    """Called by TorchServe: first with None, to load, then with a request's instances."""
    if data is None:
        return None
    return ["x" * item["bytes"] for item in data]
