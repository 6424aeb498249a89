"""Finance and crypto words on VADER's scale: −4 (worst) to 4 (best). Our own judgement, not fitted.

VADER's own lexicon was made for everyday talk: it lacks "bullish", and "share" or "interest" is praise there.
"""

FINANCE_LEXICON: dict[str, float] = {
    # direction
    "bullish": 2.9, "bull": 1.8, "bulls": 1.8, "bullrun": 2.9, "uptrend": 2.1, "upside": 1.8,
    "bearish": -2.9, "bear": -1.8, "bears": -1.8, "downtrend": -2.1, "downside": -1.8,
    "rally": 2.2, "rallies": 2.2, "rallied": 2.2, "rallying": 2.2, "surge": 2.2, "surges": 2.2,
    "surged": 2.2, "soar": 2.4, "soars": 2.4, "soared": 2.4, "skyrocket": 2.7, "rebound": 1.7,
    "rebounds": 1.7, "rebounded": 1.7, "recovery": 1.6, "recovers": 1.6, "breakout": 1.8,
    "outperform": 1.9, "outperforms": 1.9, "undervalued": 1.5, "ath": 2.0, "pump": 1.2, "pumping": 1.4,
    "pumped": 1.2, "moon": 2.3, "mooning": 2.6, "lambo": 2.0, "hodl": 1.2, "hodling": 1.2,
    "accumulate": 1.2, "accumulating": 1.3, "accumulation": 1.2,
    "plunge": -2.5, "plunges": -2.5, "plunged": -2.5, "plummet": -2.7, "plummets": -2.7,
    "plummeted": -2.7, "slump": -2.2, "slumps": -2.2, "slumped": -2.2, "tumble": -2.0, "tumbles": -2.0,
    "tumbled": -2.0, "selloff": -2.3, "sell-off": -2.3, "dump": -2.1, "dumps": -2.1, "dumping": -2.3,
    "dumped": -2.1, "crash": -2.8, "crashes": -2.8, "crashed": -2.8, "crashing": -3.0, "nosedive": -2.7,
    "capitulation": -2.4, "capitulate": -2.3, "underperform": -1.8, "overvalued": -1.5, "overbought": -1.0,
    "oversold": 0.8, "bloodbath": -3.1, "correction": -1.2, "drawdown": -1.5, "breakdown": -1.7,
    # trouble and relief
    "rekt": -2.8, "liquidated": -2.5, "liquidation": -2.2, "liquidations": -2.2, "bagholder": -2.0,
    "bagholders": -2.0, "rugpull": -3.4, "rug": -2.2, "rugged": -3.0, "ponzi": -3.3, "shitcoin": -2.2,
    "hack": -2.7, "hacked": -3.0, "exploit": -2.3, "exploited": -2.5, "insolvent": -3.3,
    "insolvency": -3.2, "bankruptcy": -3.3, "bankrupt": -3.3, "default": -2.2, "defaults": -2.2,
    "lawsuit": -2.2, "sued": -2.2, "sues": -2.0, "indicted": -2.8, "subpoena": -2.0, "crackdown": -2.3,
    "delist": -2.4, "delisted": -2.5, "delisting": -2.4, "depeg": -3.0, "depegged": -3.0, "fud": -1.6,
    "recession": -2.3, "contagion": -2.7, "outflow": -1.3, "outflows": -1.3, "volatile": -0.6,
    "adoption": 1.7, "adopts": 1.6, "approval": 1.9, "approved": 1.8, "approves": 1.8, "inflow": 1.3,
    "inflows": 1.3, "listing": 1.1, "listed": 0.9, "partnership": 1.5, "upgrade": 1.3, "upgraded": 1.4,
    "downgrade": -1.6, "downgraded": -1.7, "halving": 0.8, "profit": 1.9, "profits": 1.9, "profitable": 2.0,
    "beats": 1.4, "misses": -1.2,
    # everyday praise or blame that is a plain term here
    "share": 0.0, "shares": 0.0, "interest": 0.0, "trust": 0.0, "security": 0.0, "securities": 0.0,
    "liability": 0.0, "debt": 0.0, "support": 0.4, "resistance": 0.0, "please": 0.0, "like": 0.4,
    "crypto": 0.0, "mine": 0.0, "short": 0.0, "gross": 0.0, "tax": 0.0, "fees": 0.0, "block": 0.0,
    "blocks": 0.0, "join": 0.0, "free": 0.0, "giveaway": 0.0, "airdrop": 0.0,
}  # fmt: skip
