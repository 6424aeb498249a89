from __future__ import annotations

from dataclasses import replace

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.evaluation.tuning.space import SearchSpace, config_block, seed_of
from adaptive_pkg.settings import load_forecast_settings
from adaptive_pkg.settings.forecast import Cell, ForecastSettings


def drawn(space: SearchSpace, seed: int) -> dict:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return study.ask(space.distributions()).params


def test_the_shipped_settings_are_a_point_of_the_space():
    base = ForecastSettings()
    params = SearchSpace().params(base)
    assert SearchSpace().settings(params, base, base.seed) == base


@pytest.mark.parametrize(
    "change",
    [{"window": 61}, {"units": (100, 50)}, {"dropout": 0.21}, {"learning_rate": 0.5}, {"units": (8,) * 4}],
)
def test_settings_between_the_points_of_the_space_have_no_parameters(change):
    assert SearchSpace().params(replace(ForecastSettings(), **change)) == {}


def test_a_cell_that_is_not_searched_is_outside():
    assert SearchSpace(cells=(Cell.LSTM,)).params(ForecastSettings()) == {}


@given(st.integers(0, 2**31 - 1), st.sampled_from([ForecastSettings(), ForecastSettings(epochs=9, seed=1)]))
def test_every_draw_stays_in_bounds_and_survives_being_a_config(seed, base):
    space = SearchSpace()
    settings = space.settings(drawn(space, seed), base, base.seed)
    assert space.window[0] <= settings.window <= space.window[1]
    assert settings.chunk_candles == 3 * settings.window  # as many windows as before
    assert settings.epochs == base.epochs
    config = config_block(settings)
    assert load_forecast_settings(config) == settings
    assert config["freqai"]["conv_width"] >= settings.window


def test_the_block_names_what_was_searched_and_what_is_no_default():
    block = config_block(ForecastSettings(epochs=9))["freqai"]["model_training_parameters"]
    assert set(block) == {"cell", "units", "window", "dropout", "learning_rate", "epochs"}


def test_bounds_the_wrong_way_round_are_named():
    with pytest.raises(SettingsError, match="window: the lowest value 90 is above the highest 30"):
        SearchSpace(window=(90, 30))
    with pytest.raises(SettingsError, match="cells: none"):
        SearchSpace(cells=())


def test_seeds_differ_by_trial_and_purpose_and_by_nothing_else():
    seeds = {seed_of(1, trial, purpose) for trial in range(50) for purpose in range(3)}
    assert len(seeds) == 150 and max(seeds) < 2**31
    assert seed_of(1, 4, 2) == seed_of(1, 4, 2) != seed_of(2, 4, 2)
