"""The schema registry, by the API of Confluent's, which others speak too. Imports urllib3, and fastavro and protobuf late."""

from __future__ import annotations
