"""What goes wrong, in spells: on the network, in PagerDuty, on the disk, with the daemon."""

import asyncio
from collections.abc import Callable
from random import Random

from imsync.sandbox.faults import Faults
from tests.simulation.disk import Trouble as DiskTrouble
from tests.simulation.network import Network
from tests.simulation.network import Trouble as NetworkTrouble
from tests.simulation.there import There

_API = (
    "api_unheard",
    "api_429",
    "api_429_bare",
    "api_error",
    "api_error_after",
    "api_lost",
    "api_half_closed",
    "api_malformed",
    "api_slow",
)
_DELIVERY = ("delivery_drop", "delivery_delay", "delivery_repeat", "delivery_reorder")
_KINDS = (
    *("api", "api", "unanswered", "delivery", "delivery", "subscription", "down"),
    *("network", "network", "disk", "full", "deadly", "deadly", "kill", "kill", "stop", "freeze"),
)


class Weather:
    """`kill` and `stop` end the daemon, as the disk may; somebody starts it again."""

    def __init__(
        self,
        rng: Random,
        network: Network,
        there: list[There],
        disk: DiskTrouble,
        *,
        kill: Callable[[], None],
        stop: Callable[[], object],
    ) -> None:
        self.rng, self.network, self.there, self.disk = rng, network, there, disk
        self._kill, self._stop = kill, stop
        self._roughness = rng.choice((0.0, 0.3, 0.6, 0.6, 0.9))

    async def blow(self) -> None:
        """One spell after the other, until cancelled; some stories have none."""
        rng = self.rng
        while True:
            await asyncio.sleep(rng.uniform(1, 15))
            if rng.random() < self._roughness:
                for kind in rng.sample(_KINDS, rng.choice((1, 1, 2, 3))):
                    self._begin(kind)
                await asyncio.sleep(rng.uniform(1, 25))
                self.calm()

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        quiet = NetworkTrouble()
        for name in NetworkTrouble.__slots__:
            setattr(self.network.trouble, name, getattr(quiet, name))
        for name in DiskTrouble.__slots__:
            setattr(self.disk, name, 0.0)
        for there in self.there:
            faults, none = there.sandbox.faults, Faults()
            for name in (*_API, *_DELIVERY, "subscription_disable"):
                setattr(faults, name, getattr(none, name))
            there.up()

    def _begin(self, kind: str) -> None:
        rng, there = self.rng, self.rng.choice(self.there)
        faults, network, disk = there.sandbox.faults, self.network.trouble, self.disk
        self.network.say(f"weather: {kind}")
        much = rng.choice((0.05, 0.2, 0.5))
        match kind:
            case "api":
                for name in rng.sample(_API, rng.choice((1, 2, 3))):
                    setattr(faults, name, much)
            case "unanswered":
                faults.api_lost, faults.delivery_drop = 0.7, 0.7
            case "delivery":
                faults.delivery_delay_ms = rng.choice((1_000, 5_000, 60_000))
                for name in rng.sample(_DELIVERY, rng.choice((1, 2, 4))):
                    setattr(faults, name, much)
            case "network":
                network.cut, network.late = much * rng.random(), much * rng.random()
                network.hole = rng.choice((0.0, 0.02))
            case "disk":
                disk.slow = much
            case "deadly":
                disk.deadly = rng.choice((0.03, 0.2))
            case "kill":
                self._kill()
            case "stop":
                self._stop()
            case "freeze":
                disk.cold = 0.3
            case "down":
                there.down()
            case "full":
                disk.full = 0.05
            case "subscription":
                faults.subscription_disable = much
