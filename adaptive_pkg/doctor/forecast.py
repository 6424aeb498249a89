"""Forecast: what FreqAI makes of a config, where it would go wrong in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adaptive_pkg.doctor.facts import Facts
from adaptive_pkg.doctor.findings import Finding, block, error, has_freqai, is_live, note, warning
from adaptive_pkg.doctor.trading import STRATEGY_TIMEFRAME
from adaptive_pkg.errors import SettingsError
from adaptive_pkg.forecast.contract import check_cell, check_freqai
from adaptive_pkg.settings import load_forecast_settings
from adaptive_pkg.settings.forecast import Cell

CELLS = {"GRURegressor": Cell.GRU, "LSTMRegressor": Cell.LSTM}


def contract(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """The forecaster's own checks: its settings, `conv_width` ≥ `window`, nothing shuffled.

    They stop at the first fault; pairs are left to the check of their own.
    """
    if not has_freqai(config):
        return
    try:
        chosen = load_forecast_settings(config)
        model = str(config.get("freqaimodel", ""))
        if model in CELLS:
            check_cell(config, CELLS[model], model)
        exchange = {**block(config, "exchange"), "pair_whitelist": []}
        check_freqai({**config, "exchange": exchange}, chosen)
    except SettingsError as refusal:
        key, _, said = str(refusal).partition(": ")
        problem, _, remedy = said.rpartition("; ")
        yield error(key, None, problem or said, remedy if problem else "correct it; see `adaptive settings`")


def retraining(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """0, freqtrade's default, trains without a pause."""
    hours = block(config, "freqai").get("live_retrain_hours")
    if has_freqai(config) and not hours:
        yield warning(
            "freqai.live_retrain_hours",
            hours,
            "the models are trained one after another without a pause, and the CPU never rests",
            "set it to 24, a training a day for each pair",
        )


def identifier(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """FreqAI takes whatever lies under its identifier for its own."""
    if facts.backtest_predictions:
        finding = warning if is_live(config) else note
        yield finding(
            "freqai.identifier",
            block(config, "freqai").get("identifier"),
            f"a backtest uses its folder too ({facts.backtest_predictions} files of predictions): whichever "
            "runs second is refused once a setting differs, and deleting it for one takes the other's models",
            "give the bot an identifier of its own, such as adaptive-gru-live",
        )


def timeframes(config: Mapping[str, Any], facts: Facts) -> Iterator[Finding]:
    """freqtrade adds the base timeframe itself where it is missing: then the config does not say it all."""
    named = block(config, "freqai", "feature_parameters").get("include_timeframes") or []
    own = config.get("timeframe", STRATEGY_TIMEFRAME)
    if has_freqai(config) and own not in named:
        yield note(
            "freqai.feature_parameters.include_timeframes",
            named or None,
            f"lacks the base timeframe {own}; freqtrade adds it",
            f'write ["{own}"]; every further timeframe costs a set of features and startup candles',
        )
