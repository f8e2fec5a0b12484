// Associations: what is open, what was agreed, what has passed; and what the flight recorder has of them.

import { get } from "../api.js";
import { at, count, many, octets, since, state } from "../format.js";
import { fetched } from "../fetched.js";
import { html } from "../html.js";
import { live } from "../live.js";
import { empty, loading, problem } from "../parts.js";
import { may } from "../session.js";

const TONES = { sending: "ok", receiving: "ok", idle: "calm", opening: "warn", closing: "warn", "awaiting-turn": "calm" };
const word = (text) => text.charAt(0).toUpperCase() + text.slice(1).replaceAll("-", " ");

/** Links to the recording of an association; the ladder is a page of its own. */
const recordingLinks = (number) =>
  may("operator")
    ? html`<a class="button small" href="/api/v1/associations/${number}/recording" download="association-${number}.pcap">Capture</a><a class="button small" href="#/associations/${number}">Ladder</a>`
    : "";

const PROTOCOLS = { transport: "X.224 class 0", session: "X.225", presentation: "X.226", ACSE: "X.227", RTSE: "X.228" };
/** States in which a layer has nothing to wait for. */
const SETTLED = /^(open|connected|associated|no transfer|sending|receiving|an APDU is being)/;

/** How the layers of an association stand, in a line, and with all that was settled. */
const layers = (one) => html`<tr class="layers" data-key="${one.id}.layers"><td colspan="10"><details><summary>${one.layers.map(({ layer, state }) => html`<span class="layer ${SETTLED.test(state) ? "" : "warn"}"><b>${word(layer)}</b> ${state}</span>`)}</summary>
  <table><thead><tr><th>Layer</th><th>State</th><th>Settled with the peer</th></tr></thead><tbody>${one.layers.map(({ layer, state, settled }) => html`<tr><td class="nowrap"><b>${word(layer)}</b><span class="under">${PROTOCOLS[layer] ?? ""}</span></td><td>${state}</td>
    <td>${settled.length === 0 ? html`<span class="quiet">nothing</span>` : html`<dl class="facts">${settled.map(({ name, value }) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`}</td></tr>`)}</tbody></table></details></td></tr>`;

export function associationTable(items) {
  if (items.length === 0) return empty("No association is open", "One is opened as soon as something is to be sent.", "associations");
  return html`<div class="scroll"><table class="associations"><thead><tr><th>Number</th><th>Connector</th><th>State</th><th>Opened by</th><th>Peer</th><th>Agreed</th><th class="number">In</th><th class="number">Out</th><th>Age</th><th></th></tr></thead><tbody>
    ${items.map((one) => html`<tr data-key="${one.id}"><td>${one.id}</td><td>${one.connector ? html`<a href="#/connectors/${encodeURIComponent(one.connector)}">${one.connector}</a>` : html`<span class="quiet">not known yet</span>`}</td>
      <td>${state({ tone: TONES[one.state] ?? "calm", word: word(one.state) })}</td><td>${one.role === "initiator" ? "us" : "the peer"}</td><td class="mono">${one.peer}</td>
      <td>${one.dialogue === null ? html`<span class="quiet">nothing yet</span>` : html`${one.dialogue}<span class="under">checkpoint ${one.checkpoint_size_kb === 0 ? "none" : `${one.checkpoint_size_kb} KB`}, window ${one.window_size}</span>`}</td>
      <td class="number">${count(one.received)}${one.octets_in !== undefined && html`<span class="under">${octets(one.octets_in)}</span>`}</td>
      <td class="number">${count(one.sent)}${one.octets_out !== undefined && html`<span class="under">${octets(one.octets_out)}</span>`}</td>
      <td class="nowrap">${since(one.since)}</td><td class="actions">${recordingLinks(one.id)}</td></tr>${one.layers.length > 0 && layers(one)}`)}</tbody></table></div>`;
}

export function associations(view) {
  const open = fetched(view, async () => (await get("associations")).items);
  const recorded = fetched(view, async () => (await get("recordings")).items);
  let seen = null;
  let at_ = 0;
  return {
    title: "Associations",
    live() {
      const { status } = live;
      const now = [status.associations, status.counters.transferred_in, status.counters.transferred_out].join();
      if ((now !== seen && Date.now() - at_ > 900) || Date.now() - at_ > 5000) {
        seen = now;
        at_ = Date.now();
        open.again();
        recorded.again();
      }
    },
    render() {
      const ended = (recorded.value ?? []).filter((one) => one.ended !== null).reverse();
      return html`<div class="head"><h1>Associations</h1><span class="sub">${open.value ? many(open.value.length, "is", "are") : ""} open</span></div>
        <section class="card"><header><h2>Open now</h2></header>${open.failure ? html`<div class="inside">${problem(open.failure)}</div>` : open.value ? associationTable(open.value) : loading()}</section>
        <section class="card"><header><h2>Recordings of ended ones</h2><span class="sub">what the flight recorder still has; passwords are masked</span></header>
          ${recorded.failure ? html`<div class="inside">${problem(recorded.failure)}</div>` : recorded.value === null ? loading() : ended.length === 0 ? empty("No recordings", "Associations that end leave one.", "associations")
            : html`<div class="scroll"><table><thead><tr><th>Number</th><th>Connector</th><th>Opened by</th><th>Peer</th><th>Began</th><th>Ended</th><th class="number">TPDUs</th><th class="number">Memory</th><th></th></tr></thead><tbody>
              ${ended.slice(0, 200).map((one) => html`<tr data-key="${one.association}.${one.began}.${one.peer}"><td>${one.association}</td><td>${one.connector ?? html`<span class="quiet">not known</span>`}</td><td>${one.role === "initiator" ? "us" : "the peer"}</td><td class="mono">${one.peer}</td>
                <td class="nowrap">${at(one.began)}</td><td class="nowrap">${at(one.ended)}</td><td class="number">${count(one.tpdus)}${one.lost_tpdus > 0 && html`<span class="under">${count(one.lost_tpdus)} lost</span>`}</td><td class="number">${octets(one.octets)}</td><td class="actions">${recordingLinks(one.association)}</td></tr>`)}</tbody></table></div>`}</section>`;
    },
  };
}
