"""The official client, held to its own models.

When a reply does not fit, the client logs a warning and loosens the model; here that is a failure.
Fields it does not know, and fields it knows that do not come, are counted for every reply.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)
from pydantic import BaseModel

from tests.clients.served import KEY, SECRET, Served


class _Complaints(logging.Handler):
    """Collects what a client logs as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the sentence."""
        self.said.append(record.getMessage())


@contextmanager
def complaints() -> Iterator[list[str]]:
    """Collect what is logged on the root logger meanwhile."""
    handler = _Complaints()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler.said
    finally:
        root.removeHandler(handler)


class Official:
    """The client's REST side; `unknown` and `missing` fill with every reply that is read."""

    def __init__(self, served: Served) -> None:
        self.client = DerivativesTradingUsdsFutures(
            config_rest_api=ConfigurationRestAPI(
                api_key=KEY,
                api_secret=SECRET,
                base_path=served.rest_url,
                timeout=20_000,
                retries=0,
            ),
            config_ws_streams=ConfigurationWebSocketStreams(
                stream_url=served.stream_url, reconnect_attempts=1
            ),
        )
        self._raw: list[object] = []
        session = self.client.rest_api._session
        session.hooks["response"].append(lambda reply, **_: self._raw.append(reply.json()))
        self.unknown: dict[str, set[str]] = {}
        self.missing: dict[str, set[str]] = {}

    def ask(self, name: str, **given: Any) -> Any:
        """Call one method and return its model, which must fit without loosening."""
        with complaints() as said:
            reply = getattr(self.client.rest_api, name)(**given)
            content = reply.data()
        assert said == [], said
        self.compare(content, self._raw[-1])
        return content

    def compare(self, content: object, raw: object) -> None:
        """Note the keys of `raw` its model does not know, and the fields that `raw` lacks."""
        if isinstance(content, list):
            assert isinstance(raw, list)
            for one, raw_one in zip(content, raw, strict=True):
                self.compare(one, raw_one)
            return
        if not isinstance(content, BaseModel):
            return
        chosen = getattr(content, "actual_instance", None)
        if chosen is not None:
            self.compare(chosen, raw)
            return
        assert isinstance(raw, dict), f"{type(content).__name__} was read from {raw!r}"
        name = type(content).__name__
        fields = {
            about.alias or field: field
            for field, about in type(content).model_fields.items()
            if field != "additional_properties"
        }
        if unknown := raw.keys() - fields.keys():
            self.unknown.setdefault(name, set()).update(unknown)
        if missing := fields.keys() - raw.keys():
            self.missing.setdefault(name, set()).update(missing)
        for key in fields.keys() & raw.keys():
            self.compare(getattr(content, fields[key]), raw[key])
