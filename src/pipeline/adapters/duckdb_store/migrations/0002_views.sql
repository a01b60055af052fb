-- Derived numbers: always computed, never stored.

-- Each intent with what is known of its order now. filled: as the broker told; booked: Σ of its fills
-- (they differ only while a fill has not arrived); sent_at: the first send.
CREATE VIEW orders AS
WITH life AS (
    SELECT
        intent_id,
        arg_max(state, seq) FILTER (state IS NOT NULL) AS state,
        arg_max(order_id, seq) FILTER (order_id IS NOT NULL) AS order_id,
        arg_max(raw_status, seq) FILTER (raw_status IS NOT NULL) AS raw_status,
        arg_max(detail, seq) FILTER (detail <> '') AS note,
        coalesce(max(filled), 0) AS filled,
        min(occurred_at) FILTER (event = 'sending') AS sent_at,
        count(*) FILTER (event = 'sending') AS sends,
        bool_or(event = 'cancel') AS cancel_requested,
        max(occurred_at) AS changed_at
    FROM intent_events GROUP BY intent_id
), booked AS (
    SELECT intent_id, sum(quantity) AS quantity, sum(value) AS value, count(*) AS fills
    FROM fills WHERE intent_id IS NOT NULL GROUP BY intent_id
)
SELECT
    i.seq, i.session, i.id, i.account, i.strategy, i.symbol, i.side, i.purpose, i.quantity, i.decided_at,
    i.decision_price, i.release_at, i.reason, life.state, life.order_id, life.raw_status,
    coalesce(life.note, '') AS note, CAST(life.filled AS DECIMAL(18, 9)) AS filled,
    CAST(coalesce(b.quantity, 0) AS DECIMAL(18, 9)) AS booked, coalesce(b.fills, 0) AS fills,
    CAST(b.value / b.quantity AS DECIMAL(18, 4)) AS average_price,
    life.sent_at, life.sends, life.cancel_requested, life.changed_at
FROM intents AS i
JOIN life ON life.intent_id = i.id
LEFT JOIN booked AS b ON b.intent_id = i.id;

-- Each fill against its arrival price, the last close its decision saw.
-- slippage: money lost to the move, positive is a cost; NULL for orders that are not ours.
CREATE VIEW executions AS
SELECT
    f.*, i.strategy, i.purpose, i.decided_at, i.decision_price AS arrival_price,
    CAST((f.price - i.decision_price) * f.quantity * if(f.side = 'buy', 1, -1) AS DECIMAL(18, 6)) AS slippage,
    CAST(round((f.price - i.decision_price) * if(f.side = 'buy', 1, -1) * 1000000 / i.decision_price) AS BIGINT)
        AS slippage_ppm
FROM fills AS f
LEFT JOIN intents AS i ON i.id = f.intent_id;

-- What is held now: quantity and cost signed; average_price positive.
CREATE VIEW positions AS
WITH latest AS (
    SELECT * FROM position_changes QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY seq DESC, leg DESC) = 1
)
SELECT
    symbol, quantity, cost, CAST(cost / quantity AS DECIMAL(18, 4)) AS average_price, opened_at,
    occurred_at AS changed_at, seq
FROM latest WHERE quantity <> 0;

-- What each session's trading cost, besides prices: fees are positive.
CREATE VIEW session_costs AS
WITH turnover AS (
    SELECT session, sum(abs(value)) AS turnover, count(DISTINCT fill_id) AS fills, sum(realized) AS realized
    FROM position_changes WHERE fill_id IS NOT NULL GROUP BY session
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
CREATE VIEW trades AS
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
), trips AS (
    SELECT
        symbol, trip, if(any_value(direction) > 0, 'long', 'short') AS direction,
        arg_min(strategy, seq) FILTER (strategy IS NOT NULL) AS strategy,
        arg_max(purpose, seq) FILTER (purpose IS NOT NULL) AS exit_purpose,
        arg_max(session, seq * 2 + leg) AS session,
        min(occurred_at) AS entry_at, max(occurred_at) AS exit_at,
        sum(abs(traded)) FILTER (sign(traded) = direction) AS quantity,
        sum(abs(value)) FILTER (sign(traded) = direction) AS entry_value,
        sum(abs(value)) FILTER (sign(traded) <> direction) AS exit_value,
        sum(realized) AS realized, sum(fees) AS fees, sum(slippage) AS slippage,
        sum(arrival_value) AS arrival_value, count(fill_id) AS fills, max(seq) AS seq,
        arg_max(quantity, seq * 2 + leg) AS left_over, arg_max(fill_id IS NULL, seq * 2 + leg) AS rebased
    FROM legs GROUP BY symbol, trip
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

-- Equity at the end of each pass. peak: highest so far, deposits and withdrawals moved with it (the rule of
-- the ledger's own peak); drawdown_ppm: how far below it, positive. deposits: Σ of owner's money so far.
CREATE VIEW equity_curve AS
WITH owner_money AS (
    SELECT seq, sum(amount) OVER (ORDER BY seq) AS total FROM cash_flows WHERE owner_money
), points AS (
    SELECT s.seq, s.session, s.occurred_at, s.equity, s.cash, coalesce(o.total, 0) AS deposits
    FROM account_snapshots AS s ASOF LEFT JOIN owner_money AS o ON s.seq >= o.seq
), peaks AS (
    SELECT *, max(equity - deposits) OVER (ORDER BY seq) + deposits AS peak FROM points
)
SELECT
    seq, session, occurred_at, equity, cash, CAST(deposits AS DECIMAL(18, 6)) AS deposits,
    CAST(peak AS DECIMAL(18, 6)) AS peak,
    CAST(round((peak - equity) * 1000000 / nullif(peak, 0)) AS BIGINT) AS drawdown_ppm
FROM peaks;

-- Profit per session: equity at its last snapshot against the last session's, without the owner's money.
-- The first session starts from its baseline. pnl_ppm: of start_equity + deposits.
CREATE VIEW daily_pnl AS
WITH closes AS (
    SELECT
        session, max(seq) AS seq, arg_max(equity, seq) AS close_equity, arg_max(deposits, seq) AS deposits,
        min(equity) AS low_equity, max(equity) AS high_equity, max(drawdown_ppm) AS drawdown_ppm,
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

-- Expected against actual. status: completed | failed | skipped | overlapped (another run held the account)
-- | started (claimed, no outcome yet) | missing. Several drivers may try one instant: what one completed is
-- completed, whatever the others say; else the last word counts, and "overlapped" least.
-- A run still to come is "missing" too: ask with WHERE instant <= now. late_seconds: from its instant to its
-- first claim, or its outcome when it was not claimed; is_late: more than 60 s.
CREATE VIEW run_audit AS
WITH first_claims AS (
    SELECT session, procedure, instant, min(occurred_at) AS occurred_at FROM claims GROUP BY ALL
), ranked AS (
    SELECT *, if(outcome = 'completed', 2, if(outcome = 'overlapped', 0, 1)) AS weight FROM runs
), last_runs AS (
    SELECT session, procedure, instant, occurred_at, outcome, reason, driver, summary
    FROM ranked
    QUALIFY row_number() OVER (PARTITION BY session, procedure, instant ORDER BY weight DESC, seq DESC) = 1
)
SELECT
    e.session, e.procedure, e.instant, coalesce(r.outcome, if(c.occurred_at IS NULL, 'missing', 'started')) AS status,
    coalesce(c.occurred_at, r.occurred_at) AS started_at, r.occurred_at AS ended_at,
    CAST(round(epoch(coalesce(c.occurred_at, r.occurred_at) - e.instant)) AS BIGINT) AS late_seconds,
    coalesce(epoch(coalesce(c.occurred_at, r.occurred_at) - e.instant) > 60, false) AS is_late,
    coalesce(r.reason, '') AS reason, coalesce(r.driver, '') AS driver, r.summary
FROM expected_runs AS e
LEFT JOIN first_claims AS c USING (session, procedure, instant)
LEFT JOIN last_runs AS r USING (session, procedure, instant);

-- Everything a person should look at. kind: halt | check | run | reconciliation | unknown_order | rejected_order
-- | broker_silence; severity as for alerts.
CREATE VIEW incidents AS
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
FROM silences WHERE since IS NOT NULL;
