"""What can go wrong, and what the operator should do about it.

AdaptiveError
├── SettingsError      the configuration is wrong: correct the named key and start again
├── DataError          candles are missing or unusable: download or repair the named file
├── RiskError          a trade cannot be sized or stopped so: refuse the entry, or keep the last stop
├── ForecastError      a model cannot be trained, loaded or used: the message says which step failed
├── VenueError         the loopback venue cannot serve what was asked of it
└── ExchangeError      an added exchange call is refused, late or unusable: skip the entry, keep the stop
"""


class AdaptiveError(Exception):
    """Base of every error this package raises on purpose."""


class SettingsError(AdaptiveError):
    """A configuration value is unknown, of the wrong type or out of range. Correct it and restart."""


class DataError(AdaptiveError):
    """Candles are missing or unusable. Download or repair the data named in the message."""


class RiskError(AdaptiveError):
    """A trade cannot be sized or stopped from these numbers. Refuse the entry or keep the last stop."""


class ForecastError(AdaptiveError):
    """A forecaster cannot be trained, loaded or used. The message names the step and the remedy."""


class VenueError(AdaptiveError):
    """The loopback venue cannot start or cannot serve the request."""


class ExchangeError(AdaptiveError):
    """An added exchange call cannot be made or its answer cannot be used. The message says what to do."""


class UnreachableError(ExchangeError):
    """The venue gives no answer, or one that is not about the question: time-out, cut line, 429, 418, 5xx."""


class RateLimitError(ExchangeError):
    """A request that no waiting would make allowed, or whose turn does not come in the time given."""


class LockTimeoutError(ExchangeError):
    """A lock of the trading state was not freed in time. The message names its holder."""


class LockOrderError(ExchangeError):
    """Locks of the trading state asked for in an order, or from a place, that could stop the bot."""


class StateError(ExchangeError):
    """An operation the trading state refuses: it would spend or fill what is not there."""
