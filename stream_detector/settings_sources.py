"""Where settings are read from, and what is said of wrong ones.

First wins: the environment (STREAM_DETECTOR_KAFKA__BROKERS), secret files (a directory with files of the same names), a
TOML file. Nothing is read at import.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict
from pydantic_settings import SettingsError as NotJsonError

from stream_detector.errors import SettingsError
from stream_detector.settings import PREFIX, Settings

#: Said instead of pydantic's words, by the type of its error.
_PLAIN_WORDS = {
    "int_parsing": "not a whole number",
    "int_parsing_size": "not a whole number",
    "int_from_float": "not a whole number",
    "int_type": "not a whole number",
    "float_parsing": "not a number",
    "float_type": "not a number",
    "finite_number": "must be a finite number, not nan or infinite",
    "bool_parsing": "neither true nor false",
    "bool_type": "neither true nor false",
}


def load_settings(config_file: Path | None = None, secrets_directory: Path | None = None) -> Settings:
    """Read the settings; raise SettingsError that names each wrong one."""
    if config_file is not None and not config_file.is_file():
        msg = f"there is no settings file {config_file}"
        raise SettingsError(msg)
    if secrets_directory is not None and not secrets_directory.is_dir():
        msg = f"there is no secrets directory {secrets_directory}"
        raise SettingsError(msg)

    _refuse_unknown_groups(os.environ)

    class FromFiles(Settings):
        model_config = SettingsConfigDict(toml_file=config_file, secrets_dir=secrets_directory, secrets_nested_delimiter="__")

    try:
        return FromFiles()
    except ValidationError as error:
        raise SettingsError(describe(error)) from None
    except NotJsonError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"{PREFIX}{field[1].upper()}" if field else "settings"
        msg = f"{name}, or a setting in it that takes an object such as {PREFIX}KAFKA__EXTRA: the value is not JSON"
        raise SettingsError(msg) from None
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
    """Raise SettingsError for variables of groups that do not exist: pydantic-settings passes over them.

    Names without a double underscore are left alone: Kubernetes sets such ones (STREAM_DETECTOR_PORT) for a service.
    """
    ours = (name.upper() for name in names if name.upper().startswith(PREFIX) and "__" in name)
    unknown = [name for name in ours if name.removeprefix(PREFIX).split("__")[0].lower() not in Settings.model_fields]
    if unknown:
        raise SettingsError("\n".join(f"{name}: there is no such setting; {_suggestion(name)}" for name in sorted(unknown)))


def describe(error: ValidationError) -> str:
    """Put each wrong setting on a line, under the name that the user wrote. Values are left out: they may be secret."""
    lines = []
    for item in error.errors():
        name = PREFIX + "__".join(str(part).upper() for part in item["loc"])
        if item["type"] == "extra_forbidden":
            said = f"there is no such setting; {_suggestion(name)}"
        else:
            said = _PLAIN_WORDS.get(item["type"], item["msg"].removeprefix("Value error, "))
        lines.append(f"{name if item['loc'] else 'settings'}: {said}")
    return "\n".join(lines)


def _suggestion(name: str) -> str:
    # Without the prefix, which would make any two names alike.
    known = [known.removeprefix(PREFIX) for known in _names()]
    near = get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=0.75)
    return f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists all"


def _names() -> Iterator[str]:
    """Return the names of all groups and settings."""
    for group, field in Settings.model_fields.items():
        yield f"{PREFIX}{group.upper()}"
        settings: dict[str, Any] = getattr(field.annotation, "model_fields", {})
        for name in settings:
            yield f"{PREFIX}{group.upper()}__{name.upper()}"
