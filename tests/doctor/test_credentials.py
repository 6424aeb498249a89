"""Nobody thinks up a password for the API, and nobody sees it."""

from __future__ import annotations

import io
import stat

import pytest
from rich.console import Console

from adaptive_pkg.doctor.credentials import add_credentials, credentials
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.safety import MIN_JWT_KEY, check_api_server

API = "FREQTRADE__API_SERVER__"


def read(file):
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def test_a_live_bot_starts_with_what_was_made(tmp_path):
    file = tmp_path / ".env"
    assert set(add_credentials(file)) == {
        f"{API}{n}" for n in ("USERNAME", "PASSWORD", "JWT_SECRET_KEY", "WS_TOKEN")
    }
    made = {name.removeprefix(API).lower(): value for name, value in read(file).items()}
    check_api_server({"dry_run": False, "api_server": {"enabled": True, **made}})
    assert len(made["password"]) >= 32 and len(made["jwt_secret_key"]) >= MIN_JWT_KEY


def test_only_the_owner_may_read_it_even_if_others_could_before(tmp_path):
    file = tmp_path / ".env"
    file.write_text("")
    file.chmod(0o644)
    add_credentials(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_what_is_there_stays(tmp_path):
    file = tmp_path / ".env"
    file.write_text(f"# mine\nFREQTRADE__TELEGRAM__TOKEN=1:x\nexport {API}PASSWORD=own\n{API}WS_TOKEN=\n")
    assert set(add_credentials(file)) == {
        f"{API}{name}" for name in ("USERNAME", "JWT_SECRET_KEY", "WS_TOKEN")
    }
    text = file.read_text()
    assert text.startswith(f"# mine\nFREQTRADE__TELEGRAM__TOKEN=1:x\nexport {API}PASSWORD=own\n")
    assert text.count(f"{API}WS_TOKEN=") == 1 and read(file)[f"{API}WS_TOKEN"]
    assert add_credentials(file) == ()
    assert file.read_text() == text


def test_no_two_are_alike(tmp_path):
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        add_credentials(file)
    one, other = map(read, files)
    assert all(one[name] != other[name] for name in one if not name.endswith("USERNAME"))


def test_the_screen_shows_names_and_no_value(tmp_path):
    screen, file = io.StringIO(), tmp_path / ".env"
    assert credentials(file, Console(file=screen, width=200)) == 0
    assert credentials(file, Console(file=screen, width=200)) == 0
    shown = screen.getvalue()
    assert f"{API}PASSWORD added" in shown and "has them all" in shown
    secret = {name: value for name, value in read(file).items() if not name.endswith("USERNAME")}
    assert not [name for name, value in secret.items() if value in shown]


def test_a_link_and_a_folder_are_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("link", "no/such/folder"):
        with pytest.raises(SettingsError, match=name):
            add_credentials(tmp_path / name)
