"""Reads the settings from the environment, secret files and a TOML file; the first source that has a setting wins.

Nothing is read at import. Messages about wrong settings are in messages.py.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, get_args

from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict
from pydantic_settings import SettingsError as NotJsonError

from stream_detector.errors import SettingsError
from stream_detector.settings.group import PREFIX, Group
from stream_detector.settings.messages import Sources, describe, describe_unknown
from stream_detector.settings.schema import Settings


def load_settings(config_file: Path | None = None, secrets_directory: Path | None = None) -> Settings:
    """Read the settings; raise a SettingsError that names each wrong one."""
    if config_file is not None and not config_file.is_file():
        msg = f"there is no settings file {config_file}"
        raise SettingsError(msg)
    if secrets_directory is not None and not secrets_directory.is_dir():
        msg = f"there is no secrets directory {secrets_directory}"
        raise SettingsError(msg)

    tables = _read_tables(config_file)
    if config_file is not None:
        tables = relative_to(config_file.parent, tables)

    class FromFiles(Settings):
        file_tables: ClassVar[dict[str, Any]] = tables
        model_config = SettingsConfigDict(secrets_dir=secrets_directory, secrets_nested_delimiter="__")

    try:
        secret_files = sorted(secrets_directory.iterdir()) if secrets_directory else []
        if unknown := describe_unknown([*os.environ, *(file.name for file in secret_files)]):
            raise SettingsError(unknown)
        return FromFiles()
    except ValidationError as error:
        raise SettingsError(describe(error, Sources(tuple(os.environ), secret_files, config_file, tables))) from None
    except NotJsonError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{PREFIX}{field[1].upper()}" if field else "settings"
        msg = f"{name}, or a setting in it that takes an object such as {PREFIX}KAFKA__EXTRA: the value is not JSON"
        raise SettingsError(msg) from None
    except (ValueError, OSError) as error:
        msg = f"the secrets in {secrets_directory} cannot be read: {error}"
        raise SettingsError(msg) from None


def _read_tables(config_file: Path | None) -> dict[str, Any]:
    """Read the settings file as plain tables, so that messages can name its entries."""
    try:
        return {} if config_file is None else tomllib.loads(config_file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        msg = f"settings file {config_file} cannot be read: {error}"
        raise SettingsError(msg) from None


def relative_to(folder: Path, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a settings file with its relative paths seen from where the file is, and ~ as the home folder."""

    def seen(group: str, name: str, value: object) -> object:
        is_path = isinstance(value, str) and value and name in _paths_of(group.lower())
        return str(folder / os.path.expanduser(str(value))) if is_path else value

    return {
        group: {name: seen(group, name, value) for name, value in table.items()} if isinstance(table, dict) else table
        for group, table in tables.items()
    }


def _paths_of(group: str) -> Collection[str]:
    """Return the names of the settings of a group that are paths; none of a group that there is not."""
    fields = Settings.model_fields
    model = fields[group].annotation if group in fields else None
    settings = model.model_fields if isinstance(model, type) and issubclass(model, Group) else {}
    return [name for name, one in settings.items() if Path in (one.annotation, *get_args(one.annotation))]


def changed_settings(before: Settings, after: Settings) -> list[str]:
    """Return the names of the settings that differ, without their values, which may be secret."""
    return [
        f"{PREFIX}{group.upper()}__{name.upper()}"
        for group in Settings.model_fields
        for name in type(getattr(before, group)).model_fields
        if getattr(getattr(before, group), name) != getattr(getattr(after, group), name)
    ]
