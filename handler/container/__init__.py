"""The custom container: a server of its own that speaks Vertex AI's container contract.

It is part of the image (handler/Dockerfile) and of no model archive.
"""
