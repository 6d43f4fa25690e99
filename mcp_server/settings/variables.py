"""How a field of the model becomes a variable, and in which order its values are looked for.

Must not know any variable by name. Several names may mean one variable, because the guides that people follow call it
so; and one variable may be said in parts (a host and a port for a URL).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic import AliasChoices, Field
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from typing_extensions import override

_BLANK: Final = " \t"


@dataclass(frozen=True, slots=True)
class Group:
    """Variables that belong together under a heading; a group that is not shown is not for people to set."""

    heading: str
    shown: bool = True

    def variable(
        self,
        name: str,
        says: str,
        *,
        read_by: str,
        default: Any = None,
        also: tuple[str, ...] = (),
        parts: tuple[str, ...] = (),
        otherwise: str = "",
    ) -> Any:
        """Declare a variable: its name, what it says, and its default or a function of the fields before it.

        `also` are further names, `parts` the fields that say the same together, `otherwise` the default in words.
        """
        told: dict[str, Any] = {
            "group": self.heading,
            "shown": self.shown,
            "read_by": read_by,
            "parts": list(parts),
            "otherwise": otherwise,
        }
        names = AliasChoices(name, *also)
        if callable(default):
            return Field(default_factory=default, validation_alias=names, description=says, json_schema_extra=told)
        return Field(default, validation_alias=names, description=says, json_schema_extra=told)


@dataclass(frozen=True, slots=True)
class Variable:
    """A field of the model, as an operator sees it."""

    field: str
    names: tuple[str, ...]
    group: str
    shown: bool
    says: str
    read_by: str
    default: Any
    """The value if nothing is set at all."""
    otherwise: str
    """The default in words, if it depends on something."""


def variables(model: type[BaseSettings]) -> Iterator[Variable]:
    """The variables of a model, in the order in which they are declared."""
    defaults: dict[str, Any] = {}
    for field, info in model.model_fields.items():
        defaults[field] = info.get_default(call_default_factory=True, validated_data=defaults)
        if names := names_of(info):
            told = _told(info)
            yield Variable(
                field=field,
                names=names,
                group=told["group"],
                shown=told["shown"],
                says=info.description or "",
                read_by=told["read_by"],
                default=defaults[field],
                otherwise=told["otherwise"],
            )


def names_of(info: FieldInfo) -> tuple[str, ...]:
    """The names of the variable, the foremost first; none if the field is not a variable."""
    alias = info.validation_alias
    return tuple(map(str, alias.choices)) if isinstance(alias, AliasChoices) else ()


class Layers(PydanticBaseSettingsSource):
    """The first layer that says anything about a variable decides, under whichever of its names; empty is unset.

    What a layer says in parts it also says: `REDIS_HOST` in the environment is not overruled by `REDIS_URL` in a file.
    """

    def __init__(self, settings_cls: type[BaseSettings], *layers: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._layers = layers

    @override
    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text for a field and the name under which it was found, or None."""
        parts: tuple[str, ...] = _told(field).get("parts", ())
        for layer in self._layers:
            if name := self._said(field, layer):
                return layer[name].strip(_BLANK), name, False
            if any(self._said(self.settings_cls.model_fields[part], layer) for part in parts):
                break
        return None, field_name, False

    @override
    def __call__(self) -> dict[str, Any]:
        found = (self.get_field_value(info, field) for field, info in self.settings_cls.model_fields.items())
        return {name: value for value, name, _ in found if value is not None}

    @staticmethod
    def _said(field: FieldInfo, layer: Mapping[str, str]) -> str | None:
        return next((name for name in names_of(field) if layer.get(name, "").strip(_BLANK)), None)


def _told(info: FieldInfo) -> dict[str, Any]:
    return cast("dict[str, Any]", info.json_schema_extra or {})
