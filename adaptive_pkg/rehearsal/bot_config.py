"""The configuration files a rehearsal lays over a bot's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CLIENT_REAL_SECONDS = 20.0  # ccxt's patience, in real time
# What a rehearsal has to look at are trades: these rules make many, with targets, ladders and moving stops.
RULES: dict[str, Any] = {"approach": "by_regime"}


def own_config(
    folder: Path,
    project: Path,
    pairs: Sequence[str],
    timeframe: str,
    wallet: float,
    throttle_seconds: int,
    speed: float,
) -> dict[str, Any]:
    """What every rehearsal sets: folders, a database on file, no messengers, patience in fast time."""
    return {
        "timeframe": timeframe,
        "db_url": f"sqlite:///{folder / 'trades.sqlite'}",
        "user_data_dir": str(folder / "user_data"),
        "freqaimodel_path": str(project / "user_data/freqaimodels"),
        "dry_run_wallet": wallet,
        "api_server": {"enabled": False},
        "telegram": {"enabled": False},
        "adaptive": dict(RULES),
        "internals": {"process_throttle_secs": throttle_seconds},
        "exchange": {
            "pair_whitelist": list(pairs),
            "ccxt_config": {
                "timeout": round(CLIENT_REAL_SECONDS * speed * 1000),
                "options": {"recvWindow": 60_000},  # the longest Binance allows
            },
        },
    }


def write_configs(folder: Path, bodies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write them (name → content), readable by their owner only; their paths in that order."""
    (folder / "user_data").mkdir(parents=True, exist_ok=True)
    paths = []
    for name, body in bodies.items():
        path = folder / f"{name}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(body, indent=1))
        paths.append(str(path))
    return paths
