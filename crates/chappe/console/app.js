// The console: which page is shown, the frame around it, the keyboard, and how it is kept up to date.

import { get, whenUnknown } from "./api.js";
import { escaped, open, press } from "./dialog.js";
import { at, count, many, sentence, since, span } from "./format.js";
import { html, render } from "./html.js";
import { icon } from "./icons.js";
import * as draft from "./draft.js";
import { connect, disconnect, live, whenLive } from "./live.js";
import { problem } from "./parts.js";
import { identify, login, loginPage, logout } from "./login.js";
import { associations } from "./pages/associations.js";
import { configuration } from "./pages/configuration.js";
import { connector, connectors } from "./pages/connectors.js";
import { events } from "./pages/events.js";
import { ladder } from "./pages/ladder.js";
import { mailbox, mailboxes } from "./pages/mailboxes.js";
import { message } from "./pages/message.js";
import { messages } from "./pages/messages.js";
import { monitors } from "./pages/monitors.js";
import { overview } from "./pages/overview.js";
import { quarantine } from "./pages/quarantine.js";
import { queues } from "./pages/queues.js";
import { route as explain } from "./pages/route.js";
import { isIdentifier, tracking } from "./pages/tracking.js";
import { may, session } from "./session.js";

/** Pages by their path; what is in parentheses are their parameters. */
const PAGES = [
  [/^\/?$/, overview],
  [/^\/queues$/, queues],
  [/^\/messages$/, messages],
  [/^\/messages\/(.+)$/, message],
  [/^\/quarantine$/, quarantine],
  [/^\/tracking$/, tracking],
  [/^\/connectors$/, connectors],
  [/^\/connectors\/([^/]+)$/, connector],
  [/^\/associations$/, associations],
  [/^\/associations\/(\d+)$/, ladder],
  [/^\/monitors$/, monitors],
  [/^\/events$/, events],
  [/^\/mailboxes$/, mailboxes],
  [/^\/mailboxes\/(.+)$/, mailbox],
  [/^\/route$/, explain],
  [/^\/configuration$/, configuration],
];

/** The navigation: key after `g`, path, drawing, name, what is counted, and the role that it takes. */
const NAVIGATION = [
  ["o", "/", "overview", "Overview", () => ({ value: live.status?.failing, bad: true })],
  ["q", "/queues", "queues", "Queues", () => ({ value: live.links.size })],
  ["m", "/messages", "messages", "Messages", () => ({ value: live.status?.queued })],
  ["t", "/tracking", "tracking", "Tracking"],
  ["c", "/connectors", "connectors", "Connectors"],
  ["a", "/associations", "associations", "Associations", () => ({ value: live.status?.associations })],
  ["l", "/monitors", "monitors", "Monitors", () => ({ value: (live.status?.reasons ?? []).filter((reason) => reason.startsWith("link monitor ")).length, bad: true })],
  ["e", "/events", "events", "Events"],
  ["b", "/mailboxes", "mailboxes", "Mailboxes"],
  ["u", "/quarantine", "quarantine", "Quarantine", () => ({ value: live.quarantined, bad: true })],
  ["r", "/route", "route", "Route"],
  ["n", "/configuration", "configuration", "Configuration", undefined, "administrator"],
];

const KEYS = [
  ["/", "find a message by number or MTS-identifier, or an address"],
  ...NAVIGATION.map(([key, , , name]) => [`g ${key}`, name]),
  ["t", "day, night, or as the system has it"],
  ["?", "this list"],
  ["Esc", "close what is open"],
];

const THEMES = ["auto", "light", "dark"];
const night = matchMedia("(prefers-color-scheme: dark)");

let page = null;
let view = null;
let shownAt = "";
let waiting = false;
let going = null;

const $ = (id) => document.getElementById(id);

// --- what is shown -------------------------------------------------------------------------------------------------

function route() {
  const [path, search] = (location.hash.slice(1) || "/").split("?");
  for (const [pattern, make] of PAGES) {
    const found = pattern.exec(path);
    if (found) return { make, path, parameters: found.slice(1).map(decodeURIComponent), query: Object.fromEntries(new URLSearchParams(search)) };
  }
  return { make: missing, path, parameters: [], query: {} };
}

const missing = () => ({
  title: "Not found",
  render: () => html`<div class="empty"><b>There is no such page</b><a href="#/">To the overview</a></div>`,
});

function go() {
  if (session.isNeeded) return draw();
  const { make, path, parameters, query } = route();
  document.body.classList.remove("menu-open");
  if (page && shownAt === path && page.requery) {
    page.requery(query);
    return draw();
  }
  page?.close?.();
  if (view) view.isOpen = false;
  view = newView(parameters, query);
  page = make(view);
  shownAt = path;
  render($("main"), html``);
  draw();
  $("main").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function newView(parameters, query) {
  const own = {
    parameters,
    query,
    isOpen: true,
    update: () => own.isOpen && update(),
    toast,
    /** Another place in the console; the same page keeps what it has. */
    go: (path) => { location.hash = path; },
  };
  return own;
}

/** Draws soon, once for all that changes at the same time. */
function update() {
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    draw();
  });
}

function draw() {
  document.body.classList.toggle("is-locked", session.isNeeded);
  if (session.isNeeded) {
    document.title = "Log in · Chappe";
    return render($("main"), loginPage());
  }
  if (!page) return;
  document.title = `${live.status?.failing ? `(${live.status.failing} down) ` : ""}${page.title} · ${live.status?.name ?? "Chappe"}`;
  document.body.classList.toggle("is-stale", live.connection === "lost");
  render($("side"), side());
  render($("top"), top());
  render($("banner"), banner());
  render($("draft"), draftBar());
  let content;
  try {
    content = page.render();
  } catch (failure) {
    content = problem({ what: "This page can't be drawn", why: failure.message });
    console.error(failure);
  }
  render($("main"), content);
}

function side() {
  const path = `/${shownAt.split("/")[1] ?? ""}`;
  const theme = localStorage.getItem("theme") ?? "auto";
  return html`<a class="brand" href="#/"><img src="mark.svg" alt=""><div><strong>${live.status?.name ?? "Chappe"}</strong><span>${live.status?.domain ?? "X.400 MTA"}</span></div></a>
    ${NAVIGATION.filter(([, , , , , role]) => !role || may(role)).map(([key, target, drawing, name, counted]) => {
      const { value, bad } = counted?.() ?? {};
      return html`<a class="nav" href="#${target}" title="g ${key}" ${path === target ? html`aria-current="page"` : ""}>${icon(drawing)}${name}${value ? html`<span class="count ${bad ? "bad" : ""}">${count(value)}</span>` : ""}</a>`;
    })}
    <div class="side-end">
      <div class="row"><span>${{ live: html`Live · ${at(live.time)}`, connecting: "Connecting …", lost: "Connection lost" }[live.connection]}</span>
        <button class="plain" data-do="theme" title="Day, night, or as the system has it (t)" aria-label="Colours: ${theme}">${icon(theme)}</button></div>
      ${session.name && html`<div class="row"><span><b>${session.name}</b>, ${session.role}</span><button class="small" data-do="logout">Log out</button></div>`}
      <div class="row"><span>Chappe ${live.status?.version ?? ""}</span><button class="plain" data-do="keys" title="Keyboard (?)" aria-label="Keyboard"><kbd>?</kbd></button></div>
    </div>`;
}

function top() {
  const { status } = live;
  const failing = status?.failing ?? 0;
  const condition = {
    ready: ["ok", "Ready", "all links work"],
    degraded: ["bad", "Degraded", status?.reasons?.length === 1 ? sentence(status.reasons[0]) : many(status?.reasons?.length ?? 0, "reason")],
    stopping: ["warn", "Stopping", "no new messages are accepted"],
  }[live.connection === "lost" ? "lost" : status?.condition] ?? ["calm", "Unknown", status ? html`nothing has been heard since ${at(live.time)}` : "nothing has been heard of the service yet"];
  const [down] = failing === 1 ? [...live.links.values()].filter((link) => link.failing_since) : [];
  return html`<button class="plain menu" data-do="menu" aria-label="Pages">${icon("menu")}</button>
    <a class="condition" href="#/" id="condition" data-condition="${live.connection === "lost" ? "unknown" : (status?.condition ?? "unknown")}"><span class="state ${condition[0]}"><b>${condition[1]}</b></span><span class="why">${failing > 1 && live.connection === "live" ? `${many(failing, "link")} down` : down && live.connection === "live" && status.reasons.length === 1 ? html`${down.name} is down for ${since(down.failing_since)}: ${down.last_failure ?? ""}` : condition[2]}</span></a>
    <form class="find" data-submit="find" role="search"><input id="find" name="what" placeholder="Find a message or an address" aria-label="Find a message by number or MTS-identifier, or an address" autocomplete="off" spellcheck="false"><kbd>/</kbd></form>`;
}

function banner() {
  if (live.connection === "lost") {
    return html`Connection lost${live.lostAt ? html` ${span(Math.round((Date.now() - live.lostAt) / 1000))} ago` : ""}. ${live.time ? html`What you see is as of ${at(live.time)}.` : ""} Trying to reach the service again.`;
  }
  return live.trouble ? html`The store could not be read: ${live.trouble}` : html``;
}

/** A configuration that is edited and not applied is told of on every page. */
function draftBar() {
  if (!draft.isEdited() || shownAt === "/configuration") return html``;
  return html`<span>The configuration is edited and <b>not applied</b> yet.</span><button class="small" data-do="draftreview">Compare and apply …</button><button class="small plain" data-do="draftdiscard">Discard</button>`;
}

function toast(text, isBad) {
  const note = document.createElement("div");
  note.className = `toast${isBad ? " bad" : ""}`;
  note.textContent = text;
  $("toasts").append(note);
  setTimeout(() => note.remove(), isBad ? 12000 : 5000);
}

// --- what is pressed -----------------------------------------------------------------------------------------------

const GLOBAL = {
  menu: () => document.body.classList.toggle("menu-open"),
  skip: () => $("main").focus(),
  draftreview: () => draft.review(view),
  draftdiscard() {
    draft.discard();
    go();
  },
  theme() {
    const theme = THEMES[(THEMES.indexOf(localStorage.getItem("theme") ?? "auto") + 1) % THEMES.length];
    localStorage.setItem("theme", theme);
    colours();
    update();
  },
  async login(_, form) {
    if (await login(new FormData(form).get("token").trim(), draw)) begin();
  },
  async logout() {
    await logout().catch(() => {});
    lock();
  },
  keys: () =>
    open({}, () => html`<div class="shell"><header><h2 id="dialog-title">Keyboard</h2></header><div class="inside"><div class="keys">
      ${KEYS.map(([key, what]) => html`<kbd>${key}</kbd><span>${what}</span>`)}</div></div>
      <footer><button class="primary" data-do="close" autofocus>Close</button></footer></div>`, {}),
  find(data, form) {
    const what = new FormData(form).get("what").trim();
    if (what === "") return;
    form.reset();
    if (/^\d+$/.test(what)) view.go(`/messages/${what}`);
    else view.go(`/tracking?${new URLSearchParams(isIdentifier(what) ? { id: what } : { find: what })}`);
  },
};

function run(name, element, event) {
  const action = page?.actions?.[name] ?? GLOBAL[name];
  if (press(name, element)) return;
  action?.(element.dataset, element, event);
}

document.addEventListener("click", (event) => {
  const element = event.target.closest("[data-do]");
  if (element && !element.disabled) {
    if (element.tagName === "A") event.preventDefault();
    run(element.dataset.do, element, event);
  } else if (document.body.classList.contains("menu-open") && !event.target.closest("#side")) {
    document.body.classList.remove("menu-open");
  }
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.dataset.submit) run(event.target.dataset.submit, event.target, event);
});
for (const kind of ["change", "input"]) {
  document.addEventListener(kind, (event) => {
    const name = event.target.dataset?.[kind];
    if (name) run(name, event.target, event);
  });
}
$("dialog").addEventListener("close", escaped);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog").open) return;
  if (event.target.closest("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (going !== null) {
    clearTimeout(going);
    going = null;
    const target = NAVIGATION.find(([key]) => key === event.key);
    if (target) {
      event.preventDefault();
      view.go(target[1]);
    }
    return;
  }
  const keys = {
    g: () => { going = setTimeout(() => { going = null; }, 1500); },
    t: GLOBAL.theme,
    "?": GLOBAL.keys,
    "/": () => $("find").focus(),
    Escape: () => document.body.classList.remove("menu-open"),
  };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

function colours() {
  const theme = localStorage.getItem("theme") ?? "auto";
  document.documentElement.dataset.theme = theme === "auto" ? (night.matches ? "dark" : "light") : theme;
}

night.addEventListener("change", colours);
addEventListener("hashchange", go);
whenLive(() => {
  if (live.status) page?.live?.();
  update();
});
whenUnknown(lock);
colours();
begin();

/** Nobody is known: nothing is shown until somebody logs in. */
function lock() {
  if (session.isNeeded) return;
  disconnect();
  // Whoever comes next finds no passwords of another.
  draft.discard();
  page?.close?.();
  page = null;
  shownAt = "";
  session.isNeeded = true;
  draw();
  document.getElementById("token")?.focus();
}

/** Begins to show, once it is known who looks. */
async function begin() {
  try {
    await identify();
  } catch (failure) {
    if (failure.status === 401) return;
    // What can't be asked now is asked again by the stream.
  }
  connect(async () => (await get("events")).items);
  go();
}
