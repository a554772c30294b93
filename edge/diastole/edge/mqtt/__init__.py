"""The one place that speaks to a broker: a connection that stays, and says what keeps it away."""

from diastole.edge.mqtt.broker import Broker
from diastole.edge.mqtt.connection import Connection, Received, TooLarge

__all__ = ["Broker", "Connection", "Received", "TooLarge"]
