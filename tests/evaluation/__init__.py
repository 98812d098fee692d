"""Tests of stream_detector/evaluation."""

from __future__ import annotations
