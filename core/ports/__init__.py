"""What an actor may ask of the world. Ray, files, sockets and clocks hide behind these.

A port handed to an actor is a small picklable description that connects on first use, in the actor's own process.
"""

from core.ports.account import AccountBroker
from core.ports.ledger import Ledger
from core.ports.market import Arrived, Bus, Clock, LastChains, Past, Payload, Socket, Source, Tape
from core.ports.trading import Broker, BrokerAnswer, BrokerStore, DeskClient, KillFile, Orders, Risk, Trading

__all__ = [
    "AccountBroker",
    "Arrived",
    "Broker",
    "BrokerAnswer",
    "BrokerStore",
    "Bus",
    "Clock",
    "DeskClient",
    "KillFile",
    "LastChains",
    "Ledger",
    "Orders",
    "Past",
    "Payload",
    "Risk",
    "Socket",
    "Source",
    "Tape",
    "Trading",
]
