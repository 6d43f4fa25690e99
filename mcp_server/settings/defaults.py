"""Defaults that follow from the variables declared before.

Must not know where those came from. Each function gets the fields so far and returns the value of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr

from mcp_server.settings.meanings import is_loopback


def log_level(fields: dict[str, Any]) -> str:
    """DEBUG=true means a detailed log."""
    return "DEBUG" if fields["debug"] else "INFO"


def public_url(fields: dict[str, Any]) -> str | None:
    """A domain means HTTPS in front, unless it is only this machine."""
    domain: str | None = fields["domain"]
    return None if domain is None or is_loopback(domain) else f"https://{domain}"


def use_tls(fields: dict[str, Any]) -> bool:
    """A certificate is there to be used."""
    return fields["ssl_cert_path"] is not None or fields["ssl_key_path"] is not None


def challenge_scopes(fields: dict[str, Any]) -> tuple[str, ...]:
    """What every token needs, and no more."""
    return fields["oauth_required_scopes"]


def rate_limit(fields: dict[str, Any]) -> str:
    """What the older spelling says, or 100 a minute."""
    count = fields["rate_limit_requests_per_minute"] or 100
    seconds = fields["rate_limit_window"] or 60
    return f"{count}/minute" if seconds == 60 else f"{count}/{seconds} second"  # noqa: PLR2004 - a minute's seconds


def rate_limit_per_key(fields: dict[str, Any]) -> str:
    """As many as an address may send."""
    return fields["rate_limit"]


def redis_url(fields: dict[str, Any]) -> SecretStr | None:
    """The address that its parts make."""
    host: str | None = fields["redis_host"]
    if host is None:
        return None
    password: SecretStr | None = fields["redis_password"]
    login = f":{quote(password.get_secret_value(), safe='')}@" if password else ""
    at = f"[{host}]" if ":" in host else host
    return SecretStr(f"redis://{login}{at}:{fields['redis_port']}/0")


def store_url(fields: dict[str, Any]) -> SecretStr | None:
    """The database whose parts were given, or the Redis that processes share; else a file, where `data_dir` is."""
    host: str | None = fields["db_host"]
    if host is None:
        return fields["redis_url"]
    user, password, name = fields["db_user"], fields["db_password"], fields["db_name"]
    login = "" if user is None else quote(user, safe="")
    if password is not None:
        login += f":{quote(password.get_secret_value(), safe='')}"
    at = f"[{host}]" if ":" in host else host
    database = "" if name is None else f"/{quote(name, safe='')}"
    return SecretStr(f"postgresql://{login}{'@' if login else ''}{at}:{fields['db_port']}{database}")


def data_dir(environment: Mapping[str, str]) -> Path:
    """Where this platform has what programs keep and nobody edits."""
    state = environment.get("XDG_STATE_HOME", "")
    return (Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state") / "mcp-server"


def storage_url(fields: dict[str, Any]) -> SecretStr:
    """What processes share, or the memory of each."""
    return fields["redis_url"] or SecretStr("memory://")
