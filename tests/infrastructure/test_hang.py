"""What ends a program that hangs on a machine of the account; there is no Docker here."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "infrastructure/terraform/modules/colour/user_data.sh.tftpl"
DOCKER = """#!/bin/sh
echo "$*" >>"{log}"
[ "$1" = inspect ] && {{ [ -n "{health}" ] || exit 1; echo "{health}"; }}
exit 0
"""


def look(tmp_path: Path, health: str) -> list[str]:
    """Run the script that user data installs; gives what Docker was asked."""
    script = re.search(r"<<'LOOK'\n(.+?)\nLOOK\n", TEMPLATE.read_text(), re.S)
    assert script is not None
    log = tmp_path / "docker.log"
    for name, program in (
        ("docker", DOCKER.format(log=log, health=health)),
        ("sleep", "#!/bin/sh\n"),
    ):
        file = tmp_path / name
        file.write_text(program)
        file.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", script[1]], env=environment, check=True)
    return log.read_text().splitlines()[1:]


@pytest.mark.parametrize("health", ["healthy", "starting", ""])
def test_one_that_lives_or_starts_or_is_not_there_is_left_alone(
    tmp_path: Path, health: str
) -> None:
    assert look(tmp_path, health) == []


def test_one_that_hangs_says_where_and_is_killed(tmp_path: Path) -> None:
    assert look(tmp_path, "unhealthy") == ["kill --signal ABRT isshoni", "kill isshoni"]


def test_liveness_decides_and_not_readiness() -> None:
    health_check = (ROOT / "infrastructure" / "Dockerfile").read_text().partition("HEALTHCHECK")[2]
    assert "/healthz" in health_check
    assert "readyz" not in health_check
    groups = (TEMPLATE.parent / "main.tf").read_text()
    assert groups.count('"EC2"') == 1, "a Redis outage must not have every machine replaced"
    assert "systemctl enable --now isshoni isshoni-watch" in TEMPLATE.read_text()
