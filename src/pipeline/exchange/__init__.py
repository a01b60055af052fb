"""The rehearsal exchange: a local paper exchange that speaks Alpaca's wire protocol.

Its own process, its own storage, its own virtual clock. Rehearsals, tests and live trading
use the same broker adapter; only URLs differ. Layers, outermost first::

    __main__, process     start, stop, attach
    server, control       HTTP and websocket on loopback, and the client of the control port
    trading_api, data_api, stream, control_api; queries, activities, series, wire
    host, commands        one command at a time: stored, carried out, told
    engine                the matching engine: a state machine without input or output
    book, intake, matching, ledger, orders
    tape, synthetic, recorded
    config, fields
"""
