"""`env` and `token`: the keys and tokens that clients show, and the address that they go to."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from understudy.config import Serve, load_place
from understudy.errors import UsageError
from understudy.folders import PRIVATE
from understudy.server.keys import DEFAULT, ROLES, Key, Keys, Role, open_keys
from understudy.server.presence import running

REGION = "us-east-1"
"""What clients must name; every region is ours."""

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - to listen there is not to be reached there


def environment(folder: Path, name: str | None, role: str | None, note: Callable[[str], None]) -> dict[str, str]:
    """Return the variables that point AWS clients here, with a key that is made where there is none.

    Raises
    ------
    UsageError : the role is none, or not the one that the key has; also ConfigError for a broken project file.
    StoreError : the key cannot be written.

    """
    home, serve = _place(folder)
    keys = open_keys(home)
    given = _role(role)
    key, is_new = _key(keys, name or (DEFAULT if given in {None, "admin"} else str(given)), given)
    for warning in keys.warnings():
        note(warning)
    server = running(home)
    if is_new and server is None:
        note(
            f"made a new key in {home}; no server runs from here: run `understudy serve` here, "
            "or give its folder with --project"
        )
    if server is None and serve.public_url is None and serve.port == 0:
        note("[serve] port is 0, a free one: `understudy serve` prints which")
    return {
        "AWS_ENDPOINT_URL": reached_at(home, serve),
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,  # the only one of the two that JavaScript looks at
    }


def reached_at(home: Path, serve: Serve) -> str:
    """Return the address of the server that runs from a folder, as clients on this machine reach it, or would."""
    server = running(home)
    return _here(server.url) if server and serve.public_url is None else address(serve)


def _here(url: str) -> str:
    """Return the address at which clients on this machine reach a server that listens at `url`."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    return f"{scheme}://{_ANYWHERE.get(host.strip('[]'), host)}:{port}"


def export_lines(variables: dict[str, str]) -> str:
    """Return variables as lines that a shell can evaluate."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def address(serve: Serve) -> str:
    """Return the address that clients on this machine reach the server at.

    >>> address(Serve(host="0.0.0.0")), address(Serve(public_url="https://ml.example/"))
    ('http://127.0.0.1:8080', 'https://ml.example')
    """
    if serve.public_url is not None:
        return serve.public_url.rstrip("/")
    host = f"[{serve.host}]" if ":" in serve.host else serve.host
    return f"http://{_ANYWHERE.get(serve.host, host)}:{serve.port}"


def make_token(folder: Path, name: str, role: str | None) -> dict[str, Any]:
    """Make a token; the answer is the only place where it ever stands. Raises UsageError where the name is taken."""
    given = _role(role) or "admin"
    return {"name": name, "role": given, "token": _keys(folder).make_token(name, given)}


def revoke_token(folder: Path, name: str) -> dict[str, Any]:
    """Take a token away; raises NotFound."""
    _keys(folder).revoke_token(name)
    return {"name": name, "revoked": True}


def list_tokens(folder: Path) -> dict[str, Any]:
    """Return what is known of the tokens, oldest first."""
    told = [{"name": token.name, "role": token.role, "created": token.created} for token in _keys(folder).tokens()]
    return {"tokens": told}


def token_lines(document: dict[str, Any]) -> str:
    """Return what `token` did as text: the new token alone, or a line for each."""
    if "token" in document:
        return str(document["token"])
    if "revoked" in document:
        return f"The token {document['name']} is revoked."
    rows = [f"{token['name']}  {token['role']}  {token['created']}" for token in document["tokens"]]
    return "\n".join(rows) or "There are no tokens; `understudy token NAME` makes one."


def _place(folder: Path) -> tuple[Path, Serve]:
    """Return the `.understudy` folder and [serve]."""
    place = load_place(folder)
    return place.root / PRIVATE, place.serve


def _keys(folder: Path) -> Keys:
    return open_keys(_place(folder)[0])


def _key(keys: Keys, name: str, role: Role | None) -> tuple[Key, bool]:
    """Return the key of a name, and whether it is new."""
    present = keys.named(name)
    return keys.make(name, role or (present.role if present else "admin")), present is None


def _role(text: str | None) -> Role | None:
    role = next((role for role in ROLES if role == text), None)
    if text is not None and role is None:
        raise UsageError(f"--role is {text!r}, which is none", f"Use {' or '.join(ROLES)}.")
    return role
