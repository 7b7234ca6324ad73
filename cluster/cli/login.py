"""`vikalp login`: the day's session at Kite, kept encrypted; `login status`, `login logout`."""

# Imported where used: a command that does not need Kite's client starts at once; a flag is a boolean.
# ruff: noqa: PLC0415, PLR0917, FBT002

import secrets
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cluster.cli.options import Config, Json, desk_option
from cluster.cli.out import out, print_json, say
from cluster.cli.world import world
from core.errors import BrokerDown

if TYPE_CHECKING:
    from brokers.kite.login import Login
    from cluster.settings import Settings
    from storage.secrets import Lock, Secrets

Action = Annotated[
    Literal["status", "logout"] | None,
    typer.Argument(
        help="Nothing: log in; status: whose session, until when, and whether Kite takes it; logout: end it at Kite "
        "and remove the file with it and the api secret.",
        show_default=False,
    ),
]
Root = Annotated[
    str,
    typer.Option(
        "--root", help="Instead of the settings' kite.root, such as http://127.0.0.1:8100.", show_default=False
    ),
]
ApiKey = Annotated[
    str, typer.Option("--api-key", help="Instead of the settings' kite.api_key, or the one kept.", show_default=False)
]
Token = Annotated[
    bool,
    typer.Option("--token", help="Ask for a token instead: access or request token, or the redirect's address."),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the login page's address, open nothing.")]
Port = Annotated[
    int, typer.Option("--port", min=1, max=65535, help="Of the app's redirect URL, http://127.0.0.1:5000/success.")
]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for the redirect.")]
OwnExchange = Annotated[
    int | None,
    desk_option("At the own exchange of that desk, after its token died.", show_default=False),
]
InKeyring = Annotated[
    bool, typer.Option("--keyring", help="Key from the system's keyring (package keyring), not from a passphrase.")
]


def login(
    context: typer.Context, action: Action = None, root: Root = "", api_key: ApiKey = "", token: Token = False,
    no_browser: NoBrowser = False, port: Port = 5000, timeout: Timeout = 300.0, keyring: InKeyring = False,
    config: Config = None, desk: OwnExchange = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Log in at Kite for the day: a person in a browser, once a day; the session is kept encrypted."""
    from brokers.kite.login import checked_root

    if desk is None and not root and not api_key:
        desk = _own_exchange(world(context).load(config))
    if desk is not None:
        from cluster.account import own_root

        root = own_root(desk)
    if not root:  # a root on the command line is another server than the settings' app is of
        settings = world(context).load(config).kite
        root, api_key = settings.root, api_key or settings.api_key
    root = checked_root(root)
    store = _store(root, keyring=keyring, new=action is None)
    kept = None if store is None else store.load()
    if action == "status":
        _status(root, kept, as_json=as_json)
        return
    if action == "logout":
        _logout(root, store, kept, as_json=as_json)
        return
    assert store is not None
    if desk is not None:
        from cluster.account import log_in_locally

        store.save(log_in_locally(root, time.time_ns()))
        say(f"desk {desk} is logged in at its own exchange, {root}")
        return
    app = _app(root, api_key, kept)
    found = _by_hand(app) if token else _by_browser(app, port, timeout, no_browser=no_browser)
    store.save(found)
    _show(found, as_json=as_json)
    say(f"kept encrypted in {store.path}")


def _own_exchange(settings: "Settings") -> int | None:
    """The only simulated desk that runs, where the settings name no account: its login is meant."""
    from cluster.state import running_desks

    if settings.market.source != "simulated" or settings.kite.api_key:
        return None
    simulated = [state.desk for state in running_desks() if state.mode == "SIMULATED"]
    return simulated[0] if len(simulated) == 1 else None


def _store(root: str, *, keyring: bool, new: bool) -> "Secrets[Login] | None":
    """The file with its lock, asked for; None when there is no file and none is to be made."""
    from brokers.kite.login import Login
    from cluster.account import LOCAL, is_own_exchange, login_path
    from storage.secrets import Keyring, Passphrase, Secrets, kind_at

    path = login_path(root)
    kind = kind_at(path)
    if kind is None and not new:
        return None
    lock: Lock
    if is_own_exchange(root):
        return Secrets(path, LOCAL, Login)
    if keyring or kind == "keyring":
        lock = Keyring(str(path))
    elif kind == "passphrase":
        lock = Passphrase(_secret("passphrase of the stored login"))
    else:
        say("the api secret and the session are kept encrypted; choose a passphrase for them (8 characters or more)")
        lock = Passphrase(_secret("new passphrase", confirm=True))
    return Secrets(path, lock, Login)


def _app(root: str, api_key: str, kept: "Login | None") -> "Login":
    """The app to log in with: what is kept, else what a person types."""
    from brokers.kite.login import Login

    own = kept.api_key if kept else ""
    key = api_key or own or str(typer.prompt("api key", err=True)).strip()
    secret = kept.api_secret if kept and key == own else ""
    return Login(root=root, api_key=key, api_secret=secret)


def _with_secret(app: "Login") -> "Login":
    """Only a request token needs it."""
    from dataclasses import replace

    return app if app.api_secret else replace(app, api_secret=_secret("api secret").strip())


def _by_browser(app: "Login", port: int, timeout: float, *, no_browser: bool) -> "Login":
    import webbrowser

    from brokers.kite.login import login_url
    from brokers.kite.redirect import Redirect
    from brokers.kite.session import open_session

    app = _with_secret(app)
    state = secrets.token_urlsafe(16)
    url = login_url(app.root, app.api_key, state)
    with Redirect(port, state) as redirect:
        if no_browser or not webbrowser.open(url):
            say(f"open this address in a browser on this machine: {url}")
        else:
            say(f"the login page is in your browser; if it is not: {url}")
        request_token = redirect.wait(timeout)
    return open_session(app, request_token, time.time_ns())


def _by_hand(app: "Login") -> "Login":
    """An access token if Kite knows it as one, else a request token: only one of them can be tried for nothing."""
    from brokers.kite.login import checked_token
    from brokers.kite.session import adopt, open_session

    token = checked_token(_secret("access token, request token or the redirect's address"))
    found = adopt(app, token, time.time_ns())
    if found is not None:
        return found
    say("no session has that access token; trying it as a request token")
    return open_session(_with_secret(app), token, time.time_ns())


def _status(root: str, kept: "Login | None", *, as_json: bool) -> None:
    """Exit code 1 unless Kite takes the session now."""
    from brokers.kite.login import Login

    found = kept or Login(root=root, api_key="")
    why = found.why_not(time.time_ns())
    if not why:
        why = _asked(found)
    _show(found, why=why, as_json=as_json)
    if why:
        raise typer.Exit(1)


def _asked(found: "Login") -> str:
    from brokers.kite.session import is_alive

    try:
        return "" if is_alive(found) else f"Kite has ended the session of {found.user_id} at {found.root}"
    except BrokerDown as error:
        return f"whether it lives is not known: {error}"


def _logout(root: str, store: "Secrets[Login] | None", kept: "Login | None", *, as_json: bool) -> None:
    from brokers.kite.session import close_session

    if store is None or kept is None:
        if as_json:
            print_json({"root": root, "removed": None})
        else:
            say(f"nobody is logged in at {root}")
        return
    if not kept.why_not(time.time_ns()):
        try:
            close_session(kept)
        except BrokerDown as error:
            raise BrokerDown(
                f"{error}; the session lives on, so {store.path} stays: try again, or end it in Kite's own web "
                "page and remove that file"
            ) from None
    store.remove()
    if as_json:
        print_json({"root": root, "removed": str(store.path)})
    else:
        say(f"logged out of {root}: {store.path} is removed")


def _show(found: "Login", *, why: str = "", as_json: bool) -> None:
    """Everything but the secrets."""
    from brokers.kite.login import moment, remedy
    from core.market import from_ns

    if as_json:
        shown: dict[str, Any] = {name: getattr(found, name) for name in ("root", "api_key", "user_id", "user_name")}
        for name, ns in (("login", found.login_ns), ("expires", found.expires_ns)):
            shown[name] = from_ns(ns).isoformat() if ns else None
        print_json(shown | {"valid": not why, "why": why})
        return
    if why:
        out().print(f"{why}: {remedy(found.root)}", markup=False, soft_wrap=True)
        return
    who = f"{found.user_id} ({found.user_name})" if found.user_name else found.user_id
    since = f", logged in {moment(found.login_ns)} by its clock" if found.login_ns else ""
    text = f"{who} at {found.root}{since}, valid until {moment(found.expires_ns)}"
    out().print(text, markup=False, soft_wrap=True)


def _secret(what: str, *, confirm: bool = False) -> str:
    """Typed unseen, asked for on stderr; never an argument."""
    return str(typer.prompt(what, hide_input=True, confirmation_prompt=confirm, err=True))


COMMANDS = {"login": login}
