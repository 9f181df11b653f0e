"""The HTTP side of a lane: one keep-alive connection whose sockets somebody else can shut down.

Invariants: no retries; the socket is known from the moment it is connected, before the TLS
handshake; lanes share one TLS context, because the authorities in it cost memory and start-up.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter
from requests.certs import where  # type: ignore[attr-defined]  # stubs lack it
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

Tap = Callable[[socket.socket], None]


class OneConnection(HTTPAdapter):
    """Carries requests over one connection; ``tap`` is told every socket it opens."""

    def __init__(self, tap: Tap | None = None, trust: ssl.SSLContext | None = None) -> None:
        self._tap = tap
        self._trust = trust
        super().__init__(pool_connections=2, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools of connections, tapped and with the shared TLS context."""
        if self._trust is not None:
            options["ssl_context"] = self._trust
        super().init_poolmanager(*args, **options)
        pools: dict[str, Any] = {
            "http": partial(_HTTPPool, tap=self._tap),
            "https": partial(_HTTPSPool, tap=self._tap),
        }
        self.poolmanager.pool_classes_by_scheme = pools

    def build_connection_pool_key_attributes(self, *args: Any, **options: Any) -> Any:
        """Leave the authorities out where the shared context knows them already."""
        host, pool = super().build_connection_pool_key_attributes(*args, **options)
        if self._trust is not None:
            pool.pop("ca_certs", None)
        return host, pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Demand a certificate; with a shared context nothing is loaded again."""
        if self._trust is None:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # stubs
        else:
            conn.cert_reqs = "CERT_REQUIRED"


def trusted_context() -> ssl.SSLContext:
    """Return a TLS context that knows the usual authorities."""
    context = create_urllib3_context()
    context.load_verify_locations(where())
    return context


class _TappedHTTP(HTTPConnection):
    def __init__(self, *args: Any, tap: Tap | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._tap = tap

    def _new_conn(self) -> socket.socket:
        return _told(super()._new_conn(), self._tap)


class _TappedHTTPS(HTTPSConnection):
    def __init__(self, *args: Any, tap: Tap | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._tap = tap

    def _new_conn(self) -> socket.socket:
        return _told(super()._new_conn(), self._tap)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _TappedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TappedHTTPS


def _told(opened: socket.socket, tap: Tap | None) -> socket.socket:
    if tap is not None:
        tap(opened)
    return opened
