// What steers the desk: the kill switch, held until it acts, and its release; other prices for an order; a plan's end.
"use strict";
const steer = (() => {
  let held = null; // { by, since, timer } while the kill switch is held

  // ---- hold to kill

  const kill = () => $("kill");

  function press(by) {
    if (held) return;
    const most = Number(kill().dataset.hold);
    held = { by, since: performance.now(), timer: setTimeout(pull, most) };
    kill().style.setProperty("--hold", `${most}ms`);
    kill().classList.add("holding");
  }

  function let_go(by) {
    if (!held || (by && held.by !== by)) return;
    const seconds = (performance.now() - held.since) / 1000;
    release();
    ticket.message(`the kill switch was held for ${seconds.toFixed(1)} s of 1.5 s: nothing was sent`, "");
  }

  function release() {
    clearTimeout(held.timer);
    held = null;
    kill().classList.remove("holding");
  }

  function pull() {
    release();
    const why = $("kill-why").value.trim() || "from the page";
    if (ticket.tell({ do: "kill", why, square_off: $("kill-square-off").checked }))
      ticket.message("the kill switch is being pulled…", "bad");
  }

  const on = (event) => event.target instanceof Element && event.target.closest("#kill");
  const isKey = (event) => event.key === " " || event.key === "Enter";

  document.addEventListener("pointerdown", (event) => {
    if (on(event) && event.button === 0 && event.isPrimary) press("pointer");
  });
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => let_go("pointer"));
  document.addEventListener("pointermove", (event) => held?.by === "pointer" && !inside(event) && let_go("pointer"));
  document.addEventListener("keydown", (event) => {
    if (!on(event) || !isKey(event)) return event.key === "Escape" && let_go();
    event.preventDefault(); // neither a click nor a scroll
    if (!event.repeat && !event.ctrlKey && !event.altKey && !event.metaKey) press("key");
  });
  document.addEventListener("keyup", (event) => isKey(event) && let_go("key"));
  document.addEventListener("focusout", (event) => on(event) && let_go("key"));
  document.addEventListener("contextmenu", (event) => on(event) && event.preventDefault()); // a long touch
  document.addEventListener("visibilitychange", () => document.hidden && let_go());
  window.addEventListener("blur", () => let_go());

  function inside(event) { // a captured touch stays on its target wherever it moves
    const box = kill().getBoundingClientRect();
    return event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
  }

  // ---- forms

  let changing = null; // { tag, type } of the order in the dialog
  let ending = ""; // the plan in the dialog

  function modify(button) {
    const at = JSON.parse(button.dataset.terms);
    changing = { tag: button.dataset.modify, type: at.type };
    setText($("modify-says"), `${at.says}: it rests with these prices. Its quantity stays.`);
    setText($("modify-message"), "");
    $("modify-limit").value = at.limit;
    $("modify-trigger").value = at.trigger;
    $("modify-trigger-box").hidden = at.type !== "SL";
    $("modify-dialog").showModal();
    $("modify-limit").select();
  }

  const isPrice = (text) => /^\d+(\.\d{1,2})?$/.test(text.trim().replaceAll(",", "")) && Number(text.replaceAll(",", "")) > 0;

  function send() {
    const fields = changing.type === "SL" ? ["trigger", "limit"] : ["limit"];
    const wrong = fields.find((name) => !isPrice($(`modify-${name}`).value));
    if (wrong) {
      setText($("modify-message"), `${wrong}: rupees above 0 with at most two decimals`);
      return $(`modify-${wrong}`).focus();
    }
    const prices = Object.fromEntries(fields.map((name) => [name, $(`modify-${name}`).value]));
    $("modify-dialog").close();
    ticket.tell({ do: "modify", tag: changing.tag, ...prices });
  }

  function end(button) {
    ending = button.dataset.end;
    setText($("end-says"), `End plan ${ending}? It leaves what it has entered, by its own rules.`);
    $("end-dialog").showModal();
  }

  const SUBMITS = {
    modify: send,
    end: () => ($("end-dialog").close(), ticket.tell({ do: "end", plan: ending, why: $("end-why").value })),
    release: () => {
      if (!$("release-why").value.trim()) return;
      if (ticket.tell({ do: "release", why: $("release-why").value })) $("release-why").value = "";
      $("release-send").disabled = true;
    },
  };
  document.addEventListener("submit", (event) => {
    const act = SUBMITS[event.target.id];
    if (!act) return;
    event.preventDefault();
    act();
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "release-why") $("release-send").disabled = !event.target.value.trim();
  });

  return { modify, end };
})();
