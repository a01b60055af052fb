"""The rehearsal exchange's market and costs: ``rehearsal``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, StringConstraints, model_validator

from pipeline.settings.kinds import Flag, Money, ShareOrZero, Symbol, Text, Volatility, Zone, as_whole
from pipeline.settings.models.base import Block

Listing = Literal["AMEX", "ARCA", "BATS", "NYSE", "NASDAQ", "NYSEARCA", "OTC"]


class RehearsalSymbol(Block):
    """One listed symbol of the synthetic market: opens near ``price``, moves with ``annual_volatility``."""

    price: Money = 100.0
    annual_volatility: Volatility = 0.20
    correlation: ShareOrZero = 0.6
    daily_volume: Annotated[int, PlainValidator(as_whole), Field(ge=1, le=10**11)] = 5_000_000
    fractionable: Flag = True
    listing: Listing = "ARCA"


class RehearsalCosts(Block):
    """``costs``: money per share, everything else a fraction of the price; fills take at most
    ``participation_pct`` of a bar's volume."""

    fee_per_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    sell_fee_pct: ShareOrZero = 0.0
    half_spread_pct: Annotated[ShareOrZero, Field(le=0.1)] = 0.000_02
    slippage_pct: Annotated[ShareOrZero, Field(le=0.1)] = 0.000_03
    participation_pct: Annotated[ShareOrZero, Field(gt=0)] = 0.1


class Rehearsal(Block):
    """``rehearsal``: used when ``data.source.provider`` is "rehearsal".

    Same seed, same market. Cash comes from ``portfolio.initial_capital``.

    Attributes:
        market: "synthetic", or "file" for the recorded one-minute bars in ``file``.
        file_timezone: zone of times in ``file`` that carry none.
        symbols: profiles of the synthetic market; a symbol of ``data.symbols`` without one has the defaults.
    """

    seed: Annotated[int, PlainValidator(as_whole), Field(ge=0, le=2**63 - 1)] = 7
    market: Literal["synthetic", "file"] = "synthetic"
    file: Text | None = None
    file_timezone: Zone = "UTC"
    symbols: Mapping[Symbol, RehearsalSymbol] = Field(default_factory=dict)
    costs: RehearsalCosts = RehearsalCosts()
    account_number: Annotated[str, StringConstraints(pattern=r"^PA[A-Z0-9]{3,20}$")] = "PA0REHEARSAL"

    @model_validator(mode="after")
    def _file_when_recorded(self) -> Rehearsal:
        if (self.market == "file") != (self.file is not None):
            raise ValueError("market: file and file: PATH belong together; write both or neither")
        return self
