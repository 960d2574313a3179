"""What hosts are called in the API: by host name, as compute services know them, else by system-id."""


class HostNames:
    """A host name that two hosts give is the first one's; the other goes by its system-id."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._system_ids: dict[str, str] = {}

    def know(self, system_id: str, hostname: str) -> None:
        self.forget(system_id)
        taken = hostname in self._system_ids
        self._shown[system_id] = shown = hostname if hostname and not taken else system_id
        self._system_ids[shown] = system_id

    def forget(self, system_id: str) -> None:
        if (shown := self._shown.pop(system_id, None)) is not None:
            del self._system_ids[shown]

    def shown(self, system_id: str) -> str:
        return self._shown.get(system_id, system_id)

    def system_id(self, shown: str) -> str | None:
        """None: no host is called so."""
        return self._system_ids.get(shown)
