// Connectors: all of them, and one with its state, its associations, its traffic and its settings on property pages.

import { get, segment } from "../api.js";
import { advice } from "../advice.js";
import { at, count, many, octets, severity, since, state, stateOf, until } from "../format.js";
import { fetched } from "../fetched.js";
import { html } from "../html.js";
import { live } from "../live.js";
import { linkActions, linkButtons } from "../operations.js";
import { empty, loading, problem } from "../parts.js";
import { may } from "../session.js";
import { associationTable } from "./associations.js";

export function connectors() {
  return {
    title: "Connectors",
    render() {
      if (!live.status) return loading();
      const links = [...live.links.values()];
      return html`<div class="head"><h1>Connectors</h1><span class="sub">${many(links.length, "link")} to adjacent MTAs</span></div>
        <section class="card">${links.length === 0 ? empty("No connectors yet", "Add a [[connector]] to the configuration file, then reload.", "connectors")
          : html`<div class="scroll"><table><thead><tr><th>Connector</th><th>Remote MTA</th><th>State</th><th class="number">Open</th><th class="number">In</th><th class="number">Out</th><th>Last transfer</th><th>Last association</th></tr></thead><tbody>
            ${links.map((link) => html`<tr data-key="${link.name}"><td><a href="#/connectors/${encodeURIComponent(link.name)}"><b>${link.name}</b></a></td><td>${link.remote_mta}</td>
              <td>${state(stateOf(link))}${link.failing_since && html`<span class="under">for ${since(link.failing_since)}</span>`}</td>
              <td class="number">${count(link.associations)}</td>
              <td class="number">${count(link.traffic.messages_in)}<span class="under">${octets(link.traffic.octets_in)}</span></td>
              <td class="number">${count(link.traffic.messages_out)}<span class="under">${octets(link.traffic.octets_out)}</span></td>
              <td class="nowrap">${at(link.traffic.last_transfer)}</td><td class="nowrap">${at(link.traffic.last_association)}</td></tr>`)}</tbody></table></div>`}</section>`;
    },
  };
}

export function connector(view) {
  const [name] = view.parameters;
  let tab = view.query.page ?? "General";
  const settings = fetched(view, () => get(`connectors/${segment(name)}/settings`));
  const open = fetched(view, async () => (await get("associations")).items.filter((one) => one.connector === name));
  let seen = null;

  const property = ({ key, value, unit }) => html`<dt class="mono">${key}</dt><dd>${value.split("\n").map((line) => html`<div>${line}${unit && line !== "–" ? html` <span class="quiet">${unit}</span>` : ""}</div>`)}</dd>`;

  return {
    title: name,
    requery(query) {
      tab = query.page ?? "General";
    },
    live() {
      const link = live.links.get(name);
      const now = [link?.associations, link?.traffic.messages_in, link?.traffic.messages_out].join();
      if (seen !== null && now !== seen) open.again();
      seen = now;
    },
    render() {
      if (!live.status) return loading();
      const link = live.links.get(name);
      if (!link) return html`<div class="head"><h1>${name}</h1></div>${empty("There is no such connector", html`It may have been taken out of the configuration. <a href="#/connectors">All connectors</a>`, "connectors")}`;
      const { cause, todo } = advice(link.last_failure);
      const { traffic } = link;
      const news = live.events.filter((event) => event.subject === name).slice(-8).reverse();
      const pages = settings.value?.pages ?? [];
      const page = pages.find((one) => one.page === tab) ?? pages[0];
      return html`<div class="head"><h1>${name}</h1>${state(stateOf(link))}<span class="sub">to ${link.remote_mta}</span>
          <span class="tools">${linkButtons(link, { main: link.failing_since ? "retry" : "" })}${!link.opens_nothing && html`<button data-do="connect" data-link="${name}" ${may("operator") ? "" : html`disabled`}>Connect now</button>`}</span></div>
        ${link.failing_since && html`<section class="alarm"><div class="title"><span class="since">down for ${since(link.failing_since)}, since ${at(link.failing_since)}</span></div><p><b>${cause}</b> ${todo}</p>
          <blockquote class="mono">${link.last_failure}</blockquote>
          <div class="facts"><span><b>${count(link.failed_attempts)}</b> ${link.failed_attempts === 1 ? "attempt" : "attempts"} failed; a message waits through ${count(link.max_open_retries)}</span><span>next try <b>${link.next_retry ? until(link.next_retry) : "under way"}</b></span></div></section>`}
        ${link.frozen && html`<section class="alarm warn"><p><b>An operator has frozen the queue.</b> Nothing is transferred from it until it is thawed.</p></section>`}
        <div class="figures">
          <div class="figure"><b>${count(link.messages)}</b><span>waiting, ${octets(link.octets)}</span></div>
          <div class="figure"><b>${link.oldest ? since(link.oldest) : "–"}</b><span>oldest message</span></div>
          <div class="figure"><b>${count(link.held)}</b><span>held by operators</span></div>
          <div class="figure"><b>${count(traffic.messages_out)}</b><span>out since the start, ${octets(traffic.octets_out)}</span></div>
          <div class="figure"><b>${count(traffic.messages_in)}</b><span>in since the start, ${octets(traffic.octets_in)}</span></div>
          <div class="figure"><b>${count(traffic.associations_out)} / ${count(traffic.associations_in)}</b><span>associations opened by us / by the peer</span></div>
        </div>
        <div class="columns">
          <section class="card"><header><h2>Settings</h2><span class="sub">as in the configuration file; secrets are not shown</span></header>
            ${settings.failure ? html`<div class="inside">${problem(settings.failure)}</div>` : !page ? loading() : html`<nav class="tabs" aria-label="Property pages">${pages.map((one) => html`<a href="#/connectors/${encodeURIComponent(name)}?page=${encodeURIComponent(one.page)}" ${one === page ? html`aria-current="page"` : ""}>${one.page}</a>`)}</nav>
              <div class="inside"><dl class="facts" id="settings">${page.settings.map(property)}</dl></div>`}</section>
          <section class="card"><header><h2>Events of this link</h2></header>${news.length === 0 ? empty("Nothing among the newest events", "", "calm") : html`<ol class="events">${news.map((event) => html`<li data-key="${event.number}">${at(event.time)}<div>${severity(event.severity)} <a href="#/events?kind=${event.kind}">${event.kind}</a><div class="wrap">${event.text}</div></div></li>`)}</ol>`}</section>
        </div>
        <section class="card"><header><h2>Associations</h2><span class="sub">open now</span></header>${open.value ? associationTable(open.value) : open.failure ? html`<div class="inside">${problem(open.failure)}</div>` : loading()}</section>`;
    },
    actions: linkActions(view),
  };
}
