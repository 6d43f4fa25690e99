"""Skills (`io.modelcontextprotocol/skills`, experimental): folders of instructions for agents, served as resources.

Every file of a skill is an ordinary resource, read as any other. The extension adds a list of skills that says what a
host needs to know before it reads anything (`skills/list`, `skills/get`), and lists of what is in a folder
(`resources/directory/read`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal

from mcp_server.context import Context
from mcp_server.extensions.contract import Method
from mcp_server.extensions.skill_folders import MANIFEST, Skill, SkillFile, read_folder, uri_of
from mcp_server.protocol.errors import bad_cursor, invalid_params, unknown_resource
from mcp_server.registry import BadCursor, RegistrationError, Registry, Resource, fixed_resource
from mcp_server.registry.pages import Pages

SKILLS: Final = "io.modelcontextprotocol/skills"
DIRECTORY: Final = "inode/directory"

_PAGE: Final = 50


class _Listed:
    """A skill in a list."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.entry = entry

    def listing(self) -> dict[str, Any]:
        return self.entry


class _Snapshot:
    """Skills as they were when the folder was read, and what is answered about them."""

    def __init__(self, files: list[SkillFile], skills: list[Skill]) -> None:
        self.resources = {file.uri: _resource(file, skills) for file in files}
        self.entries = {skill.uri: skill.entry() for skill in skills}
        self.pages = Pages("skills", {uri: _Listed(entry) for uri, entry in self.entries.items()}, _PAGE)
        self.folders: dict[str, list[dict[str, Any]]] = {}
        named: set[PurePosixPath] = set()
        for file in files:
            self._add(file.path.parent, self.resources[file.uri].listing())
            for folder in file.path.parents:
                if folder.parent.parts and folder not in named:
                    named.add(folder)
                    entry = {"uri": uri_of(folder), "name": folder.name, "mimeType": DIRECTORY}
                    self._add(folder.parent, entry)

    def _add(self, folder: PurePosixPath, entry: dict[str, Any]) -> None:
        self.folders.setdefault(uri_of(folder), []).append(entry)


class Skills:
    """The extension, for one folder; `reload` reads it anew.

    Args:
        registry: Where the files become resources.
        folder: What has a folder for each skill, perhaps in further folders.
        ttl_ms: How long clients may keep what they are told of skills.
        cache_scope: Whether what they keep may be shared between users.
    """

    def __init__(
        self,
        registry: Registry,
        folder: str | Path,
        *,
        ttl_ms: int = 0,
        cache_scope: Literal["public", "private"] = "private",
    ) -> None:
        self._registry = registry
        self._folder = Path(folder)
        self._cache = {"ttlMs": ttl_ms, "cacheScope": cache_scope}
        self._reading = threading.Lock()
        self._now = _Snapshot([], [])
        self.reload()

    @property
    def identifier(self) -> str:
        """What the extension is called."""
        return SKILLS

    @property
    def settings(self) -> Mapping[str, Any]:
        """That folders can be looked into."""
        return {"directoryRead": True}

    @property
    def methods(self) -> Mapping[str, Method]:
        """What the extension answers."""
        return {"skills/list": self._list, "skills/get": self._get, "resources/directory/read": self._look_into}

    def reload(self) -> None:
        """Read the folder anew; clients that listen are told, and find what they hold outdated.

        Raises:
            RegistrationError: Hosts would refuse what is there now. What was served before still is.
        """
        with self._reading:
            before, after = self._now.resources, _Snapshot(*read_folder(self._folder))
            taken = after.resources.keys() & self._registry.resources.keys() - before.keys()
            if taken:
                raise RegistrationError(f"there is a resource at {min(taken)} already")
            for uri in before.keys() - after.resources.keys():
                self._registry.remove("resources", uri)
            for uri, resource in after.resources.items():
                self._registry.add(resource, replace=uri in before)
            self._now = after

    async def _list(self, params: Mapping[str, Any], _ctx: Context) -> dict[str, Any]:
        cursor = params.get("cursor")
        if cursor is not None and not isinstance(cursor, str):
            raise bad_cursor()
        try:
            page = self._now.pages.page(cursor)
        except BadCursor as error:
            raise bad_cursor() from error
        more = {} if page.next_cursor is None else {"nextCursor": page.next_cursor}
        return {"skills": page.items, **more, **self._cache}

    async def _get(self, params: Mapping[str, Any], _ctx: Context) -> dict[str, Any]:
        uri = _uri(params)
        entry = self._now.entries.get(uri)
        if entry is None:
            raise invalid_params("No skill is served under this URI", uri=uri)
        return {"skill": entry, **self._cache}

    async def _look_into(self, params: Mapping[str, Any], _ctx: Context) -> dict[str, Any]:
        uri = _uri(params)
        if params.get("cursor") is not None:  # a folder is shown at once
            raise bad_cursor()
        entries = self._now.folders.get(uri)
        if entries is None:
            raise unknown_resource(uri) if uri not in self._now.resources else invalid_params("This is no folder")
        return {"resources": entries, **self._cache}  # nobody asks for the latter, but hosts miss it


def _uri(params: Mapping[str, Any]) -> str:
    uri = params.get("uri")
    if not isinstance(uri, str):
        raise invalid_params("uri must be a string")
    return uri


def _resource(file: SkillFile, skills: list[Skill]) -> Resource:
    """A file as a resource; a `SKILL.md` is called what its skill is called."""
    skill = next((each for each in skills if file.path == each.root / MANIFEST), None)
    name = file.path.name if skill is None else skill.frontmatter["name"]
    description = None if skill is None else skill.frontmatter["description"]
    content = file.content
    text, data = (content, None) if isinstance(content, str) else (None, content)
    return fixed_resource(file.uri, text=text, data=data, name=name, description=description, mime_type=file.mime_type)
