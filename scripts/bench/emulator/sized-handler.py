"""A handler that computes nothing: each instance {"bytes": N} is answered with N characters."""


def handle(data, context):
    """Called by TorchServe: first with None, to load, then with a request's instances."""
    if data is None:
        return None
    return ["x" * item["bytes"] for item in data]
