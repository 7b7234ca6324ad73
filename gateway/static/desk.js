// The page's own script: sets what has changed, and says when nothing is heard any more.
// Nodes are made when the layout changes and then kept; a push only sets texts and classes.
"use strict";
const $ = (id) => document.getElementById(id);

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
  if (element.dataset.title !== undefined) element.title = text; // it may be shown on one line
}

const desk = (() => {
  const nodes = new Map(); // id → element, as long as it is in the document
  let look = null; // the layout on screen

  function node(id) {
    let found = nodes.get(id);
    if (!found || !found.isConnected) {
      found = $(id);
      if (found) nodes.set(id, found);
    }
    return found;
  }

  // ---- what the gateway pushes

  function apply(message) {
    connection.heard();
    ticket.restore();
    if (message.layout !== undefined) build(message.layout);
    for (const [id, text] of Object.entries(message.texts)) {
      const element = node(id);
      if (!element) continue;
      setText(element, text);
      if (element.dataset.column) columns.saw(element.dataset.column, text);
    }
    for (const [id, name] of Object.entries(message.classes)) {
      const element = node(id);
      if (element) element.className = name;
    }
    for (const [name, rows] of Object.entries(message.tables)) fill(name, rows);
    columns.fit();
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
    requestAnimationFrame(() => $("expiries").querySelector(".on")?.scrollIntoView({ inline: "nearest", block: "nearest" }));
    $("chain-body").replaceChildren(...(layout === null ? [] : layout.rows.map(chainRow)));
    columns.forget(layout === null ? [] : layout.rows.map((row) => row[1]));
    requestAnimationFrame(centre);
  }

  function chainRow([strike, label, call, put]) {
    const row = make("tr", { id: `row-${strike}` });
    const cells = (symbol) => columns.order().map((column) => {
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
    if (!atm) return look && setTimeout(centre, 100);
    box.scrollTop = atm.offsetTop - box.clientHeight / 2;
    box.scrollLeft = (box.scrollWidth - box.clientWidth) / 2;
  }

  function fill(name, rows) {
    const table = $(name);
    const names = table.dataset.columns.split(" ");
    const body = table.tBodies[0];
    const keep = new Map([...body.rows].map((row) => [row.id, row]));
    let before = body.firstChild;
    for (const { key, class: className, title, cells } of rows) {
      const id = `${name}-${key}`;
      let row = keep.get(id);
      if (!row) {
        row = make("tr", { id });
        for (const column of names) row.append(make("td", { id: `${id}-${column}` }, ""));
      }
      keep.delete(id);
      if (row !== before) body.insertBefore(row, before);
      else before = row.nextSibling;
      if (row.className !== className) row.className = className;
      if (row.title !== title) row.title = title;
      cells.forEach(([text, cellClass], at) => setCell(row.cells[at], text, `${cellClass} k-${names[at]}`.trim(), key));
    }
    for (const row of keep.values()) row.remove();
    table.parentElement.classList.toggle("none", rows.length === 0);
  }

  function setCell(cell, text, className, key) {
    if (cell.className !== className) cell.className = className;
    if (className.startsWith("bar")) {
      cell.style.setProperty("--share", text);
    } else if (BUTTONS[className.split(" ")[0]]) {
      buttons(cell, text, className.split(" ")[0], key);
    } else if (cell.textContent !== text) {
      cell.textContent = text;
    }
  }

  // What can be done with a row; the text of its cell is what the script needs for it.
  const BUTTONS = {
    acts: (key, text) => [[{ id: `modify-${key}`, "data-modify": key, "data-terms": text }, "modify"], [{ id: `cancel-${key}`, "data-cancel": key }, "cancel"]],
    leave: (key, text) => [[{ id: `leave-${key}`, "data-leave": text, title: "puts the exit into the ticket" }, "exit"]],
    end: (key) => [[{ id: `end-${key}`, "data-end": key }, "end"]],
  };

  function buttons(cell, text, kind, key) {
    const wanted = BUTTONS[kind](key, text);
    if (cell.childElementCount !== wanted.length) cell.replaceChildren(...wanted.map(([attributes, label]) => make("button", attributes, label)));
    else wanted.forEach(([attributes], at) => {
      for (const [name, value] of Object.entries(attributes))
        if (cell.children[at].getAttribute(name) !== value) cell.children[at].setAttribute(name, value);
    });
  }

  const tick = () => look && look.tick;
  return { apply, tick, say: (answer) => ticket.say(answer) };
})();

// The clock is pushed with every update: silence means that the gateway, or the way to it, is gone. Then nothing on the
// page may look well: what it says of the desk is put aside, and back in its place when something is heard again.
const connection = (() => {
  const SILENT_MS = 2500;
  let heardAt = 0; // of performance.now(), 0 before the first
  let heardTime = "";
  let aside = null; // element → [text, or null where it has elements of its own; class] while nothing is heard
  let ages = []; // [element, seconds when last heard]

  const ist = () => new Date().toLocaleTimeString("en-GB", { timeZone: "Asia/Kolkata" });

  function heard() {
    heardAt = performance.now();
    heardTime = ist();
    if (aside === null) return;
    for (const [element, [text, name]] of aside) {
      if (text !== null) setText(element, text);
      element.className = name;
    }
    aside = null;
    setText($("connection"), "");
    document.body.classList.remove("lost");
  }

  function since(age) { // gateway/format.py, seconds
    if (age < 60) return `${age.toFixed(1)}s`;
    const [large, small, words] = age < 3600 ? [age / 60, age % 60, "ms"] : [age / 3600, (age / 60) % 60, "hm"];
    return `${Math.floor(large)}${words[0]}${String(Math.floor(small)).padStart(2, "0")}${words[1]}`;
  }

  function put(element, text, name) {
    aside.set(element, [element.childElementCount ? null : element.textContent, element.className]);
    if (text !== null) setText(element, text);
    if (name !== null) element.className = name;
  }

  function lose() {
    aside = new Map();
    ages = [];
    document.body.classList.add("lost");
    setText($("connection"), `no connection to the desk since ${heardTime}`);
    for (const id of ["phase", "oms-state", "ledger-state"]) put($(id), "unknown", "badge bad");
    for (const element of document.querySelectorAll("#strip .age, #actors td[id$='-age']")) {
      const [, said, h, m, s] = element.textContent.match(/^(cached )?(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?$/) || [];
      if (h || m || s) ages.push([element, 3600 * (h || 0) + 60 * (m || 0) + Number(s || 0), said || ""]);
      put(element, null, element.closest("#strip") ? "age bad" : null);
    }
    for (const element of document.querySelectorAll("#actors td.state")) put(element, "unknown", element.className);
    put($("chain-box"), null, "stale");
    put($("provenance"), `cached, not heard of since ${heardTime}`, "is-cached");
  }

  function look() {
    if (!heardAt) return;
    const silent = performance.now() - heardAt;
    if (aside === null && silent > SILENT_MS) lose();
    if (aside === null) return;
    for (const [element, before, said] of ages) {
      setText(element, said + since(before + silent / 1000));
    }
  }
  setInterval(look, 250);

  // Socket.io keeps what is said to a lost desk and says it when it is back: an order must not wait for that.
  function tell(asked) {
    if (aside !== null || !window.socket?.connected) return false;
    emitEvent("desk", asked);
    return true;
  }

  return { heard, tell, lost: () => aside !== null };
})();
