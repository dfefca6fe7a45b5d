"""Text to image for Vertex AI: request rules, pipeline and encoding, apart from any server."""

VERSION = "0.2.0"
