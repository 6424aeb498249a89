"""What a FreqAI configuration must say for a sequence forecaster to be honest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from adaptive_pkg.errors import SettingsError
from adaptive_pkg.forecast.forecaster import RecurrentForecaster
from adaptive_pkg.forecast.targets import LOG_VOLATILITY, RETURN_SIGMA
from adaptive_pkg.settings.forecast import Cell, ForecastSettings

# Extra columns FreqAI adds to the frame after each training. Constant names: a live bot fixes its columns
# at the first prediction.
EXTRA_RETURNS = (
    "val_loss",
    "val_loss_zero",
    "val_skill_return",
    "val_skill_volatility",
    "interval_return",  # half-width of the interval around the forecast, in the label's unit
    "interval_volatility",
)

_SHUFFLED = (
    "candles must stay in time order, or the forecaster is judged on what it has seen; set it to false"
)
_ROW_WISE = "it drops or transforms single candles, which breaks the windows; remove it"
_FORBIDDEN: dict[str, dict[str, str]] = {
    "data_split_parameters": {"shuffle": _SHUFFLED},
    "feature_parameters": {
        "shuffle_after_split": _SHUFFLED,
        "reverse_train_test_order": _SHUFFLED,
        "principal_component_analysis": _ROW_WISE,
        "use_SVM_to_remove_outliers": _ROW_WISE,
        "use_DBSCAN_to_remove_outliers": _ROW_WISE,
        "DI_threshold": _ROW_WISE,
        "noise_standard_deviation": "the network has dropout for that; remove it",
        "buffer_train_data_candles": "it cuts off the context of the first predictions; set it to 0",
    },
}
# Keys of the freqai block that do not change what a model predicts.
_OPERATIONAL = frozenset(
    {
        "enabled",
        "identifier",
        "backtest_period_days",
        "live_retrain_hours",
        "expiration_hours",
        "purge_old_models",
        "save_backtest_models",
        "write_metrics_to_disk",
        "activate_tensorboard",
        "data_kitchen_thread_count",
        "wait_for_training_iteration_on_reload",
        "override_exchange_check",
        "conv_width",
        "model_training_parameters",
        "extra_returns_per_train",
    }
)


def check_freqai(config: Mapping[str, Any], settings: ForecastSettings) -> int:
    """Check the freqai block of a config against what the forecaster can honour.

    Returns:
        The label horizon in candles (`feature_parameters.label_period_candles`).

    Raises:
        SettingsError: names the first offending key, its value and what to do.
    """
    freqai = config.get("freqai", {})
    for block, rules in _FORBIDDEN.items():
        for key, why in rules.items():
            if value := freqai.get(block, {}).get(key):
                raise SettingsError(
                    f"freqai.{block}.{key}: {value!r} cannot be used with a sequence model: {why}"
                )
    if candles := freqai.get("fit_live_predictions_candles"):
        raise SettingsError(
            f"freqai.fit_live_predictions_candles: {candles} replaces the training labels' mean and "
            "deviation by those of predictions; remove it, the forecaster reports its own calibration"
        )
    if freqai.get("keras"):
        raise SettingsError("freqai.keras: true selects a file format FreqAI cannot load; remove it")
    test_size = freqai.get("data_split_parameters", {}).get("test_size", settings.validation_fraction)
    if test_size != settings.validation_fraction:
        raise SettingsError(
            f"freqai.data_split_parameters.test_size: {test_size} differs from model_training_parameters."
            f"validation_fraction ({settings.validation_fraction}); remove test_size"
        )
    width = freqai.get("conv_width", 1)
    if width < settings.window:
        raise SettingsError(
            f"freqai.conv_width: {width} is below the network's window ({settings.window}), so a live candle "
            f"would never have a complete window; set conv_width to {settings.window}"
        )
    horizon = freqai.get("feature_parameters", {}).get("label_period_candles")
    if not isinstance(horizon, int) or horizon < 2:
        raise SettingsError(
            f"freqai.feature_parameters.label_period_candles: {horizon!r} is not a whole number of "
            "at least 2; set how many candles ahead to forecast"
        )
    check_base_coins(config.get("exchange", {}).get("pair_whitelist", []))
    return horizon


def check_cell(config: Mapping[str, Any], cell: Cell, model: str) -> None:
    """Raise SettingsError where `model_training_parameters.cell` contradicts the FreqAI model chosen."""
    asked = config.get("freqai", {}).get("model_training_parameters", {}).get("cell", cell)
    if asked != cell:
        raise SettingsError(
            f"freqai.model_training_parameters.cell: {asked!r} contradicts {model}; remove it, or use "
            f"--freqaimodel {Cell(asked).name}Regressor"
        )


def check_base_coins(pairs: Iterable[str]) -> None:
    """Raise SettingsError where two pairs share a base coin: FreqAI keeps models by base coin only."""
    by_coin: dict[str, list[str]] = defaultdict(list)
    for pair in dict.fromkeys(pairs):
        by_coin[pair.split("/")[0]].append(pair)
    for coin, same in by_coin.items():
        if len(same) > 1:
            raise SettingsError(
                f"exchange.pair_whitelist: {' and '.join(same)} share the base coin {coin}, and FreqAI "
                "stores models by base coin, so they would overwrite each other; keep one, or run two bots "
                "with two identifiers"
            )


def prediction_inputs(config: Mapping[str, Any], settings: Any) -> dict[str, Any]:
    """All of a config that a cached model or prediction depends on, for `fingerprint` and `changes`.

    Args:
        settings: the forecaster's settings as a mapping, defaults included.
    """
    freqai = {key: value for key, value in config.get("freqai", {}).items() if key not in _OPERATIONAL}
    return {
        "timeframe": config.get("timeframe"),
        "trading_mode": config.get("trading_mode", "spot"),
        # stored predictions are found by coin and time alone: those of other candles must not answer
        "datadir": str(config.get("datadir", "")),
        "freqai": freqai,
        "forecaster_version": RecurrentForecaster.VERSION,
        "adaptive.indicators": dict(config.get("adaptive", {}).get("indicators", {})),
        "model_training_parameters": settings,
    }


def extra_returns(model: Any) -> dict[str, float]:
    """The values of `EXTRA_RETURNS` for one trained forecaster; an interval it does not know is 0."""
    names, validation = model.label_names, model.validation
    skills = dict(zip(names, validation.skills, strict=True))
    intervals = dict(zip(names, validation.half_widths, strict=False))
    values = (
        validation.loss,
        validation.zero_loss,
        skills.get(RETURN_SIGMA, 0.0),
        skills.get(LOG_VOLATILITY, 0.0),
        intervals.get(RETURN_SIGMA, 0.0),
        intervals.get(LOG_VOLATILITY, 0.0),
    )
    return dict(zip(EXTRA_RETURNS, values, strict=True))
