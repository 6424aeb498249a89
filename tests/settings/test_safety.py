"""An API that anybody could use is refused before a bot trades."""

import pytest

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.safety import PUBLIC_JWT_KEY, api_problems, check_api_server

KEY = "k" * 32


def config(dry_run=True, **api):
    return {"dry_run": dry_run, "api_server": {"enabled": True, "listen_ip_address": "127.0.0.1", **api}}


def test_a_dry_run_on_this_machine_needs_no_password():
    check_api_server(config())


def test_an_api_that_is_off_needs_nothing():
    check_api_server(config(dry_run=False, enabled=False))


@pytest.mark.parametrize("exposed", [{"dry_run": False}, {"listen_ip_address": "0.0.0.0"}])
def test_real_money_or_another_machine_needs_password_and_key(exposed):
    with pytest.raises(SettingsError, match=r"api_server\.password.*FREQTRADE__API_SERVER__PASSWORD"):
        check_api_server(config(**exposed))
    with pytest.raises(SettingsError, match=r"api_server\.jwt_secret_key"):
        check_api_server(config(**exposed, password="p", jwt_secret_key="short"))
    check_api_server(config(**exposed, password="p", jwt_secret_key=KEY))


def test_every_missing_secret_is_named_at_once_and_none_is_shown():
    with pytest.raises(SettingsError) as refusal:
        check_api_server(config(dry_run=False, jwt_secret_key="leak"))
    assert "api_server.password: missing" in str(refusal.value)
    assert "api_server.jwt_secret_key: too short" in str(refusal.value)
    assert "leak" not in str(refusal.value)


def test_the_key_that_freqtrade_fills_in_is_public():
    (problem,) = api_problems(config(dry_run=False, password="p", jwt_secret_key=PUBLIC_JWT_KEY))
    assert (problem.key, "everybody knows" in problem.problem) == ("api_server.jwt_secret_key", True)


def test_a_name_is_no_address():
    with pytest.raises(SettingsError, match=r"listen_ip_address: 'localhost' is no IP address"):
        check_api_server(config(listen_ip_address="localhost"))
