"""The presets: what `INPUT__PRESET` names, and how each reads a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from stream_detector.ingest.mapping import RecordMapping, Shortcut, Unfold
from stream_detector.ingest.presets import cloud, envelopes, gateways, shortcuts
from stream_detector.ingest.quality import Quality
from stream_detector.readings import Record

NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Preset:
    """How records of one kind are read. Settings of the mapping replace parts of it."""

    title: str  # for sentences: "JSON of Telegraf"
    mapping: RecordMapping
    looks_like: Callable[[object, Record], bool]  # whether a JSON document, as it is in the record, is of this kind
    unfold: Unfold | None = None
    shortcut: Shortcut | None = None  # for the mapping as it is here


#: From the most to the least specific: the first that fits a record is meant.
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "telegraf": Preset(
            "JSON of Telegraf",
            RecordMapping(sensor="tags.host", readings="metrics", values="fields"),
            gateways.is_telegraf,
        ),
        "kepware": Preset(
            "JSON of the Kepware IoT Gateway",
            RecordMapping(
                sensor="",
                time="t",
                items="values",
                feature="id",
                value="v",
                tag_pattern=r"(?P<sensor>.+)\.(?P<feature>[^.]+)",
                quality=Quality("q"),
            ),
            gateways.is_kepware,
            gateways.unfold_kepware,
        ),
        "thingsboard": Preset(
            "JSON of ThingsBoard",
            RecordMapping(sensor="device", time="ts", values="values"),
            gateways.is_thingsboard,
            gateways.unfold_thingsboard,
        ),
        "opcua": Preset(
            "an OPC UA PubSub message",
            RecordMapping(
                sensor="writer",
                time="time",
                items="items",
                feature="name",
                value="value",
                quality=Quality("status", ("0", "good*")),
            ),
            gateways.is_opcua,
            gateways.unfold_opcua,
            shortcuts.read_opcua,
        ),
        "sitewise": Preset(
            "a property notification of AWS IoT SiteWise",
            RecordMapping(
                sensor="asset",
                time="time",
                items="items",
                feature="property",
                value="value",
                quality=Quality("quality", ("good",)),
            ),
            cloud.is_sitewise,
            cloud.unfold_sitewise,
            shortcuts.read_sitewise,
        ),
        "aws-iot": Preset(
            "a shadow of AWS IoT",
            RecordMapping(sensor="thing", time="timestamp", values="reported"),
            cloud.is_aws_shadow,
            cloud.unfold_aws_shadow,
        ),
        "azure-iot": Preset(
            "a message of Azure IoT Hub",
            RecordMapping(sensor="device", time="time", values="body"),
            cloud.is_azure,
            cloud.unfold_azure,
        ),
        "debezium": Preset(
            "a change event of Debezium",
            RecordMapping(values="."),
            envelopes.is_debezium,
            envelopes.unfold_debezium,
        ),
        "connect": Preset(
            "a record of Kafka Connect with its schema",
            RecordMapping(values="."),
            envelopes.is_connect,
            envelopes.unfold_connect,
        ),
        "cloudevents": Preset(
            "a CloudEvent",
            RecordMapping(sensor="subject", time="time", values="data"),
            envelopes.is_cloudevent,
            envelopes.unfold_cloudevent,
        ),
        "flat": Preset(
            "one flat object",
            RecordMapping(values="."),
            envelopes.is_flat,
        ),
    }
)


def preset_of(document: object, record: Record) -> str | None:
    """Return the preset that a JSON document looks like, None if it looks like none."""
    return next((name for name, preset in PRESETS.items() if preset.looks_like(document, record)), None)
