// Connectors: all of them, and one with its state, its associations, its traffic and its settings on property pages.

import { get, segment } from "../api.js";
import { advice } from "../advice.js";
import { open as openDialog } from "../dialog.js";
import * as draft from "../draft.js";
import { fieldActions, form } from "../fields.js";
import { at, count, many, octets, severity, since, state, stateOf, until } from "../format.js";
import { fetched } from "../fetched.js";
import { html } from "../html.js";
import { live } from "../live.js";
import { linkActions, linkButtons } from "../operations.js";
import { empty, loading, problem } from "../parts.js";
import { may } from "../session.js";
import { associationTable } from "./associations.js";

/** Asks for what a new connector needs, and has it compared with what is in force. */
function addConnector(view) {
  const state = { failure: null, busy: false };
  const entry = (name, label, placeholder, more = "") => html`<label class="field">${label}<input name="${name}" id="new-${name}" placeholder="${placeholder}" autocomplete="off" spellcheck="false" ${more}></label>`;
  const own = openDialog(
    state,
    () => html`<form class="shell" data-submit="confirm"><header><h2 id="dialog-title">Add a connector</h2><p class="quiet">Nothing is changed before you have seen what would be different.</p></header><div class="inside">
      ${state.failure && html`<div class="problem" role="alert"><b>${state.failure.what}</b>${state.failure.why ?? state.failure.message}</div>`}
      ${entry("name", "Name, used in commands and events", "to-b", html`required autofocus`)}${entry("remote_mta", "Name that the peer gives in its bind", "MTA-B", html`required`)}
      ${entry("host", "Where the peer listens: host, host:port", "mta-b.example.net:102", html`required`)}${entry("address", "Addresses reached over it", "P=BETA;A= ;C=GB")}
      <label class="field">Password that the peer must give<input type="password" name="password" autocomplete="new-password" placeholder="none"></label></div>
      <footer><button type="button" data-do="close">Cancel</button><button class="primary" ${state.busy ? html`disabled` : ""}>Compare …</button></footer></form>`,
    {
      async confirm(_, element) {
        const given = Object.fromEntries([...new FormData(element)].map(([name, value]) => [name, value.trim()]));
        own.update({ busy: true, failure: null });
        const values = { remote_mta: given.remote_mta, hosts: [given.host], remote_password: given.password || null, address_space: given.address ? [{ address: given.address, cost: 1 }] : null };
        try {
          await draft.load();
          await draft.edit({ change: "add", connector: given.name, values });
        } catch (failure) {
          return own.update({ busy: false, failure });
        }
        own.close();
        draft.review(view, { applied: () => view.go(`/connectors/${encodeURIComponent(given.name)}`) });
      },
    },
  );
}

export function connectors(view) {
  return {
    title: "Connectors",
    render() {
      if (!live.status) return loading();
      const links = [...live.links.values()];
      return html`<div class="head"><h1>Connectors</h1><span class="sub">${many(links.length, "link")} to adjacent MTAs</span>
          ${may("administrator") && html`<span class="tools"><button data-do="add">Add a connector …</button></span>`}</div>
        <section class="card">${links.length === 0 ? empty("No connectors yet", may("administrator") ? "Add one: the name of the peer, where it listens, and which addresses are reached over it." : "An administrator can add one.", "connectors")
          : html`<div class="scroll"><table><thead><tr><th>Connector</th><th>Remote MTA</th><th>State</th><th class="number">Open</th><th class="number">In</th><th class="number">Out</th><th>Last transfer</th><th>Last association</th></tr></thead><tbody>
            ${links.map((link) => html`<tr data-key="${link.name}"><td><a href="#/connectors/${encodeURIComponent(link.name)}"><b>${link.name}</b></a></td><td>${link.remote_mta}</td>
              <td>${state(stateOf(link))}${link.failing_since && html`<span class="under">for ${since(link.failing_since)}</span>`}</td>
              <td class="number">${count(link.associations)}</td>
              <td class="number">${count(link.traffic.messages_in)}<span class="under">${octets(link.traffic.octets_in)}</span></td>
              <td class="number">${count(link.traffic.messages_out)}<span class="under">${octets(link.traffic.octets_out)}</span></td>
              <td class="nowrap">${at(link.traffic.last_transfer)}</td><td class="nowrap">${at(link.traffic.last_association)}</td></tr>`)}</tbody></table></div>`}</section>`;
    },
    actions: { add: () => addConnector(view) },
  };
}

export function connector(view) {
  const [name] = view.parameters;
  let tab = view.query.page ?? "General";
  const settings = fetched(view, () => get(`connectors/${segment(name)}/settings`));
  const open = fetched(view, async () => (await get("associations")).items.filter((one) => one.connector === name));
  let seen = null;
  /** What can be set and what the edited text says; for administrators. */
  const fields = may("administrator") ? fetched(view, async () => { await draft.load(); return draft.form(); }) : null;
  const pending = new Map();
  /** Counts how often what was typed has been given up: the fields are made anew then. */
  let generation = 0;

  const written = () => fields?.value?.connectors.find((one) => one.name === name)?.values ?? {};
  const edits = fieldActions(() => ({ written: written(), pending, fields: fields.value.fields }), () => view.update());

  async function reviewEdits() {
    try {
      await draft.edit({ change: "set", connector: name, values: Object.fromEntries(pending) });
    } catch (failure) {
      return view.toast(`${failure.what}: ${failure.why}`, true);
    }
    const again = () => { pending.clear(); generation += 1; fields.again(); settings.again(); };
    again();
    draft.review(view, { applied: again, cancelled: again });
  }

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
      const isForm = fields !== null && fields.failure === null;
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
        <section class="card"><header><h2>Settings</h2><span class="sub">${isForm ? "what is left empty has its default; nothing is changed before it is applied" : "as they are in force; secrets are not shown"}</span>
            ${may("administrator") && html`<span class="tools"><button class="small danger" data-do="remove">Remove this connector …</button></span>`}</header>
            ${settings.failure ? html`<div class="inside">${problem(settings.failure)}</div>` : !page ? loading() : html`<nav class="tabs" aria-label="Property pages">${pages.map((one) => html`<a href="#/connectors/${encodeURIComponent(name)}?page=${encodeURIComponent(one.page)}" ${one === page ? html`aria-current="page"` : ""}>${one.page}</a>`)}</nav>
              ${!isForm ? html`<div class="inside"><dl class="facts" id="settings">${page.settings.map(property)}</dl></div>` : fields.value === null ? loading() : html`<form class="inside form" id="settings" data-submit="review" data-key="${generation}.${page.page}">${form(fields.value.fields.filter((one) => one.page === page.page), written(), pending, { allowed: true, paint: edits.paint })}</form>`}
            ${isForm && pending.size > 0 && html`<div class="bulk bottom" id="edits"><b>${many(pending.size, "setting")} edited</b><button class="primary small" data-do="review">Compare …</button><button class="small" data-do="undo">Undo</button></div>`}`}</section>
          <section class="card"><header><h2>Events of this link</h2></header>${news.length === 0 ? empty("Nothing among the newest events", "", "calm") : html`<ol class="events">${news.map((event) => html`<li data-key="${event.number}">${at(event.time)}<div>${severity(event.severity)} <a href="#/events?kind=${event.kind}">${event.kind}</a><div class="wrap">${event.text}</div></div></li>`)}</ol>`}</section>
        <section class="card"><header><h2>Associations</h2><span class="sub">open now</span></header>${open.value ? associationTable(open.value) : open.failure ? html`<div class="inside">${problem(open.failure)}</div>` : loading()}</section>`;
    },
    actions: {
      ...linkActions(view),
      ...edits.actions,
      review: () => pending.size > 0 && reviewEdits(),
      undo() {
        pending.clear();
        generation += 1;
        view.update();
      },
      async remove() {
        const link = live.links.get(name);
        try {
          await draft.load();
          await draft.edit({ change: "remove", connector: name });
        } catch (failure) {
          return view.toast(`${failure.what}: ${failure.why}`, true);
        }
        const waiting = link?.messages ?? 0;
        const note = html`Associations of ${name} are closed. ${waiting > 0 ? html`<b>${many(waiting, "message")}</b> in its queue ${waiting === 1 ? "is" : "are"} routed again; what no other connector takes is reported to its originator as undeliverable.` : "Nothing waits in its queue."}`;
        draft.review(view, { note, applied: () => view.go("/connectors") });
      },
    },
  };
}
