# ruff: noqa: E501  a tag broken over lines gains white space on screen
"""The page's dialogs: what they ask before anything is sent, and the kill switch with its bar."""

from gateway.panels import TABLES

HOLD_MS = 1500  # how long the kill switch is held until it acts
RING = 2 * 3.1416 * 9  # of the progress ring, px


def kill_switch() -> str:
    """Held with pointer or keyboard it acts; what goes with it is beside it, so that it needs no second window."""
    return f"""
<span class="kill"><button id="kill" type="button" data-hold="{HOLD_MS}" aria-describedby="kill-how" title="hold for 1.5 s: no new orders, every order cancelled, until a person releases it">
<svg viewBox="0 0 22 22" aria-hidden="true"><circle cx="11" cy="11" r="9"></circle><circle id="kill-ring" cx="11" cy="11" r="9" stroke-dasharray="{RING:.1f}" style="--ring: {RING:.1f}"></circle></svg><span><span class="wide">Hold to </span>KILL</span></button>
<details id="kill-more"><summary aria-label="reason and square-off of the kill switch">▾</summary><div>
<label>Why <input id="kill-why" maxlength="200" value="from the page"></label>
<label><input id="kill-square-off" type="checkbox"> also close every position, shorts first</label>
<p id="kill-how" class="dim">Hold the button, or Space or Enter on it, for 1.5 s. Let go earlier and nothing happens.</p></div></details></span>
"""


def killed_bar() -> str:
    """Over the whole page while the kill switch is pulled; its release wants a reason."""
    return """
<section id="killed" role="alert"><strong>KILL SWITCH</strong><span id="killed-says"></span>
<form id="release" autocomplete="off"><label>To release it say why <input id="release-why" maxlength="200" required></label>
<button type="submit" id="release-send" disabled>Release</button><span>Orders are HALTED then; <code>vikalp resume</code> trades.</span></form></section>
"""


def all_of_them() -> str:
    """Exit all, other prices for an order, the end of a plan."""
    closing = "".join(f"<th>{label}</th>" for label in TABLES["closing"].values())
    return f"""
<dialog id="exit-dialog" class="grave"><p id="exit-says"></p>
<div class="closing"><table id="closing" data-columns="{" ".join(TABLES["closing"])}"><thead><tr>{closing}</tr></thead><tbody></tbody></table>
<p class="empty">No position is open.</p></div>
<div class="choice"><button id="exit-cancel">No, keep them</button><button id="exit-confirm" class="danger">Yes, cancel and exit all</button></div></dialog>
<dialog id="modify-dialog"><form id="modify" method="dialog" autocomplete="off" novalidate><p id="modify-says"></p>
<div class="prices"><label id="modify-trigger-box">Trigger ₹ <input id="modify-trigger" inputmode="decimal"></label><label>Limit ₹ <input id="modify-limit" inputmode="decimal"></label></div>
<p id="modify-message" role="status" class="bad"></p>
<div class="choice"><button type="button" data-close="modify-dialog">Leave it</button><button type="submit" id="modify-send">Modify order</button></div></form></dialog>
<dialog id="end-dialog" class="grave"><form id="end" method="dialog" autocomplete="off"><p id="end-says"></p>
<label>Why <input id="end-why" maxlength="200" required value="from the page"></label>
<div class="choice"><button type="button" data-close="end-dialog">No, let it run</button><button type="submit" id="end-send" class="danger">Yes, end it</button></div></form></dialog>
"""
