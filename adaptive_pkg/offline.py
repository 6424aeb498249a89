"""Run any freqtrade command against the loopback venue, with no internet and freqtrade untouched."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from adaptive_pkg.errors import DataError, SettingsError
from adaptive_pkg.market.higher_trend import HIGHER_TIMEFRAMES
from adaptive_pkg.rehearsal.fast_time import FastTime, mend_waits
from adaptive_pkg.simulator.candles import CandleStore
from adaptive_pkg.simulator.joined_candles import join_missing
from adaptive_pkg.simulator.venue import Clock, LoopbackVenue, loopback_venue, wall_clock_ms

__all__ = ["OfflineRun", "loopback_venue", "plan_run", "run_offline"]

FREQTRADE = (sys.executable, "-m", "freqtrade")
FREQTRADE_ON_CLOCK = (sys.executable, "-m", "adaptive_pkg.rehearsal.bot_process")
_LITERAL_PAIR = re.compile(r"^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$")
_FRESH, _REPLAYED = timedelta(days=1), timedelta(days=7)
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class OfflineRun:
    """What a freqtrade command line needs from the venue, and how it is completed.

    Attributes:
        command: freqtrade's subcommand, "" if there is none.
        arguments: the command line with configs and data folder filled in, without the overlay.
        takes_config: whether the command reads a configuration, and so an overlay.
        config: the merged configuration files.
        datadir: folder of the candles the venue replays.
        datadir_named: the folder was named by the user, so it has to exist.
        pairs: pairs to list besides those in the folder.
        candles: (pair, timeframe) that the command replays; timeframe "" where only the strategy knows it.
        reads_datadir: freqtrade reads the same folder.
        user_data: freqtrade's folder of that name.
    """

    command: str
    arguments: tuple[str, ...]
    takes_config: bool
    config: Mapping[str, Any]
    datadir: Path
    datadir_named: bool
    pairs: tuple[str, ...]
    candles: tuple[tuple[str, str], ...]
    reads_datadir: bool
    user_data: Path


def run_offline(
    freqtrade_args: Sequence[str],
    datadir: Path | None = None,
    config_paths: Sequence[Path] = (),
    clock: Clock = wall_clock_ms,
) -> int:
    """Run a freqtrade command with a loopback venue in the internet's place; output streams through.

    Args:
        freqtrade_args: a freqtrade command line, such as ["backtesting", "--timerange", "20230101-"].
            `--config` in it is laid over `config_paths`; `--datadir` in it wins over `datadir` for freqtrade,
            while the venue goes on replaying `datadir`.
        datadir: folder of candle files. Default: what freqtrade uses (user_data/data/binance). A
            `download-data` run reads it through the venue and stores where freqtrade stores by default.
        config_paths: configuration files, later ones over earlier ones. Default: freqtrade's own choice.
        clock: the venue's time in epoch milliseconds.

    Returns:
        The exit status of freqtrade; 128 + n if signal n ended it. Ctrl-C and SIGTERM are passed on once.

    Raises:
        DataError: the folder, or a pair's candles in it, are missing.
        SettingsError: a configuration file cannot be read.
        VenueError: the configuration names another exchange, or the venue cannot start.
    """
    try:
        run = plan_run(freqtrade_args, datadir, config_paths)
    except SystemExit as asked:  # freqtrade's parser has printed its help or what is wrong
        return asked.code if isinstance(asked.code, int) else int(asked.code is not None)
    if not run.takes_config:
        return _run_freqtrade(run.arguments)
    store = CandleStore(run.datadir, may_be_absent=not run.datadir_named)
    _require_candles(store, run)
    if "REHEARSAL_SPEED" in os.environ:
        mend_waits(float(os.environ["REHEARSAL_SPEED"]))
    if run.command == "trade" and (start := _replay_start(store, run)) is not None:
        return _trade_then(start, freqtrade_args, datadir, config_paths)
    if run.candles and run.reads_datadir:
        joined = join_missing(store, run.pairs, HIGHER_TIMEFRAMES, run.user_data / "data")
        if joined != Path(store.datadir):
            run = replace(run, arguments=(*run.arguments, "--datadir", str(joined)))
    with (
        LoopbackVenue(store, run.pairs, clock) as venue,
        tempfile.TemporaryDirectory(prefix="offline-") as folder,
    ):
        path = Path(folder) / "overlay.json"
        path.write_text(json.dumps(venue.overlay(run.config), indent=1))
        return _run_freqtrade((*run.arguments, "--config", str(path)))


def plan_run(
    freqtrade_args: Sequence[str], datadir: Path | None = None, config_paths: Sequence[Path] = ()
) -> OfflineRun:
    """Read a freqtrade command line with freqtrade's own parser. Arguments and errors as `run_offline`.

    Raises:
        SystemExit: the parser printed help, or refused the line.
    """
    from freqtrade.commands.arguments import Arguments

    # The configs come straight after the subcommand, so that the line's own are laid over them.
    configs = [text for path in config_paths for text in ("--config", str(path))]
    line = [*freqtrade_args[:1], *configs, *freqtrade_args[1:]]
    arguments = Arguments(line)
    parsed = arguments.get_parsed_arg()
    config_named = vars(arguments.parser.parse_args(line)).get("config")  # before freqtrade's default
    command = parsed.get("command") or ""
    takes_config = bool(command) and "config" in parsed and command != "new-config"
    config: Mapping[str, Any] = {}
    if takes_config and parsed["config"]:
        if not config_named:
            # Naming the overlay switches freqtrade's default off, so the default is named as well.
            line += [text for path in parsed["config"] for text in ("--config", str(path))]
        config = _load_config(parsed["config"])

    own_datadir = parsed.get("datadir")
    if command == "download-data" and datadir is None:
        raise DataError(
            "download-data: offline there is nothing to download from; name a folder of candles with "
            "`--datadir` before the `--`"
        )
    source = datadir or (Path(own_datadir) if own_datadir else None)
    if datadir and not own_datadir and "datadir" in parsed and command != "download-data":
        line += ["--datadir", str(datadir)]
    user_data = Path(parsed.get("user_data_dir") or config.get("user_data_dir") or "user_data")
    if source is None:
        source = user_data / "data" / "binance"

    pairs = _pairs(parsed, config)
    replays = {"strategy", "timerange", "dataformat_ohlcv"} <= parsed.keys()
    if replays and (form := parsed["dataformat_ohlcv"] or config.get("dataformat_ohlcv")) not in (
        None,
        "feather",
    ):
        raise SettingsError(
            f"dataformat_ohlcv: {form!r} cannot be replayed, only feather; "
            "convert with `freqtrade convert-data --format-to feather`"
        )
    return OfflineRun(
        command=command,
        arguments=tuple(line),
        takes_config=takes_config,
        config=config,
        datadir=source,
        datadir_named=datadir is not None or own_datadir is not None,
        pairs=pairs,
        candles=tuple(_candles(parsed, config, pairs)) if replays else (),
        reads_datadir=own_datadir is None or Path(own_datadir) == source,
        user_data=user_data,
    )


def _load_config(paths: Sequence[str]) -> Mapping[str, Any]:
    from freqtrade.configuration.load_config import load_from_files
    from freqtrade.exceptions import OperationalException

    if "-" in paths:
        raise SettingsError(
            "--config -: a configuration on standard input cannot be overlaid; save it to a file"
        )
    try:
        return load_from_files(list(paths))
    except OperationalException as error:
        raise SettingsError(str(error)) from error


def _pairs(parsed: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[str, ...]:
    """Pairs named literally on the command line, else in the config, and those FreqAI correlates with."""
    chosen = parsed.get("pairs") or config.get("exchange", {}).get("pair_whitelist", [])
    return tuple(dict.fromkeys(p for p in [*chosen, *_freqai(config)[0]] if _LITERAL_PAIR.match(p)))


def _freqai(config: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Correlated pairs and timeframes that FreqAI adds."""
    freqai = config.get("freqai", {})
    if not freqai.get("enabled", False):
        return [], []
    parameters = freqai.get("feature_parameters", {})
    return parameters.get("include_corr_pairlist", []), parameters.get("include_timeframes", [])


def _candles(
    parsed: Mapping[str, Any], config: Mapping[str, Any], pairs: tuple[str, ...]
) -> Iterator[tuple[str, str]]:
    methods = [entry.get("method") for entry in config.get("pairlists", [{"method": "StaticPairList"}])]
    if not parsed.get("pairs") and "StaticPairList" not in methods:
        return  # the whitelist says nothing about what will be traded
    own = parsed.get("timeframe") or config.get("timeframe") or ""
    detail = parsed.get("timeframe_detail") or config.get("timeframe_detail")
    timeframes = dict.fromkeys([own, *_freqai(config)[1], *([detail] if detail else [])])
    for pair in pairs:
        for timeframe in timeframes:
            yield pair, timeframe


def _require_candles(store: CandleStore, run: OfflineRun) -> None:
    """freqtrade drops a pair without candles in silence; here that stops the run."""
    if run.candles and not store.datadir.is_dir():
        raise DataError(
            f"no candle folder at {store.datadir}, which is freqtrade's default; name one with --datadir, "
            "or download candles first"
        )
    for pair, timeframe in run.candles:
        known = store.timeframes.get(pair)
        if not timeframe and known:
            continue
        store.require(pair, timeframe or "1h")


def _replay_start(store: CandleStore, run: OfflineRun) -> datetime | None:
    """When a bot has to live to see these candles as new; None: now, or its clock is set already."""
    known = [(pair, store.timeframes[pair][0]) for pair in run.pairs if store.timeframes.get(pair)]
    if "REHEARSAL_SPEED" in os.environ or not known:
        return None
    last = min(store.load(pair, timeframe)["date"].iloc[-1] for pair, timeframe in known).to_pydatetime()
    return None if datetime.now(UTC) - last < _FRESH else last - _REPLAYED


def _trade_then(
    start: datetime, freqtrade_args: Sequence[str], datadir: Path | None, config_paths: Sequence[Path]
) -> int:
    """Run the same command again, venue and bot on a clock that is at `start`. Needs Debian's faketime."""
    clock = FastTime(start)
    own = ["--datadir", str(datadir)] if datadir else []
    own += [text for path in config_paths for text in ("--config", str(path))]
    command = [sys.executable, "-m", "adaptive_pkg.cli", "offline", *own, "--", *freqtrade_args]
    print(f"venue and bot live from {start:%F %T} UTC on: the candles' last week", flush=True)
    return _run(clock.command(command), clock.environment({"REHEARSAL_UNNOTED": "1"}))


def _run_freqtrade(arguments: Sequence[str]) -> int:
    on_clock = "REHEARSAL_SPEED" in os.environ
    return _run([*(FREQTRADE_ON_CLOCK if on_clock else FREQTRADE), *arguments], {})


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run it in a session of its own, so that a terminal's Ctrl-C reaches it once, through us."""
    sys.stdout.flush()
    sys.stderr.flush()
    # Signals that come between start and hand-over are kept until they can be passed on.
    with _forward_signals() as forward_to:
        child = subprocess.Popen(command, start_new_session=True, env={**os.environ, **environment})
        forward_to(child)
        status = child.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def _forward_signals() -> Iterator[Any]:
    target: list[subprocess.Popen] = []
    pending: list[int] = []

    def send(number: int) -> None:
        if target[0].poll() is None:
            os.killpg(target[0].pid, number)  # workers of hyperopt too, as a terminal would

    def handle(number: int, frame: FrameType | None) -> None:
        if target:
            send(number)
        else:
            pending.append(number)

    def forward_to(child: subprocess.Popen) -> None:
        target.append(child)
        for number in pending:
            send(number)

    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield forward_to
        return
    before = {number: signal.signal(number, handle) for number in _FORWARDED}
    try:
        yield forward_to
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
