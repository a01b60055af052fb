-- What others did in the account, and what a person put right.

-- The code and configuration that may trade a session
CREATE TABLE versions (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE NOT NULL, code VARCHAR NOT NULL,
    config VARCHAR NOT NULL, changed_by VARCHAR NOT NULL, reason VARCHAR NOT NULL
);
-- Executions of orders that are not ours, as in `fills`; they are in no position until they are adopted.
CREATE TABLE external_fills (
    seq BIGINT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE,
    id VARCHAR NOT NULL, order_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL, side VARCHAR NOT NULL,
    quantity DECIMAL(18, 9) NOT NULL, price DECIMAL(18, 4) NOT NULL, value DECIMAL(18, 6) NOT NULL
);
-- quantity, cost: signed, of what became ours; cash: what it had done to cash
CREATE TABLE adoptions (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, symbol VARCHAR NOT NULL,
    quantity DECIMAL(18, 9) NOT NULL, cost DECIMAL(18, 6) NOT NULL, cash DECIMAL(18, 6) NOT NULL,
    changed_by VARCHAR NOT NULL, reason VARCHAR NOT NULL
);
-- The ledger as a person set it. symbol: '' when only cash was; residual: money that nobody explains
CREATE TABLE balances (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, symbol VARCHAR NOT NULL,
    quantity DECIMAL(18, 9) NOT NULL, cost DECIMAL(18, 6) NOT NULL, cash DECIMAL(18, 6) NOT NULL,
    residual DECIMAL(18, 6) NOT NULL, changed_by VARCHAR NOT NULL, reason VARCHAR NOT NULL
);
-- Executions that the broker took back. realized: the profit that they had been booked with
CREATE TABLE busts (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, fill_id VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL, side VARCHAR NOT NULL, quantity DECIMAL(18, 9) NOT NULL,
    price DECIMAL(18, 4) NOT NULL, value DECIMAL(18, 6) NOT NULL, realized DECIMAL(18, 6) NOT NULL,
    external BOOLEAN NOT NULL, reason VARCHAR NOT NULL
);
-- numerator new shares for every denominator old ones, from occurred_at on
CREATE TABLE splits (
    seq BIGINT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE,
    activity_id VARCHAR NOT NULL, symbol VARCHAR NOT NULL, numerator BIGINT NOT NULL, denominator BIGINT NOT NULL
);
-- A session's change of equity as a clean reconciliation found it: deposits are in no other column, and
-- change = realized + unrealized + external + dividends + fees + interest + other + residual
CREATE TABLE explanations (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, equity DECIMAL(18, 6) NOT NULL,
    change DECIMAL(18, 6) NOT NULL, deposits DECIMAL(18, 6) NOT NULL, realized DECIMAL(18, 6) NOT NULL,
    unrealized DECIMAL(18, 6) NOT NULL, external DECIMAL(18, 6) NOT NULL, dividends DECIMAL(18, 6) NOT NULL,
    fees DECIMAL(18, 6) NOT NULL, interest DECIMAL(18, 6) NOT NULL, other DECIMAL(18, 6) NOT NULL,
    residual DECIMAL(18, 6) NOT NULL
);
-- NULL: an execution, or what was held when the ledger began. adopted | balanced | bust | split: see above
ALTER TABLE position_changes ADD COLUMN cause VARCHAR;
-- reconciliation (releases itself), quarantine, or the person; NULL in journals from before locks had names
ALTER TABLE locks ADD COLUMN locked_by VARCHAR;

-- What is held now: quantity and cost signed; average_price positive.
CREATE OR REPLACE VIEW positions AS
WITH latest AS (
    SELECT * FROM position_changes QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY seq DESC, leg DESC) = 1
)
SELECT
    symbol, quantity, cost, CAST(cost / quantity AS DECIMAL(18, 4)) AS average_price, opened_at,
    occurred_at AS changed_at, seq
FROM latest WHERE quantity <> 0;

-- What each session's trading cost, besides prices: fees are positive. What was adopted or taken
-- back restates the profit of its session.
CREATE OR REPLACE VIEW session_costs AS
WITH turnover AS (
    SELECT
        session, sum(abs(value)) FILTER (fill_id IS NOT NULL) AS turnover, count(DISTINCT fill_id) AS fills,
        sum(realized) AS realized
    FROM position_changes WHERE fill_id IS NOT NULL OR cause IN ('adopted', 'bust') GROUP BY session
), paid AS (
    SELECT session, -sum(amount) AS fees FROM cash_flows WHERE kind IN ('FEE', 'CFEE', 'PTC') GROUP BY session
)
SELECT
    coalesce(t.session, p.session) AS session, CAST(coalesce(t.turnover, 0) AS DECIMAL(18, 6)) AS turnover,
    coalesce(t.fills, 0) AS fills, CAST(coalesce(t.realized, 0) AS DECIMAL(18, 6)) AS realized,
    CAST(coalesce(p.fees, 0) AS DECIMAL(18, 6)) AS fees
FROM turnover AS t FULL JOIN paid AS p ON t.session IS NOT DISTINCT FROM p.session;

-- Round trips, from flat to flat. quantity, prices: positive; direction: long or short; pnl = realized − fees.
-- Brokers charge fees by account, not by order: a trip bears its share of each session's, by value traded.
CREATE OR REPLACE VIEW trades AS
WITH legs AS (
    SELECT
        c.*, i.strategy, i.purpose,
        (c.price - i.decision_price) * c.traded AS slippage,
        abs(i.decision_price * c.traded) AS arrival_value,
        if(c.fill_id IS NULL, 0, s.fees * abs(c.value) / nullif(s.turnover, 0)) AS fees,
        sign(first_value(c.traded) OVER trip) AS direction
    FROM position_changes AS c
    LEFT JOIN intents AS i ON i.id = c.intent_id
    LEFT JOIN session_costs AS s ON s.session IS NOT DISTINCT FROM c.session
    WINDOW trip AS (PARTITION BY c.symbol, c.trip ORDER BY c.seq, c.leg)
), sided AS (
    -- An execution taken back takes away from its own side; a split counts the shares of the entry anew.
    SELECT *, cause IS NOT DISTINCT FROM 'split' OR (sign(traded) = direction) <> (cause IS NOT DISTINCT FROM 'bust')
        AS enters
    FROM legs
), trips AS (
    SELECT
        symbol, trip, if(any_value(direction) > 0, 'long', 'short') AS direction,
        arg_min(strategy, seq) FILTER (strategy IS NOT NULL) AS strategy,
        arg_max(purpose, seq) FILTER (purpose IS NOT NULL) AS exit_purpose,
        arg_max(session, seq * 2 + leg) AS session,
        min(occurred_at) AS entry_at, max(occurred_at) AS exit_at,
        sum(traded * direction) FILTER (enters) AS quantity,
        sum(value * direction) FILTER (enters) AS entry_value,
        -sum(value * direction) FILTER (NOT enters) AS exit_value,
        sum(realized) AS realized, sum(fees) AS fees, sum(slippage) AS slippage,
        sum(arrival_value) AS arrival_value, count(fill_id) AS fills, max(seq) AS seq,
        arg_max(quantity, seq * 2 + leg) AS left_over, arg_max(fill_id IS NULL AND cause IS DISTINCT FROM 'split', seq * 2 + leg) AS rebased
    FROM sided GROUP BY symbol, trip
)
SELECT
    seq, session, symbol, trip, strategy, direction, exit_purpose, entry_at, exit_at,
    CAST(quantity AS DECIMAL(18, 9)) AS quantity,
    CAST(entry_value / quantity AS DECIMAL(18, 4)) AS entry_price,
    CAST(exit_value / quantity AS DECIMAL(18, 4)) AS exit_price,
    CAST(entry_value AS DECIMAL(18, 6)) AS entry_value, CAST(exit_value AS DECIMAL(18, 6)) AS exit_value,
    CAST(realized AS DECIMAL(18, 6)) AS realized, CAST(fees AS DECIMAL(18, 6)) AS fees,
    CAST(realized - CAST(fees AS DECIMAL(18, 6)) AS DECIMAL(18, 6)) AS pnl,
    CAST(round((realized - fees) * 1000000 / nullif(entry_value, 0)) AS BIGINT) AS pnl_ppm,
    CAST(slippage AS DECIMAL(18, 6)) AS slippage,
    CAST(round(slippage * 1000000 / nullif(arrival_value, 0)) AS BIGINT) AS slippage_ppm, fills
FROM trips WHERE left_over = 0 AND NOT rebased;

-- Profit per session: equity at its last snapshot against the last session's, without the owner's money.
-- The first session starts from its baseline. pnl_ppm: of start_equity + deposits.
CREATE OR REPLACE VIEW daily_pnl AS
WITH closes AS (
    SELECT
        session, max(seq) AS seq, arg_max(equity, seq) AS close_equity, arg_max(deposits, seq) AS deposits,
        -- As if the owner's money had been there all the time: a deposit is no rise, and before it was no low.
        min(equity - deposits) + arg_max(deposits, seq) AS low_equity,
        max(equity - deposits) + arg_max(deposits, seq) AS high_equity, max(drawdown_ppm) AS drawdown_ppm,
        arg_min(equity, seq) AS first_equity, arg_min(deposits, seq) AS first_deposits, count(*) AS snapshots
    FROM equity_curve GROUP BY session
), owner_money AS (
    SELECT seq, sum(amount) OVER (ORDER BY seq) AS total FROM cash_flows WHERE owner_money
), first_baselines AS (
    SELECT b.session, arg_min(b.day_equity, b.seq) AS equity, arg_min(coalesce(o.total, 0), b.seq) AS deposits
    FROM baselines AS b ASOF LEFT JOIN owner_money AS o ON b.seq >= o.seq GROUP BY b.session
), days AS (
    SELECT
        c.*,
        coalesce(lag(c.close_equity) OVER in_order, b.equity, c.first_equity) AS start_equity,
        c.deposits - coalesce(lag(c.deposits) OVER in_order, b.deposits, c.first_deposits) AS moved
    FROM closes AS c LEFT JOIN first_baselines AS b ON b.session = c.session
    WINDOW in_order AS (ORDER BY c.session)
)
SELECT
    d.session, d.start_equity, d.close_equity, CAST(d.moved AS DECIMAL(18, 6)) AS deposits,
    CAST(d.close_equity - d.start_equity - d.moved AS DECIMAL(18, 6)) AS pnl,
    CAST(round((d.close_equity - d.start_equity - d.moved) * 1000000 / nullif(d.start_equity + d.moved, 0)) AS BIGINT)
        AS pnl_ppm,
    d.low_equity, d.high_equity, d.drawdown_ppm AS max_drawdown_ppm, d.snapshots,
    coalesce(s.realized, 0) AS realized, coalesce(s.fees, 0) AS fees, coalesce(s.turnover, 0) AS turnover,
    coalesce(s.fills, 0) AS fills
FROM days AS d LEFT JOIN session_costs AS s ON s.session = d.session;

-- Everything a person should look at. kind: halt | check | run | reconciliation | unknown_order | rejected_order
-- | broker_silence | external_trade | quarantine | bust | balanced; severity as for alerts.
CREATE OR REPLACE VIEW incidents AS
SELECT seq, occurred_at, session, 'halt' AS kind, 'critical' AS severity, state AS subject, reason || ' (' || changed_by || ')' AS text
FROM state_changes WHERE level >= 3
UNION ALL
SELECT seq, occurred_at, session, 'check', 'warning', procedure || '/' || name, evidence FROM checks WHERE outcome = 'fail'
UNION ALL
SELECT seq, occurred_at, session, 'run', 'warning', procedure, reason FROM runs WHERE outcome = 'failed'
UNION ALL
SELECT seq, occurred_at, session, 'reconciliation', 'critical', cause, found || ' discrepancies' FROM reconciliations WHERE NOT clean
UNION ALL
SELECT seq, occurred_at, session, 'unknown_order', 'warning', intent_id, detail FROM intent_events WHERE event = 'unknown'
UNION ALL
SELECT seq, occurred_at, session, 'rejected_order', 'warning', intent_id, detail FROM intent_events WHERE event = 'rejected'
UNION ALL
SELECT seq, occurred_at, session, 'broker_silence', 'warning', 'broker', failures || ' calls without an answer'
FROM silences WHERE since IS NOT NULL
UNION ALL
SELECT seq, recorded_at, session, 'external_trade', 'warning', symbol, side || ' ' || quantity || ' at ' || price || ', order ' || order_id
FROM external_fills
UNION ALL
SELECT seq, occurred_at, session, 'quarantine', 'warning', symbol, reason
FROM locks WHERE reason IS NOT NULL AND locked_by = 'quarantine'
UNION ALL
SELECT seq, occurred_at, session, 'bust', 'critical', symbol, reason FROM busts
UNION ALL
SELECT seq, occurred_at, session, 'balanced', 'warning', symbol, reason || ' (' || changed_by || ')' FROM balances;

-- The last word on each session's change of equity.
CREATE VIEW session_explained AS
SELECT * FROM explanations QUALIFY row_number() OVER (PARTITION BY session ORDER BY seq DESC) = 1;
