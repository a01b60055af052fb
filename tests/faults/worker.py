"""A process of its own that trades three ticks and may be killed: ``FAILPOINT=after_post:exit``.

``python -m tests.faults.worker FOLDER``. The broker's side lies in a file of the folder, written before any
answer leaves it, as a broker's would be; everything else is what the journal holds.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from pipeline.domain.orders import Intent, Order
from tests.faults.broker import Answer, Venue
from tests.faults.desk import World, at, one_process

TICKS = ("15:00", "15:01", "15:02")
PLACE = "venue.pickle"


class Kept(Venue):
    """A venue that is on the disk before it answers."""

    def accept(self, client_id: str, intent: Intent, answer: Answer = Answer.OK) -> Order:
        """Take an order in, and write it down."""
        order = super().accept(client_id, intent, answer)
        self.keep()
        return order

    def keep(self) -> None:
        """Write everything down at once, or not at all."""
        place = Path(self.folder)
        (place / "venue.new").write_bytes(pickle.dumps({key: getattr(self, key) for key in _KEPT}))
        (place / "venue.new").replace(place / PLACE)

    folder: str = ""


_KEPT = ("now", "cash", "resting", "orders", "fills", "positions", "activities")


def opened(folder: Path) -> Kept:
    """Return the venue of a folder as it was left."""
    venue = Kept(at("14:59"))
    venue.folder = str(folder)
    if (folder / PLACE).exists():
        for key, value in pickle.loads((folder / PLACE).read_bytes()).items():
            setattr(venue, key, value)
    return venue


def main(folder: Path) -> None:
    """Trade: SPY is bought at the first tick and sold at the third, QQQ is bought at the second."""
    venue = opened(folder)
    wanted = {("SPY", at("15:00")): 1, ("QQQ", at("15:01")): 1, ("SPY", at("15:02")): -1}
    world = World(folder, venue, wanted, owners=f"process-{len(list(folder.iterdir()))}")
    with one_process(armed=True):
        for clock in TICKS:
            world.run("intraday-tick", at(clock))
        world.run("risk-monitor", at("15:02:30"))
    venue.keep()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
