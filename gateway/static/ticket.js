// What a person does: the order ticket, cancel, exit-all, what to look at; and the desk's answers to it.
"use strict";
const ticket = (() => {
  const COSTS = ["quantity", "premium", "span", "exposure", "margin", "charges"];
  const MOST_LOTS = 10000; // gateway/models.py
  const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; // as core/orders/tag.py writes a tag
  const INDEX = "vikalp-index"; // the index a person looked at last, remembered by the browser
  let now = { symbol: "", index: "", side: "", tick: 5, review: false, sending: false, asked: 0, tag: "", sent: "", strategy: "" };

  // ---- answers

  function say(answer) {
    if (answer.about === "margin") {
      if (answer.asked !== now.asked || !now.symbol) return; // an older question's answer
      for (const name of [...COSTS, "estimate"])
        setText($(`ticket-${name}`), answer.failed ? (name === "estimate" ? "" : "–") : answer[name]);
      if (answer.failed) message(answer.text, answer.tone);
      return;
    }
    if (answer.about === "order") {
      if (answer.tag !== now.sent) return message(answer.text, answer.tone); // this ticket was given up
      Object.assign(now, { sending: false, sent: "" });
      if (answer.unanswered && answer.tag === now.tag) again(); // sent or not: the same order, by the same tag
      else if (answer.unanswered || answer.failed) review(false); // changed meanwhile, or no order: it can be mended
      else clear();
    }
    message(answer.text, answer.tone);
  }

  function message(text, tone) {
    setText($("ticket-message"), text);
    $("ticket-message").className = tone || "";
  }

  function tell(asked) {
    const told = connection.tell(asked);
    if (!told) message("no connection to the desk: nothing was sent", "bad");
    return told;
  }

  // ---- the ticket

  function order(action) {
    return {
      do: action, symbol: now.symbol, side: now.side, lots: $("ticket-lots").value,
      type: $("ticket-type").value, limit: $("ticket-limit").value, trigger: $("ticket-trigger").value,
      purpose: $("ticket-purpose").value, product: $("ticket-product").value, strategy: now.strategy, asked: now.asked,
      tag: now.tag,
    };
  }

  // What risk would say of an entry or a hedge on quotes that are no prices now; gateway/view.py, strip.
  function cached() {
    const age = $(`strip-${now.index}-age`);
    if ($("ticket-purpose").value === "exit" || connection.lost() || !age?.classList.contains("bad")) return null;
    return [`${now.index} is ${age.textContent}: ${$("what-passes").textContent}`, "ticket-purpose"];
  }

  // Why the ticket cannot be sent, and the field that says it; null when it can.
  function wrong() {
    if (cached()) return cached();
    if (!now.side) return ["side: BUY or SELL", "ticket-buy"];
    const lots = $("ticket-lots").value.trim();
    if (!/^\d+$/.test(lots) || Number(lots) < 1) return ["lots: a whole number of 1 or more", "ticket-lots"];
    if (Number(lots) > MOST_LOTS) return [`lots: at most ${MOST_LOTS} in one order`, "ticket-lots"];
    const prices = { MARKET: [], LIMIT: ["limit"], SL: ["trigger", "limit"] }[$("ticket-type").value];
    const none = prices.find((name) => !onTick($(`ticket-${name}`).value));
    return none ? [`${none}: a multiple of ${(now.tick / 100).toFixed(2)} above 0`, `ticket-${none}`] : null;
  }

  function onTick(typed) {
    const rupees = typed.trim().replaceAll(",", "");
    const paise = /^\d+(\.\d{1,2})?$/.test(rupees) ? Math.round(Number(rupees) * 100) : 0;
    return paise > 0 && paise % now.tick === 0;
  }

  let asking = 0;
  function ask() {
    review(false);
    now.tag = ""; // a changed ticket is another order
    clearTimeout(asking);
    now.asked += 1; // an answer to what the ticket said before is no answer to this
    COSTS.forEach((name) => setText($(`ticket-${name}`), "–"));
    setText($("ticket-estimate"), "");
    if (now.symbol && !now.sending && !wrong()) asking = setTimeout(() => connection.tell(order("margin")), 150);
  }

  function choose(side) {
    now.side = side;
    $("ticket-buy").className = side === "BUY" ? "on" : "";
    $("ticket-sell").className = side === "SELL" ? "on" : "";
    $("ticket").dataset.side = side;
    ask();
  }

  // The order's one identity, made before anything is sent: whatever is asked with it again is the same order.
  function newTag() {
    return Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => BASE32[byte % 32]).join("");
  }

  function again() {
    const tag = now.tag;
    review(true);
    now.tag = tag;
    setText($("ticket-send"), "Send again");
  }

  function review(on) {
    now.review = on;
    if (on) now.tag = newTag();
    const send = $("ticket-send");
    send.disabled = !now.symbol || now.sending;
    setText(send, on ? `Confirm ${now.side} ${$("ticket-lots").value.trim()} lot(s)` : "Review order");
    send.className = on ? now.side.toLowerCase() : "";
  }

  function take(cell) {
    const { symbol, column } = cell.dataset;
    const price = cell.textContent.replaceAll(",", "");
    Object.assign(now, { symbol, index: $("chain-index").textContent, tick: desk.tick(), sending: false, sent: "", strategy: "" });
    setText($("ticket-symbol"), symbol);
    setText($("ticket-of"), "");
    $("ticket-limit").value = /^[\d.]+$/.test(price) ? price : "";
    const why = cached();
    message(why ? why[0] : "", why ? "bad" : "");
    choose(column === "bid" ? "SELL" : "BUY");
    $("ticket-lots").focus();
    $("ticket-lots").select();
  }

  // The way out of a position, as a ticket to be reviewed: all of it, from the book of whoever holds it.
  function leave(button) {
    const { lots, limit, side, ...of } = JSON.parse(button.dataset.leave);
    clear();
    Object.assign(now, of);
    setText($("ticket-symbol"), of.symbol);
    setText($("ticket-of"), of.strategy === "manual" ? "" : `of ${of.strategy}`);
    $("ticket-lots").value = lots;
    $("ticket-limit").value = limit;
    $("ticket-purpose").value = "exit";
    $("ticket-product").value = of.product;
    choose(side);
    $("ticket-limit").focus();
    $("ticket-limit").select();
  }

  function types() {
    $("ticket-limit").disabled = $("ticket-type").value === "MARKET";
    $("ticket-trigger-box").hidden = $("ticket-type").value !== "SL";
  }

  function clear() {
    Object.assign(now, { symbol: "", sending: false, sent: "", strategy: "" });
    setText($("ticket-symbol"), "click a price in the chain");
    setText($("ticket-of"), "");
    $("ticket-lots").value = "1";
    $("ticket-type").value = "LIMIT";
    $("ticket-purpose").value = "entry";
    $("ticket-product").value = "NRML";
    $("ticket-limit").value = "";
    $("ticket-trigger").value = "";
    types();
    message("", "");
    choose("");
  }

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "ticket") return;
    event.preventDefault();
    if (!now.symbol || now.sending) return;
    const why = wrong();
    if (why) {
      review(false);
      message(why[0], "bad");
      return $(why[1]).focus();
    }
    if (!now.review) {
      message("", "");
      return review(true);
    }
    if (!tell(order("order"))) return review(false);
    Object.assign(now, { sending: true, sent: now.tag }); // until the answer: one confirmation, one order
    review(false);
    message("sending…", "");
  });

  // ---- what is looked at

  function look(index) {
    if (tell({ do: "index", index })) localStorage.setItem(INDEX, index);
  }

  let restored = false;
  function restore() {
    if (restored) return;
    restored = true;
    const index = localStorage.getItem(INDEX);
    if (index && $(`index-tab-${index}`)) connection.tell({ do: "index", index });
  }

  // ---- one listener each on the document, since rows come and go

  const CLICKS = [
    ["[data-index]", (hit) => look(hit.dataset.index)],
    ["[data-expiry]", (hit) => tell({ do: "expiry", expiry: hit.dataset.expiry })],
    ["[data-cancel]", (hit) => tell({ do: "cancel", tag: hit.dataset.cancel })],
    ["[data-modify]", (hit) => steer.modify(hit)],
    ["[data-leave]", (hit) => leave(hit)],
    ["[data-end]", (hit) => steer.end(hit)],
    ["[data-close]", (hit) => $(hit.dataset.close).close()],
    ["td.c-bid[data-symbol], td.c-ask[data-symbol], td.c-ltp[data-symbol]", take],
    ["#ticket-buy", () => choose("BUY")],
    ["#ticket-sell", () => choose("SELL")],
    ["#exit-all", () => $("exit-dialog").showModal()],
    ["#exit-cancel", () => $("exit-dialog").close()],
    ["#exit-confirm", () => ($("exit-dialog").close(), tell({ do: "exit" }))],
    ["#orders tbody tr, #plans tbody tr, #trouble, #ticket-message", (hit) => hit.toggleAttribute("data-open")], // the whole text
  ];

  document.addEventListener("click", (event) => {
    for (const [selector, act] of CLICKS) {
      const hit = event.target.closest(selector);
      if (hit) {
        act(hit);
        break;
      }
    }
    for (const id of ["columns", "kill-more"]) if (!event.target.closest(`#${id}, #kill`)) $(id)?.removeAttribute("open");
  });

  document.addEventListener("input", (event) => {
    if (!event.target.closest("#ticket")) return;
    types();
    ask();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT") return;
    if (document.querySelector("dialog[open]") || event.target.closest?.("#killed, .kill")) return; // Esc closes it, words are typed
    if (event.key === "Escape") clear();
    else if (event.key === "b" || event.key === "B") choose("BUY");
    else if (event.key === "s" || event.key === "S") choose("SELL");
    else return;
    event.preventDefault();
  });

  return { say, restore, tell, message };
})();
