-- Simulations: what was run, what it achieved, its equity by session and its executions. Append-only facts.
-- id: hash of code, configuration, data and days: the same simulation again is the same row.
CREATE TABLE backtests (
    id VARCHAR NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, code VARCHAR NOT NULL, config VARCHAR NOT NULL,
    data VARCHAR NOT NULL, symbols VARCHAR NOT NULL, timeframe VARCHAR NOT NULL,
    first_session DATE NOT NULL, last_session DATE NOT NULL, sessions INTEGER NOT NULL,
    cash DECIMAL(18, 6) NOT NULL, equity DECIMAL(18, 6) NOT NULL, fees DECIMAL(18, 6) NOT NULL,
    total_return DOUBLE NOT NULL, cagr DOUBLE, volatility DOUBLE, sharpe DOUBLE, sortino DOUBLE,
    max_drawdown DOUBLE NOT NULL, calmar DOUBLE, turnover DOUBLE, exposure DOUBLE NOT NULL,
    trades INTEGER NOT NULL, orders INTEGER NOT NULL, state VARCHAR NOT NULL, digest VARCHAR NOT NULL
);
CREATE TABLE backtest_equity (
    backtest_id VARCHAR NOT NULL, session DATE NOT NULL, equity DECIMAL(18, 6) NOT NULL
);
CREATE TABLE backtest_fills (
    backtest_id VARCHAR NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, intent_id VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL, side VARCHAR NOT NULL, quantity DECIMAL(18, 9) NOT NULL,
    price DECIMAL(18, 4) NOT NULL, fee DECIMAL(18, 6) NOT NULL
);
