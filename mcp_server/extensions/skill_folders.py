"""Reading skills from a folder: every file once, at a moment that somebody chose.

Nothing of the disk is touched when a client asks. What it may read is what was found here, so there is no path to be
guessed and no link to be followed, and a file that is being written is never served half.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from mcp_server.extensions.frontmatter import frontmatter
from mcp_server.registry import RegistrationError

MANIFEST: Final = "SKILL.md"
MOST_FILES: Final = 512
MOST_BYTES: Final = 16 * 1024 * 1024
"""What every host has to be able to take, of one skill."""
MOST_IN_ALL: Final = 128 * 1024 * 1024
"""What one folder may hold in memory."""

_SCHEME: Final = "skill://"
_TYPES: Final = {".md": "text/markdown", ".py": "text/x-python", ".sh": "text/x-shellscript", ".toml": "text/plain"}
"""Types on which machines differ."""


@dataclass(frozen=True, slots=True)
class SkillFile:
    """A file of a skill, as it was when it was read."""

    path: PurePosixPath
    data: bytes

    @property
    def uri(self) -> str:
        """Where clients find it."""
        return uri_of(self.path)

    @property
    def content(self) -> str | bytes:
        """Its text, if it is one."""
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError:
            return self.data

    @property
    def mime_type(self) -> str:
        """Its type, by its name."""
        guessed = _TYPES.get(self.path.suffix) or guess_type(self.path.name)[0]
        return guessed or ("text/plain" if isinstance(self.content, str) else "application/octet-stream")

    def entry(self) -> dict[str, Any]:
        """What a host holds the file against, once it has read it."""
        return {"uri": self.uri, "digest": f"sha256:{sha256(self.data).hexdigest()}", "size": len(self.data)}


@dataclass(frozen=True, slots=True)
class Skill:
    """A folder with a `SKILL.md`, and everything in it; `root` is its path."""

    root: PurePosixPath
    frontmatter: Mapping[str, Any]
    files: tuple[SkillFile, ...]

    @property
    def uri(self) -> str:
        """Where clients find its `SKILL.md`, by which it is known."""
        return uri_of(self.root / MANIFEST)

    def entry(self) -> dict[str, Any]:
        """The skill as clients are told of it."""
        resources = [file.entry() for file in self.files]
        return {"uri": self.uri, "frontmatter": dict(self.frontmatter), "resources": resources}


def uri_of(path: PurePosixPath) -> str:
    """The address of a file or of a folder of skills."""
    return _SCHEME + "/".join(quote(part, safe="") for part in path.parts)


def read_folder(folder: Path) -> tuple[list[SkillFile], list[Skill]]:
    """Every file of every skill below a folder, and the skills; raises `RegistrationError` for what hosts refuse."""
    root = folder.resolve()
    if not root.is_dir():
        raise RegistrationError(f"there is no folder {folder}")
    found = dict(_walk(root))
    roots = [path.parent for path in found if path.name == MANIFEST and path.parent.parts]
    if not roots:
        raise RegistrationError(f"no skill in {folder}: each is a folder in it that has a {MANIFEST}")
    of_skills = {path: size for path, size in found.items() if any(path.is_relative_to(each) for each in roots)}
    if sum(of_skills.values()) > MOST_IN_ALL:
        raise RegistrationError(f"the skills in {folder} have more than {MOST_IN_ALL} bytes")
    for skill in roots:
        _refuse_too_much(skill, [size for path, size in of_skills.items() if path.is_relative_to(skill)])
    files = [SkillFile(path, _read(root, path)) for path in of_skills]
    return files, [_skill(skill, files) for skill in roots]


def _walk(root: Path) -> Iterator[tuple[PurePosixPath, int]]:
    """Every visible file and its size, in the same order on every machine."""
    for directory, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if (Path(directory) / name).is_symlink():
                raise RegistrationError(f"{Path(directory) / name} is a link to a folder: put the folder itself there")
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(directory) / name
            target = path.resolve()
            if not target.is_relative_to(root):
                raise RegistrationError(f"{path} leads out of the folder of skills")
            if not target.is_file():
                raise RegistrationError(f"{path} is no file")
            try:
                name.encode()
            except UnicodeEncodeError as error:
                raise RegistrationError(f"{path!r} has a name that is not UTF-8") from error
            yield PurePosixPath(path.relative_to(root).as_posix()), target.stat().st_size


def _read(root: Path, path: PurePosixPath) -> bytes:
    with (root / path).resolve().open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:  # it has grown since it was measured
        raise RegistrationError(f"skill file {path}: it has more than {MOST_BYTES} bytes")
    return data


def _refuse_too_much(skill: PurePosixPath, sizes: list[int]) -> None:
    if len(sizes) > MOST_FILES:
        raise RegistrationError(f"skill {skill}: it has {len(sizes)} files, and hosts take {MOST_FILES}")
    if sum(sizes) > MOST_BYTES:
        raise RegistrationError(f"skill {skill}: it has {sum(sizes)} bytes, and hosts take {MOST_BYTES}")


def _skill(root: PurePosixPath, files: list[SkillFile]) -> Skill:
    own = tuple(file for file in files if file.path.is_relative_to(root))
    manifest = next(file for file in own if file.path == root / MANIFEST)
    text = manifest.content
    if not isinstance(text, str):
        raise RegistrationError(f"skill {root}: {MANIFEST} is not UTF-8")
    try:
        return Skill(root, frontmatter(text, root.name), own)
    except RegistrationError as error:
        raise RegistrationError(f"skill {root}: {MANIFEST}: {error}") from error
