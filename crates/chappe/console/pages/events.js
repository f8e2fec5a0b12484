// Events, newest first, with filters, and for each what it means, what causes it, and what to do.

import { get } from "../api.js";
import { at, count, many, prose, severity } from "../format.js";
import { fetched } from "../fetched.js";
import { html } from "../html.js";
import { live, refreshEvents } from "../live.js";
import { empty, loading } from "../parts.js";

const SHOWN = 200;
const SEVERITIES = ["error", "warning", "information"];

export function events(view) {
  let { kind = "", severity: wanted = "", find = "" } = view.query;
  const help = fetched(view, async () => new Map((await get("event-kinds")).items.map((item) => [item.kind, item])));
  // Counts of repetitions are not in the stream.
  const timer = setInterval(refreshEvents, 15000);

  const explain = (event) => {
    const known = help.value?.get(event.kind);
    if (!known) return "";
    return html`<details class="help"><summary>What to do</summary><div>
      <p>${prose(known.meaning)}</p><p><b>Cause.</b> ${prose(known.cause)}</p><p><b>To do.</b> ${prose(known.to_do)}</p></div></details>`;
  };

  return {
    title: "Events",
    requery(query) {
      ({ kind = "", severity: wanted = "", find = "" } = query);
    },
    close: () => clearInterval(timer),
    render() {
      if (!live.status) return loading();
      const kinds = help.value ? [...help.value.keys()] : [...new Set(live.events.map((event) => event.kind))];
      const found = live.events.filter((event) => (!kind || event.kind === kind) && (!wanted || event.severity === wanted)
        && `${event.subject ?? ""} ${event.text} ${event.kind}`.toLowerCase().includes(find.toLowerCase())).reverse();
      return html`<div class="head"><h1>Events</h1><span class="sub">${many(found.length, "event")} of the newest ${count(live.events.length)}</span></div>
        <section class="card"><header><span class="chips" role="group" aria-label="Severity">${SEVERITIES.map((one) => html`<button class="chip" data-do="severity" data-severity="${one}" aria-pressed="${String(one === wanted)}">${one} ${count(live.events.filter((event) => event.severity === one).length)}</button>`)}</span>
          <span class="tools"><select data-change="kind" aria-label="Kind"><option value="">every kind</option>${kinds.map((one) => html`<option ${one === kind ? html`selected` : ""}>${one}</option>`)}</select>
          <input type="search" data-input="find" value="${find}" placeholder="Text contains …" aria-label="Text contains"></span></header>
          ${live.leftOut > 0 && html`<p class="quiet" id="left-out">${many(live.leftOut, "more event")} since the last look: so much goes well that only a few are shown as they come. Warnings and errors come first; for the others see the log, or wait for the next look.</p>`}
          ${found.length === 0 ? empty("No event is like that", "Choose another kind, severity or text.", "calm")
            : html`<ol class="events">${found.slice(0, SHOWN).map((event) => html`<li data-key="${event.number}">${at(event.time)}
              <div>${severity(event.severity)} <b>${event.kind}</b>${event.exchange_id !== undefined && html` <span class="quiet" title="Number in the Exchange MTA">${event.exchange_id}</span>`} ${event.subject && html`<a href="#/connectors/${encodeURIComponent(event.subject)}">${event.subject}</a>`} <span class="quiet">${event.category}</span>
              ${event.count !== undefined && html`<span class="tag">${count(event.count)} times since ${at(event.since)}</span>`}
              <div class="wrap">${event.text}</div>${explain(event)}</div></li>`)}</ol>
              ${found.length > SHOWN && html`<div class="pager">${count(found.length - SHOWN)} older ones: narrow the filters</div>`}`}</section>`;
    },
    actions: {
      severity({ severity: one }) {
        wanted = wanted === one ? "" : one;
        view.update();
      },
      kind(_, field) {
        kind = field.value;
        view.update();
      },
      find(_, field) {
        find = field.value;
        view.update();
      },
    },
  };
}
