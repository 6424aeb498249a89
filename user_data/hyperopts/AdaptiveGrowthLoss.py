"""Hyperopt loss: risk-adjusted growth with little credit for few trades."""

from datetime import datetime

from freqtrade.optimize.hyperopt import IHyperOptLoss
from pandas import DataFrame

from adaptive_pkg.evaluation.growth import growth_score


class AdaptiveGrowthLoss(IHyperOptLoss):
    """The negative of `adaptive_pkg.evaluation.growth.growth_score`: smaller is better."""

    @staticmethod
    def hyperopt_loss_function(
        results: DataFrame,
        trade_count: int,
        min_date: datetime,
        max_date: datetime,
        starting_balance: float,
        backtest_stats: dict,
        **kwargs,
    ) -> float:
        return -growth_score(
            starting_balance + float(results["profit_abs"].sum()),
            starting_balance,
            float(backtest_stats.get("max_drawdown_account", 0.0)),
            trade_count,
            max((max_date - min_date).total_seconds() / 86_400, 1.0),
        )
