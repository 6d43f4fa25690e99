"""Everything the operator decides, and what follows from it.

Must not know how a single variable is read; that is said where it is declared.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self, cast

from pydantic import (
    Field,
    InstanceOf,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from mcp_server.settings import checks
from mcp_server.settings.defaults import data_dir
from mcp_server.settings.dotenv import Dotenv, fault_in, read_dotenv
from mcp_server.settings.fields import Fields
from mcp_server.settings.meanings import host_of, secrets_in_url, unique, words_in
from mcp_server.settings.problems import Problem, SettingsError
from mcp_server.settings.variables import Layers, names_of, variables

_FOLLOWS: Final = "default_factory_not_called"
"""Pydantic's word for a default that could not be worked out because of an error in another field."""


class _Said(Protocol):
    """The source of what a program says; pydantic-settings leaves its type open."""

    init_kwargs: dict[str, Any]


class Settings(Fields):
    """What a program says here, then what the environment says, then the defaults.

    Raises `SettingsError`, which holds everything that is wrong.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_by_name=True, defer_build=False)

    dotenv: InstanceOf[Dotenv] = Field(default=Dotenv(), repr=False, exclude=True)
    """What a `.env` file adds; the environment overrules it."""
    listening: bool = True
    """Whether anybody can connect; a child process on stdio needs no key."""

    @property
    def production(self) -> bool:
        """Whether strangers can be expected: anything but a strong key is refused."""
        return self.environment in {"staging", "production"} or self.aws_lambda_function_name is not None

    @property
    def takes_tokens(self) -> bool:
        """Whether callers may come with tokens instead of keys."""
        return self.oauth_enabled or bool(self.oauth_issuers) or self.mcp_jwt_secret is not None

    @property
    def without_key(self) -> Literal["open", "loopback", "refuse"]:
        """Who may call if there is no key: everybody, this machine, or nobody."""
        if self.production:
            return "refuse"
        return "open" if self.environment == "development" else "loopback"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that callers may send, the current ones first."""
        return unique(key.get_secret_value() for key in (*self.mcp_api_key, *self.mcp_api_key_previous))

    @property
    def session_secrets(self) -> tuple[str, ...]:
        """What signs session ids; none if each process is to make up its own."""
        return unique(secret.get_secret_value() for secret in self.session_secret)

    @property
    def totp_keys(self) -> tuple[str, ...]:
        """What locks the secrets of authenticator apps, the current one first."""
        return unique(key.get_secret_value() for key in self.oauth_totp_key)

    @property
    def scope_words(self) -> dict[str, str]:
        """What scopes allow, in words."""
        return words_in(self.oauth_scope_words) if self.oauth_scope_words else {}

    @property
    def store(self) -> str:
        """The URL of the store; without any setting, a file in the folder for what programs keep.

        Raises `SettingsError` if there is no such folder.
        """
        if self.store_url is not None:
            return self.store_url.get_secret_value()
        try:
            folder = self.data_dir or data_dir(os.environ)
        except RuntimeError:
            raise SettingsError([Problem("DATA_DIR", "must be set, because this user has no home folder")]) from None
        return f"sqlite:///{folder / 'mcp-server.db'}"

    @property
    def tls(self) -> tuple[Path, Path] | None:
        """The certificate and its key, if the server itself speaks HTTPS."""
        if self.use_ssl and self.ssl_cert_path and self.ssl_key_path:
            return self.ssl_cert_path, self.ssl_key_path
        return None

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must never be in an answer."""
        found: list[str] = []
        for field in type(self).model_fields:
            value: object = getattr(self, field)
            items = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
            for secret in (item.get_secret_value() for item in items if isinstance(item, SecretStr)):
                found += secrets_in_url(secret) if field.endswith("_url") else [secret]
        return unique(found)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should hear about although the server can start."""
        return (*self.dotenv.warnings, *checks.warnings(self))

    @field_validator("allowed_hosts", mode="after")
    @classmethod
    def _with_our_own(cls, hosts: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """The names under which the server is reached need not be said twice."""
        domain, public_url = info.data.get("domain"), info.data.get("public_url")
        own = [domain] if domain else []
        return unique([*hosts, *own, *([host_of(public_url)] if public_url else [])])

    @model_validator(mode="wrap")
    @classmethod
    def _everything_at_once(cls, data: Mapping[str, Any], handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Look at everything before complaining, and say nothing about what may only follow from another problem."""
        dotenv: Dotenv = data.get("dotenv", Dotenv())
        faults = {name: fault for name, value in data.items() if isinstance(value, str) and (fault := fault_in(value))}
        problems = [*dotenv.problems, *(Problem(cls._shown(name), fault) for name, fault in faults.items())]
        settings, wrong = cls._validated({name: value for name, value in data.items() if name not in faults}, handler)
        problems += wrong
        foremost = {name: variable.names[0] for variable in variables(cls) for name in variable.names}
        broken = {foremost.get(problem.variable) for problem in problems}
        problems += [p for p in checks.problems(settings) if broken.isdisjoint((p.variable, *p.depends))]
        if problems:
            raise SettingsError(problems, hints=dotenv.warnings)
        return settings

    @classmethod
    def _validated(cls, given: dict[str, Any], handler: ModelWrapValidatorHandler[Self]) -> tuple[Self, list[Problem]]:
        """The settings without what is wrong, and what is wrong."""
        try:
            return handler(given), []
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        wrong = {str(detail["loc"][0]): _rule(detail) for detail in details if detail["type"] != _FOLLOWS}
        rest = {name: value for name, value in given.items() if name not in wrong}
        return handler(rest), [Problem(cls._shown(name), rule) for name, rule in wrong.items()]

    @classmethod
    def _shown(cls, name: str) -> str:
        """A program calls by the name of the field what an operator calls by that of the variable."""
        field = cls.model_fields.get(name)
        return next(iter(names_of(field)), name) if field else name

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a program says, then the environment, then the file."""
        said = cast("_Said", init_settings).init_kwargs
        dotenv: Dotenv = said.get("dotenv", Dotenv())
        return init_settings, Layers(settings_cls, os.environ, dotenv.values)


def load_settings(dotenv: Path | None = None, *, listening: bool = True) -> Settings:
    """The settings from the environment and, where that says nothing, from a `.env` file, which need not exist.

    Raises `SettingsError` with everything that is wrong. What is only doubtful is in `warnings`.
    """
    known = {name for variable in variables(Settings) for name in variable.names}
    return Settings(dotenv=read_dotenv(dotenv, known) if dotenv else Dotenv(), listening=listening)


def _rule(detail: ErrorDetails) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"]) if "ctx" in detail else detail["msg"]
    return "is not a setting" if detail["type"] == "extra_forbidden" else f"is wrong: {detail['msg']}"
