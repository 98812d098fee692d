"""Adapters: the ports of the pipeline on Kafka, Redis and a trained model, and the HTTP server."""

from __future__ import annotations
