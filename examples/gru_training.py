"""Train the GRU, step by step, and judge it on candles it has not seen. No TensorFlow, no internet.

    python examples/gru_training.py [--candles-file PATH/BTC_USDT-1h.feather] [--random-walk] [--seed 1]

Change HORIZON, the network or the features and run it again. The same seed prints the same numbers.
"""

import argparse
import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd

from adaptive_pkg.enums import Regime
from adaptive_pkg.errors import AdaptiveError, DataError
from adaptive_pkg.forecast import (
    GRUForecaster,
    TrainingSpan,
    forecast_price,
    future_log_volatility,
    future_return_sigma,
    past_log_volatility,
)
from adaptive_pkg.forecast.baselines import RidgeBaseline
from adaptive_pkg.forecast.skill import price_mape, relative_mse
from adaptive_pkg.market.features import forecast_features
from adaptive_pkg.market.indicators import compute_indicators
from adaptive_pkg.reports.regimes import read_candles
from adaptive_pkg.settings import ForecastSettings, load_settings
from adaptive_pkg.simulator.market import simulate_market
from adaptive_pkg.simulator.plan import MarketPlan, RegimePlan

HORIZON = 24  # candles ahead
FEWEST_CANDLES = 3_000  # 720 to warm the features up, the rest to train, validate and test on
INDICATORS = load_settings({}).indicators
NETWORK = ForecastSettings()  # as the bundle's own: ForecastSettings(units=(32,), window=48) is quicker
RANDOM_WALK = MarketPlan(regimes={Regime.TRANSITIONAL: RegimePlan(drift_sigma=0.0)})


def load_candles(args: argparse.Namespace) -> pd.DataFrame:
    if args.candles_file is None:
        return simulate_market(RANDOM_WALK if args.random_walk else "BTC/USDT", args.candles, args.seed)
    return read_candles(args.candles_file).tail(args.candles).reset_index(drop=True)


def targets(candles: pd.DataFrame) -> pd.DataFrame:
    """What is to be forecast; NaN where the future is not known yet."""
    close, volume = candles["close"], candles["volume"]
    sigma = compute_indicators(candles, INDICATORS)["sigma"]
    move = future_return_sigma(close, sigma, HORIZON, volume)
    volatility = future_log_volatility(close, HORIZON, INDICATORS.reference_period, volume)
    return pd.DataFrame({"return": move, "volatility": volatility})


def compared(actual: np.ndarray, forecast: np.ndarray, reference: np.ndarray, seed: int) -> str:
    """The ratio of squared errors and its 95% interval, from a bootstrap of blocks: targets overlap."""
    if np.array_equal(forecast, reference):
        return "1      is the naive forecast"
    score = relative_mse(actual, forecast, reference, block=4 * HORIZON, rng=np.random.default_rng(seed))
    verdict = "better" if score.high < 1 else "worse" if score.low > 1 else "not told apart"
    return f"{score.value:.3f}  [{score.low:.3f}, {score.high:.3f}]  {verdict}"


def run(args: argparse.Namespace) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    print("1. CANDLES")
    candles = load_candles(args)
    if len(candles) < FEWEST_CANDLES:
        raise DataError(f"{len(candles)} candles are too few to split; give at least {FEWEST_CANDLES}")
    dates, close = candles["date"], candles["close"].to_numpy()
    source = args.candles_file or f"synthetic, {'a random walk' if args.random_walk else 'five regimes'}"
    print(f"   {len(candles)} candles, {dates.iloc[0]:%Y-%m-%d} to {dates.iloc[-1]:%Y-%m-%d} ({source})")

    print("\n2. FEATURES AND TARGETS")
    features, actual = forecast_features(candles, INDICATORS), targets(candles)
    print(f"   in: {len(features.columns)} features of a candle, none of them a price:", end=" ")
    print(", ".join(features.columns[:4]), "…")
    print(f"   out: the next {HORIZON} candles' return in σ, and their log volatility over its usual level")

    print("\n3. SPLIT IN TIME: the past trains, the future judges, and no row touches both")
    cut = int(0.8 * len(candles))
    # Targets made from the first part alone: what came after the cut cannot be in them.
    span = TrainingSpan.from_frames(features[:cut], targets(candles[:cut]), dates[:cut], NETWORK, HORIZON)
    test = np.arange(len(candles)) >= cut + NETWORK.window - 1
    test &= (features.notna().all(axis=1) & actual.notna().all(axis=1)).to_numpy()
    for name, rows in (("train", span.train), ("validate", span.validation), ("test", test)):
        first, last = np.flatnonzero(rows)[[0, -1]]
        print(f"   {name:9}{rows.sum():6} rows, {dates[first]:%Y-%m-%d} to {dates[last]:%Y-%m-%d}")
    print(f"   purged: {HORIZON + NETWORK.window - 1} rows before each change (horizon + window − 1)")

    print("\n4. TRAINING")
    gru = GRUForecaster.fit(span, NETWORK)
    weights = sum(array.size for array in gru.weights)
    print(f"   GRU{NETWORK.units}, {weights} weights, {NETWORK.engine} engine: {gru.epochs} epochs until the")
    print("   validation rows were forecast no better; the best weights are kept")

    print("\n5. THE SKILL GATE: each output passes on only what validation supports")
    for at, name in enumerate(gru.label_names):
        skill, gain, mean = gru.validation.skills[at], abs(gru.gains[at]), gru.label_scaling.center[at]
        side = "below" if skill > 0 else "above"
        print(f"   {name:11} squared error {abs(skill):.1%} {side} that of forecasting 0:")
        print(f"{'':15}{gain:.0%} of what it says is passed on, around the training mean of {mean:+.2f}")

    print("\n6. TEST: squared error over that of the naive forecast; below 1 is better")
    forecast = gru.predict(features, dates)
    test &= forecast.valid
    ungated = copy.copy(gru)
    ungated.gains = np.ones_like(gru.gains)
    ridge = RidgeBaseline.fit(span.features[span.train], span.labels[span.train])
    level_now = past_log_volatility(close, HORIZON, INDICATORS.reference_period)
    naive = np.column_stack([np.zeros(len(close)), level_now])  # the price stays; the volatility stays
    models = {
        "GRU": forecast.values,
        "GRU without gate": ungated.predict(features, dates).values,
        "ridge": ridge.predict(features.to_numpy()),
        "always 0": np.zeros_like(forecast.values),
    }
    for at, name in enumerate(gru.label_names):
        known = actual.to_numpy()[test, at]
        for model, values in models.items():
            print(f"   {name:11} {model:17} {compared(known, values[test, at], naive[test, at], args.seed)}")
        both = (values[test, at] for values in (models["GRU"], models["ridge"]))
        print(f"   {name:11} {'GRU over ridge':17} {compared(known, *both, args.seed)}")
        width = gru.validation.half_widths[at]
        inside = np.mean(np.abs(forecast.values[test, at] - known) <= width)
        print(f"   {name:11} the interval ± {width:.2f} held {inside:.0%} of the test rows (meant: 80%)")

    rows = np.flatnonzero(test)
    sigma = compute_indicators(candles, INDICATORS)["sigma"].to_numpy()
    price = forecast_price(close[rows], forecast.values[rows, 0], sigma[rows], HORIZON)
    came = close[rows + HORIZON]
    print(f"   in prices: MAPE {price_mape(came, price):.2f}% for the GRU,", end=" ")
    print(f"{price_mape(came, close[rows]):.2f}% for 'the price stays where it is'.")
    print("   So a small MAPE proves nothing; only the difference to the naive forecast counts.")

    print("\n7. SAVED AND LOADED")
    path = args.out / "gru_forecaster.pkl"
    path.write_bytes(pickle.dumps(gru))
    again = pickle.loads(path.read_bytes()).predict(features, dates)
    equal = np.array_equal(again.values, forecast.values) and np.array_equal(again.valid, forecast.valid)
    print(f"   {path} ({path.stat().st_size // 1024} KiB): predictions bit-equal: {'yes' if equal else 'NO'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--candles-file", type=Path, help="one of freqtrade's feather files, not synthetic")
    parser.add_argument("--candles", type=int, default=10_000, help="how many; of a file the newest")
    parser.add_argument("--random-walk", action="store_true", help="a market in which no return is known")
    parser.add_argument("--seed", type=int, default=1, choices=range(1_000), metavar="N", help="0 to 999")
    parser.add_argument("--out", type=Path, default=Path("example-output"), help="folder for the model")
    try:
        run(parser.parse_args())
    except (AdaptiveError, FileExistsError, NotADirectoryError, PermissionError) as error:
        parser.error(str(error))
