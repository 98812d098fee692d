"""Adapters: implementations of the pipeline's ports with Kafka, Redis and a trained model, and the HTTP server."""

from __future__ import annotations
