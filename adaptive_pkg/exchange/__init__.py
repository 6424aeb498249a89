"""The added exchange calls: what keeps them inside the venue's limits, in order, and alive.

rules          what the venue limits, what an answer says about it
windows        the accounts of one limit: the clock's windows, any window, a token bucket
budget         when the next request may leave: a pure state machine
limiter        that budget in first-come order, for threads and tasks
lock_names     which locks there are, and in which order they are taken
locks          those locks, for threads and tasks at once, with a named holder and statistics
account        balances, orders and positions as values
transaction    what may be done to them
trading_state  all that together: every operation whole or not at all
backoff        pauses between connections, budgets of connections and messages
dialer         when and how to open the next connection
events         the venue's stream messages as values
sequence       what is missing, doubled or late in one stream
feed           those together: which messages to pass on, which gaps to fill
repair         filling those gaps through REST
inbox, outbox  what waits for a consumer that is behind, or for a connection that is down
watchdog       when a connection that still looks open is given up
link           a connection's states, counts and losses
websocket      the connection that keeps all this going
endpoints      where a venue's added calls go, and what each costs
order_book     an order book as a value
quotes         newest best bid and ask of each symbol
market_data    the added REST calls
gateway_loop   all that in one background thread
gateway        what the bot's threads ask of it
"""
