"""`freqtrade hyperopt --spaces policy risk`: parameters that move entries, size, stop and target."""

from __future__ import annotations

from itertools import product

import pytest
from freqtrade.exceptions import FreqtradeException

from adaptive_pkg.adapter.parameters import parameters
from adaptive_pkg.enums import Approach
from adaptive_pkg.errors import SettingsError

POLICY_AND_RISK = [(space, section, name) for space, section, name in parameters() if space != "regime"]


@pytest.fixture
def started(make_config, load_strategy):
    """`started(adaptive)`: the strategy as freqtrade starts it."""

    def start(**adaptive):  # by_regime where nothing is said
        strategy = load_strategy(make_config({"adaptive": adaptive}))
        strategy.ft_bot_start()
        return strategy

    return start


def test_every_parameter_of_a_space_stands_for_a_setting_and_no_setting_has_two(started):
    strategy = started()
    for space in ("regime", "policy", "risk"):
        declared = {parameter.name for _, parameter in strategy.enumerate_parameters(space)}
        assert declared == {name for own, _, name in parameters() if own == space}
    assert len({(section, name) for _, section, name in parameters()}) == len(list(parameters()))


def test_the_profile_sets_where_the_search_starts(started):
    for profile, scale, fraction in (("conservative", 1.25, 0.25), ("aggressive", 0.75, 0.50)):
        strategy = started(profile=profile)
        assert (strategy.profile_scale.value, strategy.fraction.value) == (scale, fraction)


@pytest.mark.parametrize("approach", Approach)
@pytest.mark.parametrize(("space", "section", "name"), POLICY_AND_RISK)
def test_both_ends_of_a_parameter_are_valid_and_reach_the_planner(
    started, market, analyse, space, section, name, approach
):
    strategy = started(approach=approach)
    parameter = getattr(strategy, name)
    assert parameter.low <= getattr(getattr(strategy.settings, section), name) <= parameter.high
    for value in (parameter.low, parameter.high):
        parameter.value = value
        analyse(strategy, market["BTC/USDT"].head(1_500))
        assert getattr(getattr(strategy.planner.settings, section), name) == value


@pytest.mark.parametrize("approach", Approach)
def test_every_corner_of_the_stops_is_a_valid_setting(started, approach):
    strategy = started(approach=approach)
    names = ("breakeven_trigger", "trail_trigger")
    for corner in product(*((getattr(strategy, name).low, getattr(strategy, name).high) for name in names)):
        accepted = strategy.settings.replaced(
            {f"stops.{name}": v for name, v in zip(names, corner, strict=True)}
        )  # raises for a corner that is none
        assert tuple(getattr(accepted.stops, name) for name in names) == corner


@pytest.mark.parametrize(("approach", "trail_atr"), [("hold_trend", 0.96), ("by_regime", 12.0)])
def test_a_hyperopt_result_of_the_other_approach_is_refused(make_config, load_strategy, approach, trail_atr):
    strategy = load_strategy(make_config({"adaptive": {"approach": approach}}))
    strategy._ft_params_from_file = {"risk": {"trail_atr": trail_atr}}
    with pytest.raises((SettingsError, FreqtradeException), match=f"trail_atr: {trail_atr} .*{approach}"):
        strategy.ft_bot_start()


def test_hyperopt_does_not_search_what_does_nothing(started):
    assert started(approach="by_regime").target_scale.optimize
    assert not started(approach="hold_trend").target_scale.optimize


def test_stops_lie_within_the_stoploss_of_the_config(make_config, load_strategy):
    config = make_config({"adaptive": {"approach": "hold_trend"}})
    strategy = load_strategy(config | {"stoploss": -0.06})
    strategy.ft_bot_start()
    assert strategy.planner.settings.stops.max_fraction == 0.06
    strategy = load_strategy(config)
    strategy.ft_bot_start()
    assert strategy.planner.settings.stops.max_fraction == 0.10


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("confidence", "threshold_shift", 0.15),
        ("confidence", "volume_scale", 2.0),
        ("confidence", "regime_effect", 0.5),
        ("stops", "profile_scale", 2.5),
        ("stops", "target_scale", 0.5),
        ("stops", "breakeven_trigger", 0.005),
        ("stops", "trail_trigger", 0.06),
        ("stops", "trail_atr", 0.6),
    ],
)
def test_moving_a_parameter_moves_the_trades_of_a_backtest(
    make_config, run_backtest, default_run, section, name, value
):
    assert (
        run_backtest(make_config({"adaptive": {section: {name: value}}})).decisions != default_run.decisions
    )


def test_the_kelly_fraction_moves_stakes_once_there_is_a_record(make_config, run_backtest):
    def stakes(fraction):
        kelly = {"fraction": fraction, "min_trades": 5, "start_trades": 0, "significance": 0.0}
        sizing = {"max_position_fraction": 1.0}
        run = run_backtest(make_config({"adaptive": {"kelly": kelly, "sizing": sizing}}))
        return [trade.stake_amount for trade in run.trades]

    assert stakes(0.1) != stakes(1.0)
