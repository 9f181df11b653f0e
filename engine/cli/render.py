"""Documents as lines for people; whoever needs exact fields asks for ``--json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

Row = Mapping[str, Any]


def status_text(status: Row) -> str:
    """Return the status document as a few lines: what is held, what protects it, what is next."""
    process, health = status["process"], status["health"]
    head = f"{status['symbol']} {status['mode']}: {status['phase']}, {health['state']}"
    lines = [f"{head}, {_process(process)}"]
    lines += _position(status["position"], status["protection"])
    lines += [f"  {_order(stop)}" for stop in status["protection"]["stops"]]
    for target in status["targets"]:
        size = target["quantity"] or "all that is left"
        lines.append(f"target     {target['role']} {size} at {target['price']} ({target['state']})")
    lines.append(f"decision   {_decision(status['decision'])}")
    for coming in status["next"]:
        lines.append(f"next       {coming['reason']}: when {coming['when']}, {coming['then']}")
    for reason in health["reasons"]:
        since = f" since {reason['since']}" if reason["since"] else ""
        lines.append(f"health     {reason['code']}{since}: {reason['detail']}")
    for order in status["foreign_orders"]:
        lines.append(f"foreign    {_order(order)}")
    return "\n".join(lines)


def status_line(status: Row) -> str:
    """Return the status on one line, without what changes at every look."""
    protection, position = status["protection"], status["position"]
    parts = [f"{status['symbol']} {status['phase']}", str(status["health"]["state"])]
    if position is not None:
        parts.append(f"{position['side']} {position['quantity']} at {position['entry_price']}")
    if position is not None or protection["stop_level"] is not None:
        covered = {True: "covered", False: "NOT COVERED", None: "cover unknown"}
        parts.append(f"{covered[protection['covered']]}, stop {protection['stop_level']}")
    targets = [f"{t['role']} {t['price']} {t['state']}" for t in status["targets"]]
    parts += [", ".join(targets)] if targets else []
    parts += [str(reason["code"]) for reason in status["health"]["reasons"]]
    parts.append(_decision_state(status["decision"]))
    return " | ".join(parts)


def history_text(trades: Iterable[Row]) -> str:
    """Return closed positions as a table."""
    head = ("closed", "trade", "side", "quantity", "entry", "exit", "reason", "net", "R", "naked")
    rows = [
        (
            _short_time(trade["closed_at"]),
            str(trade["id"]),
            str(trade["side"]),
            str(trade["quantity"]),
            _short(trade["entry_price"]),
            _short(trade["exit_price"]),
            str(trade["exit_reason"]),
            _short(trade["net_pnl"]),
            _short(trade["r_multiple"]),
            f"{trade['naked_s']:g} s",
        )
        for trade in trades
    ]
    return table(head, rows) if rows else "no closed position yet"


def plan_text(plan: Row) -> str:
    """Return a plan: every gate with its numbers, then what would be done."""
    gates = [
        (
            str(g["verdict"]),
            str(g["code"]),
            str(g["value"] or ""),
            str(g["limit"] or ""),
            g["detail"],
        )
        for g in plan["gates"]
    ]
    lines = [table(("verdict", "gate", "value", "limit", "detail"), gates)] if gates else []
    if plan["effective_zone"] is not None:
        lines.append(f"effective zone {plan['effective_zone'][0]} to {plan['effective_zone'][1]}")
    lines += [f"drift   {d['kind']}: {d['detail']}" for d in plan["drifts"]]
    lines += [f"hold    {h['rule']}: {h['reason']}" for h in plan["holds"]]
    for action in plan["actions"]:
        order = action["order"]
        what = _order(order) if order is not None and "type" in order else _wanted(action)
        lines.append(f"would   {action['do']} {what} [{action['rule']}: {action['reason']}]")
    if not plan["actions"]:
        lines.append("would   do nothing")
    return "\n".join(lines)


def verify_text(verified: Row) -> str:
    """Return the verdict on the cover, then every order and why it counts or not."""
    judged = verified["sides"] or [verified]
    held = [_held(one["position"]) for one in judged]
    verdict = str(verified["verdict"]).replace("_", " ")
    mode = ", hedge mode" if verified["sides"] else ""
    lines = [f"{verified['symbol']}: {verdict}, {' and '.join(held)}{mode}"]
    for one, name in zip(judged, held, strict=True):
        if one["position"] is not None:
            side = f"{name}: " if len(judged) > 1 else ""
            lines.append(
                f"{side}covered {one['covered_quantity']}, "
                f"uncovered {one['uncovered_quantity']}, worst stop {one['worst_stop']}"
            )
    lines += [f"  counts       {_order(order)}" for order in verified["counted"]]
    lines += [f"  counts not   {o['client_id']}: {o['why']}" for o in verified["not_counted"]]
    return "\n".join(lines)


def _held(position: Row | None) -> str:
    return "no position" if position is None else f"{position['side']} {position['quantity']}"


def check_text(checks: Iterable[Row]) -> str:
    """Return each check on a line with its remedy."""
    lines = []
    for check in checks:
        mark = "  ?  " if check["ok"] is None else "  ok " if check["ok"] else "FAIL "
        if check["ok"] is False and check["severity"] == "warning":
            mark = "warn "
        lines.append(f"{mark}{check['name']!s:<18} {check['detail']}")
        if check["ok"] is not True and check["remedy"]:
            lines.append(f"{'':<23} -> {check['remedy']}")
    return "\n".join(lines)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return rows under their heads, each column as wide as it needs."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _process(process: Row) -> str:
    if not process["running"]:
        return "no keeper is running"
    age = process["last_tick_age_s"]
    ago = "" if age is None else f", {age:.1f} s ago"
    return f"{process['role']} keeper {process['pid']}, tick {process['tick']}{ago}"


def _position(position: Row | None, protection: Row) -> list[str]:
    if position is None:
        level = protection["stop_level"]
        return ["position   flat" + (f", stop armed at {level}" if level else "")]
    covered = {True: "covered", False: "NOT COVERED", None: "cover unknown"}
    cover = covered[protection["covered"]]
    liquidation = _or(position["liquidation_price"], "none")
    missing = protection["uncovered_quantity"]
    short = f" ({missing} uncovered)" if missing not in (None, "0") else ""
    away = protection["stop_distance_pct"]
    return [
        f"position   {position['side']} {position['quantity']} at {position['entry_price']}, "
        f"mark {_or(position['mark_price'])}, pnl {_or(position['unrealized_pnl'])}, "
        f"{_or(position['r_multiple'])} R, liquidation {liquidation}",
        f"protection {cover}{short}: stop {_or(protection['stop_level'])}"
        f"{f' ({away} % away)' if away else ''}, first {_or(protection['initial_stop_level'])}, "
        f"naked {protection['naked_s']:g} s, loose {protection['loose_s']:g} s",
    ]


def _decision(decision: Row | None) -> str:
    if decision is None:
        return "none"
    # A used decision fails its own gates by having been used; that is no news.
    is_open = decision["state"] in ("waiting", "refused")
    codes = decision["refusals"] if is_open else ()
    refused = f", refused: {', '.join(codes)}" if codes else ""
    age = decision["age_s"]
    return f"{decision['id']} {decision['action']}, {age:.0f} s old, {decision['state']}{refused}"


def _decision_state(decision: Row | None) -> str:
    if decision is None:
        return "no decision"
    return f"decision {decision['id']} {decision['action']} {decision['state']}"


def _wanted(action: Row) -> str:
    """Return what an action without an order wants, or of an order nobody knows its id."""
    if action["order"] is not None:
        return str(action["order"]["client_id"])
    wanted = {"leverage": action.get("leverage"), "isolated": action.get("isolated")}
    known = [f"{name} {value}".lower() for name, value in wanted.items() if value is not None]
    return ", ".join(known) or str(action.get("detail", ""))


def _order(order: Row) -> str:
    size = "all" if order["close_position"] else order["quantity"]
    price = order["trigger_price"] or order["price"]
    at = "at market" if price is None else f"at {price}"
    kind = str(order["type"]).removesuffix("_market")
    role = str(order["role"])
    return f"{role} {order['side']} {size} {kind} {at} ({order['status']}) {order['client_id']}"


def _or(value: object, otherwise: str = "unknown") -> str:
    return otherwise if value is None else str(value)


def _short(value: object) -> str:
    """Shorten a decimal for a table: two places more than nobody reads."""
    if value is None:
        return "-"
    whole, _, rest = str(value).partition(".")
    return f"{whole}.{rest[:2]}" if rest else whole


def _short_time(value: object) -> str:
    return "-" if value is None else cast("str", value)[:19].replace("T", " ")
