"""Opens what reads the records of a topic whose schemas are in a registry, if the packages for it are installed."""

from __future__ import annotations

import time
from importlib.util import find_spec

from stream_detector.adapters.registry.client import RegistryClient
from stream_detector.errors import SettingsError
from stream_detector.ingest.registry_payload import RegistryPayload
from stream_detector.settings.registry_settings import RegistrySettings

#: What the extra `registry` installs, by the name under which it is imported.
_NEEDED = ("fastavro", "google.protobuf", "proto_schema_parser", "urllib3")


def registry_payload(settings: RegistrySettings) -> RegistryPayload:
    """Return what reads records by the schemas of a registry. Does not connect yet.

    Raises SettingsError if the settings are incomplete or a package is missing.
    """
    require_packages()
    return RegistryPayload(
        RegistryClient(settings),
        time.monotonic,
        most_schemas=settings.cache_schemas,
        unknown_seconds=settings.unknown_seconds,
    )


def require_packages() -> None:
    """Raise SettingsError if a package of the extra `registry` is missing."""
    missing = [name for name in _NEEDED if not _is_installed(name)]
    if missing:
        what = f"records with a schema registry need packages that are not installed ({', '.join(missing)})"
        raise SettingsError(f"{what}: pip install 'stream-detector[registry]'")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False
