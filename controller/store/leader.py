"""Which member of a cluster to talk to."""

from controller.ovsdb import Connection, Replica, RowChange

# The part that is read of the database "_Server" (ovsdb-server(5)).
_SCHEMA = {
    "tables": {
        "Database": {
            "columns": {
                "name": {"type": "string"},
                "model": {"type": "string"},
                "connected": {"type": "boolean"},
                "leader": {"type": "boolean"},
            }
        }
    }
}


async def stay_with_leader(connection: Connection, db: str, timeout: float) -> None:
    """Closes the connection as soon as its server does not lead the cluster of ``db``, or has lost it.

    A follower would pass writes on, but its copy may be old, and a leader without a majority answers nothing. A server
    on its own always leads.
    """

    def check(_: list[RowChange]) -> None:
        row = next((row for row in replica.tables["Database"].values() if row["name"] == db), None)
        if row is None:
            connection.close(f"the server has no database {db}")
        elif not row["connected"]:
            connection.close("the server has no contact with the majority of its cluster")
        elif not row["leader"]:
            connection.close("the server does not lead its cluster")

    replica = Replica("_Server", _SCHEMA, {"Database": None}, check)
    await replica.attach(connection, timeout)
