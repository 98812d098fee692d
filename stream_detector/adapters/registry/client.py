"""Asks a schema registry for schemas. Implements ingest.schemas.Schemas.

The requests are `GET /schemas/ids/{number}`, `GET /schemas/guids/{guid}` and `GET /subjects/{subject}/versions/{version}`. The
first URL that answers is used. Redirects are not followed, because they would take the password along.
"""

from __future__ import annotations

import json
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stream_detector.errors import RegistryRefusedError, RegistryUnavailableError, SettingsError
from stream_detector.ingest.schemas import Schema, SchemaKey
from stream_detector.settings.group import PREFIX
from stream_detector.settings.registry_settings import RegistrySettings

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

#: A registry's error codes for a subject, a version and a schema that it does not have.
_NOT_FOUND = {40401, 40402, 40403}
_LONGEST_ANSWER = 8 * 1024 * 1024
#: Schemas that one schema may need, and how deep they may be nested. A schema beyond that is cut, and so unusable.
_MOST_REFERENCES, _DEEPEST_REFERENCE = 200, 20


class RegistryClient:
    """One schema registry, perhaps behind several URLs."""

    def __init__(self, settings: RegistrySettings) -> None:
        """Raise SettingsError if the settings name no registry, or certificates that cannot be read."""
        if not settings.urls:
            msg = f"{PREFIX}REGISTRY__URL is not set: name the schema registry of the records, such as http://registry:8081"
            raise SettingsError(msg)
        self._urls = settings.urls
        self._timeout_seconds = settings.timeout_seconds
        self._headers = _headers(settings)
        self._pool = _pool(settings)

    def find(self, key: SchemaKey) -> Schema | None:
        """See Schemas."""
        path = f"schemas/ids/{key}" if isinstance(key, int) else f"schemas/guids/{key}"
        return self._schema(path, _Budget(), 0)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._pool.clear()

    def _schema(self, path: str, budget: _Budget, depth: int) -> Schema | None:
        found = self._get(path)
        if found is None:
            return None
        references = {}
        for one in found.get("references") or []:
            if depth < _DEEPEST_REFERENCE and budget.take():
                subject, version = quote(str(one["subject"]), safe=""), quote(str(one["version"]), safe="")
                schema = self._schema(f"subjects/{subject}/versions/{version}", budget, depth + 1)
                if schema is not None:
                    references[str(one["name"])] = schema
        return Schema(str(found.get("schemaType") or "AVRO"), str(found["schema"]), references)

    def _get(self, path: str) -> Mapping[str, Any] | None:
        """Return an answer of the first URL that gives one; None if the registry says that it has no such thing."""
        failure: RegistryUnavailableError | None = None
        for url in self._urls:
            try:
                return self._get_from(f"{url}/{path}")
            except RegistryRefusedError:
                raise
            except RegistryUnavailableError as error:
                failure = failure or error
        assert failure is not None  # there is a URL
        raise failure

    def _get_from(self, url: str) -> Mapping[str, Any] | None:
        from urllib3.exceptions import HTTPError

        until = time.monotonic() + self._timeout_seconds
        limit = self._timeout_seconds
        try:
            response = self._pool.request(
                "GET", url, headers=self._headers, timeout=limit, retries=False, redirect=False, preload_content=False
            )
            try:
                body = _read(response, until)
            finally:
                response.close()  # schemas are asked for rarely: an idle connection would only break
        except (HTTPError, OSError, ValueError) as error:
            raise RegistryUnavailableError(f"the schema registry at {url} does not answer: {_shown(error)}") from None
        return _answer(url, response.status, body)


class _Budget:
    """Counts the references of one schema."""

    def __init__(self) -> None:
        self._left = _MOST_REFERENCES

    def take(self) -> bool:
        """Return whether there may be another."""
        self._left -= 1
        return self._left >= 0


def _read(response: BaseHTTPResponse, until: float) -> bytes:
    """Return the body of an answer; raise TimeoutError or ValueError if it takes too long or is too long."""
    parts, size = [], 0
    while part := response.read(65_536):
        size += len(part)
        if size > _LONGEST_ANSWER:
            msg = f"its answer has more than {_LONGEST_ANSWER} bytes"
            raise ValueError(msg)
        if time.monotonic() > until:
            msg = "its answer took too long"
            raise TimeoutError(msg)
        parts.append(part)
    return b"".join(parts)


def _answer(url: str, status: int, body: bytes) -> Mapping[str, Any] | None:
    """Return what a registry answered; None if it has no such schema. Raises RegistryUnavailableError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if status == 200 and isinstance(found, dict) and isinstance(found.get("schema"), str):
        return found
    if status == 404 and isinstance(found, dict) and found.get("error_code") in _NOT_FOUND:
        return None
    if status in (401, 403):
        cure = f"set {PREFIX}REGISTRY__USERNAME and _PASSWORD, or _BEARER_TOKEN; it needs the right to read schemas"
        raise RegistryRefusedError(f"the schema registry refuses {url} with status {status}: {cure}")
    if status == 404 and "/schemas/guids/" in url:
        raise RegistryUnavailableError(f"the records name their schemas by GUID, which {url} does not know (status 404)")
    if status == 404 or status < 400:
        what = f"{url} answers with status {status}, not as a schema registry does"
        raise RegistryUnavailableError(f"{what}: is {PREFIX}REGISTRY__URL complete, such as http://registry:8081?")
    raise RegistryUnavailableError(f"the schema registry fails: {url} gave status {status}")


def _headers(settings: RegistrySettings) -> dict[str, str]:
    headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
    if settings.bearer_token is not None:
        headers["Authorization"] = f"Bearer {settings.bearer_token.get_secret_value()}"
    elif settings.username is not None and settings.password is not None:
        user = f"{settings.username}:{settings.password.get_secret_value()}".encode()
        headers["Authorization"] = f"Basic {b64encode(user).decode()}"
    return headers


def _pool(settings: RegistrySettings) -> PoolManager:
    """Return the HTTP client. Raises SettingsError if a certificate cannot be read."""
    from urllib3 import PoolManager

    password = settings.key_password
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            secret = "" if password is None else password.get_secret_value()
            context.load_cert_chain(settings.certificate_file, settings.key_file, secret)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        files = f"{PREFIX}REGISTRY__CA_FILE, _CERTIFICATE_FILE or _KEY_FILE"
        raise SettingsError(f"{files}: the certificates cannot be read: {_shown(error)}") from None
    return PoolManager(ssl_context=context)


def _shown(error: BaseException) -> str:
    """Return an error of the client in one line; its text has addresses, but no headers."""
    return str(error).split("\n", 1)[0][:300] or type(error).__name__
