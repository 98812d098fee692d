"""Turns the settings of group `input` into what reads a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from stream_detector.ingest.influx_shape import InfluxShape
from stream_detector.ingest.input_reader import InputReader
from stream_detector.ingest.mapping import MappedShape, RecordMapping
from stream_detector.ingest.otlp_shape import SENSOR_ATTRIBUTES, OtlpShape
from stream_detector.ingest.payload import JsonPayload, Payload
from stream_detector.ingest.presets.catalog import NATIVE, PRESETS
from stream_detector.ingest.quality import Quality
from stream_detector.ingest.record_shape import RecordShape
from stream_detector.ingest.selection import Selection
from stream_detector.ingest.sources import compile_source
from stream_detector.ingest.sparkplug.shape import SparkplugShape
from stream_detector.ingest.sparkplug.topic import TOPIC_HEADER
from stream_detector.ingest.stamps import StampFormat
from stream_detector.settings.input_settings import InputSettings

#: Settings that say where the values are: one of them replaces all that a preset says about it.
_FORMS = ("values", "features", "items", "feature", "value")
_PARTS = ("sensor", "time", "readings", "tag_pattern")
_MAPPING = (*_FORMS, *_PARTS, "feature_prefix", "time_format", "time_unit", "quality", "good_quality", "bad_quality")
_SELECTION = ("include_sensors", "exclude_sensors", "include_features", "exclude_features")


def input_reader(settings: InputSettings, payload: Payload | None = None) -> InputReader:
    """Return what reads records as the settings say; a payload other than JSON may be given. Raises ValueError."""
    selection = Selection(
        settings.include_sensors, settings.exclude_sensors, settings.include_features, settings.exclude_features
    )
    if settings.preset == NATIVE and payload is None and not _is_mapped(settings):
        return InputReader(selection=selection)
    if settings.preset in ("influx", "otlp"):
        return InputReader(_of_lines_or_points(settings), selection)
    if settings.preset == "sparkplug":
        return InputReader(_of_nodes(settings), selection)
    preset = PRESETS.get(settings.preset)
    base = preset.mapping if preset else RecordMapping()
    unfold = preset.unfold if preset else None
    mapping = _mapping(settings, base)
    if not preset and not (mapping.values or mapping.features or mapping.items or mapping.value):
        mapping = replace(mapping, values="values")
    shortcut = preset.shortcut if preset and _is_as_preset(mapping, base) else None
    return InputReader(MappedShape(mapping, payload or JsonPayload(), unfold, shortcut), selection)


def _is_as_preset(mapping: RecordMapping, base: RecordMapping) -> bool:
    """Return whether the settings leave a preset's mapping as it is, but for which qualities are good."""
    return mapping.quality.path == base.quality.path and replace(mapping, quality=base.quality) == base


def _of_lines_or_points(settings: InputSettings) -> RecordShape:
    """Return the shape of the line protocol, or of OpenTelemetry: `sensor` names tags or attributes, separated by commas."""
    chosen = [name.strip() for name in (settings.sensor or "").split(",") if name.strip()]
    if settings.preset == "otlp":
        return OtlpShape(chosen or SENSOR_ATTRIBUTES)
    return InfluxShape(chosen, None if settings.time_unit == "auto" else settings.time_unit)


def _of_nodes(settings: InputSettings) -> RecordShape:
    """Return the shape of Sparkplug B: `sensor` says where the MQTT topic is. Raises ValueError if a package is missing."""
    try:
        return SparkplugShape(compile_source(settings.sensor) if settings.sensor else None)
    except ImportError:
        msg = "the preset sparkplug needs the package protobuf: pip install 'stream-detector[registry]'"
        raise ValueError(msg) from None


def native_again(settings: InputSettings) -> InputSettings:
    """Return the settings for what re-keying has written: readings in the native format that were selected before."""
    if settings.preset == "sparkplug":  # messages are copied as they are, by node
        return settings.model_copy(update={"sensor": f"$header.{TOPIC_HEADER}"})
    names = (*_MAPPING, *_SELECTION, "preset", "payload")
    usual = InputSettings()
    return settings.model_copy(update={name: getattr(usual, name) for name in names})


def _is_mapped(settings: InputSettings) -> bool:
    """Return whether any setting of the mapping differs from its default."""
    usual = InputSettings()
    return any(getattr(settings, name) != getattr(usual, name) for name in _MAPPING)


def _mapping(settings: InputSettings, base: RecordMapping) -> RecordMapping:
    """Return a mapping with what the settings replace."""
    given: dict[str, object] = {name: value for name in _PARTS if (value := getattr(settings, name)) is not None}
    forms = {name: value for name in _FORMS if (value := getattr(settings, name))}
    if forms:
        empty: Mapping[str, object] = {name: {} if name == "features" else "" for name in _FORMS}
        kept = {name: getattr(base, name) for name in ("items", "feature", "value")} if _is_of_items(forms, base) else {}
        given |= {**empty, **kept, **forms}
    if settings.feature_prefix:
        given["prefix"] = settings.feature_prefix
    quality = base.quality
    if settings.quality or settings.good_quality or settings.bad_quality:
        good, bad = tuple(settings.good_quality), tuple(settings.bad_quality)
        quality = Quality(settings.quality or quality.path, good or (() if bad else quality.good), bad)
    stamp = StampFormat(settings.time_unit, settings.time_format or "")
    return replace(base, **given, stamp=stamp, quality=quality)  # type: ignore[arg-type]  # the names are the mapping's


def _is_of_items(forms: Mapping[str, object], base: RecordMapping) -> bool:
    """Return whether the settings change a part of a preset's list of name-value pairs only."""
    return bool(base.items) and not ({"values", "features"} & forms.keys())
