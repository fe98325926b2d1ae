"""A machine that runs its user data, as far as that needs no machine.

`aws secretsmanager` gives the real secrets, and the metadata service an address; what would
change a machine only writes down what it was asked.
"""

import os
import re
import subprocess
from pathlib import Path

from tests.support.terraform.applied import Applied

ADDRESS = "127.20.64.7"
_NOTE = '#!/bin/sh\nprintf "%s\\n" "$*" >>"{log}"\n'
_DOCKER = _NOTE + 'case "$1" in login) cat >/dev/null ;; image) exit 1 ;; esac\n'
"""Has no image yet; reads the password, or its writer might be killed by SIGPIPE."""
_CURL = f'#!/bin/sh\ncase "$*" in *local-ipv4) echo {ADDRESS} ;; *) echo token ;; esac\n'
_AWS = """#!/bin/sh
case "$1 $2" in
  "secretsmanager get-secret-value") cat "{secrets}/$4" ;;
  "ecr get-login-password") echo password ;;
  *) exit 1 ;;
esac
"""


class Machine:
    """A folder that user data takes for a machine."""

    def __init__(self, applied: Applied, folder: Path) -> None:
        self._folder = folder
        self._log = folder / "docker.log"
        self._log.touch()
        for name in ("isshoni/backend", "isshoni/redis"):
            file = folder / "secrets" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(applied.read_secret(name))
        self._install("docker", _DOCKER.format(log=self._log))
        self._install("curl", _CURL)
        self._install("aws", _AWS.format(secrets=folder / "secrets"))
        for changing in ("dnf", "systemctl"):
            self._install(changing, _NOTE.format(log=folder / f"{changing}.log"))
        for place in ("etc/systemd/system", "usr/local/bin", "run"):
            (folder / place).mkdir(parents=True)

    def _install(self, name: str, program: str) -> None:
        file = self._folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(program)
        file.chmod(0o755)

    def boot(self, user_data: str) -> None:
        """Run the user data, then what its unit starts."""
        here = re.sub(r"(?<![\w.])/(etc|run|usr/local)/", rf"{self._folder}/\1/", user_data)
        self._run(["bash", "-c", here])
        self._run([str(self._folder / "usr/local/bin/isshoni-start")])

    def _run(self, words: list[str]) -> None:
        path = f"{self._folder / 'bin'}:{os.environ['PATH']}"
        done = subprocess.run(words, env={"PATH": path}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    @property
    def docker(self) -> list[list[str]]:
        """What Docker was asked."""
        return [line.split() for line in self._log.read_text().splitlines()]

    @property
    def environment(self) -> dict[str, str]:
        """What the container is given."""
        lines = (self._folder / "run/isshoni/environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)
