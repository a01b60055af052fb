"""The YAML configuration: reading, strict models, lint, and what follows from them.

========================  ===============================================================
``loading``               files, overrides and environment → :class:`models.root.Settings`
``lint``                  legal but wrong: findings with a remedy each
``effective``             one risk limit per gate, strategies, redaction, fingerprint
``timetable``             procedures as offsets from a session's real open and close
``connection``            SIM, PAPER or LIVE; URLs and credentials of the broker
``rehearsal``             the document the rehearsal exchange is started with
========================  ===============================================================

Imports nothing heavier than pydantic and PyYAML: every command reads the configuration.
"""
