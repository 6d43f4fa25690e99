"""The pages as HTML. Pure: what is in them was decided elsewhere, and is escaped here without exception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from mcp_server.oauth.approvals import Pending, Person
from mcp_server.oauth.login.options import LoginOptions
from mcp_server.oauth.login.shown import Destination, clean, destination, host_shown
from mcp_server.oauth.login.style import SHEET

_FRAME: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">{head}
<title>{title}</title>
<style>{sheet}</style>
</head>
<body>
<main>
<p class="at">{mark}<bdi>{server}</bdi></p>
{body}
</main>
</body>
</html>
"""

WORDS: Final = {
    "openid": "Know that it is you",
    "profile": "See your name",
    "email": "See your e-mail address",
    "offline_access": "Stay connected while you are away, until you disconnect it",
}
"""Scopes that mean the same everywhere."""


@dataclass(frozen=True, slots=True)
class Form:
    """Where a form goes, and what proves that it was ours."""

    action: str
    csrf: str
    request: str = ""
    ticket: str = ""

    def opening(self) -> str:
        """The form's beginning with its hidden fields."""
        hidden = {"csrf": self.csrf, "request": self.request, "ticket": self.ticket}
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in hidden.items() if value
        )
        return f'<form method="post" action="{escape(self.action)}" autocomplete="on">{fields}'


def sign_in(options: LoginOptions, form: Form, pending: Pending, *, fault: str = "", typed: str = "") -> str:
    """Ask for a name and a password."""
    described = ' aria-describedby="fault"' if fault else ""
    at_name, at_password = ("", " autofocus") if typed else (" autofocus", "")
    body = f"""<h1>Sign in</h1>
{_why(pending)}
{_fault(fault)}
{form.opening()}
<label for="name">User name</label>
<input class="field" id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck="false"
 maxlength="200" required value="{escape(clean(typed, 200))}"{at_name}{described}>
<label for="password">Password</label>
<input class="field" id="password" name="password" type="password" autocomplete="current-password"
 maxlength="1000" required{at_password}{described}>
<div class="go"><button class="main">Sign in</button></div>
</form>"""
    return _page(options, "Sign in", body, faulty=bool(fault))


def second_step(options: LoginOptions, form: Form, *, fault: str = "") -> str:
    """Ask for the code that an app shows."""
    described = "fault hint" if fault else "hint"
    body = f"""<h1>Enter your code</h1>
<p class="soft" id="hint">The six digits that your authenticator app shows now, or one of your recovery codes.</p>
{_fault(fault)}
{form.opening()}
<label for="code">Code</label>
<input class="field code" id="code" name="code" inputmode="text" autocomplete="one-time-code" autocapitalize="none"
 spellcheck="false" maxlength="40" required autofocus aria-describedby="{described}">
<div class="go"><button class="main">Go on</button></div>
</form>"""
    return _page(options, "Enter your code", body, faulty=bool(fault))


def sign_in_elsewhere(options: LoginOptions, provider: str, start: str, pending: Pending) -> str:
    """Send the person to where they have their account."""
    body = f"""<h1>Sign in</h1>
{_why(pending)}
<div class="go"><a class="button main" href="{escape(start)}">Continue with {_said(provider)}</a></div>"""
    return _page(options, "Sign in", body)


def consent(options: LoginOptions, form: Form, pending: Pending, person: Person, *, other: Form | None) -> str:
    """Ask whether a client may."""
    goes = destination(pending.redirect_uri)
    remembered = _tick(options) if may_be_remembered(options, pending, goes) else ""
    body = f"""<h1>Allow {_client(pending)} to use {_said(options.server_name)}?</h1>
{_origin(pending)}
<h2 id="may">It may, at <code>{_said(pending.resource, 200)}</code></h2>
<ul class="may" aria-labelledby="may">{_scopes(options, pending.scopes)}</ul>
<h2>Your browser will be sent to</h2>
<div class="goes"><b>{escape(goes.name)}</b><code>{escape(goes.address)}</code></div>
{_local_warning(goes)}
{form.opening()}
{remembered}
<div class="go"><button name="decision" value="refuse">Refuse</button>
<button class="main" name="decision" value="allow">Allow</button></div>
</form>
{_signed_in(person, other)}"""
    return _page(options, "Allow access?", body)


def may_be_remembered(options: LoginOptions, pending: Pending, goes: Destination) -> bool:
    """Whether an agreement may stand for the next request: only for those who cannot be somebody else then.

    Whoever registered by themselves may be anybody, and what listens on this machine may be another program tomorrow.
    """
    return options.remember_consent > 0 and pending.known_by != "registration" and goes.kind == "site"


def leaving(options: LoginOptions, url: str) -> str:
    """Go to the client.

    By a page and not by a redirect: browsers hold redirects after a form against its page's `form-action`, all along
    the chain, and nobody knows where a client's own redirects lead.
    """
    goes = destination(url)
    where = "an app on this device" if goes.kind == "app" else goes.name
    body = f"""<h1>You can go on</h1>
<p class="soft">You are being sent to <b>{escape(where)}</b>. If nothing happens, go there yourself. When you are
there, this page can be closed.</p>
<div class="go"><a class="button main" href="{escape(url)}" rel="noreferrer">Go on</a></div>"""
    return _page(options, "You can go on", body, head=f'\n<meta http-equiv="refresh" content="0;url={escape(url)}">')


def message(options: LoginOptions, title: str, text: str, *, link: tuple[str, str] | None = None) -> str:
    """Say what is the matter, in plain words, and what to do about it."""
    to = (
        ""
        if link is None
        else f'<div class="go"><a class="button" href="{escape(link[0])}">{escape(link[1])}</a></div>'
    )
    return _page(options, title, f'<h1>{escape(title)}</h1>\n<p class="soft">{escape(text)}</p>\n{to}')


def sign_out(options: LoginOptions, form: Form, person: Person) -> str:
    """Offer to end the session."""
    body = f"""<h1>Sign out?</h1>
<p class="soft">You are signed in as <b>{_person(person)}</b>. What you have allowed stays allowed.</p>
{form.opening()}
<div class="go"><button class="main">Sign out</button></div>
</form>"""
    return _page(options, "Sign out?", body)


def _page(options: LoginOptions, title: str, body: str, *, head: str = "", faulty: bool = False) -> str:
    name = clean(options.server_name) or "MCP"
    mark = f"<span aria-hidden='true'>{escape(name[0].upper())}</span>"
    if options.icon is not None:
        mark = f'<img src="{escape(options.icon)}" alt="" width="32" height="32">'
    heading = f"{'Error: ' if faulty else ''}{title} - {name}"
    return _FRAME.format(head=head, title=escape(heading), sheet=SHEET, mark=mark, server=escape(name), body=body)


def _said(text: str, longest: int = 60) -> str:
    return f"<bdi>{escape(clean(text, longest))}</bdi>"


def _client(pending: Pending) -> str:
    name = clean(pending.client_name)
    return f"<bdi>“{escape(name)}”</bdi>" if name else "an application without a name"


def _why(pending: Pending) -> str:
    return f'<p class="soft">{_upper(_client(pending))} asks for access. You decide after you have signed in.</p>'


def _upper(text: str) -> str:
    return f"A{text[1:]}" if text.startswith("an ") else text


def _person(person: Person) -> str:
    return _said(person.name or person.subject, 100)


def _fault(fault: str) -> str:
    return f'<p class="note bad" id="fault" role="alert">{escape(fault)}</p>' if fault else ""


def _origin(pending: Pending) -> str:
    """How this server knows who asks, and so what the name is worth."""
    site = host_shown(pending.client_uri) if pending.client_uri else ""
    of_site = f" It gives <b>{escape(site)}</b> as its site." if site else ""
    if pending.known_by == "settings":
        return f'<p class="soft">It was set up by the operator of this server.{of_site}</p>'
    if pending.known_by == "document":
        host = escape(host_shown(pending.client_id))
        other = of_site if site and site != host_shown(pending.client_id) else ""
        return f'<p class="soft">It is published by <b>{host}</b>; this server has checked that.{other}</p>'
    return (
        '<p class="note"><b>Not verified.</b> It has registered itself, and nobody has checked its name.'
        f"{of_site} Allow it only if you have just connected it yourself.</p>"
    )


def _scopes(options: LoginOptions, scopes: Sequence[str]) -> str:
    if not scopes:
        return "<li>Use the tools of this server in your name</li>"
    return "".join(f"<li>{_scope(options, scope)}</li>" for scope in scopes)


def _scope(options: LoginOptions, scope: str) -> str:
    words = options.describe_scope(scope) if options.describe_scope else None
    words = words or options.scope_words.get(scope) or WORDS.get(scope)
    return escape(words) if words else f"Use what is called <code>{_said(scope, 100)}</code>"


def _local_warning(goes: Destination) -> str:
    if goes.kind == "site":
        return ""
    who = "an app on this device" if goes.kind == "app" else "a program on this computer"
    return (
        f'<p class="note">That is {who}, and this server cannot tell which. '
        "Allow it only if you have just started to sign in there.</p>"
    )


def _tick(options: LoginOptions) -> str:
    days = max(1, round(options.remember_consent / 86_400))
    span = "day" if days == 1 else f"{days} days"
    return (
        '<label class="tick"><input type="checkbox" name="remember" value="yes">'
        f"Do not ask me again for this application for {'a' if days == 1 else ''} {span}</label>"
    ).replace("  ", " ")


def _signed_in(person: Person, other: Form | None) -> str:
    change = "" if other is None else f'{other.opening()}<button class="link">Use another account</button></form>'
    return f'<div class="who"><span>Signed in as <b>{_person(person)}</b></span>{change}</div>'
