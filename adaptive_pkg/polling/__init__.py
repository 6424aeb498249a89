"""Asking outside services now and then, within their limits, without ever harming the bot.

source   what a source is, and what its polls bring
breaker  lets a failing source rest
client   one service's requests: their turn, their time, their errors
keeper   polls every source from one background thread into the store
"""
