"""Files named in the settings lie in freqtrade's user_data folder, wherever the bot was started."""

from pathlib import Path

import pytest

from adaptive_pkg.settings.places import resolve_path, user_data_of


@pytest.mark.parametrize("folder", ["/x/user_data", Path("/x/user_data")])
def test_a_path_below_user_data_lies_in_freqtrades_own_folder(folder):
    assert resolve_path("user_data/book/models.npz", folder) == Path("/x/user_data/book/models.npz")


def test_a_folder_of_another_name_stands_for_user_data():
    assert resolve_path("./user_data/journal.sqlite", "/x/bot-2") == Path("/x/bot-2/journal.sqlite")


@pytest.mark.parametrize("path", ["/srv/user_data/a.sqlite", "data/a.sqlite", "user_data_2/a.sqlite"])
def test_any_other_path_stays_as_it_is(path):
    assert resolve_path(path, "/x/user_data") == Path(path)


def test_without_the_folder_the_path_stays_as_it_is():
    assert resolve_path("user_data/a.sqlite", None) == Path("user_data/a.sqlite")


def test_the_folder_is_the_configs_or_the_one_a_config_file_lies_in():
    files = [Path("/etc/base.json"), Path("/x/user_data/config.json"), Path("/y/user_data/other.json")]
    assert user_data_of({"user_data_dir": "/srv/bot"}, files) == Path("/srv/bot")
    assert user_data_of({}, files) == Path("/x/user_data")
    assert user_data_of({}, files[:1]) is None
