/* Improves pages that work without it: live parts, ticking times, dialogs, notices, a few keys. */
(() => {
  "use strict";
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const on = (kinds, does, options) => kinds.split(" ").forEach((kind) => document.addEventListener(kind, does, options));
  const focused = () => document.activeElement;
  const { lang } = root;
  const status = $("[data-live-status]");
  /* What a newer request replaced, and what the page itself tells, is not for the console. */
  if (window.htmx) htmx.logger = (node, name, detail) => { if (/:(afterRequest|sendAbort)$/.test(name)) delete detail.error; };

  /* Times: the words of presenters/moments.py, corrected by the server's clock. */
  const words = new Intl.RelativeTimeFormat(lang, { numeric: "always" });
  const now = new Intl.RelativeTimeFormat(lang, { numeric: "auto" }).format(0, "second");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  /* The viewer's clock: in the zone chosen for all moments, else the browser's. */
  const chosen = $("[name=zone][aria-pressed=true]")?.value;
  const timeZone = { utc: "UTC", schedule: zone }[chosen] || chosen || zone;
  for (const node of $$("[data-zone]")) [node.hidden, node.value] = [false, zone];
  let skew = 0;
  const relative = (at) => {
    const seconds = (at - Date.now() - skew) / 1000;
    const size = Math.floor(Math.abs(seconds));
    const [per, unit] = size < 60 ? [1, "second"] : size < 3600 ? [60, "minute"] : size < 172800 ? [3600, "hour"] : [86400, "day"];
    return size ? words.format(Math.sign(seconds) * Math.floor(size / per), unit) : now;
  };
  const clock = () => new Date(Date.now() + skew).toLocaleTimeString(lang, { hour12: false, timeZone });
  const tick = () => {
    for (const node of $$("[data-clock]")) node.textContent = `${clock()} ${timeZone}`;
    for (const node of $$("time.ago, time .ago")) {
      const text = relative(Date.parse(node.closest("time").dateTime));
      if (node.textContent !== text) node.textContent = text;
    }
  };

  /* Live parts: one timer; it stops while nobody looks and slows down while nobody moves. */
  const IDLE = 300000;
  const due = new Map();
  let paused;
  let active = Date.now();
  const failing = new Set();
  let asking = 0;
  const parts = () => $$("[data-live]");
  const pace = ({ dataset: { every = 5 } }) => Math.max(every * 1000, Date.now() - active > IDLE && 60000) * (0.95 + Math.random() / 10);
  const wake = () => parts().forEach((node) => due.set(node.id, 0));
  const ask = (node) => node.dispatchEvent(new CustomEvent("schedulerui:poll"));
  const poll = () => {
    tick();
    if (paused || document.hidden || asking) return;
    for (const node of parts()) {
      const at = due.get(node.id);
      if (Date.now() < at) continue;
      due.set(node.id, Date.now() + pace(node));
      if (at !== undefined) ask(node);
    }
  };
  const say = (text) => {
    $("[data-live-text]", status).textContent = text;
    $("[data-retry]", status).hidden = !status.classList.toggle("live--bad", failing.size > 0);
  };
  let last = clock();
  const updated = () => {
    last = clock();
    say(status.dataset.updated.replace("%s", last));
  };
  if (parts().some((node) => node.id !== "beat")) {
    status.hidden = status.inert = false;
    updated();
    $("[data-retry]", status).onclick = () => parts().forEach(ask);
    /* Who holds the pages still keeps them so in this tab. */
    const button = $("button", status);
    const hold = (is) => {
      sessionStorage.suHold = paused = is ? "1" : "";
      button.textContent = paused ? status.dataset.resume : status.dataset.pause;
    };
    hold(sessionStorage.suHold);
    button.onclick = () => wake(hold(!paused));
  }
  setInterval(poll, 1000);
  on("visibilitychange", () => { if (!document.hidden) { active = Date.now(); wake(); poll(); } });
  on("pointermove keydown", () => {
    const was = active;
    active = Date.now();
    if (active - was > IDLE) wake();
  }, { passive: true });
  on("schedulerui:wake", wake);
  /* While somebody's own request is under way nothing is drawn anew. */
  on("htmx:beforeRequest", ({ detail: { elt, target, xhr } }) => {
    if (elt.matches("[data-live]")) return;
    asking += 1;
    target.ariaBusy = true;
    xhr.addEventListener("loadend", () => { asking -= 1; target.ariaBusy = null; });
    for (const node of parts()) htmx.trigger(node, "htmx:abort");
  });
  on("htmx:configRequest", ({ detail: { elt, formData } }) => {
    if (elt.matches("[data-filter]")) for (const [name, value] of [...formData]) if (value === "") formData.delete(name);
    if (elt.matches("[data-live-have]")) formData.set("have", $$("[data-v]").map((node) => `${node.id}:${node.dataset.v}`).join(","));
  });
  /* Rows that are blocks lose their roles in some browsers. A row's link for more becomes a menu. */
  const menu = $("#row-menu")?.innerHTML;
  const dressRows = (node) => {
    for (const row of [node, ...$$("tr", node)]) if (row.localName === "tr") row.setAttribute("role", "row");
    $$(":is(td, th):not([role])", node).forEach((cell) => cell.setAttribute("role", cell.scope ? "rowheader" : "cell"));
    for (const link of menu ? $$("td > [id^=more-]", node) : []) {
      const had = link === focused();
      link.outerHTML = menu.replaceAll("%pk", link.id.slice(5));
      if (had) document.getElementById(link.id).focus();
    }
  };
  dressRows(document);
  /* What somebody has open stays: the next poll after that brings it. */
  let left = -1;
  on("htmx:oobBeforeSwap", ({ detail }) => {
    if ($("details.menu[open]", detail.target)) detail.shouldSwap = false;
    if (detail.target.contains(focused())) left = place(lines());
  });
  on("htmx:load", ({ detail: { elt } }) => {
    dressRows(elt);
    if (elt.matches?.("[data-v]")) elt.classList.add("is-fresh");
    tick();
  });
  on("htmx:afterRequest", ({ detail: { elt, failed, xhr } }) => {
    const date = Date.parse(xhr.getResponseHeader("Date"));
    if (date && Math.abs(date - Date.now() - skew) > 2000) skew = date - Date.now();
    if (!elt.matches("[data-live]") || failed || !xhr.status) return;
    /* What another part got does not hide that this one could not be had. */
    const again = failing.delete(elt.id);
    if (!failing.size && (again || elt.id !== "beat")) updated();
  });
  on("schedulerui:beat", ({ detail }) => {
    const time = $("#beat time");
    if (time && detail.seen_at) time.dateTime = detail.seen_at;
    tick();
  });

  /* Failures: what is on the page stays, and a sentence says so. */
  const filterField = () => $("[data-filter] :is([type=search], [type=text])");
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");
  const failure = ({ detail: { xhr, elt } }) => {
    if (xhr.status === 401) return;
    const code = xhr.status ? `HTTP ${xhr.status}` : $("#words").dataset.offline;
    const why = status.dataset.failed.replace("%1", code).replace("%2", last);
    const told = $(".refused p", parse(xhr.responseText))?.textContent;
    const line = elt.matches("[data-filter]") && $("#unloaded");
    if (elt.matches("[data-live]")) {
      failing.add(elt.id);
      say(why);
      status.hidden = false;
    } else if (line) {
      line.firstElementChild.textContent = `${told || ""} ${why}`;
      line.lastElementChild.onclick = () => filterField().focus();
      line.hidden = false;
    } else notice({ kind: "fail", text: told || $("#words").dataset.failed.replace("%s", code) });
  };
  on("htmx:responseError htmx:sendError htmx:timeout", failure);

  const KINDS = { ok: "success", warn: "warning", fail: "error" };
  const dress = (node) => Object.assign($("[data-dismiss]", node), { hidden: false, onclick: () => node.remove() });
  const notice = ({ kind, text, href, link, undo, target }) => {
    const node = $("#notice-template").content.firstElementChild.cloneNode(true);
    node.classList.replace("notice--success", `notice--${KINDS[kind] || "info"}`);
    const words = $(".notice__text", node);
    words.textContent = text;
    if (href) words.append(" ", Object.assign(document.createElement("a"), { href, textContent: link }));
    const form = $("[data-undo]", node);
    if (undo) {
      form.action = undo;
      if (!$(target)) target = "";
      if (target === "#schedule-actions") form.innerHTML += '<input name="place" value="page" hidden>';
      if (target) for (const [name, value] of Object.entries({ post: undo, target, swap: "outerHTML" })) form.setAttribute(`hx-${name}`, value);
    } else form.remove();
    dress(node);
    const region = $(kind === "fail" ? "#alerts" : "#notices");
    if (kind !== "fail") region.replaceChildren();
    while (region.children.length > 3) region.firstElementChild.remove();
    region.append(node);
    if (undo) htmx.process(form);
    if (kind === "ok") setTimeout(() => { if (!node.matches(":hover, :focus-within")) node.remove(); }, 10000);
  };
  $$("[data-notice]").forEach(dress);
  on("schedulerui:notice", ({ detail }) => notice(detail));

  /* What stands in a block is copied where the browser lets a page do so. */
  root.classList.toggle("copies", !!navigator.clipboard);
  on("click", ({ target: { dataset } }) => {
    if (dataset?.copy) navigator.clipboard.writeText($(`#${dataset.copy}`).textContent).then(() => notice({ kind: "ok", text: dataset.done }), () => {});
  });

  /* Dialogs: the fragment that arrives in the slot opens; when it leaves, the focus goes back. */
  const slot = $("#dialog-slot");
  let opener = null;
  const leave = () => {
    slot.replaceChildren();
    const back = opener?.isConnected ? opener : document.getElementById(opener?.id);
    if (opener) [back, $("#main")].find((node) => node?.checkVisibility()).focus();
    opener = null;
  };
  /* Shift and a click: the dialog is sent as it comes, unseen. A second click is none. */
  let quick = null;
  let pressed = 0;
  on("click", (event) => {
    quick = event.shiftKey && event.target.closest("[data-quick] .button[id^=run-]");
    if (!quick) return;
    if (asking || Date.now() - pressed < 1000) event.stopPropagation(event.preventDefault());
    else pressed = Date.now();
  }, true);
  on("click", (event) => {
    const link = event.target.closest("[data-dialog]");
    if (!link || !window.htmx || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    htmx.ajax("GET", link.pathname + link.search, { source: link, target: slot, swap: "innerHTML" }).catch(() => {});
  });
  on("htmx:beforeRequest", ({ detail: { elt, target } }) => {
    if (target !== slot || slot.contains(elt)) return;
    opener = focused() === document.body ? elt : focused();
    /* A menu closes behind the dialog. */
    opener = opener.closest("details.menu")?.firstElementChild || opener;
  });
  on("htmx:afterSwap", ({ detail }) => {
    if (detail.target !== slot) return;
    const dialog = $("dialog", slot);
    if (!dialog) return leave();
    dialog.removeAttribute("open");
    if (quick && quick === detail.requestConfig.elt) {
      htmx.process(dialog);
      focused().blur();
      return $("form", dialog).requestSubmit();
    }
    dialog.onclose = leave;
    dialog.onclick = (event) => {
      if (event.target !== dialog && !event.target.closest("[data-close]")) return;
      event.preventDefault();
      dialog.close();
    };
    dialog.showModal();
    $("[autofocus]", dialog)?.focus();
  });

  /* Menus come into view, and close on Escape and elsewhere. */
  on("toggle", ({ target }) => { if (target.matches(".menu[open]")) target.lastElementChild.scrollIntoView({ block: "nearest" }); }, true);
  const closeMenus = (but) => $$("details.menu[open]").forEach((menu) => { if (menu !== but) menu.open = false; });
  on("click focusin", ({ target }) => closeMenus(target.closest("details.menu")));
  const isTyping = (node) => node.closest("input:not([type=checkbox], [type=radio]), select, textarea");
  on("keydown", (event) => {
    const { key, target } = event;
    if (key === "Escape") {
      if (target.closest("[data-filter]") && !event.defaultPrevented) target.blur();
      const open = $("details.menu[open]");
      closeMenus();
      open?.firstElementChild.focus();
    }
    /* Arrows open a menu and walk through it, round and round. */
    const menu = target.closest("details.menu");
    const keys = ["Home", "End", "ArrowUp", "ArrowDown"].slice(menu?.open ? 0 : 2);
    if (!menu || !keys.includes(key) || isTyping(target)) return;
    event.preventDefault();
    menu.open = true;
    const all = $$(":is(a, button)", menu).filter((node) => node.checkVisibility());
    const at = all.indexOf(target);
    all.at({ ArrowDown: (at + 1) % all.length, ArrowUp: Math.max(at, 0) - 1, End: -1 }[key] || 0)?.focus();
  });

  /* Keys, unless switched off: j and k walk over rows, the others press what the page has for them. */
  let going = 0;
  const lineOf = (node) => node.closest("tr, .line");
  const lines = () => $$("main tbody th a[href], main .line a.row-name").filter((node) => node.offsetParent);
  const place = (all) => all.findIndex((node) => lineOf(node) === lineOf(focused()));
  const walk = (by) => {
    const all = lines(), at = place(all);
    all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)]?.focus();
  };
  const EACH_ROW = { e: "button.sw", r: ".button[id^=run-]", x: "tbody [name=id]" };
  const offered = (key) => {
    const here = lineOf(focused());
    const all = $$(`${EACH_ROW[key] || `[data-key="${CSS.escape(key)}"]`}:not(:disabled)`);
    return all.find((node) => here?.contains(node)) || (all.length === 1 && all[0]);
  };
  const KEYS = {
    "/": () => {
      const field = filterField();
      field?.focus(field.select());
      return field;
    },
    j: () => walk(1) || true,
    k: () => walk(-1) || true,
    g: () => { going = Date.now(); },
    ".": () => { if (!status.hidden) $("button", status).click(); },
  };
  on("keydown", (event) => {
    const { key, target } = event;
    if (!document.body.hasAttribute("data-keys") || isTyping(target) || $("dialog[open]") || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (key.length !== 1 || (event.repeat && !"jk".includes(key))) return;
    const page = Date.now() - going < 1500 && $(`[data-go="${CSS.escape(key)}"]`);
    going = 0;
    const node = page || (!KEYS[key] && offered(key));
    if (node ? node.click() || true : KEYS[key]?.()) event.preventDefault();
  });
  for (const form of $$("form[data-guard]")) {
    let dirty = false;
    form.oninput = () => { dirty = true; };
    form.onsubmit = () => { dirty = false; };
    addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
  }

  /* A filter's suggestions, chosen by keys or pointer (the combobox pattern). */
  const box = $("[data-complete]");
  if (box) {
    const input = $("input", box);
    const list = $("#complete");
    let asked = 0;
    const mark = (option) => {
      for (const node of list.children) node.ariaSelected = node === option;
      input.setAttribute("aria-activedescendant", option ? option.id : "");
      option?.scrollIntoView({ block: "nearest" });
    };
    const show = (open) => {
      list.hidden = !open;
      input.ariaExpanded = open;
      mark(null);
    };
    const ask = async () => {
      const mine = ++asked;
      const url = `${box.dataset.complete}&q=${encodeURIComponent(input.value)}&at=${input.selectionStart}`;
      const answer = await fetch(url, { headers: { "HX-Request": "true" } }).catch(() => null);
      if (!answer?.ok || mine !== asked || focused() !== input) return;
      list.replaceChildren(...parse(await answer.text()).body.children);
      show(!!list.firstChild);
    };
    const choose = (option) => {
      input.value = option.dataset.text;
      show(false);
      input.focus();
      input.dispatchEvent(new Event("input", { bubbles: true }));
    };
    input.oninput = () => { if (/\s$/.test(input.value)) show(false, ++asked); else ask(); };
    input.onblur = () => show(false);
    list.onpointerdown = (event) => {
      event.preventDefault();
      const option = event.target.closest("[role=option]");
      if (option) choose(option);
    };
    input.onkeydown = (event) => {
      const at = $("[aria-selected=true]", list);
      const step = { ArrowDown: at?.nextElementSibling || list.firstElementChild, ArrowUp: at?.previousElementSibling || list.lastElementChild }[event.key];
      if (list.hidden && event.key !== "ArrowDown") return;
      if (list.hidden) ask();
      else if (step) mark(step);
      else if (event.key === "Enter" && at) choose(at);
      else if (event.key === "Escape") show(false);
      else return;
      event.preventDefault();
    };
  }

  /* Rows that are ticked stay ticked when they are drawn anew; the bar says how many there are. */
  const PICK = "#rowform input[name=id]";
  const ticked = new Set();
  const count = () => {
    const boxes = $$(PICK);
    for (const node of boxes) node.checked = ticked.has(node.id);
    const bar = $("#bulk");
    if (!bar) return;
    $("[data-n]", bar).textContent = bar.dataset.selected.replace("%n", $("[name=all]:checked", bar) ? $("[name=seen]", bar).value : ticked.size);
    const all = $("[data-pick-all]");
    if (all) Object.assign(all, { inert: false, checked: boxes[0] && ticked.size === boxes.length });
  };
  on("change", ({ target }) => {
    const boxes = target.matches("[data-pick-all]") ? $$(PICK) : [target].filter((node) => node.matches(PICK));
    for (const node of boxes) ticked[target.checked ? "add" : "delete"](node.id);
    if (boxes.length || target.name === "all") count();
  });
  on("htmx:afterSettle", ({ detail }) => {
    /* The row in focus went: the next has it. */
    if (focused() === document.body) (lines()[left] || lines()[left - 1])?.focus();
    left = -1;
    if (detail.target.id === "results") {
      ticked.clear();
      last = clock();
      for (const field of $$("[data-save-view] [name=query]")) field.value = $("[data-query]").dataset.query;
      if ($("#id_q")) $("#id_q").ariaInvalid = !!$("#filter-problems .problem");
    }
    count();
  });
  on("htmx:oobAfterSwap", count);
  for (const node of $$(`${PICK}:checked`)) ticked.add(node.id);
  count();

  /* What the form's preview and its check find wrong is said at the field; outside the rule, once it was left. */
  const touched = new Set();
  on("change", ({ target }) => {
    const field = target.closest("[data-guard] .field");
    if (field) touched.add(field);
  });
  const tell = (field, preview) => {
    const control = $("input, select, textarea", field);
    const place = $(".field__error", field);
    const said = $(`[data-invalid="${control.name}"]`, preview);
    const ids = control.getAttribute("aria-describedby") || "";
    place.textContent = said?.textContent ?? "";
    field.classList.toggle("field--bad", !!said);
    control.ariaInvalid = !!said;
    if (!ids.includes(place.id)) control.setAttribute("aria-describedby", `${ids} ${place.id}`);
  };
  on("htmx:afterSwap", ({ detail: { target } }) => {
    if (target.id === "preview") $$(".when .field").forEach((field) => tell(field, target));
    if (target.id === "invalid") touched.forEach((field) => tell(field, target));
  });
})();
