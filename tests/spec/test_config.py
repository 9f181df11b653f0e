"""Configuration at the door: every key known, every value in range, every mistake with a remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from engine.config import (
    CredentialsMissing,
    Mode,
    Settings,
    credentials,
    known_keys,
    load,
    required_credentials,
)
from engine.config.model import key_of
from engine.config.sources import file_tree
from engine.domain.errors import InvalidInput
from engine.domain.limits import HoldOrClose, Limits

SHIPPED = Path(__file__).parents[2] / "config.yaml"


def wrong(path: Path | None, environ: Mapping[str, str] | None = None, **more: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load(path, environ or {}, more or None)
    assert caught.value.exit_code == 3
    return caught.value


def a_file(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_file_says_what_an_empty_one_means(tmp_path: Path) -> None:
    """Whoever reads config.yaml reads the defaults of the code."""
    copy = a_file(tmp_path, SHIPPED.read_text(encoding="utf-8"))
    shipped = load(copy, {})
    copy.write_text("", encoding="utf-8")

    assert load(copy, {}) == shipped


def test_the_shipped_file_shows_every_key_and_says_something_about_each() -> None:
    tree = file_tree(SHIPPED)
    shown = [
        f"{name}.{inner}" if isinstance(value, dict) else name
        for name, value in tree.items()
        for inner in (value if isinstance(value, dict) else [name])
    ]
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    silent = [line for line in lines if re.match(r" *[a-z_]+: ", line) and "#" not in line]

    assert shown == list(known_keys())  # in the order of the models
    assert silent == []


def test_the_defaults_are_those_the_rules_have(tmp_path: Path) -> None:
    assert load(a_file(tmp_path, ""), {}).limits() == Limits()


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_every_limit_can_be_set(tmp_path: Path, name: str) -> None:
    """A number a rule reads and nobody can set is a number nobody knows about."""
    default = getattr(Limits(), name)
    key = key_of(name)
    assert key is not None
    text, expected = _another(name, key, default)

    settings = Settings.model_validate(_nested(key, text))

    assert getattr(settings.limits(), name) == expected != default


def _another(name: str, key: str, default: Any) -> tuple[str, object]:
    """Return a value other than the default, as text and as the rules get it."""
    match default:
        case bool():
            return ("false", False) if default else ("true", True)
        case int():
            if name.endswith("_ms"):
                return ("0.25", 250) if key.endswith("_s") else ("1999", 1999)
            return "4", 4
        case Decimal():
            text = "-0.1" if "drawdown" in name else "0.1"
            return text, Decimal(text)
        case StrEnum():
            other = next(member for member in type(default) if member is not default)
            return other.value, other
        case _:
            return "ETHUSDT", "ETHUSDT"


def _nested(key: str, value: object) -> dict[str, Any]:
    group, _, last = key.rpartition(".")
    return {group: {last: value}} if group else {last: value}


UNKNOWN = [
    # yaml                            field                  remedy
    ("entry: {post_onyl: true}", "entry.post_onyl", "did you mean entry.post_only?"),
    ("min_step: 5", "min_step", "did you mean trailing.min_step?"),
    ("risk: {naked_limit_s: 5}", "risk.naked_limit_s", "did you mean protection.naked_limit_s?"),
    ("exchange: {rest: x}", "exchange.rest", "did you mean exchange.rest_url?"),
    ("simbol: BTCUSDT", "simbol", "did you mean symbol?"),
    ("exchnage: {rest_url: x}", "exchnage.rest_url", "did you mean exchange.rest_url?"),
    ("loop: {qqqqqqqq: 1}", "loop.qqqqqqqq", "loop knows: interval_s"),
]


@pytest.mark.parametrize(("text", "field", "remedy"), UNKNOWN)
def test_an_unknown_key_names_the_nearest_known_one(
    tmp_path: Path, text: str, field: str, remedy: str
) -> None:
    error = wrong(a_file(tmp_path, text))

    assert (error.code, error.field, error.remedy) == ("config_unknown_key", field, remedy)
    assert str(tmp_path / "config.yaml") in error.message


def test_an_error_document_can_be_made_of_it(tmp_path: Path) -> None:
    """The example of the contract, word for word."""
    error = wrong(a_file(tmp_path, "entry: {post_onyl: true}"))

    assert (error.field, error.value) == ("entry.post_onyl", "true")


INVALID = [
    # yaml                                     field                            remedy contains
    ("mode: real", "mode", "'paper', 'demo' or 'live'"),
    ("symbol: btc/usdt", "symbol", ""),
    ("symbol: null", "symbol", ""),
    ("loop: {interval_s: 0}", "loop.interval_s", "above 0"),
    ("loop: {interval_s: 61}", "loop.interval_s", "60 or less"),
    ("loop: {interval_s: fast}", "loop.interval_s", "plain number"),
    ("loop: {interval_s: .nan}", "loop.interval_s", "plain number"),
    ("loop: {interval_s: 0.0001}", "loop.interval_s", "3 decimals"),
    ("loop: 1", "loop", "indented"),
    ("exchange: {rest_url: 'ftp://x'}", "exchange.rest_url", ""),
    ("exchange: {rest_url: 'http://x/fapi'}", "exchange.rest_url", ""),
    ("exchange: {stream_url: 'http://x'}", "exchange.stream_url", ""),
    ("exchange: {recv_window_ms: 70000}", "exchange.recv_window_ms", "60000 or less"),
    ("exchange: {recv_window_ms: 1.5}", "exchange.recv_window_ms", "whole number"),
    ("exchange: {user_stream: perhaps}", "exchange.user_stream", "true or false"),
    ("store: {url: 'mysql://host/db'}", "store.url", ""),
    ("ticks: {record: some}", "ticks.record", "'changes' or 'all'"),
    ("risk: {confidence_min: 2}", "risk.confidence_min", "1 or less"),
    ("risk: {leverage_max: 0}", "risk.leverage_max", "1 or more"),
    ("risk: {daily_drawdown_limit_pct: 2}", "risk.daily_drawdown_limit_pct", "below 0"),
    ("risk: {isolated: 2}", "risk.isolated", "true or false"),
    ("decision: {on_flat: maybe}", "decision.on_flat", "'hold' or 'close'"),
    ("protection: {naked_limit_s: -1}", "protection.naked_limit_s", "above 0"),
    ("trailing: {pivot_k: 0}", "trailing.pivot_k", "1 or more"),
    ("loop: {interval_s: 1, interval_s: 2}", "interval_s", "one of the two"),
    ("loop: {}\nloop: {interval_s: 2}", "loop", "one of the two"),
    ("[1, 2]", "--config", "key: value"),
]


@pytest.mark.parametrize(("text", "field", "remedy"), INVALID)
def test_a_wrong_value_is_named_with_its_remedy(
    tmp_path: Path, text: str, field: str, remedy: str
) -> None:
    error = wrong(a_file(tmp_path, text))

    assert (error.code, error.field) == ("config_invalid_value", field)
    assert error.remedy
    assert remedy in error.remedy


CONTRADICTIONS = [
    # yaml                                                        field
    ("entry: {leave_distance_pct: 0.59}", "entry.leave_distance_pct"),
    ("entry: {enter_distance_pct: 0.401}", "entry.leave_distance_pct"),
    ("entry: {chase_interval_s: 900}", "entry.chase_interval_s"),
    ("exchange: {recv_window_open_ms: 5001}", "exchange.recv_window_open_ms"),
    ("trailing: {liq_trail_pct: 0.61}", "trailing.liq_trail_pct"),
    ("protection: {min_gap_pct: 0.35}", "protection.min_gap_pct"),
    ("store: {lease_s: 8.999}", "store.lease_s"),
    ("loop: {interval_s: 3.001}", "store.lease_s"),
    ("decision: {stale_s: 2}", "decision.stale_s"),
    ("exchange: {stream_url: 'ws://127.0.0.1:9'}", "exchange.stream_url"),
    ("exchange: {rest_url: 'https://fapi.binance.com'}", "exchange.rest_url"),
    ("{mode: demo, exchange: {rest_url: 'https://fapi.binance.com/'}}", "exchange.rest_url"),
    ("mode: live", "live.acknowledge"),
]


@pytest.mark.parametrize(("text", "field"), CONTRADICTIONS)
def test_settings_that_cannot_both_be_meant_are_refused(
    tmp_path: Path, text: str, field: str
) -> None:
    error = wrong(a_file(tmp_path, text))

    assert (error.code, error.field) == ("config_contradiction", field)
    assert error.remedy


def test_the_bounds_of_the_contradictions_are_allowed(tmp_path: Path) -> None:
    text = """
    entry: {leave_distance_pct: 0.60, chase_interval_s: 900, chases_max: 0}
    exchange: {recv_window_open_ms: 5000}
    trailing: {liq_trail_pct: 0.60}
    decision: {stale_s: 2.001}
    """

    limits = load(a_file(tmp_path, text), {}).limits()

    assert limits.leave_distance_pct == 2 * limits.enter_distance_pct
    assert limits.decision_stale_ms == 2001


def test_everything_wrong_is_listed_at_once(tmp_path: Path) -> None:
    """Nobody wants to find five mistakes in five starts."""
    error = wrong(a_file(tmp_path, "mode: real\nloop: {interval_s: 0}\nrisk: {leverage_max: x}"))

    assert error.field == "mode"
    assert "loop.interval_s" in error.message
    assert "risk.leverage_max" in error.message
    assert "2 more" in error.message


def test_a_missing_file_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    error = wrong(tmp_path / "none.yaml")

    assert (error.code, error.field) == ("config_missing", "--config")
    assert error.remedy is not None


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- x", "!!python/object:os.system {}"])
def test_what_is_not_yaml_is_unreadable(tmp_path: Path, text: str) -> None:
    assert wrong(a_file(tmp_path, text)).code == "config_unreadable"


def test_a_folder_or_bytes_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")

    assert wrong(tmp_path).code == "config_unreadable"
    assert wrong(tmp_path / "bytes.yaml").code == "config_unreadable"


def test_numbers_are_read_from_their_text(tmp_path: Path) -> None:
    """0.1 + 0.2 in YAML's floats is not what anybody wrote."""
    path = a_file(tmp_path, "risk: {rr_minimum: 2.10, notional_max: 12345678901234.56}")

    risk = load(path, {}).risk

    assert str(risk.rr_minimum) == "2.10"
    assert risk.notional_max == Decimal("12345678901234.56")


def test_an_empty_group_means_its_defaults(tmp_path: Path) -> None:
    assert load(a_file(tmp_path, "risk:\n  # all commented out\n"), {}).risk.leverage_max == 10


def test_the_environment_wins_over_the_file_and_the_caller_over_both(tmp_path: Path) -> None:
    path = a_file(tmp_path, "loop: {interval_s: 3}\nsymbol: ETHUSDT\nentry: {chases_max: 1}")
    environ = {"KEEPER__LOOP__INTERVAL_S": "2", "KEEPER__ENTRY__CHASES_MAX": "2", "HOME": "/"}

    settings = load(path, environ, {"entry.chases_max": 5, "trailing": {"min_step": "10"}})

    assert (settings.loop.interval_ms, settings.symbol) == (2000, "ETHUSDT")
    assert (settings.entry.chases_max, settings.trailing.min_step) == (5, Decimal(10))


@pytest.mark.parametrize("key", known_keys())
def test_every_key_can_be_given_by_environment(tmp_path: Path, key: str) -> None:
    """The value given is wrong for every type, so a complaint about this very key is proof."""
    name = "KEEPER__" + key.upper().replace(".", "__")
    anything = {"decisions", "store.spool", "paper.state", "paper.walk", "live.acknowledge"}
    anything |= {"logs.folder"}
    value = "\x00"
    path = a_file(tmp_path, "")

    if key in anything or key == "alerts.command":
        part: Any = load(path, {name: "some thing"})
        for step in key.split("."):
            part = getattr(part, step)
        assert "thing" in str(part)
    else:
        assert wrong(path, {name: value}).field == key


def test_an_unknown_variable_is_an_error_too(tmp_path: Path) -> None:
    error = wrong(a_file(tmp_path, ""), {"KEEPER__EXCHANGE__REST_ULR": "http://x"})

    assert (error.code, error.remedy) == ("config_unknown_key", "did you mean exchange.rest_url?")


def test_an_empty_variable_means_null(tmp_path: Path) -> None:
    path = a_file(tmp_path, "exchange: {rest_url: 'http://127.0.0.1:1'}")

    assert load(path, {"KEEPER__EXCHANGE__REST_URL": ""}).exchange.rest_url is None


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    settings = load(a_file(tmp_path, "decisions: in/box"), {})

    assert settings.decisions == tmp_path / "in" / "box"
    assert settings.store.url == f"sqlite:///{tmp_path}/var/keeper.db"
    assert settings.store.spool == tmp_path / "var" / "keeper.spool"
    assert settings.paper.state == tmp_path / "var" / "paper"


STORES = [
    ("sqlite:////abs/keeper.db", "sqlite:////abs/keeper.db"),
    ("sqlite://", "sqlite://"),
    ("sqlite:///:memory:", "sqlite:///:memory:"),
    ("postgresql://keeper@db/keeper", "postgresql://keeper@db/keeper"),
    ("postgresql+psycopg://keeper@db/keeper", "postgresql+psycopg://keeper@db/keeper"),
]


@pytest.mark.parametrize(("given", "kept"), STORES)
def test_absolute_stores_stay_as_they_are(tmp_path: Path, given: str, kept: str) -> None:
    assert load(a_file(tmp_path, f"store: {{url: '{given}'}}"), {}).store.url == kept


SECRETS = [
    "api_key: abc123",
    "exchange: {api_secret: abc123}",
    "exchange: {apikey: abc123}",
    "store: {password: abc123}",
    "credentials: {token: abc123}",
    "store: {url: 'postgresql://keeper:abc123@db/keeper'}",
]


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_in_the_file_are_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    error = wrong(a_file(tmp_path, text))

    assert error.code == "config_secret_in_file"
    assert "abc123" not in f"{error} {error.value} {error.remedy}"
    assert error.remedy is not None
    assert "KEEPER_" in error.remedy


def test_a_store_password_by_environment_stays_out_of_sight(tmp_path: Path) -> None:
    url = "postgresql://keeper:abc123@db/keeper"
    path = a_file(tmp_path, "")

    settings = load(path, {"KEEPER__STORE__URL": url})
    other = load(path, {"KEEPER__STORE__URL": url.replace("abc123", "another")})

    assert settings.store.url == url
    assert "abc123" not in repr(settings) + settings.canonical()
    assert settings.digest == other.digest


def test_modes_know_their_exchange(tmp_path: Path) -> None:
    path = a_file(tmp_path, "")
    live = {"KEEPER__MODE": "live", "KEEPER__LIVE__ACKNOWLEDGE": "main"}
    elsewhere = {"KEEPER__EXCHANGE__REST_URL": "http://127.0.0.1:18923"}

    assert (load(path, {}).urls, load(path, {}).starts_paper_venue) == (None, True)
    assert load(path, live).urls == ("https://fapi.binance.com", "wss://fstream.binance.com")
    assert load(path, {"KEEPER__MODE": "demo"}).urls == (
        "https://demo-fapi.binance.com",
        "wss://demo-fstream.binance.com",
    )
    assert load(path, elsewhere).urls == ("http://127.0.0.1:18923", "ws://127.0.0.1:18923")
    assert not load(path, elsewhere).starts_paper_venue


def test_a_command_may_be_a_line_or_a_list(tmp_path: Path) -> None:
    line = load(a_file(tmp_path, "alerts: {command: 'notify --to me'}"), {})
    words = load(a_file(tmp_path, "alerts: {command: [notify, --to, me]}"), {})

    assert line.alerts.command == words.alerts.command == ("notify", "--to", "me")


def test_the_digest_follows_the_meaning_not_the_spelling(tmp_path: Path) -> None:
    plain = load(a_file(tmp_path, "entry: {enter_distance_pct: 0.3}"), {})
    spelt = load(a_file(tmp_path, "entry: {enter_distance_pct: 0.300}\nrisk:\n"), {})
    other = load(a_file(tmp_path, "entry: {enter_distance_pct: 0.31}"), {})

    assert plain.digest == spelt.digest != other.digest


def test_settings_come_back_from_their_canonical_text(tmp_path: Path) -> None:
    """Replay computes with the limits of the recorded tick."""
    settings = load(a_file(tmp_path, "decision: {on_flat: close}\nrisk: {rr_minimum: 1.75}"), {})

    revived = Settings.from_canonical(settings.canonical())

    assert revived == settings
    assert revived.limits().on_flat is HoldOrClose.CLOSE


def test_settings_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    settings = load(a_file(tmp_path, ""), {})

    with pytest.raises(ValueError, match="frozen"):
        settings.mode = Mode.LIVE  # type: ignore[misc]


def test_credentials_come_from_the_environment_first(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("file-key\n")
    (tmp_path / "api_secret").write_text("file-secret\n")
    folder = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    both = {**folder, "KEEPER_API_KEY": "key", "KEEPER_API_SECRET": "secret"}

    found, of_files = credentials(both), credentials(folder)

    assert found is not None
    assert of_files is not None
    assert (found.api_key, found.api_secret) == ("key", "secret")
    assert (of_files.api_key, of_files.api_secret) == ("file-key", "file-secret")
    assert "secret" not in repr(found).replace("api_secret", "")
    assert "key" not in repr(found).replace("api_key", "")


def test_no_credentials_are_none_and_half_of_them_an_error(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("file-key")

    assert credentials({}) is None
    for environ in (
        {"KEEPER_API_KEY": "key"},
        {"KEEPER_API_SECRET": "abc123"},
        {"CREDENTIALS_DIRECTORY": str(tmp_path)},
    ):
        with pytest.raises(CredentialsMissing) as caught:
            credentials(environ)
        assert (caught.value.exit_code, caught.value.code) == (4, "credentials_missing")
        assert "abc123" not in str(caught.value)


def test_required_credentials_are_asked_for_with_a_remedy() -> None:
    with pytest.raises(CredentialsMissing) as caught:
        required_credentials({})

    assert caught.value.exit_code == 4
    assert "KEEPER_API_KEY" in str(caught.value.remedy)


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Unknown keys, secrets, values and contradictions: whoever mends it mends it once."""
    text = (
        "entry: {post_onyl: true, leave_distance_pct: 0.4}\n"
        "exchange: {api_key: abc123}\n"
        "decision: {stale_s: 1}\n"
        "trailing: {trail_pct: 1}\n"
    )

    known = wrong(a_file(tmp_path, text))
    worse = wrong(a_file(tmp_path, text + "loop: {interval_s: soon}\nticks: {record: some}\n"))

    told = [(known.field, known.remedy), *((o["field"], o["remedy"]) for o in known.others)]
    assert [field for field, _ in told] == [
        *("entry.post_onyl", "exchange.api_key"),
        *("entry.leave_distance_pct", "decision.stale_s"),
    ]
    assert all(remedy for _, remedy in told)
    assert "did you mean entry.post_only?" in str(told[0][1])
    assert "(use 0.60 or more)" in known.message
    fields = [worse.field, *(other["field"] for other in worse.others)]
    assert fields == ["entry.post_onyl", "exchange.api_key", "loop.interval_s", "ticks.record"]
