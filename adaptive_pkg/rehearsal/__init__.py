"""The whole bot, live, in fast time, against the loopback venue.

fast_time     one fake clock for venue and bot, at an even pace
leap_time     one that leaps while the bot sleeps
bot_process   freqtrade's own main, on that clock; bot_config: the files laid over its configuration
host          the process that holds the venue and starts, ends and restarts the bot
live_bot      a rehearsal: what a test or a report drives
records       what a bot leaves behind: its trades, its log, its footprint
market        synthetic candles where no real ones are at hand

parity        a live bot's trades against a backtest's; trade_views: both by candles; backtest_run: the latter
model_life    FreqAI's models: trained, used, trained anew, found on disk after a restart
crash         kills at any moment; crash_report: what they did; ledger: the bot's orders and the venue's
storm         a day of everything that can go wrong; weather: when; stop_audit: were the stops kept?
soak          days; vitals: do memory, threads, sockets grow?
hand          what a person does at the exchange; busy: settings under which the strategy trades often
"""
