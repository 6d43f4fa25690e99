"""What the operator decides: one typed `Settings`, read from the environment and from a `.env` beside the entry point.

Must not know who uses a setting: every other room is handed plain values. This room alone knows pydantic-settings,
whose import costs more than that of the whole engine, so the model is loaded when it is first asked for, and who only
wants to read a `.env` does without.

    problems.py    what stops a start, in words, and exit code 78
    dotenv.py      the `.env` file, in the one syntax that dotenv, systemd and docker read alike
    values.py      text of a variable → typed value, or a sentence about what to write instead
    variables.py   how a field of the model becomes a variable, and in which order its values are looked for
    fields.py      the variables
    defaults.py    defaults that follow from other variables
    model.py       the settings as a whole
    checks.py      what only shows when several variables are seen together
    example.py     `.env.example`, generated; `python -m mcp_server.settings` prints it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_server.settings.problems import Problem, SettingsError, exit_with_problems

__all__ = ["Problem", "Settings", "SettingsError", "exit_with_problems", "load_settings"]

if TYPE_CHECKING:
    from mcp_server.settings.model import Settings, load_settings
else:

    def __getattr__(name: str) -> Any:
        if name not in {"Settings", "load_settings"}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from mcp_server.settings import model  # noqa: PLC0415 - laziness is the point, see above

        return getattr(model, name)
