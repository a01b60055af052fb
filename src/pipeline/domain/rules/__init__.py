"""Decision arithmetic: scalar functions over integers, one source for live trading and research.

Units (one table, used everywhere):

========  =====================================================================
price     integer count of 10⁻⁴ account currency per share (``PRICE_UNIT``)
quantity  integer count of 10⁻⁹ share (``QTY_UNIT``); signed: negative is short
money     integer count of 10⁻⁶ account currency (micro)
fraction  integer parts per million (ppm): 20_000 is 2 %
========  =====================================================================

Functions here take and return plain integers, raise nothing, keep no state, and use
only ``+ - * // %`` and comparisons, so that the same source runs interpreted on the live
path and compiled in the research kernel.
"""
