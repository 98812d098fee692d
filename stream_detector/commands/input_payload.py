"""What reads the records of the input topic, by all settings: with a schema registry, if the records need one."""

from __future__ import annotations

from collections.abc import Sequence

from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.payload import Payload
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.shaped_decoder import ShapedDecoder
from stream_detector.ports import Decoder
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


def build_decoder(reader: InputReader, features: Sequence[str], limits: InputLimits) -> Decoder:
    """Return the decoder of what this reads for values of these features: the native format has a faster one."""
    return JsonDecoder(features, limits) if reader.is_native else ShapedDecoder(features, limits, reader)
