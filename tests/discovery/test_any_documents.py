"""Whatever JSON is in a topic, `init` reads it or says in a sentence why not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_detector.discovery.proposal import toml_text
from tests.discovery.records import proposal_of
from tests.ingest.foreign import Foreign, foreign

#: Names and texts that mean something, and any.
NAMES = st.sampled_from(
    [
        "id",
        "machine",
        "ts",
        "time",
        "date",
        "Datum",
        "Uhrzeit",
        "tag",
        "name",
        "value",
        "v",
        "quality",
        "status",
        "tags",
        "a.b",
        'a"b',
        "{x}",
        "$key",
        "",
    ]
) | st.text(max_size=5)
TEXTS = st.sampled_from(
    [
        "press-1",
        "L1.P1.temp",
        "1795417920",
        "2026-11-23",
        "07:12:00",
        "23.11.2026 07:12:00",
        "61.2 °C",
        "4,123",
        "a;1;2",
        '{"a": 1}',
        "Good",
    ]
) | st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.just(1_795_417_920_000) | TEXTS
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)


def records(documents: list[Any], keys: list[bytes | None]) -> list[Foreign]:
    return [
        foreign(document, key=keys[at % len(keys)], offset=at, partition=at % 2) for at, document in enumerate(documents * 4)
    ]


@settings(deadline=None)  # each first format of a date is compiled once
@given(
    st.lists(DOCUMENTS, min_size=1, max_size=3),
    st.lists(st.none() | st.binary(max_size=6) | st.just(b'{"id": "p", "ts": 1795417920}'), min_size=1, max_size=2),
)
def test_any_documents_give_settings_or_a_sentence(documents: list[Any], keys: list[bytes | None]) -> None:
    with suppress(ValueError):  # which `init` prints, in a line
        toml_text(proposal_of(records(documents, keys)), "Any.")
