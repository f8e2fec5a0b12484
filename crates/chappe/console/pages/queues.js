// The queues, with the columns of the Exchange administrator's program, and what can be done to them.

import { at, count, many, octets, since, span, state, stateOf, until } from "../format.js";
import { html } from "../html.js";
import { ago, live } from "../live.js";
import { linkActions, linkButtons, onLinks } from "../operations.js";
import { empty, loading } from "../parts.js";
import { may } from "../session.js";

/** Queues that are shown; the filter finds the others. */
const MOST = 250;

const SORTS = {
  need: { name: "In need first", by: (a, b) => Boolean(b.failing_since) - Boolean(a.failing_since) || b.messages - a.messages || (a.name < b.name ? -1 : 1) },
  name: { name: "Name", by: (a, b) => (a.name < b.name ? -1 : 1) },
  messages: { name: "Most messages", by: (a, b) => b.messages - a.messages },
  oldest: { name: "Oldest message", by: (a, b) => (b.oldest ? ago(b.oldest) : -1) - (a.oldest ? ago(a.oldest) : -1) },
};

const STATES = ["all", "down", "frozen", "waiting", "active", "ready"];

const isIn = (link, wanted) =>
  ({ all: true, down: Boolean(link.failing_since), frozen: link.frozen, waiting: link.messages > 0, active: link.state === "active", ready: link.state === "ready" })[wanted];

export function queues(view) {
  const chosen = new Set();
  view.changed = () => {
    chosen.clear();
    view.update();
  };
  let { state: shown = "all", text = "", sort = "need" } = view.query;

  const row = (link) => {
    const mark = stateOf(link);
    return html`<tr data-key="${link.name}" data-queue="${link.name}" aria-selected="${String(chosen.has(link.name))}">
      <td><input type="checkbox" data-change="choose" data-link="${link.name}" aria-label="Select ${link.name}" ${chosen.has(link.name) ? html`checked` : ""}></td>
      <td class="named"><a href="#/connectors/${encodeURIComponent(link.name)}"><b>${link.name}</b></a><span class="under">${link.remote_mta}</span></td>
      <td>${state(mark)}${link.failing_since && html`<span class="under">for ${since(link.failing_since)}</span>`}${link.frozen && link.failing_since && html`<span class="under warn">frozen</span>`}</td>
      <td class="number"><a href="#/messages?queue=${encodeURIComponent(link.name)}" title="Show them">${count(link.messages)}</a>${link.held > 0 && html`<span class="under">${count(link.held)} held</span>`}</td>
      <td class="number">${link.messages > 0 ? octets(link.octets) : html`<span class="quiet">–</span>`}</td>
      <td class="nowrap">${link.oldest ? html`${since(link.oldest)}<span class="under">${at(link.oldest)}</span>` : html`<span class="quiet">–</span>`}</td>
      <td class="nowrap">${link.next_retry ? html`${until(link.next_retry)}<span class="under">${at(link.next_retry)}</span>` : html`<span class="quiet">–</span>`}</td>
      <td class="address quiet"><span class="clamp" title="${link.last_failure ?? ""}">${link.failing_since ? link.last_failure : ""}</span></td>
      <td class="actions">${linkButtons(link, { small: true })}</td></tr>`;
  };

  /** Those that the filter takes, all of them, however many are drawn. */
  const matching = () => [...live.links.values()].filter((link) => isIn(link, shown) && `${link.name} ${link.remote_mta}`.toLowerCase().includes(text.toLowerCase()));
  const target = () => (chosen.size > 0 ? [...live.links.values()].filter((link) => chosen.has(link.name)) : matching());

  const bulk = (rows) => {
    const allowed = may("operator") && rows.length > 0 ? "" : html`disabled`;
    return html`<div class="bulk"><b>${chosen.size === 0 ? `With all ${count(rows.length)} shown here` : `${count(chosen.size)} selected`}</b>
      ${[["retry", "Retry now …"], ["connect", "Connect now …"], ["freeze", "Freeze …"], ["thaw", "Thaw …"]].map(([name, label]) => html`<button class="small" data-do="all" data-name="${name}" ${allowed}>${label}</button>`)}
      ${chosen.size > 0 && html`<button class="small plain" data-do="unchoose">Clear selection</button>`}</div>`;
  };

  return {
    title: "Queues",
    requery(query) {
      ({ state: shown = "all", text = "", sort = "need" } = query);
    },
    render() {
      if (!live.status) return loading();
      const all = [...live.links.values()];
      const wanted = matching();
      const rows = wanted.sort((SORTS[sort] ?? SORTS.need).by);
      const [queued, size] = [rows.reduce((sum, link) => sum + link.messages, 0), rows.reduce((sum, link) => sum + link.octets, 0)];
      const oldest = Math.max(0, ...rows.map((link) => (link.oldest ? ago(link.oldest) : 0)));
      return html`<div class="head"><h1>Queues</h1><span class="sub">${many(rows.length, "queue")}, ${many(queued, "message")}, ${octets(size)}${oldest > 0 ? `, the oldest ${span(oldest)}` : ""}</span>
          <span class="tools"><a class="button" href="#/messages?queue=work">Not routed yet</a></span></div>
        <section class="card"><header><span class="chips" role="group" aria-label="State">${STATES.map((name) => html`<button class="chip" data-do="show" data-state="${name}" aria-pressed="${String(name === shown)}">${name} ${name === "all" ? "" : count(all.filter((link) => isIn(link, name)).length)}</button>`)}</span>
          <span class="tools"><input type="search" data-input="filter" value="${text}" placeholder="Name contains …" aria-label="Name contains">
          <select data-change="sort" aria-label="Order">${Object.entries(SORTS).map(([key, { name }]) => html`<option value="${key}" ${key === sort ? html`selected` : ""}>${name}</option>`)}</select></span></header>
          ${rows.length === 0
            ? all.length === 0 ? empty("No connectors yet", "A queue comes with a connector.", "connectors") : empty("No queue is like that", "Choose another state or name.", "calm")
            : html`${all.length > 1 && bulk(rows)}<div class="scroll"><table id="queues"><thead><tr><th><input type="checkbox" data-change="chooseall" aria-label="Select all that match" ${rows.every((link) => chosen.has(link.name)) ? html`checked` : ""}></th><th>Connector</th><th>State</th><th class="number">Messages</th><th class="number">Size</th><th>Oldest</th><th>Next try</th><th>Last failure</th><th></th></tr></thead>
              <tbody>${rows.slice(0, MOST).map(row)}</tbody></table></div>
              ${rows.length > MOST && html`<div class="pager">${count(rows.length - MOST)} more: narrow the name or the state</div>`}`}
        </section>`;
    },
    actions: {
      ...linkActions(view),
      all: ({ name }) => onLinks(view, name, target()),
      choose({ link }, field) {
        if (field.checked) chosen.add(link);
        else chosen.delete(link);
        view.update();
      },
      chooseall(_, field) {
        if (field.checked) matching().forEach(({ name }) => chosen.add(name));
        else chosen.clear();
        view.update();
      },
      unchoose() {
        chosen.clear();
        view.update();
      },
      show({ state: wanted }) {
        shown = wanted;
        view.update();
      },
      filter(_, field) {
        text = field.value;
        view.update();
      },
      sort(_, field) {
        sort = field.value;
        view.update();
      },
    },
  };
}
