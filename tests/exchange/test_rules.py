"""What exchangeInfo and an answer's headers say about limits."""

import logging

import pytest

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.rules import (
    DEFAULT_RULES,
    Cost,
    RateRule,
    RuleKind,
    banned_until_ms,
    parse_rate_limits,
    reported_use,
    retry_after_seconds,
)

INFO = {
    "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 300000},
    ]
}


def test_the_documented_limits_are_read():
    assert parse_rate_limits(INFO) == DEFAULT_RULES
    assert [rule.header for rule in DEFAULT_RULES] == [
        "x-mbx-used-weight-1m",
        "x-mbx-order-count-10s",
        "x-mbx-order-count-1d",
        None,
    ]


def test_a_kind_nobody_knows_yet_is_logged_and_left_out(caplog):
    extra = {"rateLimitType": "CONNECTIONS", "interval": "MINUTE", "intervalNum": 5, "limit": 300}
    with caplog.at_level(logging.WARNING):
        assert parse_rate_limits({"rateLimits": [*INFO["rateLimits"], extra]}) == DEFAULT_RULES
    assert "CONNECTIONS" in caplog.text


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"rateLimits": "no"},
        {"rateLimits": []},
        {"rateLimits": [{"rateLimitType": "ORDERS"}]},
        {"rateLimits": [{**INFO["rateLimits"][0], "interval": "FORTNIGHT"}]},
        {"rateLimits": [{**INFO["rateLimits"][0], "limit": 0}]},
    ],
)
def test_limits_that_cannot_be_read_are_an_error_not_a_guess(info):
    with pytest.raises(ExchangeError, match=r"rateLimits|rate limit"):
        parse_rate_limits(info)


def test_use_is_read_whatever_the_headers_case():
    rule = DEFAULT_RULES[0]
    for name in ("X-MBX-USED-WEIGHT-1M", "x-mbx-used-weight-1m", "X-Mbx-Used-Weight-1m"):
        assert reported_use({name: "123"}, rule) == 123
    assert reported_use({}, rule) is None
    assert reported_use({"x-mbx-used-weight-1m": "many"}, rule) is None


def test_retry_after_in_seconds_or_as_a_date():
    assert retry_after_seconds({"Retry-After": "7"}, 0.0) == 7.0
    # 1994-11-06 08:49:37 UTC
    assert retry_after_seconds({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 784111770.0) == 7.0
    assert retry_after_seconds({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}, 784111790.0) == 0.0
    assert retry_after_seconds({}, 0.0) is None
    with pytest.raises(ExchangeError, match="soon"):
        retry_after_seconds({"Retry-After": "soon"}, 0.0)


def test_the_end_of_a_ban_is_read_from_the_errors_text():
    body = '{"code":-1003,"msg":"Way too much request weight used; IP banned until 1659146400000."}'
    assert banned_until_ms(body) == 1659146400000
    assert banned_until_ms("Too many requests.") is None


def test_what_cannot_be_a_limit_or_a_cost():
    with pytest.raises(ExchangeError, match="no limit"):
        RateRule(RuleKind.WEIGHT, 0, 10)
    with pytest.raises(ExchangeError, match="weight -1"):
        Cost(-1)
