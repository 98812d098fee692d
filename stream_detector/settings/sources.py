"""Where settings are read from.

First wins: the environment (STREAM_DETECTOR_KAFKA__BROKERS), secret files (a directory with files of the same names), a
TOML file. Nothing is read at import. What is said of wrong ones is in messages.py.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict
from pydantic_settings import SettingsError as NotJsonError

from stream_detector.errors import SettingsError
from stream_detector.settings.messages import Sources, describe, setting_names, suggestion
from stream_detector.settings.schema import PREFIX, Settings


def load_settings(config_file: Path | None = None, secrets_directory: Path | None = None) -> Settings:
    """Read the settings; raise SettingsError that names each wrong one."""
    if config_file is not None and not config_file.is_file():
        msg = f"there is no settings file {config_file}"
        raise SettingsError(msg)
    if secrets_directory is not None and not secrets_directory.is_dir():
        msg = f"there is no secrets directory {secrets_directory}"
        raise SettingsError(msg)

    sources = Sources(tuple(os.environ), secrets_directory, config_file, _read_tables(config_file))

    class FromFiles(Settings):
        model_config = SettingsConfigDict(toml_file=config_file, secrets_dir=secrets_directory, secrets_nested_delimiter="__")

    try:
        files = [file.name for file in secrets_directory.iterdir()] if secrets_directory else []
        _refuse_unknown_groups([*os.environ, *files])
        return FromFiles()
    except ValidationError as error:
        raise SettingsError(describe(error, sources)) from None
    except NotJsonError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{PREFIX}{field[1].upper()}" if field else "settings"
        msg = f"{name}, or a setting in it that takes an object such as {PREFIX}KAFKA__EXTRA: the value is not JSON"
        raise SettingsError(msg) from None
    except (ValueError, OSError) as error:
        msg = f"the secrets in {secrets_directory} cannot be read: {error}"
        raise SettingsError(msg) from None


def _read_tables(config_file: Path | None) -> dict[str, Any]:
    """Read a settings file as it is, to know what was written there."""
    try:
        return {} if config_file is None else tomllib.loads(config_file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        msg = f"settings file {config_file} cannot be read: {error}"
        raise SettingsError(msg) from None


def changed_settings(before: Settings, after: Settings) -> list[str]:
    """Return the names of the settings that differ. Values are left out: they may be secret."""
    return [
        f"{PREFIX}{group.upper()}__{name.upper()}"
        for group in Settings.model_fields
        for name in type(getattr(before, group)).model_fields
        if getattr(getattr(before, group), name) != getattr(getattr(after, group), name)
    ]


def _refuse_unknown_groups(names: Iterable[str]) -> None:
    """Raise SettingsError for variables and secret files of groups that do not exist: pydantic-settings passes over them.

    Names without a double underscore are left alone, since Kubernetes sets such ones (STREAM_DETECTOR_PORT) for a service, but
    for those that are a setting's but for the underscore.
    """
    names = list(names)
    if meant := _meant_with_two_underscores(names):
        raise SettingsError("\n".join(f"{name}: there is no such setting; did you mean {right}?" for name, right in meant))
    ours = (name.upper() for name in names if name.upper().startswith(PREFIX) and "__" in name)
    unknown = [name for name in ours if name.removeprefix(PREFIX).split("__")[0].lower() not in Settings.model_fields]
    if unknown:
        raise SettingsError("\n".join(f"{name}: there is no such setting; {suggestion(name)}" for name in sorted(unknown)))


def _meant_with_two_underscores(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return those names that have one underscore between group and setting, each with the name that is meant."""
    meant = {PREFIX + name.replace("__", "_", 1): PREFIX + name for name in setting_names() if "__" in name}
    is_of_kubernetes = f"{PREFIX}HTTP_PORT"  # of a service that is called stream-detector-http
    return sorted((name, meant[name.upper()]) for name in names if name.upper() in meant and name != is_of_kubernetes)
