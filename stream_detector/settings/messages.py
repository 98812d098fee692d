"""Builds messages about wrong settings: where each was set, its name there, and what is wrong with it.

A message never shows the value, which may be a misplaced secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Sources:
    """Where settings were read from."""

    variables: Sequence[str]
    secret_files: Sequence[Path]
    config_file: Path | None
    tables: dict[str, Any]  # of that file


def describe(error: ValidationError, sources: Sources) -> str:
    """Return a line for each wrong setting."""
    lines = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = [str(part) for part in item["loc"]]
        place, spell = _place(path, sources) if path else ("settings", _as_variable)
        text = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
        lines.append(f"{place}: {unknown(path, spell) if item['type'] == 'extra_forbidden' else text}")
    return "\n".join(lines)


def describe_unknown(names: Iterable[str]) -> str:
    """Return a line for each variable or secret file that looks like a setting but that pydantic-settings ignores.

    Kubernetes sets variables with single underscores for a service of our name (STREAM_DETECTOR_PORT). They are reported only
    if a second underscore would make them a setting.
    """
    paths = list(setting_paths())
    groups = {path[0] for path in paths}
    misspelled = {"_".join(path): path for path in paths if len(path) > 1}
    lines = []
    for name in sorted(names):
        plain = name.upper().removeprefix(PREFIX).lower()
        if not name.upper().startswith(PREFIX) or name == f"{PREFIX}HTTP_PORT":  # of a service named stream-detector-http
            continue
        if plain in misspelled:
            lines.append(f"{name}: there is no such setting; did you mean {_as_variable(misspelled[plain])}?")
        elif "__" in plain and plain.split("__")[0] not in groups:
            lines.append(f"{name}: {unknown(plain.split('__'), _as_variable)}")
    return "\n".join(lines)


def unknown(path: Sequence[str], spell: Callable[[Sequence[str]], str]) -> str:
    """Return a message that a setting does not exist, with the one that the user may have meant."""
    name, known = "__".join(path).lower(), {"__".join(one): one for one in setting_paths()}
    near = get_close_matches(name, known, n=1, cutoff=0.75) or [one for one in known if one.endswith(f"__{name}")]
    return f"there is no such setting; {f'did you mean {spell(known[near[0]])}?' if near else 'docs/settings.md lists all'}"


def setting_paths() -> Iterator[tuple[str, ...]]:
    """Yield the path of each group and each setting: (group,), (group, setting)."""
    for group, field in Settings.model_fields.items():
        yield (group,)
        yield from ((group, name) for name in getattr(field.annotation, "model_fields", ()))


def _place(path: Sequence[str], sources: Sources) -> tuple[str, Callable[[Sequence[str]], str]]:
    """Return where the winning source sets the setting, and how that source spells names."""
    name = _as_variable(path)
    if any(_sets(variable, name) for variable in sources.variables):
        return name, _as_variable
    for file in sources.secret_files:
        if _sets(file.name, name):
            return str(file), _as_variable
    found: Any = sources.tables
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    if found is None:
        return name, _as_variable
    in_table = len(path) > 1 or isinstance(found, dict)
    return f"{sources.config_file} {_as_table(path) if in_table else path[0]}", _as_table


def _sets(written: str, name: str) -> bool:
    """Return whether a variable or file sets the setting of this name, or an entry in it."""
    return written.upper() == name or written.upper().startswith(f"{name}__")


def _as_variable(path: Sequence[str]) -> str:
    return PREFIX + "__".join(path).upper()


def _as_table(path: Sequence[str]) -> str:
    return " ".join((f"[{path[0]}]", *path[1:]))
