"""Generates the tables in docs/ and the schema of events from the code. `python -m tests.docs_tables` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from stream_detector.service.metrics import METRICS, PREFIX, Kind
from stream_detector.settings.group import PREFIX as SETTING_PREFIX
from stream_detector.settings.schema import Settings
from tests import event_schema

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- table: made by `python -m tests.docs_tables` -->", "<!-- end of table -->"


def settings_table() -> str:
    lines = []
    for group_name, group in Settings.model_fields.items():
        lines += [
            f"\n## {group_name}\n",
            f"{(group.annotation.__doc__ or '').strip()}\n",
            "| setting | default | meaning |",
            "| --- | --- | --- |",
        ]
        assert group.annotation is not None
        fields: dict[str, FieldInfo] = group.annotation.model_fields
        lines += [
            f"| `{SETTING_PREFIX}{group_name.upper()}__{name.upper()}` "
            f"| {_default(field.get_default(call_default_factory=True))} "
            f"| {field.description} |"
            for name, field in fields.items()
        ]
    return "\n".join(lines)


def _default(value: Any) -> str:  # noqa: ANN401 - a setting may have any type
    if value is None:
        return "unset"
    shown = value.get_secret_value() if isinstance(value, SecretStr) else value
    if isinstance(shown, bool):
        shown = str(shown).lower()
    return f"`{shown}`" if shown not in ({}, []) else "none"


def metrics_table() -> str:
    lines = ["| metric | meaning |", "| --- | --- |"]
    for metric in METRICS:
        suffix = "_total" if metric.kind is Kind.COUNTER else ""
        labels = f"{{{', '.join(metric.labels)}}}" if metric.labels else ""
        lines.append(f"| `{PREFIX}{metric.name}{suffix}{labels}` | {metric.help} |")
    return "\n".join(lines)


TABLES = {"settings.md": settings_table, "metrics.md": metrics_table, "events.md": event_schema.fields_table}


def with_table(text: str, table: str) -> str:
    """Return a page with its table replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    for name, table in TABLES.items():
        page = DOCS / name
        page.write_text(with_table(page.read_text(), table()))
    event_schema.PATH.write_text(event_schema.schema_text(), encoding="utf-8")
