"""Every kind of message has its switch, and its least time between two."""

import pytest

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.settings import load_settings
from adaptive_pkg.settings.messages import MessageKind, MessageSettings


def settings(**values):
    return load_settings({"adaptive": {"messages": values}}).messages


@pytest.mark.parametrize("kind", MessageKind)
def test_each_kind_can_be_switched_off_alone(kind):
    silenced = settings(**{kind.value: False})
    assert [other for other in MessageKind if not silenced.wants(other)] == [kind]


@pytest.mark.parametrize("kind", [kind for kind in MessageKind if kind is not MessageKind.BREAKER])
def test_each_kind_has_its_time_but_the_breakers(kind):
    assert settings(**{f"{kind.value}_seconds": 7}).seconds(kind) == 7.0
    assert MessageSettings().seconds(MessageKind.BREAKER) == 0.0


@pytest.mark.parametrize("value", [{"per_hour": 0}, {"per_hour": 1.5}, {"stop_seconds": -1}, {"trade": True}])
def test_a_value_that_makes_no_sense_is_refused_by_name(value):
    with pytest.raises(SettingsError, match=next(iter(value))):
        settings(**value)
