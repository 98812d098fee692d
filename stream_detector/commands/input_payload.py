"""What reads the records of the input topic, by all settings: with a schema registry, if the records need one."""

from __future__ import annotations

from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.payload import Payload
from stream_detector.settings.input_reading import input_reader
from stream_detector.settings.schema import Settings


def reader_of(settings: Settings) -> InputReader:
    """Return what reads records. Raises SettingsError if the registry's settings or packages are incomplete."""
    return input_reader(settings.input, _payload(settings))


def _payload(settings: Settings) -> Payload | None:
    if settings.input.payload != "registry":
        return None
    from stream_detector.adapters.registry.open import registry_payload

    return registry_payload(settings.registry)
