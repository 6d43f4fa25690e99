"""A folder of skills: what clients are told of it, what they read, and what is refused before it is served."""

from __future__ import annotations

import asyncio
import base64
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from one_question import ask, refusal

from mcp_server import RegistrationError, Server
from mcp_server.extensions import skill_folders
from mcp_server.extensions.skills import SKILLS
from mcp_server.protocol.versions import ALL_VERSIONS

HEAD = "---\nname: {name}\ndescription: {about}\n---\n\nDo it.\n"


def skill(folder: Path, name: str = "brew", about: str = "Make tea", **files: str | bytes) -> Path:
    """A skill in a folder; `a__b` is a file b in a folder a."""
    own = folder / name
    own.mkdir(parents=True)
    (own / "SKILL.md").write_text(HEAD.format(name=own.name, about=about))
    for path, content in files.items():
        file = own / path.replace("__", "/")
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return own


def kettle(folder: Path, **options: Any) -> Server:
    server = Server("kettle")
    server.add_skills(folder, **options)
    return server


def test_a_skill_is_listed_with_everything_that_a_host_needs(tmp_path: Path) -> None:
    skill(tmp_path, notes__water="Hot.")
    [entry] = ask(kettle(tmp_path), "skills/list")["skills"]
    manifest = HEAD.format(name="brew", about="Make tea").encode()
    assert entry == {
        "uri": "skill://brew/SKILL.md",
        "frontmatter": {"name": "brew", "description": "Make tea"},
        "resources": [
            {
                "uri": "skill://brew/SKILL.md",
                "digest": f"sha256:{sha256(manifest).hexdigest()}",
                "size": len(manifest),
            },
            {"uri": "skill://brew/notes/water", "digest": f"sha256:{sha256(b'Hot.').hexdigest()}", "size": 4},
        ],
    }


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_one_skill_is_got_as_it_is_listed(tmp_path: Path, version: str) -> None:
    skill(tmp_path)
    server = kettle(tmp_path)
    [entry] = ask(server, "skills/list", version=version)["skills"]
    got = ask(server, "skills/get", {"uri": entry["uri"]}, version=version)
    assert got["skill"] == entry
    assert "nextCursor" not in got


def test_how_long_it_may_be_kept_is_said_to_those_who_understand_it(tmp_path: Path) -> None:
    skill(tmp_path)
    server = kettle(tmp_path, ttl_ms=5000, cache_scope="public")
    asked: list[tuple[str, dict[str, Any]]] = [
        ("skills/list", {}),
        ("skills/get", {"uri": "skill://brew/SKILL.md"}),
        ("resources/directory/read", {"uri": "skill://brew"}),
    ]
    for method, params in asked:
        new, old = ask(server, method, params), ask(server, method, params, version="2025-11-25")
        assert (new["ttlMs"], new["cacheScope"]) == (5000, "public")
        assert not {"ttlMs", "cacheScope", "resultType"} & set(old)


def test_a_manifest_is_called_what_its_skill_is_called(tmp_path: Path) -> None:
    skill(tmp_path, water="Hot.")
    listed = ask(kettle(tmp_path), "resources/list")["resources"]
    assert [(each["name"], each.get("description"), each["mimeType"]) for each in listed] == [
        ("brew", "Make tea", "text/markdown"),
        ("water", None, "text/plain"),
    ]


@pytest.mark.parametrize("content", ["\ufeffGrüße\r\n", "", "x" * 100_000])
def test_a_text_arrives_byte_by_byte(tmp_path: Path, content: str) -> None:
    skill(tmp_path, text=content)
    [read] = ask(kettle(tmp_path), "resources/read", {"uri": "skill://brew/text"})["contents"]
    assert read["text"] == content


def test_what_is_no_text_arrives_as_bytes(tmp_path: Path) -> None:
    skill(tmp_path, picture=b"\xff\xfe\x00")
    [read] = ask(kettle(tmp_path), "resources/read", {"uri": "skill://brew/picture"})["contents"]
    assert (base64.b64decode(read["blob"]), read["mimeType"]) == (b"\xff\xfe\x00", "application/octet-stream")


def test_a_folder_shows_what_is_in_it_and_no_more(tmp_path: Path) -> None:
    skill(tmp_path / "tea", notes__water="Hot.", notes__milk="Cold.")
    server = kettle(tmp_path)

    def look(uri: str) -> list[tuple[str, str]]:
        found = ask(server, "resources/directory/read", {"uri": uri})["resources"]
        return [(each["uri"], each["mimeType"]) for each in found]

    assert look("skill://tea") == [("skill://tea/brew", "inode/directory")]
    assert sorted(look("skill://tea/brew")) == [
        ("skill://tea/brew/SKILL.md", "text/markdown"),
        ("skill://tea/brew/notes", "inode/directory"),
    ]
    assert sorted(look("skill://tea/brew/notes")) == [
        ("skill://tea/brew/notes/milk", "text/plain"),
        ("skill://tea/brew/notes/water", "text/plain"),
    ]


def test_a_skill_inside_a_skill_is_listed_too_and_belongs_to_both(tmp_path: Path) -> None:
    skill(skill(tmp_path), "pour")
    outer, inner = ask(kettle(tmp_path), "skills/list")["skills"]
    assert [each["uri"] for each in inner["resources"]] == ["skill://brew/pour/SKILL.md"]
    assert [each["uri"] for each in outer["resources"]] == ["skill://brew/SKILL.md", "skill://brew/pour/SKILL.md"]


def test_many_skills_come_in_pages(tmp_path: Path) -> None:
    for number in range(120):
        skill(tmp_path, f"skill-{number:03}")
    server = kettle(tmp_path)
    seen, cursor = list[str](), None
    while True:
        page = ask(server, "skills/list", {} if cursor is None else {"cursor": cursor})
        seen += [each["uri"] for each in page["skills"]]
        if (cursor := page.get("nextCursor")) is None:
            break
    assert seen == [f"skill://skill-{number:03}/SKILL.md" for number in range(120)]


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("skills/list", {"cursor": "made up"}),
        ("skills/list", {"cursor": 5}),
        ("skills/get", {"uri": "skill://nobody/SKILL.md"}),
        ("skills/get", {"uri": "skill://brew"}),
        ("skills/get", {}),
        ("resources/directory/read", {"uri": "skill://brew/SKILL.md"}),
        ("resources/directory/read", {"uri": "skill://brew", "cursor": "x"}),
        ("resources/directory/read", {"uri": 1}),
    ],
)
def test_what_is_not_there_is_wrong_to_ask_for(tmp_path: Path, version: str, method: str, params: Any) -> None:
    skill(tmp_path)
    assert refusal(kettle(tmp_path), method, params, version) == -32602


@pytest.mark.parametrize("uri", ["skill://brew/../../secret", "skill://brew/%2e%2e/secret", "skill:///etc/passwd"])
def test_nothing_outside_can_be_asked_for(tmp_path: Path, uri: str) -> None:
    (tmp_path / "secret").write_text("hunter2")
    skill(tmp_path / "skills")
    server = kettle(tmp_path / "skills")
    assert refusal(server, "resources/read", {"uri": uri}) == -32602
    assert refusal(server, "resources/directory/read", {"uri": uri}) == -32602


def test_clients_are_told_and_resources_are_offered(tmp_path: Path) -> None:
    skill(tmp_path)
    capabilities = ask(kettle(tmp_path), "server/discover")["capabilities"]
    assert capabilities["extensions"] == {SKILLS: {"directoryRead": True}}
    assert "resources" in capabilities


def test_without_a_folder_there_are_no_such_methods() -> None:
    assert refusal(Server("plain"), "skills/list") == -32601
    assert refusal(Server("plain"), "resources/directory/read", {"uri": "skill://brew"}) == -32601


# -- what is read when ------------------------------------------------------------------------------------------------


def test_what_has_been_read_stays_until_it_is_read_anew(tmp_path: Path) -> None:
    own = skill(tmp_path, old="1", kept="2")
    server = Server("kettle")
    skills = server.add_skills(tmp_path)
    (own / "kept").write_text("3")
    (own / "old").unlink()
    (own / "new").write_text("4")

    async def main() -> None:
        async with server.test_client("2025-11-25") as client:
            assert (await client.read_resource("skill://brew/kept"))[0]["text"] == "2"
            assert (await client.read_resource("skill://brew/old"))[0]["text"] == "1"
            skills.reload()
            assert (await client.read_resource("skill://brew/kept"))[0]["text"] == "3"
            assert [each["uri"] for each in await client.list_resources()] == [
                "skill://brew/SKILL.md",
                "skill://brew/kept",
                "skill://brew/new",
            ]

    asyncio.run(main())


def test_if_it_cannot_be_read_anew_what_was_there_stays(tmp_path: Path) -> None:
    own = skill(tmp_path)
    server = Server("kettle")
    skills = server.add_skills(tmp_path)
    (own / "SKILL.md").write_text("no frontmatter any more")
    with pytest.raises(RegistrationError):
        skills.reload()
    assert len(ask(server, "skills/list")["skills"]) == 1


def test_a_resource_that_is_there_already_is_not_replaced(tmp_path: Path) -> None:
    skill(tmp_path)
    server = Server("kettle")
    server.add_resource("mine", "skill://brew/SKILL.md")
    with pytest.raises(RegistrationError, match=r"a resource at skill://brew/SKILL\.md already"):
        server.add_skills(tmp_path)


# -- files that are not served ----------------------------------------------------------------------------------------


def test_hidden_files_and_files_beside_skills_are_no_skills(tmp_path: Path) -> None:
    own = skill(tmp_path, _hidden="x")
    (own / "_hidden").rename(own / ".hidden")
    (own / ".git").mkdir()
    (own / ".git" / "config").write_text("x")
    (tmp_path / "README.md").write_text("x")
    listed = ask(kettle(tmp_path), "resources/list")["resources"]
    assert [each["uri"] for each in listed] == ["skill://brew/SKILL.md"]


def test_a_name_is_encoded_in_its_address(tmp_path: Path) -> None:
    own = skill(tmp_path)
    (own / "ä {x}%2f?#.txt").write_text("odd")
    server = kettle(tmp_path)
    uri = "skill://brew/%C3%A4%20%7Bx%7D%252f%3F%23.txt"
    assert ask(server, "resources/read", {"uri": uri})["contents"][0]["text"] == "odd"


def test_a_link_to_a_file_within_is_followed(tmp_path: Path) -> None:
    own = skill(tmp_path, real="here")
    (own / "link").symlink_to(own / "real")
    server = kettle(tmp_path)
    assert ask(server, "resources/read", {"uri": "skill://brew/link"})["contents"][0]["text"] == "here"


@pytest.mark.parametrize("target", ["secret", "nowhere"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("hunter2")
    own = skill(tmp_path / "skills")
    (own / "link").symlink_to(tmp_path / target)
    with pytest.raises(RegistrationError, match="leads out of the folder"):
        kettle(tmp_path / "skills")


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    own = skill(tmp_path)
    (own / "again").symlink_to(tmp_path)
    with pytest.raises(RegistrationError, match="is a link to a folder"):
        kettle(tmp_path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(skill(tmp_path) / "pipe")
    with pytest.raises(RegistrationError, match="is no file"):
        kettle(tmp_path)


def test_a_broken_link_is_refused(tmp_path: Path) -> None:
    own = skill(tmp_path)
    (own / "link").symlink_to(own / "nowhere")
    with pytest.raises(RegistrationError, match="is no file"):
        kettle(tmp_path)


def test_a_name_that_no_address_can_hold_is_refused(tmp_path: Path) -> None:
    own = skill(tmp_path)
    try:
        Path(os.fsdecode(os.fsencode(own) + b"/\xff")).write_text("x")
    except OSError:
        pytest.skip("this disk takes only names in UTF-8")
    with pytest.raises(RegistrationError, match="not UTF-8"):
        kettle(tmp_path)


def test_more_than_hosts_take_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skill(tmp_path, a="1", b="2")
    monkeypatch.setattr(skill_folders, "MOST_FILES", 2)
    with pytest.raises(RegistrationError, match="3 files, and hosts take 2"):
        kettle(tmp_path)
    monkeypatch.setattr(skill_folders, "MOST_FILES", 512)
    monkeypatch.setattr(skill_folders, "MOST_BYTES", 50)
    with pytest.raises(RegistrationError, match="bytes, and hosts take 50"):
        kettle(tmp_path)
    monkeypatch.setattr(skill_folders, "MOST_IN_ALL", 10)
    with pytest.raises(RegistrationError, match="more than 10 bytes"):
        kettle(tmp_path)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = skill(tmp_path, a="1") / "a"
    walk = skill_folders._walk  # pyright: ignore[reportPrivateUsage]

    def grow(root: Path) -> Any:
        found = list(walk(root))
        path.write_text("x" * 100)
        return found

    monkeypatch.setattr(skill_folders, "_walk", grow)
    monkeypatch.setattr(skill_folders, "MOST_BYTES", 60)
    with pytest.raises(RegistrationError, match="more than 60 bytes"):
        kettle(tmp_path)


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_without_skills_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RegistrationError, match=r"no folder|no skill"):
        kettle(tmp_path / folder)


# -- frontmatter ------------------------------------------------------------------------------------------------------


def manifest(folder: Path, text: str | bytes) -> dict[str, Any]:
    """The frontmatter that clients are told of, for a manifest."""
    own = folder / "brew"
    own.mkdir()
    (own / "SKILL.md").write_bytes(text if isinstance(text, bytes) else text.encode())
    return ask(kettle(folder), "skills/list")["skills"][0]["frontmatter"]


def test_values_are_what_a_newer_parser_makes_of_them(tmp_path: Path) -> None:
    text = """---
name: brew
description: >
  Make
  tea
date: 2026-01-01
answer: no
agreed: true
nothing: ~
empty:
number: 017
octal: 0o17
hex: 0x1F
ratio: 1.5e3
quoted: "5"
list: [a, 1, {b: c}]
time: 12:30:00
merged: {<<: x}
---
"""
    assert manifest(tmp_path, text) == {
        "name": "brew",
        "description": "Make tea\n",
        "date": "2026-01-01",
        "answer": "no",
        "agreed": True,
        "nothing": None,
        "empty": None,
        "number": 17,
        "octal": 15,
        "hex": 31,
        "ratio": 1500.0,
        "quoted": "5",
        "list": ["a", 1, {"b": "c"}],
        "time": "12:30:00",
        "merged": {"<<": "x"},
    }


def test_windows_newlines_and_a_mark_at_the_beginning_do_no_harm(tmp_path: Path) -> None:
    text = "\ufeff---\r\nname: brew\r\ndescription: Make tea\r\n---\r\n"
    assert manifest(tmp_path, text) == {"name": "brew", "description": "Make tea"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# Brew", "begin with its frontmatter"),
        ("---\nname: brew\n", "begin with its frontmatter"),
        ("---\nname: brew\ndescription: " + "x" * 70_000 + "\n---\n", "begin with its frontmatter"),
        ("---\nname: [\n---\n", "cannot be read"),
        ("---\nname: brew\nname: brew\ndescription: x\n---\n", "a key comes twice"),
        ("---\nname: brew\ndescription: x\na: &a [1]\nb: *a\n---\n", "aliases are not taken"),
        ("---\nname: brew\ndescription: x\na: !!python/name:os.system\n---\n", "cannot be read"),
        ("---\nname: brew\ndescription: x\na: !!binary aGk=\n---\n", "mapping whose keys are texts"),
        ("---\n1: brew\n---\n", "mapping whose keys are texts"),
        ("---\n- brew\n---\n", "mapping whose keys are texts"),
        ("---\ndescription: x\n---\n", "`name` has to be of a-z"),
        ("---\nname: Brew\ndescription: x\n---\n", "`name` has to be of a-z"),
        ("---\nname: br--ew\ndescription: x\n---\n", "`name` has to be of a-z"),
        ("---\nname: pour\ndescription: x\n---\n", "write `name: brew`"),
        ("---\nname: brew\n---\n", "needs a `description`"),
        ("---\nname: brew\ndescription: ''\n---\n", "needs a `description`"),
        ("---\nname: brew\ndescription: " + "x" * 1025 + "\n---\n", "needs a `description`"),
        (b"---\nname: brew\ndescription: x\n---\n\xff", "is not UTF-8"),
    ],
    ids=range(18),
)
def test_a_manifest_that_hosts_refuse_is_refused_here(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(RegistrationError, match=r"^skill brew: SKILL\.md") as refused:
        manifest(tmp_path, text)
    assert problem in str(refused.value)
