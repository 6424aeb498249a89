"""A config that trades real money and of which nothing is to be said, and ways to change it."""

import json
import sqlite3
from copy import deepcopy

import pytest

LIVE = {
    "strategy": "AdaptiveGRU",
    "freqaimodel": "GRURegressor",
    "dry_run": False,
    "db_url": "sqlite:///tradesv3.live.sqlite",
    "trading_mode": "spot",
    "stake_currency": "USDT",
    "stake_amount": "unlimited",
    "tradable_balance_ratio": 0.99,
    "max_open_trades": 5,
    "timeframe": "1h",
    "initial_state": "running",
    "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"},
    "entry_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
    "exit_pricing": {"price_side": "same", "use_order_book": True, "order_book_top": 1},
    "order_types": {"entry": "limit", "exit": "limit", "stoploss": "limit", "stoploss_on_exchange": True},
    "pairlists": [{"method": "StaticPairList"}],
    "exchange": {"name": "binance", "key": "K", "secret": "S", "pair_whitelist": ["BTC/USDT", "ETH/USDT"]},
    "api_server": {
        "enabled": True,
        "listen_ip_address": "127.0.0.1",
        "listen_port": 8080,
        "username": "u",
        "password": "p",
        "jwt_secret_key": "k" * 32,
    },
    "telegram": {"enabled": True, "token": "t", "chat_id": "1"},
    "freqai": {
        "enabled": True,
        "identifier": "live",
        "train_period_days": 180,
        "backtest_period_days": 7,
        "live_retrain_hours": 24,
        "conv_width": 60,
        "feature_parameters": {
            "include_timeframes": ["1h"],
            "include_corr_pairlist": [],
            "label_period_candles": 12,
        },
        "data_split_parameters": {"shuffle": False},
    },
}


def laid_over(base, changes):
    """`base` with dotted keys changed; a value of `...` removes the key."""
    config = deepcopy(base)
    for dotted, value in changes.items():
        *blocks, last = dotted.split(".")
        inner = config
        for name in blocks:
            inner = inner.setdefault(name, {})
        if value is ...:
            inner.pop(last, None)
        else:
            inner[last] = value
    return config


@pytest.fixture
def live():
    """`live({"stoploss": -1})`: the sound live config, changed."""
    return lambda changes=None: laid_over(LIVE, changes or {})


@pytest.fixture
def file_of(tmp_path):
    """Write a config to a file."""

    def write(config, name="config.json"):
        path = tmp_path / name
        path.write_text(json.dumps(config))
        return path

    return write


@pytest.fixture
def trades(tmp_path):
    """A freqtrade database, made by freqtrade's own models, with orders of the given ids in open trades."""

    def make(name, *order_ids, is_open=True):
        from freqtrade.persistence.base import ModelBase
        from freqtrade.persistence.trade_model import Order, Trade
        from sqlalchemy import create_engine, insert

        path = tmp_path / name
        engine = create_engine(f"sqlite:///{path}")
        ModelBase.metadata.create_all(engine)
        with engine.begin() as database:
            for number, order_id in enumerate(order_ids, 1):
                trade = {"id": number, "exchange": "binance", "pair": "BTC/USDT", "is_open": is_open}
                amounts = {
                    "open_rate": 1.0,
                    "stake_amount": 1.0,
                    "amount": 1.0,
                    "fee_open": 0,
                    "fee_close": 0,
                }
                database.execute(insert(Trade.__table__).values(**_known(Trade, trade | amounts)))
                order = {"ft_trade_id": number, "order_id": order_id, "ft_pair": "BTC/USDT"}
                filled = {"ft_order_side": "buy", "ft_is_open": False, "ft_amount": 1.0, "ft_price": 1.0}
                database.execute(insert(Order.__table__).values(**_known(Order, order | filled)))
        engine.dispose()
        assert sqlite3.connect(path).execute("SELECT count(*) FROM orders").fetchone() == (len(order_ids),)
        return path

    def _known(model, values):
        columns = model.__table__.columns
        required = {c.name for c in columns if not c.nullable and c.default is None and not c.primary_key}
        return dict.fromkeys(required, 0) | {key: values[key] for key in values if key in columns}

    return make
