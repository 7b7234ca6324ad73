// The page's own script: sets what has changed, and tells the gateway what a person does.
// Nodes are made when the layout changes and then kept; a push only sets texts and classes.
"use strict";
const desk = (() => {
  // From the strike outwards; gateway/skeleton.py has the same order in the header.
  const ORDER = ["bid", "ask", "ltp", "change", "iv", "delta", "theta", "volume", "oi", "oi_change"];
  const $ = (id) => document.getElementById(id);
  const nodes = new Map(); // id → element, as long as it is in the document
  let heardAt = 0;
  let look = null; // the layout on screen
  let ticket = { symbol: "", side: "BUY", review: false, asked: 0 };

  function node(id) {
    let found = nodes.get(id);
    if (!found || !found.isConnected) {
      found = $(id);
      if (found) nodes.set(id, found);
    }
    return found;
  }

  function make(tag, attributes, text) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    if (text !== undefined) made.append(text); // a text node, so that a push can set it in place
    return made;
  }

  function setText(element, text) {
    const first = element.firstChild;
    if (first && first.nodeType === Node.TEXT_NODE) first.nodeValue = text;
    else element.textContent = text;
  }

  // ---- what the gateway pushes

  function apply(message) {
    heardAt = performance.now();
    document.body.classList.remove("lost");
    if (message.layout !== undefined) build(message.layout);
    for (const [id, text] of Object.entries(message.texts)) {
      const element = node(id);
      if (element) setText(element, text);
    }
    for (const [id, name] of Object.entries(message.classes)) {
      const element = node(id);
      if (element) element.className = name;
    }
    for (const [name, rows] of Object.entries(message.tables)) fill(name, rows);
  }

  function build(layout) {
    nodes.clear();
    look = layout;
    $("chain-empty").hidden = layout !== null;
    const tabs = layout === null ? [] : layout.expiries.map(([day, label]) => {
      const tab = make("button", { id: `expiry-${day}`, class: "tab", "data-expiry": day });
      tab.append(make("b", {}, label), make("span", { id: `expiry-${day}-left` }, ""));
      return tab;
    });
    $("expiries").replaceChildren(...tabs);
    $("chain-body").replaceChildren(...(layout === null ? [] : layout.rows.map(chainRow)));
    requestAnimationFrame(centre);
  }

  function chainRow([strike, label, call, put]) {
    const row = make("tr", { id: `row-${strike}` });
    const cells = (symbol) => ORDER.map((column) => {
      const attributes = { class: `c-${column}` };
      if (symbol) Object.assign(attributes, { id: `cell-${symbol}-${column}`, "data-symbol": symbol, "data-column": column });
      return make("td", attributes, symbol ? "–" : "");
    });
    const calls = cells(call);
    calls.reverse().forEach((cell) => cell.setAttribute("data-side", "call"));
    const puts = cells(put);
    puts.forEach((cell) => cell.setAttribute("data-side", "put"));
    row.append(...calls, make("th", { class: "strike" }, label), ...puts);
    return row;
  }

  function centre() {
    const atm = document.querySelector("#chain-body tr.atm");
    const box = $("chain-box");
    if (atm) box.scrollTop = atm.offsetTop - box.clientHeight / 2;
    else if (look) setTimeout(centre, 100);
  }

  function fill(name, rows) {
    const table = $(name);
    const columns = table.dataset.columns.split(" ");
    const body = table.tBodies[0];
    const keep = new Map([...body.rows].map((row) => [row.id, row]));
    let before = body.firstChild;
    for (const { key, class: className, cells } of rows) {
      const id = `${name}-${key}`;
      let row = keep.get(id);
      if (!row) {
        row = make("tr", { id });
        for (const column of columns) row.append(make("td", { id: `${id}-${column}` }, ""));
      }
      keep.delete(id);
      if (row !== before) body.insertBefore(row, before);
      else before = row.nextSibling;
      if (row.className !== className) row.className = className;
      cells.forEach(([text, cellClass], at) => setCell(row.cells[at], text, cellClass, key));
    }
    for (const row of keep.values()) row.remove();
    table.parentElement.classList.toggle("none", rows.length === 0);
  }

  function setCell(cell, text, className, key) {
    if (cell.className !== className) cell.className = className;
    if (className.startsWith("bar")) {
      cell.style.setProperty("--share", text);
    } else if (className === "cancel") {
      if (!cell.querySelector("button")) cell.replaceChildren(make("button", { "data-cancel": key, id: `cancel-${key}` }, "cancel"));
    } else if (cell.textContent !== text) {
      cell.textContent = text;
      cell.title = className === "said" ? text : "";
    }
  }

  // ---- answers to what a person did

  function say(answer) {
    if (answer.about === "margin") {
      if (answer.asked !== ticket.asked) return; // an older question's answer
      for (const name of ["quantity", "premium", "span", "exposure", "margin", "charges", "estimate"])
        setText($(`ticket-${name}`), answer.failed ? (name === "estimate" ? "" : "–") : answer[name]);
      if (answer.failed) message(answer.text, answer.tone);
      return;
    }
    message(answer.text, answer.tone);
    if (answer.about === "order") review(false);
  }

  function message(text, tone) {
    const out = $("ticket-message");
    setText(out, text);
    out.className = tone || "";
    out.title = text;
  }

  // ---- the ticket

  function order(action) {
    return {
      do: action, symbol: ticket.symbol, side: ticket.side, lots: $("ticket-lots").value,
      type: $("ticket-type").value, limit: $("ticket-limit").value, purpose: $("ticket-purpose").value, asked: ticket.asked,
    };
  }

  let asking = 0;
  function ask() {
    review(false);
    if (!ticket.symbol) return;
    clearTimeout(asking);
    ticket.asked += 1;
    asking = setTimeout(() => emitEvent("desk", order("margin")), 150);
  }

  function choose(side) {
    ticket.side = side;
    $("ticket-buy").className = side === "BUY" ? "on" : "";
    $("ticket-sell").className = side === "SELL" ? "on" : "";
    $("ticket").dataset.side = side;
    ask();
  }

  function review(on) {
    ticket.review = on;
    const send = $("ticket-send");
    send.disabled = !ticket.symbol;
    setText(send, on ? `Confirm ${ticket.side} ${$("ticket-lots").value} lot(s)` : "Review order");
    send.className = on ? ticket.side.toLowerCase() : "";
  }

  function take(cell) {
    const { symbol, column } = cell.dataset;
    ticket.symbol = symbol;
    setText($("ticket-symbol"), symbol);
    const price = cell.textContent.replaceAll(",", "");
    $("ticket-limit").value = /^[\d.]+$/.test(price) ? price : "";
    message("", "");
    choose(column === "bid" ? "SELL" : "BUY");
    $("ticket-lots").focus();
    $("ticket-lots").select();
  }

  function clear() {
    ticket.symbol = "";
    setText($("ticket-symbol"), "click a price in the chain");
    for (const name of ["quantity", "premium", "span", "exposure", "margin", "charges"]) setText($(`ticket-${name}`), "–");
    setText($("ticket-estimate"), "");
    message("", "");
    review(false);
  }

  // ---- what a person does; one listener each on the document, since rows come and go

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest(selector);
    let hit;
    if ((hit = at("[data-index]"))) emitEvent("desk", { do: "index", index: hit.dataset.index });
    else if ((hit = at("[data-expiry]"))) emitEvent("desk", { do: "expiry", expiry: hit.dataset.expiry });
    else if ((hit = at("[data-cancel]"))) emitEvent("desk", { do: "cancel", tag: hit.dataset.cancel });
    else if ((hit = at("td.c-bid[data-symbol], td.c-ask[data-symbol], td.c-ltp[data-symbol]"))) take(hit);
    else if (at("#ticket-buy")) choose("BUY");
    else if (at("#ticket-sell")) choose("SELL");
    else if (at("#exit-all")) $("exit-dialog").showModal();
    else if (at("#exit-cancel")) $("exit-dialog").close();
    else if (at("#exit-confirm")) {
      $("exit-dialog").close();
      emitEvent("desk", { do: "exit" });
    }
    if (!at("#columns")) $("columns")?.removeAttribute("open");
  });

  document.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.target.id !== "ticket" || !ticket.symbol) return;
    if (!ticket.review) return review(true);
    message("sending…", "");
    $("ticket-send").disabled = true; // until the answer: one click, one order
    emitEvent("desk", order("order"));
  });

  document.addEventListener("input", (event) => {
    if (event.target.dataset.column) showColumns();
    else if (event.target.closest("#ticket")) {
      $("ticket-limit").disabled = $("ticket-type").value === "MARKET";
      ask();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === "SELECT") return;
    if (event.key === "Escape") clear();
    else if (event.key === "b" || event.key === "B") choose("BUY");
    else if (event.key === "s" || event.key === "S") choose("SELL");
    else return;
    event.preventDefault();
  });

  // ---- columns, remembered by the browser

  function showColumns() {
    const off = [...document.querySelectorAll("#columns input:not(:checked)")].map((box) => box.dataset.column);
    localStorage.setItem("vikalp-columns-off", off.join(" "));
    const shown = ORDER.length - off.length;
    document.querySelectorAll("#chain .sides th[colspan]").forEach((head) => (head.colSpan = Math.max(shown, 1)));
    $("chain").className = off.map((name) => `no-${name}`).join(" ");
  }

  function started() {
    if (!$("columns") || !$("ticket")) return setTimeout(started, 50);
    const off = (localStorage.getItem("vikalp-columns-off") || "").split(" ");
    document.querySelectorAll("#columns input").forEach((box) => (box.checked = !off.includes(box.dataset.column)));
    showColumns();
  }
  document.addEventListener("DOMContentLoaded", started);

  // The clock is pushed every second: silence means that the gateway, or the way to it, is gone.
  setInterval(() => {
    if (heardAt && performance.now() - heardAt > 3000) document.body.classList.add("lost");
  }, 1000);

  return { apply, say };
})();
