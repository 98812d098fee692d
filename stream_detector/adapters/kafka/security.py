"""Secures connections to Kafka: the client's options, checks of the settings, and remedies for refusals.

Secrets never get into a message.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from stream_detector.errors import SettingsError
from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings

SETTING = f"{PREFIX}KAFKA__"

_BY_PASSWORD = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_FILES = {"ssl_ca_file": "ssl_cafile", "ssl_certificate_file": "ssl_certfile", "ssl_key_file": "ssl_keyfile"}

#: Remedies, by a pattern in the reason why a connection failed; the first match counts.
_REMEDIES = {
    r"SaslAuthenticationFailed|Failed to authenticate": (
        f"the brokers reject this user and password: check {SETTING}SASL_USERNAME, {SETTING}SASL_PASSWORD"
        f" and that the user exists for {SETTING}SASL_MECHANISM"
    ),
    r"UnsupportedSaslMechanism": f"choose another {SETTING}SASL_MECHANISM",
    r"mismatch, certificate is not valid|doesn't match": (
        f"the broker's certificate names another host: name the brokers in {SETTING}BROKERS, and in their"
        " advertised.listeners, as their certificates do"
    ),
    r"CERTIFICATE_VERIFY_FAILED": (
        f"the broker's certificate is not signed by an authority in {SETTING}SSL_CA_FILE (unset: by one the machine trusts)"
    ),
    r"alert.*(certificate|handshake)|CERTIFICATE_REQUIRED": (
        f"the broker wants a client certificate that it trusts: check {SETTING}SSL_CERTIFICATE_FILE"
    ),
    r"UNEXPECTED_EOF|WRONG_VERSION_NUMBER|record layer failure": (
        f"this port does not seem to use TLS: check {SETTING}BROKERS and {SETTING}SECURITY_PROTOCOL"
    ),
}


def remedy(reason: str) -> str:
    """Return what to do about a connection that the brokers or this client reject; "" for any other failure."""
    return next((advice for pattern, advice in _REMEDIES.items() if re.search(pattern, reason, re.IGNORECASE)), "")


def security_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return the client's options for security."""
    options: dict[str, Any] = {"security_protocol": settings.security_protocol}
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_username is not None:
            options["sasl_plain_username"] = settings.sasl_username
        if settings.sasl_password is not None:
            options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    if settings.security_protocol.endswith("SSL"):
        options["ssl_check_hostname"] = settings.ssl_check_hostname
        files = {option: getattr(settings, name) for name, option in _FILES.items()}
        options |= {name: str(path) for name, path in files.items() if path is not None}
        if settings.ssl_certificate_file is not None:
            options["ssl_password"] = _key_password(settings)
    return options


def check_security(settings: KafkaSettings) -> None:
    """Raise SettingsError for settings that are wrong whatever the brokers answer."""
    _check_sasl(settings)
    given = [name for name in _FILES if getattr(settings, name) is not None]
    for name in given:
        path = getattr(settings, name)
        if not path.is_file():
            msg = f"{SETTING}{name.upper()}: there is no file {path}"
            raise SettingsError(msg)
    if settings.security_protocol.endswith("SSL"):
        _check_files(settings)
    elif given:
        msg = f"{SETTING}SECURITY_PROTOCOL: SSL or SASL_SSL is needed for {SETTING}{given[0].upper()} to have an effect"
        raise SettingsError(msg)


def check_proxy(extra: Mapping[str, Any]) -> None:
    """Raise SettingsError for a malformed proxy URL: the client's error would quote it, password included."""
    for name in ("proxy_url", "socks5_proxy"):
        if extra.get(name) is not None and not _is_url(extra[name]):
            msg = f"{SETTING}EXTRA: {name} is not scheme://[user:password@]host:port; percent-encode special characters"
            raise SettingsError(msg)


def _is_url(value: object) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        return parts is not None and bool(parts.scheme and parts.hostname and parts.port)
    except ValueError:
        return False


def _check_sasl(settings: KafkaSettings) -> None:
    sasl = settings.security_protocol.startswith("SASL")
    if sasl and settings.sasl_mechanism is None:
        msg = f"{SETTING}SASL_MECHANISM: needed with {SETTING}SECURITY_PROTOCOL={settings.security_protocol}"
        raise SettingsError(msg)
    if not sasl and settings.sasl_mechanism is not None:
        msg = f"{SETTING}SECURITY_PROTOCOL: SASL_SSL or SASL_PLAINTEXT is needed for {SETTING}SASL_MECHANISM to have an effect"
        raise SettingsError(msg)
    by_password = sasl and settings.sasl_mechanism in _BY_PASSWORD
    if by_password and (settings.sasl_username is None or settings.sasl_password is None):
        msg = f"{SETTING}SASL_USERNAME and {SETTING}SASL_PASSWORD: both are needed with {settings.sasl_mechanism}"
        raise SettingsError(msg)


def _check_files(settings: KafkaSettings) -> None:
    """Load the files as the client will. The client itself would blame brokers that do not answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if settings.ssl_ca_file is not None:
            context.load_verify_locations(settings.ssl_ca_file)
    except OSError as error:  # ssl.SSLError is one
        msg = f"{SETTING}SSL_CA_FILE: {settings.ssl_ca_file} cannot be used: {_reason(error)}; it holds certificates in PEM"
        raise SettingsError(msg) from None
    if settings.ssl_certificate_file is None:
        if settings.ssl_key_file is not None:
            msg = f"{SETTING}SSL_KEY_FILE: {SETTING}SSL_CERTIFICATE_FILE is needed as well"
            raise SettingsError(msg)
        return
    try:
        context.load_cert_chain(settings.ssl_certificate_file, settings.ssl_key_file, _key_password(settings))
    except OSError as error:
        msg = (
            f"{SETTING}SSL_CERTIFICATE_FILE: {settings.ssl_certificate_file} cannot be used with its key: {_reason(error)};"
            f" check {SETTING}SSL_KEY_FILE (unset: in the same file), that the key is of this certificate, and"
            f" {SETTING}SSL_KEY_PASSWORD"
        )
        raise SettingsError(msg) from None


def _key_password(settings: KafkaSettings) -> str:
    """Return the key's password, empty if there is none. With None, OpenSSL would ask for it at the terminal."""
    return "" if settings.ssl_key_password is None else settings.ssl_key_password.get_secret_value()


def _reason(error: OSError) -> str:
    """Return what is wrong with a file. OpenSSL names most faults."""
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    return error.reason.replace("_", " ").lower() if error.reason else "OpenSSL cannot read it"
