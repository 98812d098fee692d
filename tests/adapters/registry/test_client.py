"""The client of the schema registry, against a server that answers as told."""

from __future__ import annotations

import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from stream_detector.adapters.registry.client import RegistryClient
from stream_detector.adapters.registry.open import registry_payload
from stream_detector.errors import RegistryRefusedError, RegistryUnavailableError, SettingsError
from stream_detector.ingest.schemas import Schema
from stream_detector.settings.registry_settings import RegistrySettings
from tests.servers.certificates import CertificateAuthority
from tests.servers.processes import free_port

GUID = UUID("8ae3c5b0-1f0a-4c58-9d57-5e8f5a1d7c11")
Answer = tuple[int, object]


class Server:
    """Answers requests by path; all others with the registry's `not found`."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.paths.append(self.path)
                server.headers.append(dict(self.headers))
                status, body = server.answers.get(self.path, (404, {"error_code": 40403, "message": "not found"}))
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the arguments are the library's
                """Be quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://{'localhost' if context else '127.0.0.1'}:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def client(url: str, **settings: Any) -> RegistryClient:  # noqa: ANN401 - pydantic checks them
    return RegistryClient(RegistrySettings(url=url, **settings))


def test_a_schema_may_be_asked_for_by_its_guid(server: Server) -> None:
    server.answers[f"/schemas/guids/{GUID}"] = 200, {"schema": '"long"', "schemaType": "AVRO"}
    assert client(server.url).find(GUID) == Schema("AVRO", '"long"')


def test_a_schema_without_a_kind_is_avro(server: Server) -> None:
    server.answers["/schemas/ids/3"] = 200, {"schema": '"long"'}
    assert client(server.url).find(3) == Schema("AVRO", '"long"')


def test_a_schema_that_is_referred_to_and_missing_is_left_out(server: Server) -> None:
    reference = {"name": "a.B", "subject": "plant/b c", "version": 2}
    server.answers["/schemas/ids/3"] = 200, {"schema": '"a.B"', "references": [reference]}
    assert client(server.url).find(3) == Schema("AVRO", '"a.B"')
    assert server.paths[-1] == "/subjects/plant%2Fb%20c/versions/2"


def test_schemas_that_refer_to_each_other_are_asked_for_a_bounded_number_of_times(server: Server) -> None:
    reference = {"name": "a.B", "subject": "b", "version": 1}
    answer = 200, {"schema": '"a.B"', "references": [reference, reference]}
    server.answers |= {"/schemas/ids/3": answer, "/subjects/b/versions/1": answer}
    assert client(server.url).find(3) is not None
    assert len(server.paths) == 201


def test_a_user_and_a_token_are_sent(server: Server) -> None:
    client(server.url, username="reader", password="secret").find(1)
    client(server.url, bearer_token="abc").find(1)
    client(server.url).find(1)

    assert [sent.get("Authorization") for sent in server.headers] == [
        f"Basic {b64encode(b'reader:secret').decode()}",
        "Bearer abc",
        None,
    ]


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_refuses_says_what_to_set(server: Server, status: int) -> None:
    server.answers["/schemas/ids/3"] = status, {"error_code": status}
    with pytest.raises(RegistryRefusedError, match=f"with status {status}: set STREAM_DETECTOR_REGISTRY__USERNAME"):
        client(server.url, username="reader", password="very-secret").find(3)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, {"error_code": 50001}), "fails: .* gave status 500"),
        ((503, b"maintenance"), "fails: .* gave status 503"),
        ((429, {}), "fails: .* gave status 429"),
        ((404, b"<html>no such page</html>"), "not as a schema registry does: is STREAM_DETECTOR_REGISTRY__URL complete"),
        ((200, b"<html>welcome</html>"), "not as a schema registry does"),
        ((200, {"schema": 7}), "not as a schema registry does"),
        ((200, [[]]), "not as a schema registry does"),
        ((302, b""), "not as a schema registry does"),
        ((200, b"[" * 100_000), "not as a schema registry does"),
        ((200, b"x" * 9_000_000), "more than 8388608 bytes"),
    ],
)
def test_an_answer_that_is_none_means_that_the_registry_is_away(server: Server, answer: Answer, words: str) -> None:
    server.answers["/schemas/ids/3"] = answer
    with pytest.raises(RegistryUnavailableError, match=words):
        client(server.url).find(3)


def test_a_registry_that_does_not_know_guids_is_said(server: Server) -> None:
    server.answers[f"/schemas/guids/{GUID}"] = 404, b""
    with pytest.raises(RegistryUnavailableError, match="name their schemas by GUID"):
        client(server.url).find(GUID)


def test_the_next_url_is_asked_if_the_first_does_not_answer(server: Server) -> None:
    server.answers["/schemas/ids/3"] = 200, {"schema": '"long"'}
    assert client(f"http://127.0.0.1:{free_port()}, {server.url}/").find(3) == Schema("AVRO", '"long"')


def test_a_registry_that_is_not_there_is_away() -> None:
    with pytest.raises(RegistryUnavailableError, match="does not answer"):
        client(f"http://127.0.0.1:{free_port()}").find(3)


def test_the_certificate_of_the_registry_is_checked_and_ours_is_shown(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    of_server, of_client = authority.sign("server", host="localhost"), authority.sign("detector")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(of_server.path, of_server.key_path)
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    server = Server(context)
    server.answers["/schemas/ids/3"] = 200, {"schema": '"long"'}
    files = {"certificate_file": of_client.path, "key_file": of_client.key_path}
    try:
        assert client(server.url, ca_file=authority.path, **files).find(3) == Schema("AVRO", '"long"')
        for wrong in (files, {"ca_file": authority.path}):
            with pytest.raises(RegistryUnavailableError, match="does not answer"):
                client(server.url, **wrong).find(3)
    finally:
        server.close()


def test_certificates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="REGISTRY__CA_FILE, _CERTIFICATE_FILE or _KEY_FILE"):
        client("https://registry:8081", ca_file=tmp_path / "missing.pem")


def test_without_a_url_the_setting_is_named() -> None:
    with pytest.raises(SettingsError, match="STREAM_DETECTOR_REGISTRY__URL is not set"):
        registry_payload(RegistrySettings())
