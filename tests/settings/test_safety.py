"""An API that anybody could use is refused before a bot trades."""

import pytest

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.safety import check_api_server

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
