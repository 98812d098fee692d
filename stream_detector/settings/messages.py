"""What is said of a setting that is wrong: where it was written, under the name that it has there, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stream_detector.settings.schema import PREFIX, Settings

#: Said instead of pydantic's words, by the type of its error.
_PLAIN_WORDS = {
    "int_parsing": "not a whole number",
    "int_parsing_size": "not a whole number",
    "int_from_float": "not a whole number",
    "int_type": "not a whole number",
    "float_parsing": "not a number",
    "float_type": "not a number",
    "finite_number": "must be a finite number, not nan or infinite",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "bool_parsing": "neither true nor false",
    "bool_type": "neither true nor false",
    "literal_error": "must be {expected}",
    "string_type": "not text",
    "path_type": "not a path",
    "dict_type": "not a table of options",
    "model_type": "not a table of settings",
}
_ABOUT_NUMBERS = re.compile("int|float|finite|greater|less")
#: Only such a value is shown, or an empty one: any other may be a secret that got into the wrong place.
_LIKE_A_NUMBER = re.compile(r"|[-+]?[\d.,_]{1,12}(e[-+]?\d{1,3}|[a-z%]{0,3})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings were read from."""

    variables: Sequence[str]
    secrets_directory: Path | None
    config_file: Path | None
    tables: dict[str, Any]  # of that file

    def secret_file(self, name: str) -> Path | None:
        """Return the file that holds a setting, if one does."""
        files = sorted(self.secrets_directory.iterdir()) if self.secrets_directory else ()
        return next((file for file in files if _holds(file.name, name)), None)

    def is_variable(self, name: str) -> bool:
        """Say whether a variable of the environment holds a setting."""
        return any(_holds(variable, name) for variable in self.variables)

    def name_in_file(self, path: Sequence[str]) -> str:
        """Return what a setting is called in the settings file; empty if it is not there."""
        found: Any = self.tables
        for part in path:
            if not isinstance(found, dict) or part not in found:
                return ""
            found = found[part]
        return _in_table(path) if len(path) > 1 or isinstance(found, dict) else path[0]


def describe(error: ValidationError, sources: Sources) -> str:
    """Put each wrong setting on a line."""
    return "\n".join(_line(item, sources) for item in error.errors())


def suggestion(name: str, *, in_table: bool = False) -> str:
    """Say what an unknown setting may be meant to be."""
    name, known = name.removeprefix(PREFIX), list(setting_names())  # the prefix would make any two names alike
    near = get_close_matches(name, known, n=1, cutoff=0.75) or [one for one in known if one.endswith(f"__{name}")]
    if not near:
        return "docs/settings.md lists all"
    return f"did you mean {_in_table(near[0].lower().split('__')) if in_table else PREFIX + near[0]}?"


def _line(item: ErrorDetails, sources: Sources) -> str:
    """Say where, in the source that wins, and what."""
    path = [str(part) for part in item["loc"]]
    if not path:
        return f"settings: {_said(item)}"
    name = PREFIX + "__".join(path).upper()
    place, in_table, is_secret = name, False, False
    if not sources.is_variable(name):
        if file := sources.secret_file(name):
            place, is_secret = str(file), True
        elif in_file := sources.name_in_file(path):
            place, in_table = f"{sources.config_file} {in_file}", True
    if item["type"] == "extra_forbidden":
        return f"{place}: there is no such setting; {suggestion(name, in_table=in_table)}"
    return f"{place}: {_said(item) if is_secret else _said_of_value(item)}"


def _said(item: ErrorDetails) -> str:
    if item["type"] not in _PLAIN_WORDS:
        return item["msg"].removeprefix("Value error, ")
    context = {name: _plainly(limit) for name, limit in item.get("ctx", {}).items()}
    return _PLAIN_WORDS[item["type"]].format_map(context)


def _said_of_value(item: ErrorDetails) -> str:
    """Show the value as well, if that gives nothing away."""
    said, value = _said(item), item["input"]
    if not _ABOUT_NUMBERS.match(item["type"]) or not _LIKE_A_NUMBER.fullmatch(str(value)):
        return said
    return f"{value!r} is {said}" if said.startswith("not") else f"{said}, not {value}"


def _plainly(limit: object) -> str:
    """Write a limit without an exponent."""
    return f"{limit:f}".rstrip("0").rstrip(".") if isinstance(limit, float) else str(limit)


def _holds(written: str, name: str) -> bool:
    """Say whether a variable or file of this name holds a setting, or a part of it."""
    return written.upper() == name or written.upper().startswith(f"{name}__")


def _in_table(path: Sequence[str]) -> str:
    """Write a name as in a settings file."""
    return " ".join((f"[{path[0]}]", *path[1:]))


def setting_names() -> Iterator[str]:
    """Return the names of all groups and settings, without the prefix."""
    for group, field in Settings.model_fields.items():
        yield group.upper()
        settings: dict[str, Any] = getattr(field.annotation, "model_fields", {})
        for name in settings:
            yield f"{group}__{name}".upper()
