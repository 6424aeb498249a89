import time
def test_x(make_config, run_backtest):
    for ov in ({}, {"trading_mode":"futures","margin_mode":"isolated","exchange":{"pair_whitelist":["BTC/USDT:USDT","SOL/USDT:USDT"]}}):
        t=time.time(); c=make_config(ov); print("cfg",time.time()-t)
        t=time.time(); r=run_backtest(c); print("bt",time.time()-t, len(r.trades))
        t=time.time(); r=run_backtest(c); print("bt2",time.time()-t, len(r.trades))
        df=r.results["results"]
        print(df[["pair","open_date","enter_tag","exit_reason","profit_ratio","stake_amount","leverage","is_short","initial_stop_loss_ratio","stop_loss_ratio"]].to_string())
        print(df.columns.tolist())
