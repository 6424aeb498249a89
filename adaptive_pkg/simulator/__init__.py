"""A synthetic market with known regimes, and a loopback venue that speaks Binance's public REST.

market     candles from a plan and a seed, the regime known at each of them
candles    freqtrade's feather folders: write them, list them, load slices
tape       one pair's candles seen from a moment, nothing later
answers    Binance's endpoints as functions of candles, query and clock
venue      those answers served on 127.0.0.1
overlay    the config that sends freqtrade there
"""
