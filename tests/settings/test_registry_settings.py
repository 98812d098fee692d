"""The settings of the schema registry."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from stream_detector.settings.registry_settings import RegistrySettings


def test_several_urls_are_taken_apart() -> None:
    assert RegistrySettings(url="http://a:8081/, https://b/apis/ccompat/v7").urls == [
        "http://a:8081",
        "https://b/apis/ccompat/v7",
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"url": "registry:8081"}, "URL 1 of 1 does not start with http:// or https://"),
        ({"url": "http://a,http://user:secret@b"}, "URL 2 of 2 has a user; use STREAM_DETECTOR_REGISTRY__USERNAME"),
        ({"username": "a"}, "belong together"),
        ({"username": "a", "password": "b", "bearer_token": "c"}, "are both set"),
        ({"key_file": "a.pem"}, "KEY_FILE has no effect without"),
    ],
)
def test_settings_that_do_not_fit_are_said_without_secrets(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RegistrySettings(**settings)
    message = str(caught.value.errors()[0]["msg"])
    assert words in message
    assert "secret" not in message
