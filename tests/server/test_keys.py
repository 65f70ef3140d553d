"""Keys and tokens: made once, found quickly, taken away without a restart, never shown in errors."""

import base64
import os
import re
import shlex
import subprocess
import sys
import time

import botocore.session
import pytest

from acceptance.stage import understudy
from understudy.errors import ConfigError, NotFound, StoreError, UsageError
from understudy.server import keys as keys_module
from understudy.server import watched
from understudy.server.keys import Caller, open_keys
from understudy.server.presence import announced

SECTION = "[{}]\naws_access_key_id = {}\naws_secret_access_key = {}\nrole = {}\n"


def write(folder, text):
    """Write the credentials file."""
    folder.mkdir(exist_ok=True)
    file = folder / "credentials"
    file.write_text(text)
    file.chmod(0o600)
    return file


@pytest.fixture
def home(tmp_path):
    """Name a `.understudy` folder that is not there yet."""
    return tmp_path / ".understudy"


def test_default_key_is_made_at_first_use(home):
    """The first use writes a key of AWS's form for its owner alone; opening alone writes nothing."""
    keys = open_keys(home)
    assert not home.exists()
    key = keys.default()
    assert re.fullmatch("AKIA[A-Z2-7]{16}", key.id)
    assert len(key.secret) == 40
    assert (key.name, key.role) == ("default", "admin")
    assert (home / "credentials").stat().st_mode & 0o777 == 0o600
    assert keys.default() == open_keys(home).default() == key
    assert keys.warnings() == []


def test_credentials_file_is_one_that_aws_clients_read(home, monkeypatch):
    """AWS's own tools read the file, each section as a profile."""
    keys = open_keys(home)
    made = {"default": keys.default(), "ci": keys.make("ci", "predict")}
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(home / "credentials"))
    for name, key in made.items():
        found = botocore.session.Session(profile=name).get_credentials()
        assert (found.access_key, found.secret_key) == (key.id, key.secret)


RACE = """
import sys, time
from pathlib import Path
from understudy.server.keys import open_keys
keys = open_keys(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(keys.default().id, flush=True)
"""


def test_processes_that_race_for_the_first_key_get_the_same(home):
    """However many processes make the default key at the same moment, there is one."""
    command = [sys.executable, "-c", RACE, str(home)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    ids = {racer.communicate(timeout=30)[0].strip() for racer in racers}
    assert ids == {open_keys(home).default().id}


def test_named_keys_have_a_role(home):
    """A key of a name is made once; asked for with another role, it is refused, and nothing changes."""
    keys = open_keys(home)
    key = keys.make("ci", "predict")
    assert keys.make("ci", "predict") == keys.named("ci") == key
    with pytest.raises(UsageError, match="'ci' has the role predict, not admin"):
        keys.make("ci", "admin")
    assert keys.find(key.id).caller == Caller("ci", "predict", key.id)
    assert keys.named("other") is None


def test_peoples_own_lines_stay(home):
    """A new key is put behind what stands in the file; comments, mode and links stay as they are."""
    write(home, "# ours\n" + SECTION.format("default", "AKIAONE", "secret", "admin"))
    elsewhere = home / "elsewhere"
    (home / "credentials").rename(elsewhere)
    elsewhere.chmod(0o640)
    (home / "credentials").symlink_to(elsewhere)
    open_keys(home).make("ci", "admin")
    assert (home / "credentials").is_symlink()
    assert elsewhere.read_text().startswith("# ours\n[default]\naws_access_key_id = AKIAONE\n")
    assert elsewhere.stat().st_mode & 0o777 == 0o640


def test_added_and_removed_keys_count_without_a_restart(home):
    """A key that another process adds is found at once; one that is taken out is gone within a second."""
    keys = open_keys(home)
    first = keys.default()
    other = open_keys(home).make("ci", "predict")
    assert keys.find(other.id) == other
    write(home, SECTION.format("ci", other.id, other.secret, "admin"))
    time.sleep(watched.LAG_SECONDS + 0.1)
    assert keys.find(first.id) is None
    assert keys.find(other.id).role == "admin"
    (home / "credentials").unlink()
    time.sleep(watched.LAG_SECONDS + 0.1)
    assert keys.find(other.id) is None


def test_finding_a_key_rarely_touches_the_disk(home, monkeypatch):
    """A known key is found without a look at the disk, but for two a second."""
    keys = open_keys(home)
    key = keys.default()
    looks = []
    monkeypatch.setattr(watched, "_stamp", looks.append)
    monkeypatch.setattr(watched, "LAG_SECONDS", 60)
    keys.find(key.id)
    before = len(looks)
    for _ in range(1000):
        keys.find(key.id)
        keys.by_secret(key.secret)
    assert len(looks) <= before + 1


def test_secrets_and_tokens_are_bearers(home):
    """REST takes a key's secret or a token; anything else is nobody."""
    keys = open_keys(home)
    key = keys.default()
    token = keys.make_token("app", "predict")
    assert token.startswith("ust_")
    assert keys.bearer(key.secret) == Caller("default", "admin", key.id)
    assert keys.bearer(token) == Caller("app", "predict", None)
    assert keys.by_secret(key.secret) == key
    for text in ("", key.id, token[:-1], key.secret + " ", "ü", "\udcff"):
        assert keys.bearer(text) is None
        assert keys.by_secret(text) is None


def test_long_texts_are_not_remembered(home):
    """Who shows texts that can be no secret fills no memory with them; they are nobody, as any."""
    keys = open_keys(home)
    keys.bearer("x")
    before = keys_module._remembered_digest.cache_info().currsize
    for number in range(10):
        assert keys.bearer("x" * 50_000 + str(number)) is None
    assert keys_module._remembered_digest.cache_info().currsize == before


def test_tokens_are_kept_as_digests(home):
    """A token is nowhere on the disk; what is kept says name, role and when, oldest first."""
    keys = open_keys(home)
    texts = [keys.make_token(name, "admin") for name in ("b", "a")]
    kept = (home / "tokens").read_text()
    assert not [text for text in texts if text in kept or text[4:] in kept]
    assert (home / "tokens").stat().st_mode & 0o777 == 0o600
    assert [(token.name, token.role) for token in keys.tokens()] == [("b", "admin"), ("a", "admin")]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", keys.tokens()[0].created)


def test_revoked_token_is_nobody(home):
    """A revoked token no longer counts, in other processes within a second; its name may be used again."""
    keys, elsewhere = open_keys(home), open_keys(home)
    token = keys.make_token("app", "predict")
    time.sleep(watched.LAG_SECONDS + 0.1)
    assert elsewhere.bearer(token)
    with pytest.raises(UsageError, match="there is a token 'app' already"):
        keys.make_token("app", "predict")
    keys.revoke_token("app")
    assert keys.bearer(token) is None
    time.sleep(watched.LAG_SECONDS + 0.1)
    assert elsewhere.bearer(token) is None
    with pytest.raises(NotFound, match="no token 'app'"):
        keys.revoke_token("app")
    assert keys.make_token("app", "predict") != token


@pytest.mark.parametrize("name", ["", "a b", "a]", "x" * 65, "-x", "../x", "ü", "a\n[b]"])
def test_names_that_cannot_be_one(home, name):
    """A name that would not stand in the file as it is, is refused for keys and tokens."""
    for make in (open_keys(home).make, open_keys(home).make_token):
        with pytest.raises(UsageError, match="is no name"):
            make(name, "predict")


GOOD = SECTION.format("default", "AKIAONE", "s3cret", "admin")
DAMAGED = {
    "before a section": ("aws_access_key_id = x\n" + GOOD, "line 1"),
    "no assignment": (GOOD + "s3cret\n", "line 5"),
    "section twice": (GOOD + GOOD, "line 5"),
    "key twice": (GOOD + "role = admin\n", "line 5"),
    "no id": (SECTION.format("ci", "", "s3cret", "admin"), r"section \[ci\]"),
    "odd id": (SECTION.format("ci", "a/b", "s3cret", "admin"), r"section \[ci\]"),
    "no secret": ("[ci]\naws_access_key_id = x\nrole = admin\n", r"section \[ci\]"),
    "two lines": (SECTION.format("ci", "x", "s3cret\n  more", "admin"), r"section \[ci\]"),
    "no role": ("[ci]\naws_access_key_id = x\naws_secret_access_key = s3cret\n", r"section \[ci\], has the role ''"),
    "other role": (SECTION.format("ci", "x", "s3cret", "root"), r"section \[ci\], has the role 'root'"),
    "odd name": (SECTION.format("profile ci", "x", "s3cret", "admin"), r"section \[profile ci\]"),
    "id twice": (GOOD + SECTION.format("ci", "AKIAONE", "other", "predict"), r"access key id of \[default\]"),
    "secret twice": (GOOD + SECTION.format("ci", "x", "s3cret", "predict"), r"secret of \[default\]"),
}


@pytest.mark.parametrize(("text", "told"), DAMAGED.values(), ids=DAMAGED)
def test_damaged_credentials_are_told_with_their_place(home, text, told):
    """A file that cannot be understood names line or section, and shows no secret; nothing is written over it."""
    write(home, text)
    with pytest.raises(ConfigError, match=told) as caught:
        open_keys(home)
    assert "s3cret" not in str(caught.value)
    assert (home / "credentials").read_text() == text


def test_plain_aws_file_is_the_admins(home):
    """A [default] section without a role, as AWS writes it, is the admin's."""
    write(home, "[default]\naws_access_key_id = x\naws_secret_access_key = a+b/c=\n")
    assert open_keys(home).default().role == "admin"


def test_file_damaged_while_running_changes_nothing(home):
    """A server goes on with what it knew, warns, writes nothing over it, and reads the file when it is mended."""
    keys = open_keys(home)
    key = keys.default()
    good = (home / "credentials").read_text()
    write(home, "[default\n" + good)
    assert keys.default() == keys.find(key.id) == key
    assert keys.find("unknown") is None
    (warning,) = keys.warnings()
    assert "line 1" in warning
    assert "still counts" in warning
    with pytest.raises(ConfigError, match="line 1"):
        keys.make("ci", "admin")
    write(home, good)
    assert keys.warnings() == []


def test_file_open_to_others_is_warned_of(home):
    """A file that other users can read is named with its mode, and used as it is."""
    keys = open_keys(home)
    keys.default()
    (home / "credentials").chmod(0o644)
    (warning,) = keys.warnings()
    assert "mode 644" in warning
    assert (home / "credentials").stat().st_mode & 0o777 == 0o644


def test_damaged_tokens_are_told_with_their_line(home):
    """A line of the tokens' file that is no token is named by its number."""
    open_keys(home).make_token("app", "admin")
    with (home / "tokens").open("a") as file:
        file.write('{"name": "x"}\n')
    with pytest.raises(ConfigError, match="line 2, is no token"):
        open_keys(home)


def test_files_that_are_not_text_or_not_files_are_told(home):
    """Bytes that are no UTF-8, and a folder in the file's place, are errors of configuration."""
    file = write(home, "")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        open_keys(home)
    file.unlink()
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        open_keys(home)


def test_key_that_cannot_be_written_is_a_store_error(home, monkeypatch):
    """A full disk leaves no half-written file behind."""

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        open_keys(home).default()
    assert {path.name for path in home.iterdir()} == {"access.lock"}


def test_secret_shows_in_no_text(home):
    """A key's text, as a log would have it, holds its id and not its secret."""
    key = open_keys(home).default()
    assert key.id in repr(key)
    assert key.secret not in repr(key)
    assert base64.b64encode(key.secret.encode()).decode() not in repr(key)


# The commands


def lines_of(told):
    """Return the variables that export lines set."""
    assert told.code == 0, told.err
    words = [shlex.split(line) for line in told.out.splitlines()]
    assert {first for first, _ in words} == {"export"}
    return dict(setting.split("=", 1) for _, setting in words)


def test_env_prints_export_lines(tmp_path):
    """`env` prints export lines and nothing else, without a project file, too; --json has the same names."""
    variables = lines_of(understudy("env", "--project", tmp_path))
    key = open_keys(tmp_path / ".understudy").default()
    assert variables == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:8080",
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    assert understudy("env", "--project", tmp_path, "--json").json == variables
    assert lines_of(understudy("env", "--project", tmp_path, "--quiet")) == variables


@pytest.mark.parametrize(
    ("serve", "url"),
    [
        ('host = "0.0.0.0"\nport = 9000', "http://127.0.0.1:9000"),
        ('host = "::"', "http://[::1]:8080"),
        ('host = "fe80::1"', "http://[fe80::1]:8080"),
        ('host = "ml.local"', "http://ml.local:8080"),
        ('public_url = "https://ml.example/"', "https://ml.example"),
    ],
)
def test_env_knows_where_the_server_is(tmp_path, serve, url):
    """The address is [serve]'s public one, or host and port as this machine reaches them."""
    (tmp_path / "understudy.toml").write_text(f'name = "x"\n[extract]\nfiles = "x.csv"\n[serve]\n{serve}\n')
    assert lines_of(understudy("env", "--project", tmp_path))["AWS_ENDPOINT_URL"] == url


def test_env_takes_names_and_roles(tmp_path):
    """--key names a key, --role alone is the key of that name; a contradiction or a wrong role is wrong usage."""
    predict = lines_of(understudy("env", "--project", tmp_path, "--role", "predict"))
    keys = open_keys(tmp_path / ".understudy")
    assert keys.find(predict["AWS_ACCESS_KEY_ID"]).caller.role == "predict"
    assert lines_of(understudy("env", "--project", tmp_path, "--key", "predict")) == predict
    assert lines_of(understudy("env", "--project", tmp_path, "--key", "new")) != predict
    assert keys.make("new", "admin")
    assert understudy("env", "--project", tmp_path, "--key", "new", "--role", "predict").code == 2
    assert understudy("env", "--project", tmp_path, "--role", "root").code == 2


def test_env_with_a_broken_project_is_wrong_usage(tmp_path):
    """A project file that is broken, or a folder that is not there, is an error; nothing is made."""
    (tmp_path / "understudy.toml").write_text("name =")
    assert understudy("env", "--project", tmp_path).code == 2
    assert understudy("env", "--project", tmp_path / "nowhere").code == 2
    assert not (tmp_path / ".understudy").exists()


def test_env_warns_beside_its_lines(tmp_path):
    """Warnings go to standard error, so that a shell may evaluate the output."""
    understudy("env", "--project", tmp_path)
    (tmp_path / ".understudy" / "credentials").chmod(0o644)
    told = understudy("env", "--project", tmp_path)
    assert "mode 644" in told.err
    assert lines_of(told)


def test_env_says_that_a_key_is_new_where_no_server_runs(tmp_path):
    """In a folder by mistake a key is of no use to anybody: that it was made there is said once, and what to do."""
    told = understudy("env", "--project", tmp_path)
    assert f"made a new key in {tmp_path / '.understudy'}; no server runs from here" in told.err
    assert "--project" in told.err
    assert understudy("env", "--project", tmp_path).err == ""
    assert "made a new key" in understudy("env", "--project", tmp_path, "--key", "shop").err


def test_env_of_a_server_that_runs_has_its_address(tmp_path):
    """Where a server of the folder runs, its own address counts, and a new key is nothing to be told of."""
    with announced(tmp_path / ".understudy", "http://0.0.0.0:4711"):
        told = understudy("env", "--project", tmp_path)
    assert lines_of(told)["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4711"
    assert told.err == ""


def test_env_of_a_free_port_says_so(tmp_path):
    """Port 0 is known only when the server runs; a note says where to find it."""
    (tmp_path / "understudy.toml").write_text('name = "x"\n[extract]\nfiles = "x.csv"\n[serve]\nport = 0\n')
    assert "understudy serve" in understudy("env", "--project", tmp_path).err


def test_token_is_made_listed_and_revoked(tmp_path):
    """`token NAME` prints the token alone, `token` lists, `--revoke` takes away; each has its document."""
    here = ("--project", tmp_path)
    assert "There are no tokens" in understudy("token", *here).out
    text = understudy("token", "app", "--role", "predict", *here).out.strip()
    assert open_keys(tmp_path / ".understudy").bearer(text) == Caller("app", "predict", None)
    assert understudy("token", *here).out.startswith("app  predict  20")
    assert understudy("token", "ci", "--json", *here).json.keys() == {"name", "role", "token"}
    (app, ci) = understudy("token", "--json", *here).json["tokens"]
    assert (app["name"], ci["name"], ci["role"]) == ("app", "ci", "admin")
    assert understudy("token", "app", *here).code == 2
    assert understudy("token", "app", "--revoke", "--json", *here).json == {"name": "app", "revoked": True}
    assert "is revoked" in understudy("token", "ci", "--revoke", *here).out
    assert understudy("token", "app", "--revoke", *here).code == 2
    assert understudy("token", "--revoke", *here).code == 2
