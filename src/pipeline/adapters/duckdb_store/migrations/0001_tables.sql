-- Facts, append-only: one row per journal record, or per entry of one. Nothing is ever updated but `projection`.
--
-- seq          the journal record's number; "recorded order" is ORDER BY seq
-- occurred_at  when it happened, UTC. Where the desk learnt of it later (fills, cash, alerts, snapshots),
--              `recorded_at` is the instant of the record
-- session      the exchange day it belongs to; NULL before the first session was planned
-- *_ppm        parts per million: 20_000 is 2 %
-- Prices are account currency per share, quantities shares (signed where said), the rest account currency.
-- No primary keys: they cost five times the space (PERFORMANCE §4); the projection writes each fact once.

CREATE TABLE projection (projected BIGINT NOT NULL, head VARCHAR NOT NULL);
INSERT INTO projection VALUES (0, repeat('0', 64));

-- Market data: not from the journal, kept by a rebuild.
CREATE TABLE bars (
    symbol VARCHAR NOT NULL, timeframe VARCHAR NOT NULL, start TIMESTAMPTZ NOT NULL,
    open DECIMAL(18, 4) NOT NULL, high DECIMAL(18, 4) NOT NULL, low DECIMAL(18, 4) NOT NULL,
    close DECIMAL(18, 4) NOT NULL, volume BIGINT NOT NULL
);

-- The day and its runs ---------------------------------------------------------------------------------

CREATE TABLE leases (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, epoch BIGINT NOT NULL, owner VARCHAR NOT NULL,
    code VARCHAR, config VARCHAR, mode VARCHAR, account VARCHAR
);
CREATE TABLE sessions (
    seq BIGINT NOT NULL, session DATE NOT NULL, open TIMESTAMPTZ NOT NULL, close TIMESTAMPTZ NOT NULL,
    early_close BOOLEAN NOT NULL
);
CREATE TABLE expected_runs (
    seq BIGINT NOT NULL, session DATE NOT NULL, procedure VARCHAR NOT NULL, instant TIMESTAMPTZ NOT NULL
);
CREATE TABLE enablements (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, go BOOLEAN, entries BOOLEAN NOT NULL,
    reason VARCHAR NOT NULL
);
CREATE TABLE claims (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, procedure VARCHAR NOT NULL,
    instant TIMESTAMPTZ NOT NULL, driver VARCHAR NOT NULL
);
-- outcome: completed | skipped | failed; summary: JSON object of counts and words
CREATE TABLE runs (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, procedure VARCHAR NOT NULL,
    instant TIMESTAMPTZ NOT NULL, outcome VARCHAR NOT NULL, reason VARCHAR NOT NULL, driver VARCHAR NOT NULL,
    summary JSON NOT NULL
);
-- One named step of a procedure. outcome: ok | warn | fail | skipped
CREATE TABLE checks (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, procedure VARCHAR NOT NULL,
    instant TIMESTAMPTZ, name VARCHAR NOT NULL, outcome VARCHAR NOT NULL, evidence VARCHAR NOT NULL,
    details JSON NOT NULL
);

-- Decisions --------------------------------------------------------------------------------------------

-- inputs: SHA-256 of all that the decision saw; symbols, signals, intents: how many; state: the ladder's
CREATE TABLE ticks (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, instant TIMESTAMPTZ NOT NULL,
    driver VARCHAR NOT NULL, inputs VARCHAR NOT NULL, symbols BIGINT NOT NULL, signals BIGINT NOT NULL,
    intents BIGINT NOT NULL, state VARCHAR NOT NULL
);
-- direction: 1 buy, -1 sell what is held, 0 leave as it is
CREATE TABLE signals (
    seq BIGINT NOT NULL, session DATE, instant TIMESTAMPTZ NOT NULL, symbol VARCHAR NOT NULL,
    strategy VARCHAR NOT NULL, direction INTEGER NOT NULL, confidence_ppm BIGINT NOT NULL,
    price DECIMAL(18, 4) NOT NULL
);
-- outcome: allowed | shrunk | refused
CREATE TABLE verdicts (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, instant TIMESTAMPTZ NOT NULL,
    symbol VARCHAR NOT NULL, side VARCHAR NOT NULL, purpose VARCHAR NOT NULL, strategy VARCHAR NOT NULL,
    asked DECIMAL(18, 9) NOT NULL, quantity DECIMAL(18, 9) NOT NULL, outcome VARCHAR NOT NULL,
    intent_id VARCHAR, reason VARCHAR NOT NULL
);
-- allowed, actual: in `unit`; units money, price and quantity are currency and shares, every other as counted
CREATE TABLE breaches (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, instant TIMESTAMPTZ NOT NULL,
    symbol VARCHAR NOT NULL, limit_name VARCHAR NOT NULL, allowed DECIMAL(28, 9) NOT NULL,
    actual DECIMAL(28, 9) NOT NULL, unit VARCHAR NOT NULL, intent_id VARCHAR
);
CREATE TABLE intents (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, id VARCHAR NOT NULL, account VARCHAR NOT NULL,
    strategy VARCHAR NOT NULL, symbol VARCHAR NOT NULL, side VARCHAR NOT NULL, purpose VARCHAR NOT NULL,
    quantity DECIMAL(18, 9) NOT NULL, decided_at TIMESTAMPTZ NOT NULL, decision_price DECIMAL(18, 4) NOT NULL,
    release_at TIMESTAMPTZ, reason VARCHAR NOT NULL
);
-- event: the record's kind (intent, sending, acked, unknown, rejected, order, cancel, vetoed);
-- state: the intent's after it, NULL when unchanged (cancel); filled: so far, NULL when not told
CREATE TABLE intent_events (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, intent_id VARCHAR NOT NULL,
    event VARCHAR NOT NULL, state VARCHAR, order_id VARCHAR, filled DECIMAL(18, 9), raw_status VARCHAR,
    detail VARCHAR NOT NULL
);

-- What happened at the broker --------------------------------------------------------------------------

-- quantity: positive; value: price × quantity, positive; intent_id: NULL when the order is not ours
CREATE TABLE fills (
    seq BIGINT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE,
    id VARCHAR NOT NULL, order_id VARCHAR NOT NULL, intent_id VARCHAR, symbol VARCHAR NOT NULL,
    side VARCHAR NOT NULL, quantity DECIMAL(18, 9) NOT NULL, price DECIMAL(18, 4) NOT NULL,
    value DECIMAL(18, 6) NOT NULL
);
-- A fill's effect on its position, average cost. A fill that crosses zero has two legs: one closes, one opens.
-- traded: signed; price: of the leg; value: price × traded, signed; quantity, cost: after it, signed (0 when
-- flat); realized: profit before fees; trip: 1, 2, … per symbol, from flat to flat;
-- fill_id: NULL for what the account held when the ledger began.
CREATE TABLE position_changes (
    seq BIGINT NOT NULL, leg INTEGER NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, symbol VARCHAR NOT NULL,
    trip BIGINT NOT NULL, fill_id VARCHAR, intent_id VARCHAR, traded DECIMAL(18, 9) NOT NULL,
    price DECIMAL(18, 4) NOT NULL, value DECIMAL(18, 6) NOT NULL, quantity DECIMAL(18, 9) NOT NULL,
    cost DECIMAL(18, 6) NOT NULL, realized DECIMAL(18, 6) NOT NULL, opened_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE openings (seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, cash DECIMAL(18, 6) NOT NULL);
-- owner_money: a deposit or withdrawal, neither profit nor loss
CREATE TABLE cash_flows (
    seq BIGINT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE,
    id VARCHAR NOT NULL, kind VARCHAR NOT NULL, amount DECIMAL(18, 6) NOT NULL, description VARCHAR NOT NULL,
    owner_money BOOLEAN NOT NULL
);
CREATE TABLE account_snapshots (
    seq BIGINT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE NOT NULL,
    equity DECIMAL(18, 6) NOT NULL, cash DECIMAL(18, 6) NOT NULL
);
-- price: the snapshot's last, NULL when it had none for the symbol; quantity, cost, value: signed
CREATE TABLE snapshot_positions (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE NOT NULL, symbol VARCHAR NOT NULL,
    quantity DECIMAL(18, 9) NOT NULL, cost DECIMAL(18, 6) NOT NULL, price DECIMAL(18, 4), value DECIMAL(18, 6)
);
CREATE TABLE baselines (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE NOT NULL, day_equity DECIMAL(18, 6) NOT NULL,
    month_equity DECIMAL(18, 6) NOT NULL, peak_equity DECIMAL(18, 6) NOT NULL
);
CREATE TABLE reconciliations (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, clean BOOLEAN NOT NULL, cause VARCHAR NOT NULL,
    found BIGINT NOT NULL
);
CREATE TABLE discrepancies (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, kind VARCHAR NOT NULL, symbol VARCHAR,
    ledger VARCHAR, broker VARCHAR, detail VARCHAR NOT NULL
);

-- Control, and what people were told -------------------------------------------------------------------

-- state: NORMAL, CAUTIOUS, REDUCING, HALTED, LIQUIDATING; level: 0 to 4; changed_by: who or what
CREATE TABLE state_changes (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, state VARCHAR NOT NULL, level INTEGER NOT NULL,
    reason VARCHAR NOT NULL, changed_by VARCHAR NOT NULL, resume BOOLEAN NOT NULL
);
-- since: NULL when the broker answers again
CREATE TABLE silences (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, since TIMESTAMPTZ, failures BIGINT NOT NULL
);
-- reason: NULL when released
CREATE TABLE locks (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, symbol VARCHAR NOT NULL, reason VARCHAR
);
-- fields: JSON array of [name, value]
CREATE TABLE alerts (
    seq BIGINT NOT NULL, recorded_at TIMESTAMPTZ NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE,
    id VARCHAR NOT NULL, event VARCHAR NOT NULL, severity VARCHAR NOT NULL, title VARCHAR NOT NULL,
    text VARCHAR NOT NULL, mode VARCHAR NOT NULL, fields JSON NOT NULL
);
CREATE TABLE deliveries (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, alert_id VARCHAR NOT NULL, channel VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL
);
CREATE TABLE reports (
    seq BIGINT NOT NULL, occurred_at TIMESTAMPTZ NOT NULL, session DATE, path VARCHAR NOT NULL, digest VARCHAR NOT NULL
);
