// Link monitors: whether what is sent along a path is answered, and when it was not.

import { get } from "../api.js";
import { at, many, since, span, state } from "../format.js";
import { fetched } from "../fetched.js";
import { html } from "../html.js";
import { empty, loading, problem } from "../parts.js";

/** Milliseconds between two looks. */
const PACE = 3000;
const STATES = { "on time": ["ok", "On time"], waiting: ["calm", "Waiting"], late: ["warn", "Late"], alarm: ["bad", "Alarm"] };
const RANKS = ["alarm", "late", "waiting", "on time"];

export function monitors(view) {
  const list = fetched(view, async () => (await get("monitors")).items);
  const timer = setInterval(() => list.again(), PACE);

  const stateOf = (monitor) => {
    const [tone, word] = STATES[monitor.state] ?? ["calm", monitor.state];
    return state({ tone, word });
  };

  const row = (monitor) => html`<tr data-key="${monitor.name}" data-monitor="${monitor.name}">
    <td class="named"><b>${monitor.name}</b><span class="under">a ${monitor.kind} every ${span(monitor.every_s)}</span></td>
    <td>${stateOf(monitor)}${monitor.state === "waiting" && html`<span class="under">nothing was answered yet</span>`}</td>
    <td class="address">${monitor.to}<span class="under">from ${monitor.from}</span></td>
    <td class="nowrap">${monitor.last_answer ? html`${since(monitor.last_answer)} ago<span class="under">${monitor.answer}, took ${span(monitor.round_trip_s)}</span>` : html`<span class="quiet">none so far</span>`}</td>
    <td class="nowrap">${monitor.waiting_since ? html`${since(monitor.waiting_since)}<span class="under">${many(monitor.unanswered, "is", "are")} without an answer</span>` : html`<span class="quiet">–</span>`}</td>
    <td class="nowrap">late after ${span(monitor.late_after_s)}<span class="under">alarm after ${span(monitor.alarm_after_s)}</span></td>
    <td class="nowrap">${monitor.next_in_s === 0 ? "now" : `in ${span(monitor.next_in_s)}`}</td></tr>`;

  const trouble = (monitor) => html`<section class="alarm ${monitor.state === "late" ? "warn" : ""}" data-key="${monitor.name}" data-alarm="${monitor.name}">
    <div class="title"><h2>${monitor.name}</h2><span class="since">${monitor.waiting_since ? html`no answer for ${since(monitor.waiting_since)}, since ${at(monitor.waiting_since)}` : "no answer"}</span></div>
    <p><b>What was sent to ${monitor.to} does not come back.</b> The path does not work somewhere, there or back, or a queue on it is long. Look first whether a <a href="#/">link of this MTA</a> is down; if not, <a href="#/tracking?${new URLSearchParams({ find: monitor.from })}">tracking</a> tells how far it got.</p>
    ${monitor.problem && html`<blockquote class="mono">${monitor.problem}</blockquote>`}</section>`;

  const spells = (items) => {
    const late = items.flatMap((monitor) => monitor.late.map((spell) => ({ ...spell, name: monitor.name })));
    late.sort((a, b) => (a.since < b.since ? 1 : -1));
    if (late.length === 0) return empty("Never late", "No answer was late so far.", "calm");
    return html`<div class="scroll"><table id="late"><thead><tr><th>Monitor</th><th>Without an answer since</th><th>Answered again</th><th>For</th><th></th></tr></thead><tbody>
      ${late.map((spell) => html`<tr data-key="${spell.name}.${spell.since}"><td>${spell.name}</td><td class="nowrap">${at(spell.since)}</td><td class="nowrap">${spell.until ? at(spell.until) : "not yet"}</td>
        <td class="nowrap">${spell.lasted_s === null ? since(spell.since) : span(spell.lasted_s)}</td><td>${spell.alarm ? html`<span class="tag bad">alarm</span>` : html`<span class="tag warn">late</span>`}</td></tr>`)}</tbody></table></div>`;
  };

  return {
    title: "Link monitors",
    close: () => clearInterval(timer),
    render() {
      const items = [...(list.value ?? [])].sort((a, b) => RANKS.indexOf(a.state) - RANKS.indexOf(b.state) || (a.name < b.name ? -1 : 1));
      const bad = items.filter((monitor) => ["late", "alarm"].includes(monitor.state));
      return html`<div class="head"><h1>Link monitors</h1><span class="sub">${list.value === null ? "" : items.length === 0 ? "" : bad.length === 0 ? `${many(items.length, "path")}, none late` : `${many(bad.length, "path")} of ${items.length} without answers`}</span></div>
        ${list.failure && problem(list.failure)}
        ${list.value === null ? !list.failure && html`<section class="card">${loading()}</section>` : html`${bad.map(trouble)}
          <section class="card">${items.length === 0 ? empty("No link monitors", "One sends a probe or a message along a path on a schedule, and tells when no answer comes. Add a [[link_monitor]] to the configuration.", "monitors")
            : html`<div class="scroll"><table id="monitors"><thead><tr><th>Monitor</th><th>State</th><th>Path to</th><th>Last answer</th><th>Waiting for</th><th>Limits</th><th>Sends next</th></tr></thead><tbody>${items.map(row)}</tbody></table></div>`}</section>
          ${items.length > 0 && html`<section class="card"><header><h2>When answers were late</h2><span class="sub">the newest 20 of each, over restarts</span></header>${spells(items)}</section>`}`}`;
    },
  };
}
