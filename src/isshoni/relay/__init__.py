"""The relay: keeps the WebSockets of any application, and moves what is behind them."""
