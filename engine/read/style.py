"""How the report page looks: its style sheet, and the shape a fill of each role is drawn with."""

from __future__ import annotations

_CIRCLE = "M-5,0 a5,5 0 1,0 10,0 a5,5 0 1,0 -10,0 Z"
_DIAMOND = "M0,-6.5 L6.5,0 L0,6.5 L-6.5,0 Z"
_SQUARE = "M-5,-5 H5 V5 H-5 Z"
_STAR = "M0,-8 L2,-2.5 L8,-2.5 L3.2,1.2 L5,7 L0,3.6 L-5,7 L-3.2,1.2 L-8,-2.5 L-2,-2.5 Z"
_CROSS = "M-6,-4 L-4,-6 L0,-2 L4,-6 L6,-4 L2,0 L6,4 L4,6 L0,2 L-4,6 L-6,4 L-2,0 Z"

ROLE_SHAPE = {
    "entry": ("entry", _CIRCLE),
    "tp1": ("tp", _DIAMOND),
    "tp2": ("tp", _DIAMOND),
    "liquidation_exit": ("liq", _STAR),
    "stop_primary": ("stopped", _SQUARE),
    "stop_floor": ("stopped", _SQUARE),
    "stop_bridge": ("stopped", _SQUARE),
    "emergency": ("other", _CROSS),
    "other": ("other", _CROSS),
}
"""Role of a fill to its style class and outline; shape and colour both tell the roles apart."""

STYLE = """
:root{color-scheme:light dark;--bg:#fbfbfa;--ink:#1d2327;--soft:#5d666d;--line:#dfe3e6;--card:#fff;
--price:#3a6ea5;--stop:#c0392b;--target:#2e7d4f;--zone:#3a6ea5;--liq:#c77700;--away:#6b4fa0;
--good:#2e7d4f;--bad:#c0392b}
@media (prefers-color-scheme:dark){:root{--bg:#14181b;--ink:#e4e8ea;--soft:#9aa5ac;--line:#2c3439;
--card:#1b2125;--price:#7fb0e0;--stop:#ff7b6b;--target:#67c58e;--zone:#7fb0e0;--liq:#ffb74d;
--away:#b39ddb;--good:#67c58e;--bad:#ff7b6b}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1060px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:32px 0 8px}
.verdict{margin:0 0 16px;font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}
dl{display:flex;flex-wrap:wrap;gap:8px 28px;margin:0 0 8px}dt{color:var(--soft);font-size:12px}
dd{margin:0;font-variant-numeric:tabular-nums}
figure{margin:20px 0;padding:12px;background:var(--card);border:1px solid var(--line);
border-radius:8px;overflow-x:auto}
figcaption{font-weight:600;margin-bottom:4px}
figure>svg{display:block;width:100%;min-width:640px;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
.grid{stroke:var(--line);stroke-width:1}
.band{fill:var(--zone);opacity:.16}.band.liquidation{fill:var(--liq);opacity:.22}
.away{fill:var(--away);opacity:.25}.note{fill:var(--away)}
.price{fill:none;stroke:var(--price);stroke-width:1.6}
.stop{fill:none;stroke:var(--stop);stroke-width:2}
.level{fill:var(--stop);stroke:var(--card);stroke-width:1}
.target{stroke:var(--target);stroke-width:1.4;stroke-dasharray:5 4}
svg .label{stroke:none}svg .label.price{fill:var(--price)}svg .label.stop{fill:var(--stop)}
svg .label.target{fill:var(--target)}svg .label.entry{fill:var(--zone)}
svg .label.liquidation{fill:var(--liq)}
.fill{stroke:var(--card);stroke-width:1.5}.fill.entry{fill:var(--price)}.fill.tp{fill:var(--target)}
.fill.liq{fill:var(--liq)}.fill.stopped{fill:var(--stop)}.fill.other{fill:var(--away)}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:6px 0 0;padding:0;
color:var(--soft);font-size:12px}
.legend svg{width:16px;height:16px;margin-right:5px;vertical-align:-3px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid var(--line);white-space:nowrap}
td:last-child{white-space:normal}th{color:var(--soft);font-weight:500}
"""
