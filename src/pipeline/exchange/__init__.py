"""The rehearsal exchange: a local paper exchange that speaks Alpaca's wire protocol.

Its own process, its own storage, its own virtual clock. Rehearsals, tests and live trading
use the same broker adapter; only URLs differ. Layers, outermost first::

    __main__, process     start, stop, attach
    server                HTTP and websocket on loopback; control is the client of the control port
    trading_api, data_api, stream, control_api, fault_api; queries, activities, corporate, series, wire
    faults, fault_*       what answers, data and sockets are spoiled with: answers change, the truth does not
    scripts               a day's faults, changes and operator's acts from a YAML file
    host, commands        one command at a time: stored, carried out, told
    changes, truth_*      what the control port makes true: money, splits, executions, restrictions
    engine                the matching engine: a state machine without input or output
    book, intake, matching, ledger, orders, conditions
    tape, alterations, bars, synthetic, recorded
    config, fields
"""
