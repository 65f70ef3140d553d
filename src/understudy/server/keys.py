"""Who may ask: access keys in an AWS credentials file, tokens kept as digests; both are revoked by taking them away.

`.understudy/credentials` is what AWS clients call a shared credentials file, with a role for every section:

    [default]
    aws_access_key_id = AKIA...
    aws_secret_access_key = ...
    role = admin

`.understudy/tokens` has a JSON object per line: name, role, when it was made, and the SHA-256 of the token.
"""

from __future__ import annotations

import base64
import configparser
import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import msgspec

from understudy.errors import ConfigError, NotFound, UsageError
from understudy.server.watched import Watched, replace_file
from understudy.store.lock import exclusive

Role = Literal["admin", "predict"]
"""admin may do everything; predict may ask for predictions."""

ROLES: tuple[Role, ...] = get_args(Role)
DEFAULT = "default"
"""The name of the key that is made by itself."""
TOKEN_PREFIX = "ust_"  # noqa: S105 - what tokens begin with, for people and scanners of leaked secrets

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_LONGEST_SECRET = 256
"""Characters of a key's secret; a token has fewer, and what is longer is not worth being remembered."""
_SECRET = re.compile(rf"[!-~]{{1,{_LONGEST_SECRET}}}")


class Caller(msgspec.Struct, frozen=True):
    """Who asks."""

    name: str
    role: Role
    access_key_id: str | None
    """None where a token was shown."""


class Key(msgspec.Struct, frozen=True):
    """An access key."""

    id: str
    secret: str
    name: str
    """The section of the credentials file."""
    role: Role

    @property
    def caller(self) -> Caller:
        """Who asks with this key."""
        return Caller(self.name, self.role, self.id)

    def __repr__(self) -> str:
        return f"Key(id={self.id!r}, name={self.name!r}, role={self.role!r})"  # a secret must not reach a log


class Token(msgspec.Struct, frozen=True):
    """What is kept of a token."""

    name: str
    role: Role
    created: str
    """ISO 8601 in UTC."""
    sha256: str
    """Hexadecimal digest of the token; the token itself is nowhere."""


class _Ring:
    """Keys, to be found by each of their properties."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self.by_name = {key.name: key for key in keys}
        self.by_id = {key.id: key for key in self.by_name.values()}
        self.by_digest = {_digest(key.secret): key for key in self.by_name.values()}


class _Tokens:
    """Tokens, to be found by each of their properties."""

    def __init__(self, tokens: Iterable[Token] = ()) -> None:
        self.by_name = {token.name: token for token in tokens}
        self.by_digest = {token.sha256: token for token in self.by_name.values()}


class Keys:
    """The access keys and tokens of one `.understudy` folder.

    A key or token that is added or taken away counts within half a second, without a restart. A file that is damaged
    while a server runs changes nothing until it is mended; `warnings` tells of it.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = folder / "access.lock"
        self._keys = Watched(folder / "credentials", _parse_keys, _Ring())
        self._tokens = Watched(folder / "tokens", _parse_tokens, _Tokens())

    def find(self, access_key_id: str) -> Key | None:
        """Return the key of an id; one that was made a moment ago is found, too."""
        return self._keys.content().by_id.get(access_key_id) or self._keys.look().by_id.get(access_key_id)

    def by_secret(self, secret: str) -> Key | None:
        """Return the key of a secret.

        It is looked up by its digest: how long that takes tells nothing about the secrets that exist.
        """
        return self._keys.content().by_digest.get(_digest(secret))

    def bearer(self, text: str) -> Caller | None:
        """Return who asks with a key's secret or with a token; both are looked up as `by_secret` does."""
        key = self.by_secret(text)
        if key is not None:
            return key.caller
        token = self._tokens.content().by_digest.get(_digest(text))
        return Caller(token.name, token.role, None) if token else None

    def default(self) -> Key:
        """Return the default key, made at first use; of several processes that make it, all get the same.

        Raises
        ------
        ConfigError : the credentials file is damaged.
        StoreError : it cannot be written.

        """
        return self._keys.look().by_name.get(DEFAULT) or self._present_or_made(DEFAULT, "admin")

    def make(self, name: str, role: Role) -> Key:
        """Return the key called `name`, made where there is none.

        Raises
        ------
        UsageError : the name cannot be one, or is that of a key with another role.
        ConfigError, StoreError : as `default`.

        """
        key = self._present_or_made(name, role)
        if key.role != role:
            raise UsageError(
                f"the key {name!r} has the role {key.role}, not {role}",
                f"Choose another name, or take its section out of {self._keys.path}.",
            )
        return key

    def named(self, name: str) -> Key | None:
        """Return the key called `name`, if there is one."""
        return self._keys.look().by_name.get(name)

    def make_token(self, name: str, role: Role) -> str:
        """Make a token and return it; it cannot be had a second time.

        Raises
        ------
        UsageError : the name cannot be one, or is taken.
        ConfigError : the tokens' file is damaged.
        StoreError : it cannot be written.

        """
        _check_name(name)
        text = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(name, role, datetime.now(UTC).isoformat(timespec="seconds"), _digest(text))
        with exclusive(self._lock):
            present = self._tokens.read()
            if name in present.by_name:
                raise UsageError(
                    f"there is a token {name!r} already; it cannot be shown again",
                    f"Choose another name, or take it away first: `understudy token {name} --revoke`.",
                )
            self._write_tokens([*present.by_name.values(), token])
        return text

    def tokens(self) -> list[Token]:
        """Return what is kept of the tokens, oldest first; raises ConfigError where their file is damaged."""
        return list(self._tokens.read().by_name.values())

    def revoke_token(self, name: str) -> None:
        """Take a token away; raises NotFound where there is none of the name."""
        with exclusive(self._lock):
            kept = dict(self._tokens.read().by_name)
            if kept.pop(name, None) is None:
                raise NotFound(f"there is no token {name!r}", "`understudy token` lists those that exist.")
            self._write_tokens(kept.values())

    def warnings(self) -> list[str]:
        """Say what somebody should look after: a file that others can read, or one that was damaged meanwhile."""
        return [*self._keys.warnings(), *self._tokens.warnings()]

    def _present_or_made(self, name: str, role: Role) -> Key:
        _check_name(name)
        with exclusive(self._lock):
            present = self._keys.read().by_name.get(name)
            if present is None:
                self._add(Key(_new_id(), secrets.token_urlsafe(30), name, role))
        return present or self._keys.read().by_name[name]

    def _add(self, key: Key) -> None:
        """Put a section behind what stands in the file, people's own comments included."""
        path = self._keys.path
        before = path.read_text(encoding="utf-8").rstrip() + "\n\n" if path.exists() else ""
        section = f"aws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\nrole = {key.role}\n"
        replace_file(path, f"{before.lstrip()}[{key.name}]\n{section}")

    def _write_tokens(self, tokens: Iterable[Token]) -> None:
        replace_file(self._tokens.path, "".join(f"{msgspec.json.encode(token).decode()}\n" for token in tokens))
        self._tokens.look()


def open_keys(folder: Path) -> Keys:
    """Open the keys and tokens in a `.understudy` folder, which need not exist yet.

    Raises
    ------
    ConfigError : a file is damaged or cannot be read; the message names the line or section.

    """
    return Keys(folder)


def _digest(text: str) -> str:
    return _remembered_digest(text) if len(text) <= _LONGEST_SECRET else _made_digest(text)


def _made_digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


_remembered_digest = lru_cache(256)(_made_digest)


def _new_id() -> str:
    """Return an id of AWS's form: AKIA and 16 of A-Z and 2-7."""
    return "AKIA" + base64.b32encode(secrets.token_bytes(10)).decode()


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a key or token", "Use 1 to 64 letters, digits, dots, dashes and underscores."
        )


def _parse_keys(path: Path, text: str) -> _Ring:
    # No section of a credentials file lends its values to the others, as [DEFAULT] would.
    parser = configparser.RawConfigParser(default_section="")
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ConfigError(f"{path}{_place(error)} is not of its form", _FORM) from None
    keys = [_key(path, parser[name]) for name in parser.sections()]
    for what, values in (("access key id", [key.id for key in keys]), ("secret", [key.secret for key in keys])):
        twice = next((key.name for key, value in zip(keys, values, strict=True) if values.count(value) > 1), None)
        if twice is not None:
            raise ConfigError(f"{path} has the {what} of [{twice}] in another section, too", "Leave one of them out.")
    return _Ring(keys)


_FORM = "A section is [name], then aws_access_key_id, aws_secret_access_key and role, each `key = value`, each once."


def _place(error: configparser.Error) -> str:
    """Return ", line 7"; the parser's own message would show the line, which may hold a secret."""
    line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", [])), None)
    return f", line {line}," if line else ""


def _key(path: Path, section: configparser.SectionProxy) -> Key:
    """Return the key of a section; a plain AWS file has no roles, so [default] without one is the admin's."""
    name, where = section.name, f"{path}, section [{section.name}],"
    access_key_id, secret = section.get("aws_access_key_id", ""), section.get("aws_secret_access_key", "")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where} has a name that cannot be one", "Use letters, digits, dots, dashes and underscores."
        )
    if not _ACCESS_KEY_ID.fullmatch(access_key_id):
        raise ConfigError(f"{where} has no usable aws_access_key_id", _FORM)
    if not _SECRET.fullmatch(secret):
        raise ConfigError(f"{where} has no usable aws_secret_access_key", _FORM)
    given = section.get("role", "admin" if name == DEFAULT else "")
    role = next((role for role in ROLES if role == given), None)
    if role is None:
        raise ConfigError(f"{where} has the role {given!r}", f"Write role = {' or role = '.join(ROLES)}.")
    return Key(access_key_id, secret, name, role)


def _parse_tokens(path: Path, text: str) -> _Tokens:
    tokens = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            tokens.append(msgspec.json.decode(line, type=Token))
        except msgspec.DecodeError:
            raise ConfigError(
                f"{path}, line {number}, is no token", "Take the line out, and make the token again."
            ) from None
    return _Tokens(tokens)
