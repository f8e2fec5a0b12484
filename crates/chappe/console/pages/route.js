// The route explainer: an address in, every step of the decision out.

import { get, post } from "../api.js";
import * as draft from "../draft.js";
import { fetched } from "../fetched.js";
import { prose, sentence } from "../format.js";
import { html } from "../html.js";
import { live } from "../live.js";
import { empty, loading, problem } from "../parts.js";
import { may } from "../session.js";

const TONES = { local: "ok", list: "ok", connector: "accent", unknown: "bad" };

export function route(view) {
  let query = view.query;
  const compares = () => may("administrator") && draft.isEdited();
  /** As it is, and where a configuration is being edited with that. */
  async function ask() {
    if (!query.to) return null;
    const given = { to: query.to, incoming: query.incoming, originator: query.originator, size_kb: query.size_kb };
    if (compares()) return post("what-if/route", given, draft.current());
    return { now: await get("route", given) };
  }
  const answer = fetched(view, ask);
  const field = (name, label, placeholder, wide) => html`<label class="field ${wide ? "wide" : ""}">${label}<input name="${name}" value="${query[name] ?? ""}" placeholder="${placeholder}" autocomplete="off" spellcheck="false"></label>`;
  return {
    title: "Route",
    requery(changed) {
      query = changed;
      answer.again();
    },
    render() {
      const { value, failure } = answer;
      return html`<div class="head"><h1>Where would it go?</h1><span class="sub">the decision for a recipient, with every step</span></div>
        <section class="card"><form class="filters inside" data-submit="explain">
          ${field("to", "Recipient", "S=operations;O=Acme;P=BETA;A= ;C=GB", true)}
          <label class="field">Coming in over<select name="incoming"><option value="">submitted here</option>${[...live.links.keys()].map((name) => html`<option ${name === query.incoming ? html`selected` : ""}>${name}</option>`)}</select></label>
          ${field("originator", "From", "S=anna;P=ALPHA;A= ;C=GB")}${field("size_kb", "Size in KB", "0")}
          <button class="primary">Explain</button></form></section>
        ${failure ? problem(failure) : query.to && value === null ? html`<section class="card">${loading()}</section>` : value === null
          ? html`<section class="card">${empty("Give an address", "as in S=operations;O=Acme;P=BETA;A= ;C=GB", "route")}</section>`
          : "then" in value ? html`<section class="alarm ${value.changed ? "warn" : "calm"}" id="whatif"><p>${value.changed ? html`<b>It would be different</b> under the edited configuration, which is not applied.` : html`<b>Nothing would be different</b> under the edited configuration, which is not applied.`}</p></section>
            <div class="columns">${decision("Now", value.now, "route")}${decision("Under the edited configuration", value.then, "then")}</div>`
          : decision("", value.now, "route")}`;
    },
    actions: {
      explain(_, form) {
        const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== ""));
        view.go(`/route?${new URLSearchParams(given)}`);
        // The same question once more, perhaps under another edit.
        if (given.to === query.to) answer.again();
      },
    },
  };
}

/** Where it goes and why; nothing if the connector that it comes in over is not there. */
function decision(title, value, id) {
  const heading = title && html`<header><h2>${title}</h2></header>`;
  if (!value) return html`<section class="card" id="${id}">${heading}${empty("There is no such connector", "the one that it would come in over", "connectors")}</section>`;
  return html`<section class="card" id="${id}">${heading}<header><span class="tag ${TONES[value.decision] ?? ""}">${value.decision}</span><h2>${sentence(value.summary)}</h2>
              <span class="tools">${value.connectors.map((name) => html`<a class="button small" href="#/connectors/${encodeURIComponent(name)}">${name}</a>`)}</span></header>
            <div class="inside"><ol class="steps">${value.steps.map((step) => html`<li><span>${prose(step)}</span></li>`)}</ol></div></section>`;
}
