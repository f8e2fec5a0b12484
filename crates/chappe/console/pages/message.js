// One message: where it has been, to whom it goes and how that stands, what it says, and its octets.

import { get, octets as fetchOctets } from "../api.js";
import { at, clock, copyState, count, many, octets, priority, since, span } from "../format.js";
import { fetched, whenChanged } from "../fetched.js";
import { html } from "../html.js";
import { live } from "../live.js";
import { chooseConnector, onMessages } from "../operations.js";
import { loading, problem } from "../parts.js";
import { path } from "../path.js";
import { may } from "../session.js";
import { history } from "./tracking.js";

/** Octets shown at a time. */
const WINDOW = 2048;

export function message(view) {
  const [reference] = view.parameters;
  let bytes = null;
  let offset = 0;
  let identifier = null;
  const copies = fetched(view, () => get(`messages/${encodeURIComponent(reference)}`));
  const envelope = fetched(view, () => get(`messages/${encodeURIComponent(reference)}/envelope`));
  const track = fetched(view, async () => {
    // Tracking still knows of it when the queues do not.
    identifier ??= (await get(`messages/${encodeURIComponent(reference)}`)).items[0].mts_id;
    return get(`tracking/${encodeURIComponent(identifier)}`);
  });
  const watch = whenChanged(() => [live.status?.queued, live.status?.counters?.transferred_out].join(), () => view.changed());
  view.changed = () => {
    copies.again();
    track.again();
  };

  async function load(from) {
    try {
      bytes = await fetchOctets(`messages/${encodeURIComponent(reference)}/content`, { offset: from, length: WINDOW });
      offset = from;
    } catch (failure) {
      bytes = failure;
    }
    view.update();
  }

  const dump = (data) => {
    const lines = [];
    for (let at = 0; at < data.length; at += 16) {
      const row = [...data.slice(at, at + 16)];
      const hex = row.map((octet) => octet.toString(16).padStart(2, "0")).join(" ");
      const text = row.map((octet) => (octet >= 32 && octet < 127 ? String.fromCharCode(octet) : "·")).join("");
      lines.push(`${(offset + at).toString(16).padStart(8, "0")}  ${hex.padEnd(47)}  ${text}`);
    }
    return lines.join("\n");
  };

  const copy = (item) => html`<tr data-key="${item.number}.${item.queue}"><td><b>${item.number}</b></td><td>${item.queue}</td><td>${copyState(item.state)}</td>
    <td>${priority(item.priority)}</td><td class="nowrap">${since(item.queued)}</td><td class="nowrap">${item.expires ? at(item.expires) : html`<span class="quiet">–</span>`}</td>
    <td class="number">${item.attempts}</td><td class="address quiet">${item.last_failure ?? ""}</td></tr>`;

  const summary = (content) => html`<dl class="facts">
      <dt>Subject</dt><dd>${content.subject ?? html`<span class="quiet">none</span>`}</dd>
      <dt>To</dt><dd>${content.to.map((name) => html`<div>${name}</div>`)}</dd>
      ${content.cc.length > 0 && html`<dt>Copies</dt><dd>${content.cc.map((name) => html`<div>${name}</div>`)}</dd>`}
      <dt>Content</dt><dd>${content.content_type}, ${octets(content.content_octets)}</dd></dl>
    ${content.problem && html`<p class="quiet">${content.problem}</p>`}
    ${content.parts.map((part) => html`<div class="stack"><p class="quiet">Part ${part.number}: ${part.kind}${part.file_name ? html`, <b>${part.file_name}</b>` : ""}${part.octets === null ? "" : `, ${octets(part.octets)}`}</p>
      ${part.text !== null && html`<pre class="text hex">${part.text}${part.cut ? " …" : ""}</pre>`}</div>`)}`;

  const tree = (node) => html`<li><span class="quiet">${node.name}</span> ${node.value !== null && html`<span class="mono">${node.value}</span>`}
    ${node.children.length > 0 && html`<ul>${node.children.map(tree)}</ul>`}</li>`;

  const recipient = (one) => html`<tr><td class="number">${one.number}</td><td class="address">${one.address}</td>
    <td>${one.responsible ? html`<span class="tag accent">this copy</span>` : html`<span class="tag">another copy</span>`}</td><td>${one.report}</td></tr>`;

  return {
    title: `Message ${reference}`,
    live: watch.look,
    close: watch.close,
    render() {
      if (copies.failure && !copies.value) {
        return html`<div class="head"><h1>Message ${reference}</h1></div>${problem(copies.failure)}
          <p><a href="#/tracking?${new URLSearchParams(/^\d+$/.test(reference) ? {} : { id: reference })}">Look into tracking what became of it</a></p>`;
      }
      if (!copies.value) return loading();
      const [first] = copies.value.items;
      const isGone = copies.failure?.status === 404;
      const has = envelope.value;
      const allowed = may("operator") && !isGone ? "" : html`disabled`;
      return html`<div class="head"><h1>${first.kind.charAt(0).toUpperCase() + first.kind.slice(1)} ${first.number}</h1><span class="sub mono wrap">${first.mts_id}</span>
          <span class="tools"><button data-do="hold" ${allowed}>Hold …</button><button data-do="release" ${allowed}>Release …</button><button data-do="move" ${allowed}>Move …</button>
          <button class="danger" data-do="delete" data-report="true" ${allowed}>Delete with report …</button><button class="danger" data-do="delete" data-report="false" ${allowed}>Delete silently …</button></span></div>
        ${isGone && html`<section class="alarm warn"><p><b>It has left the queues.</b> What is shown here is as it was; the history says what became of it.</p></section>`}
        <section class="card"><header><h2>Way</h2><span class="sub">${has ? html`${has.hops.length > 1 ? `${many(has.hops.length - 1, "stop")} before this one` : "it began here"}, here for ${span(Math.max(0, Math.round((Date.parse(live.time ?? first.received) - Date.parse(first.received)) / 1000)))}` : ""}</span></header>
          <div class="inside scroll">${has ? path(has, copies.value.items, live) : envelope.failure ? problem(envelope.failure) : loading()}</div></section>
        <section class="card"><header><h2>Copies in the queues</h2></header><div class="scroll"><table><thead><tr><th>Number</th><th>Queue</th><th>State</th><th>Priority</th><th>Waits for</th><th>Given up at</th><th class="number">Failed</th><th>Last failure</th></tr></thead><tbody>${copies.value.items.map(copy)}</tbody></table></div></section>
        <div class="columns">
          <section class="card"><header><h2>Recipients</h2><span class="sub">${has ? count(has.recipients.length) : ""}</span></header>
            ${has ? html`<div class="scroll"><table><thead><tr><th class="number">No.</th><th>Address</th><th>In</th><th>Report wanted</th></tr></thead><tbody>${has.recipients.map(recipient)}</tbody></table></div>` : loading()}</section>
          <section class="card"><header><h2>Content</h2></header><div class="inside stack">${!has ? loading() : has.content ? summary(has.content) : html`<p class="quiet">${has.kind === "message" ? "Your role may not see contents." : `A ${has.kind} has none.`}</p>`}</div></section>
        </div>
        <section class="card"><header><h2>History</h2><span class="sub">from message tracking</span></header>${track.value ? history(track.value.items) : track.failure ? html`<div class="inside quiet">${track.failure.what}</div>` : loading()}</section>
        <section class="card"><header><h2>Envelope</h2><span class="sub">every field, by its name in X.411</span></header><div class="inside">${has ? html`<ul class="tree">${has.tree.children.map(tree)}</ul>` : loading()}</div></section>
        ${may("operator") && html`<section class="card"><header><h2>Octets</h2><span class="sub">${first.kind === "message" ? "the content" : "the APDU"}, ${octets(first.size)}</span>
          <span class="tools">${bytes === null ? html`<button class="small" data-do="octets" data-from="0">Show</button>` : html`
            <button class="small" data-do="octets" data-from="${offset - WINDOW}" ${offset > 0 ? "" : html`disabled`}>Back</button>
            <button class="small" data-do="octets" data-from="${offset + WINDOW}" ${offset + WINDOW < first.size ? "" : html`disabled`}>On</button>`}
            <a class="button small" href="/api/v1/messages/${encodeURIComponent(reference)}/content" download="message-${first.number}.ber">Download</a></span></header>
          ${bytes !== null && html`<div class="inside">${bytes instanceof Uint8Array ? html`<pre class="hex" id="hex">${dump(bytes)}</pre>` : problem(bytes)}</div>`}</section>`}
        <p class="quiet">Received ${clock(first.received)}${first.submitted ? html`, submitted ${clock(first.submitted)}` : ""}.</p>`;
    },
    actions: {
      octets: ({ from }) => load(Math.max(0, Number(from))),
      hold: () => onMessages(view, "hold", {}, { numbers: [reference] }),
      release: () => onMessages(view, "release", {}, { numbers: [reference] }),
      move: () => chooseConnector(view, (parameters) => onMessages(view, "move", parameters, { numbers: [reference] })),
      delete: ({ report }) => onMessages(view, "delete", { report }, { numbers: [reference] }),
    },
  };
}
