"""Encodes sensor records as bytes for the state store (`encode.encode`) and decodes them (`decode.decode`), losslessly."""

from __future__ import annotations
