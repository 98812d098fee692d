"""The settings of group `registry`: where the schemas of the input topic's records are."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from stream_detector.settings.group import PREFIX, Count, Group, Seconds


class RegistrySettings(Group):
    """The schema registry, for records in Avro, Protobuf or JSON with a schema ([registry.md](registry.md))."""

    url: str | None = Field(
        None, description="http:// or https:// URL; several of one registry, separated by commas, are tried in this order."
    )
    username: str | None = Field(None, description="User, or API key.")
    password: SecretStr | None = Field(None, description="Password, or API secret.")
    bearer_token: SecretStr | None = Field(None, description="Token, instead of a user and a password.")
    ca_file: Path | None = Field(None, description="CA certificates that verify the server. Unset: those of the system.")
    certificate_file: Path | None = Field(None, description="Client certificate.")
    key_file: Path | None = Field(None, description="Private key of the client certificate.")
    key_password: SecretStr | None = Field(None, description="Password of the private key.")
    timeout_seconds: float = Field(5.0, gt=0, le=30, description="Limit for each request.")
    cache_schemas: Count = Field(1000, description="Most schemas that are remembered.")
    unknown_seconds: Seconds = Field(
        60.0, description="How long a schema that the registry does not have is not asked for again."
    )

    @property
    def urls(self) -> list[str]:
        """The URLs, without a slash at the end."""
        return [one.strip().rstrip("/") for one in (self.url or "").split(",") if one.strip()]

    @field_validator("url")
    @classmethod
    def _urls_are_of_http(cls, value: str | None) -> str | None:
        parts = [one.strip() for one in (value or "").split(",") if one.strip()]
        for number, part in enumerate(parts, start=1):
            # The text must not show the URL: somebody may have put a password into it.
            if not part.startswith(("http://", "https://")):
                msg = f"URL {number} of {len(parts)} does not start with http:// or https://"
                raise ValueError(msg)
            if "@" in part.split("//", 1)[1].split("/", 1)[0]:
                msg = f"URL {number} of {len(parts)} has a user; use {PREFIX}REGISTRY__USERNAME and {PREFIX}REGISTRY__PASSWORD"
                raise ValueError(msg)
        return value

    @model_validator(mode="after")
    def _there_is_one_way_to_sign_in(self) -> Self:
        if self.bearer_token is not None and self.username is not None:
            msg = f"{PREFIX}REGISTRY__BEARER_TOKEN and {PREFIX}REGISTRY__USERNAME are both set: set one of them"
            raise ValueError(msg)
        if (self.username is None) != (self.password is None):
            msg = f"{PREFIX}REGISTRY__USERNAME and {PREFIX}REGISTRY__PASSWORD belong together: set both or neither"
            raise ValueError(msg)
        if self.key_file is not None and self.certificate_file is None:
            msg = f"{PREFIX}REGISTRY__KEY_FILE has no effect without {PREFIX}REGISTRY__CERTIFICATE_FILE: set both or neither"
            raise ValueError(msg)
        return self
