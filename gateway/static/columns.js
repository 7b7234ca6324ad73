// How wide each column of the chain is, and which there is room for: no figure is ever cut.
// A column is as wide as the longest text it has held since its rows were built, so that nothing moves with every tick.
"use strict";
const columns = (() => {
  const PAD = 8; // left and right of a figure, px: 6 in desk.css, and some for a sign from another font
  const KEY = "vikalp-columns-on"; // what a person ticked, remembered by the browser
  const longest = new Map(); // column → characters
  let strikes = 1;
  let fitted = ""; // what the last fit was made of: nothing is done when that has not changed
  let digit = 0; // px
  let room = 0; // px of the box; its observer says it, since asking at every push would lay the page out twice

  const order = () => $("chain").dataset.columns.split(" ");
  const boxes = () => [...document.querySelectorAll("#columns input")];

  function forget(labels) {
    longest.clear();
    strikes = Math.max("Strike".length, ...labels.map((label) => label.length));
    fitted = "";
    for (const name of order()) longest.set(name, $(`column-${name}`).parentElement.textContent.length);
  }

  function saw(name, text) {
    if (text.length > longest.get(name)) longest.set(name, text.length);
  }

  function measure() {
    const probe = make("span", { style: "position:absolute;visibility:hidden;font-weight:600" }, "0".repeat(50));
    $("chain-box").append(probe);
    probe.style.font = getComputedStyle($("chain")).font;
    probe.style.fontWeight = 600;
    digit = probe.getBoundingClientRect().width / 50;
    probe.remove();
  }

  function fit() {
    const ticked = boxes().filter((input) => input.checked).map((input) => input.dataset.column);
    const made = [room, strikes, ...longest.values(), ...ticked].join(" ");
    if (made === fitted || !longest.size || !room) return;
    fitted = made;
    if (!digit) measure();
    const width = (name) => Math.ceil(longest.get(name) * digit) + PAD;
    const strike = Math.ceil(strikes * digit) + 2 * PAD;
    const total = (names) => strike + 2 * names.reduce((sum, name) => sum + width(name), 0);
    let shown = order().filter((name) => ticked.includes(name));
    for (const name of $("chain").dataset.firstToGo.split(" "))
      if (total(shown) > room) shown = shown.filter((other) => other !== name);
    show(shown, ticked, width, strike, total(shown));
  }

  function show(shown, ticked, width, strike, total) {
    const table = $("chain");
    table.className = order().filter((name) => !shown.includes(name)).map((name) => `no-${name}`).join(" ");
    table.style.minWidth = `${total}px`;
    for (const col of table.querySelectorAll("col"))
      col.style.width = `${col.className === "strike" ? strike : width(col.className.slice(2))}px`;
    document.querySelectorAll("#chain .sides th[colspan]").forEach((head) => (head.colSpan = Math.max(shown.length, 1)));
    for (const input of boxes()) {
      const noRoom = ticked.includes(input.dataset.column) && !shown.includes(input.dataset.column);
      input.parentElement.classList.toggle("no-room", noRoom);
      input.parentElement.title = noRoom ? "the window is too narrow for it" : "";
    }
  }

  document.addEventListener("input", (event) => {
    if (!event.target.closest("#columns")) return;
    localStorage.setItem(KEY, boxes().filter((input) => input.checked).map((input) => input.dataset.column).join(" "));
    fit();
  });

  function started() {
    if (!$("columns") || !$("chain-box")) return setTimeout(started, 50);
    const on = localStorage.getItem(KEY);
    if (on !== null) boxes().forEach((input) => (input.checked = on.split(" ").includes(input.dataset.column)));
    new ResizeObserver(() => {
      room = $("chain-box").clientWidth;
      fit();
    }).observe($("chain-box"));
  }
  document.addEventListener("DOMContentLoaded", started);

  return { order, forget, saw, fit };
})();
