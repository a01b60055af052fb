"""What a session report asks the store. Each takes the session's day; columns are those of the views."""

from __future__ import annotations

PROFIT = "SELECT * FROM daily_pnl WHERE session = ?"

CURVE = """
SELECT
    occurred_at, equity - deposits + last_value(deposits) OVER (ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING
        AND UNBOUNDED FOLLOWING) AS equity, drawdown_ppm
FROM equity_curve WHERE session = ? ORDER BY seq
"""

HOLDINGS = """
SELECT p.symbol, p.quantity, p.cost, p.price, p.value
FROM snapshot_positions AS p
WHERE p.seq = (SELECT max(seq) FROM account_snapshots WHERE session = ?) AND p.quantity <> 0
ORDER BY p.symbol
"""

TRADES = """
WITH taken AS (
    SELECT fill_id, sum(realized) AS realized FROM position_changes WHERE fill_id IS NOT NULL GROUP BY fill_id
)
SELECT
    min(e.occurred_at) AS first_at, e.symbol, e.side, any_value(e.purpose) AS purpose,
    sum(e.quantity) AS quantity, any_value(i.quantity) AS asked, any_value(e.arrival_price) AS arrival,
    sum(e.value) / sum(e.quantity) AS average, sum(e.slippage) AS slippage,
    CAST(round(sum(e.slippage) * 1000000 / nullif(any_value(e.arrival_price) * sum(e.quantity), 0)) AS BIGINT)
        AS slippage_ppm,
    coalesce(sum(t.realized), 0) AS realized, count(*) AS fills
FROM executions AS e
LEFT JOIN taken AS t ON t.fill_id = e.id
LEFT JOIN intents AS i ON i.id = e.intent_id
WHERE e.session = ?
GROUP BY coalesce(e.intent_id, e.order_id), e.symbol, e.side
ORDER BY first_at, min(e.seq)
"""

CHOICES = """
WITH cut AS (
    SELECT intent_id, string_agg(limit_name, ', ' ORDER BY seq) AS limits
    FROM breaches WHERE intent_id IS NOT NULL GROUP BY intent_id
)
SELECT
    o.decided_at, o.symbol, o.side, o.purpose, o.quantity, o.reason, o.state, o.note, o.strategy, o.sends,
    o.booked, coalesce(cut.limits, '') AS cut
FROM orders AS o LEFT JOIN cut ON cut.intent_id = o.id
WHERE o.session = ? ORDER BY o.seq
"""

REFUSALS = """
WITH refused AS (
    SELECT v.seq, v.symbol, v.side, v.instant, b.limit_name, b.allowed, b.actual, b.unit
    FROM verdicts AS v LEFT JOIN breaches AS b ON b.seq = v.seq
    WHERE v.session = ? AND v.outcome = 'refused'
)
SELECT
    symbol, side, coalesce(limit_name, 'gate') AS limit_name, count(*) AS times, min(instant) AS first_at,
    max(instant) AS last_at, arg_min(allowed, seq) AS allowed, arg_min(actual, seq) AS actual,
    arg_min(unit, seq) AS unit
FROM refused GROUP BY symbol, side, limit_name ORDER BY times DESC, symbol, limit_name
"""

FUNNEL = """
SELECT
    (SELECT count(*) FROM ticks WHERE session = $1) AS ticks,
    (SELECT count(*) FROM signals WHERE session = $1 AND direction <> 0) AS signals,
    (SELECT count(*) FROM verdicts WHERE session = $1) AS wanted,
    (SELECT count(*) FROM verdicts WHERE session = $1 AND outcome = 'refused') AS refused
"""

EXPOSURE = """
WITH held AS (
    SELECT
        s.equity, s.cash, sum(abs(coalesce(p.value, p.cost))) AS gross,
        max(abs(coalesce(p.value, p.cost))) AS largest, count(p.symbol) AS positions
    FROM account_snapshots AS s
    LEFT JOIN snapshot_positions AS p ON p.seq = s.seq AND p.quantity <> 0
    WHERE s.session = ? AND s.equity > 0
    GROUP BY s.seq, s.equity, s.cash
)
SELECT
    CAST(round(max(coalesce(gross, 0) / equity) * 1000000) AS BIGINT) AS gross_ppm,
    CAST(round(max(coalesce(largest, 0) / equity) * 1000000) AS BIGINT) AS largest_ppm,
    CAST(round(min(cash / equity) * 1000000) AS BIGINT) AS cash_ppm, coalesce(max(positions), 0) AS positions
FROM held
"""

# The owner's money moves the month's first equity with it, as in the ledger: a withdrawal is no loss.
MONTH = """
WITH began AS (
    SELECT seq, month_equity FROM baselines WHERE session = $1 ORDER BY seq DESC LIMIT 1
), moved AS (
    SELECT sum(c.amount) AS amount FROM cash_flows AS c, began AS b
    WHERE c.owner_money AND c.seq > b.seq
        AND c.seq <= (SELECT max(seq) FROM account_snapshots WHERE session = $1)
)
SELECT (SELECT month_equity FROM began) + coalesce((SELECT amount FROM moved), 0) AS month_equity
"""

RECONCILIATIONS = """
SELECT count(*) AS times, arg_max(clean, seq) AS clean, max(occurred_at) AS last_at
FROM reconciliations WHERE session = ?
"""

MISMATCHES = """
SELECT occurred_at, kind, coalesce(symbol, '') AS symbol, coalesce(ledger, '') AS ledger,
    coalesce(broker, '') AS broker, detail
FROM discrepancies WHERE session = ? ORDER BY seq LIMIT 50
"""

HOLES = """
WITH here AS (
    SELECT DISTINCT symbol, start FROM bars WHERE timeframe = $1 AND start >= $2 AND start < $3
), steps AS (
    SELECT
        symbol, start, epoch(start - coalesce(lag(start) OVER by_symbol, $2 - to_seconds($4))) AS ahead,
        coalesce(lag(start) OVER by_symbol + to_seconds($4), $2) AS hole_at,
        lead(start) OVER by_symbol IS NULL AS is_last
    FROM here WINDOW by_symbol AS (PARTITION BY symbol ORDER BY start)
), holes AS (
    SELECT symbol, ahead / $4 - 1 AS length, hole_at FROM steps
    UNION ALL
    SELECT symbol, epoch($3 - start) / $4 - 1, start + to_seconds($4) FROM steps WHERE is_last
)
SELECT
    symbol, (SELECT count(*) FROM here AS h WHERE h.symbol = holes.symbol) AS present,
    CAST(max(length) AS BIGINT) AS longest, arg_max(hole_at, length) AS longest_at
FROM holes GROUP BY symbol ORDER BY symbol
"""

# Not judged yet: a run whose instant was less than a minute ago, and one that began less than ten minutes
# ago and still works (the run that makes this report is one of them).
RUNS = """
WITH judged AS (
    SELECT *, epoch(started_at - instant) AS delay FROM run_audit
    WHERE session = $1 AND instant <= $2
        AND NOT (status = 'missing' AND instant > $2 - INTERVAL 60 SECOND)
        AND NOT (status = 'started' AND started_at > $2 - INTERVAL 10 MINUTE)
)
SELECT
    procedure, count(*) AS expected,
    count(*) FILTER (status = 'completed') AS completed,
    count(*) FILTER (status IN ('skipped', 'overlapped')) AS skipped,
    count(*) FILTER (status = 'failed') AS failed,
    count(*) FILTER (status IN ('missing', 'started')) AS missing, count(*) FILTER (is_late) AS late,
    CAST(round(median(delay) * 1000) AS BIGINT) AS latency_median,
    CAST(round(max(delay) * 1000) AS BIGINT) AS latency_worst
FROM judged GROUP BY procedure ORDER BY min(instant), procedure
"""

CHECKS = """
SELECT
    procedure, name, arg_max(outcome, seq) AS outcome, arg_max(evidence, seq) AS evidence, count(*) AS times
FROM checks WHERE session = ? GROUP BY procedure, name ORDER BY min(seq)
"""

DRIVERS = (
    "SELECT driver, count(*) AS runs FROM runs WHERE session = ? GROUP BY driver ORDER BY runs DESC, driver"
)

ALERTS = (
    "SELECT severity, count(*) AS alerts FROM alerts WHERE session = ? GROUP BY severity ORDER BY severity"
)

# Younger ones are on their way.
UNDELIVERED = """
SELECT count(*) AS alerts FROM alerts AS a
WHERE a.session = ? AND a.recorded_at <= ? - INTERVAL 1 HOUR
    AND NOT EXISTS (FROM deliveries AS d WHERE d.alert_id = a.id)
"""

STATES = """
SELECT occurred_at, state, level, reason, changed_by FROM state_changes WHERE session = ? ORDER BY seq
"""

STATE_AT_END = """
SELECT arg_max(state, seq) AS state FROM state_changes WHERE occurred_at <= ?
"""

GO = "SELECT arg_max(go, seq) AS go FROM enablements WHERE session = ? AND go IS NOT NULL"

# From the first of two sessions to the second, both included; "ends" may come later. What happened before
# any session was planned belongs to none: it is the first of all.
HAPPENED = {
    "silences": """
SELECT occurred_at, since, failures
FROM silences WHERE coalesce(session, DATE '0001-01-01') BETWEEN $1 AND $2 ORDER BY seq
""",
    "states": """
SELECT occurred_at, state, level, reason, changed_by, resume
FROM state_changes WHERE coalesce(session, DATE '0001-01-01') BETWEEN $1 AND $2 ORDER BY seq
""",
    "external": """
WITH moved AS (
    SELECT
        'external' AS what, seq, recorded_at AS occurred_at, session, symbol, side, quantity, price,
        order_id AS reason
    FROM external_fills
    UNION ALL
    SELECT 'bust', seq, occurred_at, session, symbol, side, quantity, price, reason FROM busts
)
SELECT * EXCLUDE (session) FROM moved WHERE coalesce(session, DATE '0001-01-01') BETWEEN $1 AND $2
QUALIFY row_number() OVER (PARTITION BY session ORDER BY seq) <= 100 ORDER BY seq
""",
    "ends": """
WITH ends AS (
    SELECT
        'adopted' AS how, seq, occurred_at, session, symbol,
        ': ' || reason || ' (' || changed_by || ')' AS why, 0 AS residual
    FROM adoptions
    UNION ALL
    SELECT
        'balanced', seq, occurred_at, session, symbol, ': ' || reason || ' (' || changed_by || ')', residual
    FROM balances
    UNION ALL
    SELECT 'gone', seq, occurred_at, session, symbol, '', 0 FROM locks WHERE reason IS NULL
)
SELECT * EXCLUDE (session) FROM ends WHERE coalesce(session, DATE '0001-01-01') >= $1 ORDER BY seq
""",
    "money": """
SELECT occurred_at, kind, amount, description, owner_money
FROM cash_flows
WHERE coalesce(session, DATE '0001-01-01') BETWEEN $1 AND $2
    AND (owner_money OR kind LIKE 'DIV%' OR kind LIKE 'INT%')
ORDER BY seq
""",
    "splits": """
SELECT recorded_at AS occurred_at, symbol, numerator, denominator, activity_id
FROM splits WHERE coalesce(session, DATE '0001-01-01') BETWEEN $1 AND $2 ORDER BY seq
""",
    "comparisons": """
SELECT r.occurred_at, r.clean, d.kind, d.symbol, d.ledger, d.broker
FROM (FROM reconciliations WHERE coalesce(session, DATE '0001-01-01') BETWEEN $1 AND $2) AS r
LEFT JOIN (FROM discrepancies QUALIFY row_number() OVER (PARTITION BY seq) = 1) AS d ON d.seq = r.seq
ORDER BY r.seq
""",
    "unknown": """
SELECT
    u.occurred_at, i.symbol, u.detail, arg_min(n.state, n.seq) AS state, min(n.occurred_at) AS ended_at
FROM (
    FROM intent_events WHERE event = 'unknown' AND coalesce(session, DATE '0001-01-01') BETWEEN $1 AND $2
    QUALIFY row_number() OVER (PARTITION BY session ORDER BY seq) <= 100
) AS u
JOIN intents AS i ON i.id = u.intent_id
LEFT JOIN intent_events AS n
    ON n.intent_id = u.intent_id AND n.seq > u.seq AND n.state NOT IN ('unknown', 'sending')
GROUP BY u.seq, u.occurred_at, i.symbol, u.detail ORDER BY u.seq
""",
    "others": """
WITH told AS (
    SELECT seq, occurred_at, session, kind, severity, subject, text FROM incidents
    WHERE kind IN ('check', 'run', 'rejected_order', 'quarantine')
    UNION ALL
    SELECT
        seq, occurred_at, session,
        CASE event WHEN 'data_stale' THEN 'stale data' WHEN 'data_quality' THEN 'doubtful data'
            ELSE 'silent stream' END,
        severity, split_part(id, '|', 2), text
    FROM alerts WHERE event IN ('data_stale', 'data_quality', 'stream_silent')
)
SELECT * EXCLUDE (session) FROM told WHERE coalesce(session, DATE '0001-01-01') BETWEEN $1 AND $2 ORDER BY seq
""",
}

EXPLAINED = "SELECT * FROM session_explained WHERE session = ?"

LOCKS = """
WITH latest AS (
    SELECT symbol, arg_max_null(reason, seq) AS reason FROM locks WHERE occurred_at <= ? GROUP BY symbol
)
SELECT symbol, reason FROM latest WHERE reason IS NOT NULL ORDER BY symbol
"""

SENT = """
SELECT count(*) FILTER (sends > 0) AS sent, count(*) FILTER (sends > 1) AS retried
FROM orders WHERE session = ?
"""
