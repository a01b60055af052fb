"""Secrets are used and never seen."""

from __future__ import annotations

import json
import pickle

import pytest

from pipeline.errors import ConfigurationError
from pipeline.settings.connection import credentials
from pipeline.settings.effective import fingerprint, redacted
from pipeline.settings.lint import lint
from pipeline.settings.models.root import Settings
from tests.unit.settings.conftest import Read

SECRET = "hunter2-0123456789"
TEXT = """
data:
  source:
    api_credentials: {api_key: "${KEY}", secret_key: "${KEY}", username: "${KEY}", password: "${KEY}"}
monitoring:
  alert_channels: {webhook: "${KEY}", sms: "${KEY}", slack: {bot_token: "${KEY}", channel: "#desk"}}
"""


@pytest.fixture
def settings(read: Read) -> Settings:
    return read(TEXT, environ={"KEY": SECRET})


def test_a_secret_is_nowhere_that_people_or_files_see(settings: Settings) -> None:
    """Seven secrets, and none in text, JSON, dumps or findings."""
    seen = [repr(settings), str(settings), json.dumps(redacted(settings)), settings.model_dump_json()]
    seen += [repr(settings.model_dump()), repr(credentials(settings)), *map(str, lint(settings))]

    assert not any(SECRET in text for text in seen)
    assert json.dumps(redacted(settings), ensure_ascii=False).count("•••") == 7


def test_a_secret_is_there_for_who_asks_also_after_pickling(settings: Settings) -> None:
    again = pickle.loads(pickle.dumps(settings))

    assert credentials(again).secret_key.get_secret_value() == SECRET
    assert again == settings


def test_the_fingerprint_is_of_what_is_decided_not_of_who_runs_it(read: Read, settings: Settings) -> None:
    assert fingerprint(settings) == fingerprint(read(TEXT, environ={}))
    assert fingerprint(settings) != fingerprint(read(TEXT, "risk_management.max_positions=2"))
    assert len(fingerprint(settings)) == 64


@pytest.mark.parametrize(
    "text",
    [
        'data: {source: {api_credentials: {api_keyy: "${KEY}"}}}',
        'data: {source: {api_credentials: "${KEY}"}}',
        'risk_management: {position_size_pct: "${KEY}"}',
        'execution: {order_type: "${KEY}"}',
        'data: {source: {base_url: "https://user:${KEY}@host"}}',
        'data: {source: {provider: "${KEY}"}}',
        'strategies: [{type: "${KEY}", name: x}]',
        f"monitoring: {{alert_channels: {{webhok: {SECRET}}}}}",
        f'data: {{source: {{api_credentials: {{secret_key: ["{SECRET}"]}}}}}}',
        f'data: {{source: {{api_credentials: {{secret_key: "{SECRET}\n',
    ],
)
def test_an_error_about_a_secret_does_not_quote_it(read: Read, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text, environ={"KEY": SECRET})

    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"


def test_a_missing_credential_is_an_error_when_it_is_asked_for(read: Read) -> None:
    with pytest.raises(ConfigurationError, match="api_key: the environment variable KEY is not set"):
        credentials(read(TEXT))


def test_a_secret_typed_into_the_file_is_found(read: Read) -> None:
    found = {
        finding.code: finding.keys
        for finding in lint(read("data: {source: {api_credentials: {api_key: PK1}}}"))
    }

    assert found["secret_in_file"] == ("data.source.api_credentials.api_key",)
