"""What the conformance tests deploy: it answers each instance with itself."""


def handle(data, context):
    """One prediction per instance; {"raise": ...} fails. Any Python from 3.8 runs it."""
    if data is None:
        return None
    for item in data:
        if isinstance(item, dict) and "raise" in item:
            raise ValueError(item["raise"])
    return [{"echo": to_json(item)} for item in data]


def to_json(value):
    """Text for bytes, which the JSON envelope makes of {"b64": ...}."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8")
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    return value
