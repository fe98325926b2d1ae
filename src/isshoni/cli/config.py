"""Read and validate `isshoni.toml`, and report all its faults at once."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from isshoni.cli.env_file import find_variable_fault
from isshoni.cli.errors import ConfigError
from isshoni.engine.notifications import NotificationSettings
from isshoni.environments.aws.config import AwsConfig
from isshoni.environments.local.config import LocalConfig
from isshoni.environments.local.process_names import SIDE_NAME
from isshoni.environments.local.region_config import RegionConfig
from isshoni.rollout.plan import RolloutPlan, Settings
from isshoni.validation import describe_fault

DEFAULT_FILE = Path("isshoni.toml")


class AppConfig(Settings):
    """What `up` and `deploy` run unless their options say otherwise."""

    command: str | None = None
    """A command line like that of `deploy --command`; None: Isshoni's own backend."""
    ready_path: str = "/readyz"
    cwd: str | None = None
    """The directory that commands run in: of the source or, without one, of the caller."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """Environment variables of the programs."""
    env_file: Path | None = None
    """A file with more variables; those of `env` go before them."""
    processes: Mapping[str, str] = Field(default_factory=dict)
    """Programs that run beside the command on each slot, by name: `worker = "rq worker"`."""

    @field_validator("env")
    @classmethod
    def _are_variables(cls, env: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in env.items():
            if fault := find_variable_fault(name, value):
                raise ValueError(fault)
        return env

    @field_validator("processes")
    @classmethod
    def _are_names(cls, processes: Mapping[str, str]) -> Mapping[str, str]:
        for name in processes:
            if not SIDE_NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} is not a name of a process: use up to 32 small letters, digits, "
                    "_ and -, with a letter first"
                )
        return processes


class EnvironmentsConfig(Settings):
    """The environments that can be deployed to: `local`, and those on AWS by name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, AwsConfig] = Field(init=False)

    local: LocalConfig = LocalConfig()

    @property
    def on_aws(self) -> Mapping[str, AwsConfig]:
        """Return the configuration of each environment on AWS, by its name."""
        return self.__pydantic_extra__


class Config(Settings):
    """The whole configuration; every setting has a default, so no file is needed."""

    app: AppConfig = AppConfig()
    rollout: RolloutPlan = RolloutPlan()
    notifications: NotificationSettings = NotificationSettings()
    environments: EnvironmentsConfig = EnvironmentsConfig()


def load_config(file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read and validate the configuration.

    `file`, or else `$ISSHONI_CONFIG`, must exist; without either, `isshoni.toml` of
    the current directory is read if it exists. `$ISSHONI_STATE_DIR` overrides every
    `state_dir`. Relative paths are relative to the file. Raises `ConfigError` with all faults.
    """
    path = find_config(file, environ) or DEFAULT_FILE
    tables = _read_toml(path) if find_config(file, environ) else {}
    config = _validate(tables, str(path))
    return _place_folders(config, path.parent, environ.get("ISSHONI_STATE_DIR"))


def find_config(file: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that `load_config` reads; None if there is none."""
    if file or environ.get("ISSHONI_CONFIG"):
        return file or Path(environ["ISSHONI_CONFIG"])
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as fault:
        raise ConfigError(str(path), [f"cannot be read: {fault.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(str(path), [f"is not TOML: {fault}"]) from None


def _validate(tables: dict[str, Any], origin: str) -> Config:
    try:
        return Config.model_validate(tables)
    except ValidationError as faults:
        raise ConfigError(origin, [_describe(fault) for fault in faults.errors()]) from None


def _describe(fault: ErrorDetails) -> str:
    path = ".".join(str(part) for part in fault["loc"]) or "(top)"
    if fault["type"] == "extra_forbidden":
        near = get_close_matches(str(fault["loc"][-1]), _list_settings(fault["loc"][:-1]), 1)
        meant = f": did you mean `{near[0]}`?" if near else " (docs/operate.md lists them)"
        return f"{path}: there is no such setting{meant}"
    words = describe_fault(fault)
    shown = isinstance(fault["input"], str | int | float | list)
    # Not of what may have secrets: variables, URLs of receivers, a table with the URL of Redis.
    if not shown or fault["loc"][:2] in (("app", "env"), ("notifications", "urls")):
        return f"{path}: {words}"
    return f"{path}: {words} (it is {fault['input']!r:.60})"


def _list_settings(table: Sequence[int | str]) -> list[str]:
    """Return the names of the settings of a table of the configuration."""
    model: type[BaseModel] = Config
    for name in table:
        field = model.model_fields.get(str(name))
        known = field.annotation if field is not None else AwsConfig
        if not (isinstance(known, type) and issubclass(known, BaseModel)):
            return []
        model = known
    return list(model.model_fields)


def _place_folders(config: Config, base: Path, override: str | None) -> Config:
    local = config.environments.local
    state_dir = Path(override) if override else base / local.state_dir
    places: dict[str, Any] = {"state_dir": state_dir.absolute()}
    places["regions"] = {
        name: _place_region(region, base, override) for name, region in local.regions.items()
    }
    for name in ("session_encryption_key_file", "tls_certificate", "tls_key"):
        if (file := getattr(local, name)) is not None:
            places[name] = (base / file).absolute()
    placed = local.model_copy(update=places)
    on_aws = {
        name: _place_aws(name, there, base, override)
        for name, there in config.environments.on_aws.items()
    }
    environments = config.environments.model_copy(update={"local": placed, **on_aws})
    app = config.app
    if app.env_file is not None:
        app = app.model_copy(update={"env_file": (base / app.env_file).absolute()})
    return config.model_copy(update={"app": app, "environments": environments})


def _place_region(region: RegionConfig, base: Path, override: str | None) -> RegionConfig:
    own = None if override or region.state_dir is None else (base / region.state_dir).absolute()
    return region.model_copy(update={"state_dir": own})


def _place_aws(name: str, config: AwsConfig, base: Path, override: str | None) -> AwsConfig:
    kept = Path(override) if override else base / config.state_dir
    places: dict[str, Any] = {"state_dir": kept.absolute() / name}
    if not config.regions:
        places["terraform"] = (base / config.terraform).absolute()
    places["regions"] = {
        region: its.model_copy(update={"terraform": (base / its.terraform).absolute()})
        for region, its in config.regions.items()
    }
    return config.model_copy(update=places)
