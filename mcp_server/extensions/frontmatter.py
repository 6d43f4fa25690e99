"""The YAML at the head of a `SKILL.md`, as JSON.

Hosts compare what they are told of a skill with what they read in its file, field by field and with a parser of YAML
1.2. So it is read here by the rules of that version (its core schema), in which `no` and `2026-01-01` are texts, and
not by those of 1.1, which the library has by itself.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from mcp_server.protocol.messages import is_object
from mcp_server.registry import RegistrationError

try:
    import yaml
except ImportError as error:  # pragma: no cover - the dev extra has it
    raise RegistrationError("skills need PyYAML: pip install 'pyyaml>=6'") from error

_HEAD: Final = re.compile(r"\A\ufeff?---\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_LONGEST: Final = 64 * 1024
_NAME: Final = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_LONGEST_DESCRIPTION: Final = 1024


class _Core(yaml.SafeLoader):
    """YAML 1.2's core schema, without aliases: a few lines of them can stand for gigabytes."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the library has it

    def compose_node(self, parent: Any, index: Any) -> Any:
        if cast("Any", self).check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - as the library has it
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            raise yaml.YAMLError("a key comes twice")
        return mapping


def _integer(_loader: _Core, node: yaml.ScalarNode) -> int:
    text = cast("str", node.value)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _number(_loader: _Core, node: yaml.ScalarNode) -> float:
    return float(cast("str", node.value))


_TYPES: Final[tuple[tuple[str, str, str], ...]] = (
    ("null", r"(?:~|null|Null|NULL|)\Z", "~nN"),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("int", r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z", "-+.0123456789"),
)
"""Which plain words are not texts: the type, its form, and what it may begin with."""
for _name, _form, _begins in _TYPES:
    _begin = [*_begins, ""] if _name == "null" else [*_begins]
    cast("Any", _Core).add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_form), _begin)
_Core.add_constructor("tag:yaml.org,2002:int", _integer)
_Core.add_constructor("tag:yaml.org,2002:float", _number)


def frontmatter(text: str, directory: str) -> dict[str, Any]:
    """What stands at the head of the `SKILL.md` of this directory; raises `RegistrationError` if hosts refuse it."""
    head = _HEAD.match(text)
    if head is None or len(head[1]) > _LONGEST:
        raise RegistrationError("it has to begin with its frontmatter between two lines of `---`")
    try:
        found: Any = yaml.load(head[1], _Core)  # noqa: S506 - a safe loader, with fewer types still
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RegistrationError(f"its frontmatter cannot be read: {str(error).splitlines()[0]}") from error
    if not is_object(found) or not _is_json(found):
        raise RegistrationError("its frontmatter has to be a mapping whose keys are texts")
    fields = found
    name, description = fields.get("name"), fields.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise RegistrationError("its `name` has to be of a-z, 0-9 and single hyphens, 64 at most")
    if name != directory:
        raise RegistrationError(f"its `name` has to be that of its folder: write `name: {directory}`")
    if not isinstance(description, str) or not 0 < len(description) <= _LONGEST_DESCRIPTION:
        raise RegistrationError(f"it needs a `description` of {_LONGEST_DESCRIPTION} characters at most")
    return fields


def _is_json(value: object) -> bool:
    match value:
        case dict():
            entries = cast("dict[object, object]", value)
            return all(isinstance(key, str) and _is_json(each) for key, each in entries.items())
        case list():
            return all(map(_is_json, cast("list[object]", value)))
        case _:
            return value is None or isinstance(value, str | bool | int | float)
