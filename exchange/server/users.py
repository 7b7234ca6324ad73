"""Login, session, profile (kite.md §1)."""

from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.market import from_ns
from exchange.accounts import EXCHANGES, ORDER_TYPES, PRODUCTS, Session, User
from exchange.refusal import KiteError, bad_input
from exchange.server.call import call, form, world_of
from exchange.server.reply import success

PAGE = """<!doctype html><meta charset="utf-8"><title>Local exchange: login</title>
<body style="font-family: system-ui; max-width: 28rem; margin: 4rem auto">
<h1>Local exchange</h1><p>An invented market. No money, no account: <b>{name}</b> ({user_id}).</p>
<form method="post"><button>Log in</button></form></body>"""


async def login(request: Request) -> Response:
    """GET: the login page; POST, or a page that is set to log in at once: back to the app with a request token."""
    world = world_of(request)
    user = world.accounts.by_key(request.query_params.get("api_key", ""))
    if request.method == "GET" and world.config.ask_login:
        return HTMLResponse(PAGE.format(name=escape(user.name), user_id=escape(user.user_id)))
    token = world.accounts.request_token(user.api_key, world.wall())
    answer = urlencode({"action": "login", "type": "login", "status": "success", "request_token": token})
    more = request.query_params.get("redirect_params", "")
    return RedirectResponse(f"{user.redirect_url}?{answer}{'&' + more if more else ''}", status_code=302)


async def open_session(request: Request) -> Response:
    """POST /session/token."""
    world, fields = world_of(request), await form(request)
    missing = [name for name in ("api_key", "request_token", "checksum") if not fields.get(name)]
    if missing:
        raise bad_input(f"Missing or empty field `{missing[0]}`")
    session = world.accounts.exchange_token(
        fields["api_key"], fields["request_token"], fields["checksum"], world.clock.now_ns(), wall_ns=world.wall()
    )
    return success(
        {
            **identity(session.user),
            "api_key": session.user.api_key,
            "access_token": session.access_token,
            "public_token": session.public_token,
            "enctoken": "",
            "refresh_token": "",
            "silo": "",
            "login_time": from_ns(session.login_ns).strftime("%Y-%m-%d %H:%M:%S"),
        }
    )


async def close_session(request: Request) -> Response:
    """DELETE /session/token: logging out of a dead session is no error."""
    world_of(request).accounts.logout(request.query_params.get("access_token", ""))
    return success(data=True)


async def renew(_: Request) -> Response:
    """POST /session/refresh_token is for approved platforms alone."""
    raise KiteError(403, "PermissionException", "Refreshing a session is not available to this app.")


@call("other")
async def profile(_: Request, session: Session) -> dict[str, object]:
    return identity(session.user)


def identity(user: User) -> dict[str, object]:
    return {
        "user_id": user.user_id,
        "user_type": "individual",
        "email": user.email,
        "user_name": user.name,
        "user_shortname": user.name.split()[0],
        "broker": "ZERODHA",
        "exchanges": EXCHANGES,
        "products": PRODUCTS,
        "order_types": ORDER_TYPES,
        "avatar_url": None,
        "meta": {"demat_consent": "physical"},
    }
