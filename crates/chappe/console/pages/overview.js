// All at a glance: which link is down since when, what waits, why, and what to press.

import { advice } from "../advice.js";
import { at, count, many, octets, sentence, severity, since, span, state, stateOf, until } from "../format.js";
import { html } from "../html.js";
import { ago, live } from "../live.js";
import { DRAWN, byNeed, map } from "../map.js";
import { bar, curve, empty, loading } from "../parts.js";
import { linkActions, linkButtons } from "../operations.js";

/** Cards of links that are down; more are in the queues. */
const ALARMS = 6;

export function overview(view) {
  let before = new Map();
  let moved = new Map();
  let seen = null;

  /** What has passed each link since the frame before. */
  function compare() {
    if (seen === live.time) return;
    seen = live.time;
    moved = new Map();
    const now = new Map();
    for (const link of live.links.values()) {
      const { messages_in, messages_out } = link.traffic;
      const last = before.get(link.name);
      if (last) moved.set(link.name, { in: messages_in - last.in, out: messages_out - last.out });
      now.set(link.name, { in: messages_in, out: messages_out });
    }
    before = now;
  }

  const passed = (link) => moved.get(link.name) ?? { in: 0, out: 0 };

  function alarm(link) {
    const { cause, todo } = advice(link.last_failure);
    return html`<section class="alarm" data-key="${link.name}" data-link="${link.name}">
      <div class="title"><h2><a href="#/connectors/${encodeURIComponent(link.name)}">${link.name}</a> <span class="quiet">to ${link.remote_mta}</span></h2>
        <span class="since">down for ${since(link.failing_since)}, since ${at(link.failing_since)}</span></div>
      <p><b>${cause}</b> ${todo}</p>
      ${link.last_failure && html`<blockquote class="mono">${link.last_failure}</blockquote>`}
      <div class="facts"><span><b>${count(link.messages)}</b> waiting${link.messages > 0 ? `, ${octets(link.octets)}` : ""}</span>
        ${link.oldest && html`<span>oldest <b>${since(link.oldest)}</b></span>`}
        <span><b>${count(link.failed_attempts)}</b> ${link.failed_attempts === 1 ? "attempt" : "attempts"} failed; a message waits through ${count(link.max_open_retries)}</span>
        <span>next try <b>${link.next_retry ? until(link.next_retry) : "under way"}</b></span>
        ${link.traffic.last_association && html`<span>last open at <b>${at(link.traffic.last_association)}</b></span>`}</div>
      <div class="press">${linkButtons(link, { main: "retry" })}</div>
    </section>`;
  }

  function headline(down) {
    const { status } = live;
    if (status.condition === "stopping") return html`<h1>The MTA is stopping</h1>`;
    if (down.length > 0) {
      return html`<h1>${down.length === 1 ? html`1 of ${many(live.links.size, "link")} is down` : html`${count(down.length)} of ${many(live.links.size, "link")} are down`}</h1>`;
    }
    return status.condition === "ready" ? html`<h1>All is well</h1>` : html`<h1>Something needs attention</h1>`;
  }

  return {
    title: "Overview",
    render() {
      if (!live.status) return loading();
      compare();
      const { status } = live;
      const links = byNeed(live.links.values());
      const down = links.filter((link) => link.failing_since).sort((a, b) => b.messages - a.messages || (a.failing_since < b.failing_since ? -1 : 1));
      const others = status.reasons.filter((reason) => !reason.startsWith("connector "));
      const drawn = links.slice(0, DRAWN);
      const [last = [0, 0]] = live.samples.slice(-1);
      const news = live.events.filter((event) => event.severity !== "information").slice(-6).reverse();
      const { limits, total } = status.resources;
      return html`
        <div class="head">${headline(down)}<span class="sub">${status.name} · up for ${since(status.started)} · as of ${at(live.time)}</span></div>
        ${others.map((reason) => html`<section class="alarm warn"><p>${sentence(reason)}</p></section>`)}
        ${down.slice(0, ALARMS).map(alarm)}
        ${down.length > ALARMS && html`<p><a href="#/queues?state=down">${count(down.length - ALARMS)} more links are down</a></p>`}
        <div class="figures">
          <div class="figure"><b>${count(status.queued)}</b><span>queued, ${octets(status.queued_octets)}</span></div>
          <div class="figure ${down.length > 0 ? "bad" : ""}"><b>${count(down.length)}</b><span>of ${many(live.links.size, "link")} down</span></div>
          <div class="figure"><b>${count(status.associations)}</b><span>associations</span></div>
          <div class="figure"><b>${count(last[0])} / ${count(last[1])}</b><span>in / out in the last second</span></div>
          <div class="figure"><b>${count(status.counters.delivered)}</b><span>delivered since the start</span></div>
          <div class="figure"><b>${count(status.counters.non_delivered)}</b><span>not delivered since the start</span></div>
        </div>
        <section class="card"><header><h2>Links</h2><span class="sub">${links.length > DRAWN ? `${DRAWN} of ${links.length}, those in need first` : "state, what waits, and for how long"}</span>
          <span class="tools legend"><span class="state ok">Active</span><span class="state calm">Ready</span><span class="state warn">Frozen</span><span class="state bad">Down</span></span></header>
          ${links.length === 0
            ? empty("No connectors yet", html`Add a [[connector]] to the configuration file, then reload.`, "connectors")
            : html`<div class="inside scroll only-wide">${map(status, drawn, passed)}</div>`}
          <div class="tiles ${links.length > DRAWN ? "" : "only-narrow"}">${links.map((link, index) => {
            const { tone, word } = stateOf(link);
            return html`<a class="tile ${tone} ${index < DRAWN ? "only-narrow" : ""}" data-key="${link.name}" href="#/connectors/${encodeURIComponent(link.name)}"><b>${link.name}</b><span>${word}${link.messages > 0 ? ` · ${count(link.messages)}` : ""}</span></a>`;
          })}</div>
        </section>
        <div class="columns">
          <section class="card"><header><h2>Transfers</h2><span class="sub">per second, since this page is open</span></header>
            <div class="inside stack">${curve(live.samples)}
              <div class="legend"><span><i></i>in: ${count(status.counters.transferred_in)} since the start</span><span><i class="out"></i>out: ${count(status.counters.transferred_out)}</span></div>
              <dl class="facts"><dt>Places of associations</dt><dd>${count(total.slots)} of ${count(limits.slots)} ${bar(total.slots, limits.slots)}</dd>
              <dt>Buffered</dt><dd>${octets(total.octets)} of ${octets(limits.octets)} ${bar(total.octets, limits.octets)}</dd></dl></div></section>
          <section class="card"><header><h2>Warnings and errors</h2><span class="tools"><a href="#/events">All events</a></span></header>
            ${news.length === 0
              ? empty("Nothing to report", "no warnings among the newest events", "calm")
              : html`<ol class="events">${news.map((event) => html`<li data-key="${event.number}">${at(event.time)}<div>${severity(event.severity)} <a href="#/events?kind=${event.kind}">${event.kind}</a> ${event.subject && html`<b>${event.subject}</b>`}<div class="wrap">${event.text}</div></div></li>`)}</ol>`}
          </section>
        </div>`;
    },
    actions: linkActions(view),
  };
}
