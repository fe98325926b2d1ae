"""The systemd units that start a local environment when the machine boots.

The main process of the unit is the supervisor. What it starts outlives it: `KillMode=process`
ends the supervisor alone, so that neither a stop or restart of the unit (an upgrade of the
system's libraries asks for one) nor a crash of the supervisor cuts a connection.
"""

from dataclasses import dataclass, field
from pathlib import Path

MARK = "# Written by `isshoni install-service`; `isshoni install-service --uninstall` removes it."
DASHBOARD_PORT = 8087
"""The default port of `isshoni dashboard`; that of a further region's is the next one."""
_OPEN_FILES = 524_288
"""systemd's own hard limit: a service of a user cannot have more."""
_LAST_PRIVILEGED_PORT = 1023
_READ_ONLY = ("/usr", "/boot", "/efi", "/etc")
"""What `ProtectSystem=full` makes read-only."""

_HARDENING = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
"""
_SYSTEM_HARDENING = """\
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
"""
"""Those that need privileges, which the manager of a user's services does not have."""


@dataclass(frozen=True)
class Service:
    """What the units are made of."""

    name: str
    python: Path
    directory: Path
    """The directory that `isshoni` runs in."""
    state_dir: Path
    config: Path | None
    user: str | None
    """The user of a system service; None: a service of the calling user."""
    lowest_port: int = 0
    environ: dict[str, str] = field(default_factory=dict)
    region: str = ""
    """The region that it starts; empty: the environment has none."""
    dashboard_port: int = 0
    """The port of its dashboard; 0: the default one."""

    @property
    def dashboard_name(self) -> str:
        """Return the name of the dashboard's service."""
        return f"{self.name}-dashboard"


def main_unit(service: Service) -> str:
    """Return the unit of the environment."""
    supervisor = f"-m isshoni.environments.local.supervisor {_exec(service.state_dir)} --replace"
    return f"""\
{MARK}
[Unit]
Description=Isshoni in {_escape(str(service.directory))}{_describe_region(service)}
Wants=network-online.target
After=network-online.target
RequiresMountsFor={_quote(service.state_dir)}
StartLimitIntervalSec=0

[Service]
Type=notify
{_common(service)}ExecStart={_quote(service.python)} {supervisor}
ExecStartPost={_command(service)} up{_name_region(service)}
TimeoutStartSec=15min
Restart=on-failure
RestartSec=5
KillMode=process
OOMPolicy=continue
LimitNOFILE={_OPEN_FILES}
TasksMax=infinity
{_capability(service)}{_hardening(service)}
[Install]
WantedBy={_target(service)}
"""


def dashboard_unit(service: Service) -> str:
    """Return the unit of the dashboard; its address has the admin token, so it is not logged."""
    return f"""\
{MARK}
[Unit]
Description=Dashboard of Isshoni in {_escape(str(service.directory))}{_describe_region(service)}
After={service.name}.service
StartLimitIntervalSec=0

[Service]
Type=exec
{_common(service)}ExecStart={_command(service)} dashboard{_name_dashboard(service)}
StandardOutput=null
Restart=always
RestartSec=5
{_hardening(service)}
[Install]
WantedBy={_target(service)}
"""


def _common(service: Service) -> str:
    user = f"User={service.user}\n" if service.user else ""
    variables = "".join(
        f"Environment={_quote(f'{name}={value}')}\n" for name, value in service.environ.items()
    )
    return f"{user}WorkingDirectory={_escape(str(service.directory))}\n{variables}"


def _command(service: Service) -> str:
    config = "" if service.config is None else f" --config {_exec(service.config)}"
    return f"{_quote(service.python)} -m isshoni.cli{config}"


def _name_region(service: Service) -> str:
    return f" --region {service.region}" if service.region else ""


def _name_dashboard(service: Service) -> str:
    port = f" --port {service.dashboard_port}" if service.dashboard_port else ""
    return f" -e local.{service.region}{port}" if service.region else port


def _describe_region(service: Service) -> str:
    return f", region {service.region}" if service.region else ""


def _capability(service: Service) -> str:
    if service.user in (None, "root") or not 0 < service.lowest_port <= _LAST_PRIVILEGED_PORT:
        return ""
    return "AmbientCapabilities=CAP_NET_BIND_SERVICE\n"


def _hardening(service: Service) -> str:
    if not service.user:
        return _HARDENING
    used = (service.state_dir, service.directory)
    read_only = any(path.is_relative_to(place) for path in used for place in _READ_ONLY)
    return _HARDENING + _SYSTEM_HARDENING + ("" if read_only else "ProtectSystem=full\n")


def _target(service: Service) -> str:
    return "multi-user.target" if service.user else "default.target"


def _escape(text: str) -> str:
    """Escape systemd's specifiers, like `%h`."""
    return text.replace("%", "%%")


def _quote(word: object) -> str:
    """Return a word of a unit; in quotation marks where it would not be one word."""
    escaped = _escape(str(word).replace("\\", "\\\\").replace('"', '\\"'))
    plain = escaped == str(word) and not any(c.isspace() or c == "'" for c in escaped)
    return escaped if plain else f'"{escaped}"'


def _exec(word: object) -> str:
    """Return an argument of a command line, where `$NAME` would be a variable."""
    return _quote(word).replace("$", "$$")
