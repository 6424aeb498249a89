"""Slow figures about coins and their futures.

coin_metrics  daily on-chain figures: MVRV, active addresses, exchange flows
futures       funding rates and open interest of Binance's perpetuals
derived       the documented columns made of them
"""
