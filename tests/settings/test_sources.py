"""Outside data are off unless asked for, and a wrong setting is named."""

import pytest

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings.schema import describe, parse
from adaptive_pkg.settings.sources import ScorerKind, SourcesSettings


def settings(**values):
    return parse(SourcesSettings, values, "adaptive.sources")


def test_off_and_free_of_charge_by_default():
    default = settings()
    assert not default.enabled and not default.x.enabled and not default.reddit.enabled
    assert default.scorer is ScorerKind.VADER
    assert (default.composite.x, default.composite.reddit, default.composite.fear_greed) == (0.4, 0.3, 0.3)


def test_no_setting_holds_a_key():
    keys = [key for key, *_ in describe(SourcesSettings, "sources")]
    assert not [key for key in keys if "secret" in key or "client" in key or key.endswith(("token", "key"))]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"scorer": "bert"}, "scorer"),
        ({"reddit": {"subreddits": "CryptoCurrency"}}, "subreddits"),
        ({"fear_greed": {"delay": 5}}, "delay_minutes"),
        ({"x": {"pages": 0}}, "pages"),
        ({"composite": {"x": 2.0}}, "composite.x"),
    ],
)
def test_a_wrong_value_is_named(values, named):
    with pytest.raises(SettingsError, match=named):
        settings(**values)
