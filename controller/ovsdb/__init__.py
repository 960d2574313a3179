"""The one OVSDB client: connections in either direction, and replicas of tables. Used by the store and for hosts."""

from controller.ovsdb.connection import Connection, Disconnected, OvsdbError, connect, listen
from controller.ovsdb.replica import Replica, Row, RowChange

__all__ = ["Connection", "Disconnected", "OvsdbError", "Replica", "Row", "RowChange", "connect", "listen"]
