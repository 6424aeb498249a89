"""`adaptive rehearse …`: the whole bot, live, in fast time, against the loopback venue."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adaptive_pkg.cli.options import at_least
from adaptive_pkg.enums import Approach


def add_commands(commands: Any) -> None:
    """Add `rehearse` with its subcommands."""
    rehearse = commands.add_parser("rehearse", help="the whole bot, live, in fast time, before a venue here")
    kinds = rehearse.add_subparsers(dest="rehearsal", required=True, metavar="WHAT")

    parity = _kind(kinds, "parity", "its trades beside a backtest's of the same candles", _parity)
    parity.add_argument("--candles", type=at_least(1), default=520)
    parity.add_argument(
        "--mode", choices=("dry", "live", "both"), default="both", help="dry run, real orders with keys, both"
    )
    parity.add_argument(
        "--real-spread",
        action="store_true",
        help="with the venue's order book and the market gate on: how trades then differ from the backtest",
    )
    parity.add_argument(
        "--approach", choices=[str(one) for one in Approach], default="by_regime", help="rules it trades by"
    )
    _market(parity)

    model = _kind(kinds, "model", "FreqAI trains, predicts, retrains, starts again from disk", _model)
    model.add_argument("--rounds", type=at_least(1), default=4, help="days, a retrain each")
    _market(model)

    crash = _kind(kinds, "crash", "kill -9 at random moments, and what is there after each restart", _crash)
    crash.add_argument("--kills", type=at_least(1), default=30)
    crash.add_argument(
        "--model-kills", type=at_least(0), default=6, help="of them, while a model is being saved"
    )

    storm = _kind(kinds, "storm", "a day of 5m candles through every fault the venue knows", _storm)
    storm.add_argument("--candles", type=at_least(1), default=288)

    soak = _kind(kinds, "soak", "days of running: memory, threads, sockets", _soak)
    soak.add_argument("--days", type=float, default=7.0)


def _kind(kinds: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser = kinds.add_parser(name, help=text)
    parser.add_argument("--datadir", type=Path, help="folder of candle files (default: a synthetic market)")
    parser.add_argument("--start", type=_moment, help="the bot's first moment, UTC (default: the span's end)")
    parser.add_argument("--workdir", type=Path, help="leave logs, database and results here")
    parser.add_argument("--json", type=Path, dest="json_path", help="write every printed figure here")
    parser.set_defaults(run=run)
    return parser


def _market(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pairs", nargs="+", help="pairs (default: BTC, ETH and SOL against USDT, as many)")
    parser.add_argument("--timeframe", help="default: 1h")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _given(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The named options that were given: the defaults are the rehearsal's own."""
    return {name: value for name in names if (value := getattr(options, name)) is not None}


_PLACE = ("datadir", "start", "workdir", "json_path")
_COMMON = (*_PLACE, "pairs", "timeframe")


def _parity(options: argparse.Namespace) -> int:
    from adaptive_pkg.rehearsal.commands import rehearse_parity

    modes = {"dry": (False,), "live": (True,), "both": (False, True)}
    return rehearse_parity(
        candles=options.candles,
        live=modes[options.mode],
        real_spread=options.real_spread,
        approach=options.approach,
        **_given(options, *_COMMON),
    )


def _model(options: argparse.Namespace) -> int:
    from adaptive_pkg.rehearsal.commands import rehearse_model

    return rehearse_model(rounds=options.rounds, **_given(options, *_COMMON))


def _crash(options: argparse.Namespace) -> int:
    from adaptive_pkg.rehearsal.endurance import crash

    return crash(kills=options.kills, model_kills=options.model_kills, **_given(options, *_PLACE))


def _storm(options: argparse.Namespace) -> int:
    from adaptive_pkg.rehearsal.endurance import storm

    return storm(candles=options.candles, **_given(options, *_PLACE))


def _soak(options: argparse.Namespace) -> int:
    from adaptive_pkg.rehearsal.endurance import soak

    return soak(days=options.days, **_given(options, *_PLACE))
