"""The units under deploy: what they start, what they do not retry, and how far they reach."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.cli.main import build_parser
from engine.cli.output import ExitCode
from engine.config.credentials import FOLDER_VARIABLE, secrets_in

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = ("keeper@.service", "keeper-verify@.service")
EXPOSURE_MAX = 2.0


def settings(name: str) -> dict[str, list[str]]:
    """Return every setting of a unit with its values, sections left out."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / name).read_text().splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_a_unit_starts_a_command_that_exists(name: str) -> None:
    (command,) = settings(name)["ExecStart"]

    words = command.split()

    assert words[0].endswith("/bin/keeper")
    assert build_parser().parse_args(words[1:]).handler


def test_the_keeper_says_itself_when_it_is_ready_and_alive() -> None:
    unit = settings("keeper@.service")

    assert unit["Type"] == ["notify"]
    assert unit["NotifyAccess"] == ["main"]
    assert int(unit["WatchdogSec"][0]) >= 60, "a slow exchange is no dead keeper"
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_what_does_not_mend_itself_is_not_tried_again() -> None:
    """A wrong configuration every two seconds is noise; a wrong key is a ban (RULES H4)."""
    unit = settings("keeper@.service")

    never = {ExitCode(int(code)) for code in unit["RestartPreventExitStatus"][0].split()}

    assert never == {ExitCode.USAGE, ExitCode.CONFIG, ExitCode.CREDENTIALS, ExitCode.ACCOUNT}
    assert unit["Restart"] == ["on-failure"]
    assert unit["StartLimitIntervalSec"] == ["0"], "everything else is tried for ever"


@pytest.mark.parametrize("name", SERVICES)
def test_the_credentials_have_the_names_the_keeper_looks_for(tmp_path: Path, name: str) -> None:
    names = [value.partition(":")[0] for value in settings(name)["LoadCredential"]]
    for each in names:
        (tmp_path / each).write_text(f"the {each} of the account")

    found = secrets_in({FOLDER_VARIABLE: str(tmp_path)})

    assert len(found) == len(names) == 2


def test_the_timer_runs_the_verification_whatever_the_keeper_says() -> None:
    timer = settings("keeper-verify@.timer")

    assert "OnUnitInactiveSec" in timer
    assert "Requires" not in settings("keeper-verify@.service")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
@pytest.mark.parametrize("name", [*SERVICES, "keeper-alert@.service"])
def test_the_exposure_is_low(tmp_path: Path, name: str) -> None:
    """`systemd-analyze security` counts what a unit leaves open; measured 1.2 with version 252."""
    unit = tmp_path / name.replace("@", "@BTCUSDT")
    unit.write_text((DEPLOY / name).read_text())

    ran = subprocess.run(
        [
            *("systemd-analyze", "security", "--offline=true", "--no-pager"),
            *(f"--threshold={EXPOSURE_MAX * 10:.0f}", str(unit)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SYSTEMD_COLORS": "0"},
    )

    if "Unknown option" in ran.stderr or "unrecognized option" in ran.stderr:
        pytest.skip("this systemd-analyze cannot look at a file")
    assert ran.returncode == 0, ran.stdout[-400:] + ran.stderr
