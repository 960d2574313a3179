"""What a dummy port sends: the pcap file of its option tx_pcap, as it grows."""

from pathlib import Path


class Capture:
    """What leaves by a dummy port, from now on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._file.seek(24)

    def read(self) -> list[bytes]:
        frames = []
        while head := self._file.read(16):
            frames.append(self._file.read(int.from_bytes(head[8:12], "little")))
        return frames

    def close(self) -> None:
        self._file.close()
