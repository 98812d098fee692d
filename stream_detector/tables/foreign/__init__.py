"""Reads files as plants write them: other encodings, delimiters, decimal marks, dates, tags in rows, and quality columns."""

from __future__ import annotations
