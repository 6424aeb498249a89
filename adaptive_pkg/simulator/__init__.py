"""A synthetic market with known regimes, and a loopback venue that speaks Binance's REST and WebSocket.

replay     the path of prices inside a candle, and the spread
market     candles from a plan and a seed, the regime known at each of them
candles    freqtrade's feather folders: write them, list them, load slices
tape       one pair's candles seen from a moment, nothing later
trades     the trades inside those candles; book: the orders round the last price
answers    Binance's market data as functions of candles, query and clock
matching   orders against the trades, with a wallet that always adds up
desk       one account's signed endpoints
limits     weights, 429 and bans
service    every REST answer, without a socket
streams    market streams made from the tape; sessions: one client's connection
api_sessions  a connection to the WebSocket API, which tells an account its own events
faults     what goes wrong, where and when
front      all of that behind one port
venue      the thread it runs in
overlay    the config that sends freqtrade there
simulate   the venue on its own
"""
