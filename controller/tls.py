"""TLS for what listens: the files of a PKI folder, taken up again when they are renewed; and who a peer is."""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

log = structlog.get_logger()

CA, CERTIFICATE, KEY = "ca.pem", "controller.pem", "controller-key.pem"
HANDSHAKE = 10.0
"""Seconds in which a peer must have shown its certificate."""
HANDSHAKES = 64
"""At a time, on one port; others wait to be accepted."""


class Peer(msgspec.Struct, frozen=True):
    """The certificate that a peer has shown."""

    name: str
    """Its subject's common name; "" where it has none."""
    fingerprint: str
    """SHA-256 of the certificate (DER), in hex."""


class TlsError(Exception):
    """Files that can't be used; says which, why, and what to do."""


class Tls:
    """``folder``: as `tunbridge pki init` makes it. ``mutual``: whoever dials must show a certificate, too."""

    def __init__(self, folder: Path, *, mutual: bool) -> None:
        self._folder, self._mutual = folder, mutual
        self._state: tuple[int, ...] = ()
        self.context = self._load()

    def _load(self) -> ssl.SSLContext:
        state = self._files()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY)
            if self._mutual:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(self._folder / CA)
        except (OSError, ValueError) as error:
            raise TlsError(f"{self._folder}: {error}; `tunbridge pki renew` makes the certificate anew") from None
        # Called at the beginning of each handshake, whether or not the peer names a server.
        context.sni_callback = self._renew
        self._state = state
        return context

    def _files(self) -> tuple[int, ...]:
        paths = [self._folder / name for name in (CA, CERTIFICATE, KEY)]
        if missing := [path.name for path in paths if not path.is_file()]:
            raise TlsError(f"{self._folder} has no {', '.join(missing)}: `tunbridge pki init --dir {self._folder}`")
        return tuple(path.stat().st_mtime_ns for path in paths)

    def _renew(self, handshake: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
        try:
            if self._files() != self._state:
                self.context = self._load()
                log.info("certificates were renewed", folder=str(self._folder))
        except TlsError as error:
            log.error("renewed certificates can't be used, the old ones stay", reason=str(error))
        handshake.context = self.context


def shown_by(transport: asyncio.BaseTransport) -> Peer | None:
    """The certificate of the other end; None without TLS."""
    secured = transport.get_extra_info("ssl_object")
    if secured is None:
        return None
    subject = (secured.getpeercert() or {}).get("subject", ())
    names = [value for part in subject for key, value in part if key == "commonName"]
    return Peer(names[0] if names else "", hashlib.sha256(secured.getpeercert(binary_form=True) or b"").hexdigest())


def stranger(claimed: str, peer: Peer | None, registered: Collection[tuple[str, str]]) -> str:
    """Why a peer is not the host that it says it is; "" when it is.

    ``registered``: (system-id, fingerprint) pairs. A registered certificate speaks for its host and no other.
    """
    if peer is None:
        return ""
    names = {host for host, fingerprint in registered if fingerprint == peer.fingerprint} or {peer.name}
    if claimed in names:
        return ""
    who = f"its certificate is that of {' and '.join(sorted(names)) or 'nobody'} (SHA-256 {peer.fingerprint[:16]}…)"
    return f"it says that it is {claimed}, but {who}; `tunbridge host add {claimed} --certificate FILE` would let it"


class Server(Protocol):
    """What listens: asyncio's own servers, and ours."""

    @property
    def sockets(self) -> Sequence[Any]: ...
    def close(self) -> None: ...
    async def wait_closed(self) -> None: ...


async def accept(made: socket.socket, protocol: Callable[[], asyncio.Protocol], tls: Tls | None) -> Server:
    """Listens; with ``tls``, a protocol begins after the handshake; why one has failed is logged."""
    if tls is None:
        return await asyncio.get_running_loop().create_server(protocol, sock=made)
    return _TlsServer(made, protocol, tls)


class Refusal(asyncio.Protocol):
    """For one too many: hangs up at once."""

    def __init__(self, what: str, most: int) -> None:
        self._what, self._most = what, most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        peer = _shown(transport.get_extra_info("peername"))
        log.warning("connection refused: there are too many", what=self._what, most=self._most, peer=peer)
        transport.close()


class _TlsServer:
    """Asyncio's own TLS servers tell nobody why a handshake has failed."""

    def __init__(self, made: socket.socket, protocol: Callable[[], asyncio.Protocol], tls: Tls) -> None:
        self.sockets = (made,)
        self._protocol, self._tls = protocol, tls
        self._loop = asyncio.get_running_loop()
        self._free = asyncio.Semaphore(HANDSHAKES)
        self._tasks = {asyncio.create_task(self._accept(), name="TLS listener")}

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.sockets[0].close()

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self) -> None:
        while True:
            await self._free.acquire()
            try:
                dialled, name = await self._loop.sock_accept(self.sockets[0])
            except OSError as error:  # out of descriptors, say
                log.error("a connection could not be accepted", reason=str(error))
                self._free.release()
                await asyncio.sleep(1.0)
                continue
            task = asyncio.create_task(self._greet(dialled, name), name="TLS handshake")
            self._tasks.add(task)
            task.add_done_callback(self._greeted)

    def _greeted(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free.release()

    async def _greet(self, dialled: socket.socket, name: Any) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, dialled, ssl=self._tls.context, ssl_handshake_timeout=HANDSHAKE
            )
        except (OSError, TimeoutError, EOFError) as error:
            log.warning("TLS handshake failed", peer=_shown(name), reason=_reason(error))


def _shown(name: Any) -> str:
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else str(name)


def _reason(error: Exception) -> str:
    said = getattr(error, "reason", None) or str(error) or type(error).__name__
    hints = {
        "WRONG_VERSION_NUMBER": "the peer does not speak TLS: its target must begin with ssl:",
        "HTTP_REQUEST": "the peer does not speak TLS",
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer has shown no certificate: ovs-vsctl set-ssl KEY CERTIFICATE CA",
        "CERTIFICATE_VERIFY_FAILED": f"the peer's certificate is not accepted: {getattr(error, 'verify_message', '')}",
        "TLSV1_ALERT_UNKNOWN_CA": "the peer does not know the authority of our certificate: its CA is another",
    }
    return f"{hints[said]} ({said})" if said in hints else str(said)
