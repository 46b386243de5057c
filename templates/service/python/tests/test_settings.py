from pathlib import Path

import pytest

from modelship_service.settings import Settings, SettingsError


def test_defaults() -> None:
    assert Settings.from_env({}) == Settings()


def test_every_setting_has_a_variable() -> None:
    settings = Settings.from_env(
        {
            "MODELSHIP_NAME": "digits",
            "MODELSHIP_VERSION": "1.0.0",
            "MODELSHIP_ENTRY": "src/model.py:Digits",
            "MODELSHIP_FILES": "/app/model",
            "MODELSHIP_HOST": "::",
            "MODELSHIP_PORT": "9000",
            "MODELSHIP_TIMEOUT_S": "2.5",
            "MODELSHIP_DRAIN_S": "7",
            "MODELSHIP_MAX_BODY_BYTES": "100",
            "MODELSHIP_MAX_ROWS": "5",
            "MODELSHIP_QUEUE_MAX_ROWS": "6",
            "MODELSHIP_LOG_LEVEL": "DEBUG",
        }
    )
    expected = Settings(
        name="digits",
        version="1.0.0",
        entry={"v1": "src/model.py:Digits"},
        files=Path("/app/model"),
        host="::",
        port=9000,
        timeout_s=2.5,
        drain_s=7.0,
        max_body_bytes=100,
        max_rows=5,
        queue_max_rows=6,
        log_level="debug",
    )
    assert settings == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MODELSHIP_PORT", "http"),
        ("MODELSHIP_PORT", "65536"),
        ("MODELSHIP_TIMEOUT_S", "0"),
        ("MODELSHIP_TIMEOUT_S", "nan"),
        ("MODELSHIP_MAX_ROWS", "-1"),
        ("MODELSHIP_ENTRY", "model"),
        ("MODELSHIP_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable} must .*{value}"):
        Settings.from_env({variable: value})
