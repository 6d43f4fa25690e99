"""The sheet of the pages, and the headers with which every one of them travels.

The sheet is in the page, and the policy names its digest: nothing is loaded, no other sheet or script can be.

`Referrer-Policy` is `same-origin`, not `no-referrer`: with the latter, browsers send `Origin: null` with a form, and
could not be told from a foreign page. Other sites learn nothing either way. The page that leaves for the client has a
code in it and says `no-referrer`.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

SHEET: Final = """
:root{color-scheme:light dark;--back:#f3f4f6;--card:#fff;--text:#16181d;--soft:#565d6b;--line:#dcdfe5;--accent:#1f57c3;
--on-accent:#fff;--hover:#17469f;--field:#fff;--edge:#7c8493;--warn-back:#fff5dc;--warn-line:#d9a521;--warn-text:#5c4200;
--bad-back:#fdebea;--bad-line:#cf4a41;--bad-text:#7d1812;--mark:#e9effb}
@media(prefers-color-scheme:dark){:root{--back:#0f1115;--card:#191c22;--text:#eceef2;--soft:#a8afbd;--line:#31363f;
--accent:#8ab0ff;--on-accent:#0c1a38;--hover:#a9c5ff;--field:#111318;--edge:#7d8594;--warn-back:#2f2712;
--warn-line:#b98a1c;--warn-text:#f5dfa6;--bad-back:#361b1a;--bad-line:#d2625a;--bad-text:#ffc9c5;--mark:#232b3c}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100svh;display:flex;flex-direction:column;align-items:center;
justify-content:center;background:var(--back);color:var(--text);padding:1.25rem;
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{width:100%;max-width:27rem;background:var(--card);border:1px solid var(--line);border-radius:1rem;
padding:1.75rem;box-shadow:0 1px 2px #0000000d,0 12px 32px #00000014}
.at{display:flex;align-items:center;gap:.65rem;margin:0 0 1.4rem;color:var(--soft);font-size:.94rem;font-weight:500;
overflow-wrap:anywhere}
.at img,.at span{width:2rem;height:2rem;border-radius:.55rem;flex:none}
.at span{display:grid;place-items:center;background:var(--accent);color:var(--on-accent);font-weight:700}
h1{margin:0 0 .4rem;font-size:1.4rem;line-height:1.3;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere;
text-wrap:balance}
h2{margin:1.3rem 0 .45rem;overflow-wrap:anywhere;font-size:.875rem;font-weight:600;color:var(--soft)}
p{margin:.4rem 0}
.soft{color:var(--soft);font-size:.94rem}
b{font-weight:650;overflow-wrap:anywhere}
code{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
ul.may{list-style:none;margin:0;padding:0;border:1px solid var(--line);border-radius:.7rem}
ul.may li{padding:.6rem .85rem .6rem 2.3rem;position:relative;overflow-wrap:anywhere}
ul.may li+li{border-top:1px solid var(--line)}
ul.may li::before{content:"";position:absolute;left:.95rem;top:.95rem;width:.7rem;height:.36rem;
border:solid var(--accent);border-width:0 0 2px 2px;transform:rotate(-45deg)}
.goes{background:var(--mark);border-radius:.7rem;padding:.7rem .9rem}
.goes b{display:block;font-size:1.1rem}
.goes code{color:var(--soft);font-size:.8125rem}
.note{border:1px solid var(--warn-line);border-left-width:4px;background:var(--warn-back);color:var(--warn-text);
border-radius:.6rem;padding:.65rem .85rem;margin:.8rem 0;font-size:.94rem}
.note.bad{border-color:var(--bad-line);background:var(--bad-back);color:var(--bad-text)}
form{margin:0}
label{display:block;margin:1rem 0 .3rem;font-weight:550}
label.tick{display:flex;gap:.6rem;align-items:flex-start;font-weight:400;margin:1.2rem 0 0}
label.tick input{width:1.15rem;height:1.15rem;margin:.2rem 0 0;flex:none;accent-color:var(--accent)}
input.field{width:100%;min-height:2.9rem;padding:.55rem .8rem;font:inherit;color:inherit;background:var(--field);
border:1px solid var(--edge);border-radius:.6rem}
input.code{font-size:1.35rem;letter-spacing:.2em;font-variant-numeric:tabular-nums}
.go{display:flex;gap:.7rem;margin:1.5rem 0 0}
.go>*{flex:1}
button,.button{display:block;width:100%;min-height:2.9rem;padding:.6rem 1rem;font:inherit;font-weight:600;
text-align:center;text-decoration:none;border-radius:.6rem;cursor:pointer;border:1px solid var(--edge);
background:none;color:var(--text)}
button.main,.button.main{background:var(--accent);border-color:var(--accent);color:var(--on-accent)}
button:hover,.button:hover{background:var(--mark)}
button.main:hover,.button.main:hover{background:var(--hover);border-color:var(--hover)}
.who{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:.2rem .8rem;margin:1.4rem 0 0;
padding:.9rem 0 0;border-top:1px solid var(--line);font-size:.94rem;color:var(--soft)}
.who b{color:var(--text)}
button.link{display:inline;width:auto;min-height:1.6rem;padding:.1rem 0;border:0;font-weight:500;color:var(--accent);
text-decoration:underline;text-underline-offset:.15em}
button.link:hover{background:none;color:var(--hover)}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
@media(max-width:30rem){body{padding:0;justify-content:flex-start;background:var(--card)}
main{border:0;border-radius:0;box-shadow:none;padding:1.4rem 1.25rem 2rem;max-width:none}}
@media(forced-colors:active){button.main,.button.main,.at span{border:2px solid}}
"""

_DIGEST: Final = base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()

HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "publickey-credentials-get=(), camera=(), microphone=(), geolocation=()",
    "x-robots-tag": "noindex",
}
