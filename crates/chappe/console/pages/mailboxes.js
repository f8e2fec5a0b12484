// Mailboxes of this MTA: messages and reports that were delivered here.

import { get, segment } from "../api.js";
import { at, count, octets, priority } from "../format.js";
import { fetched, whenChanged } from "../fetched.js";
import { html } from "../html.js";
import { live } from "../live.js";
import { empty, loading, pager, problem } from "../parts.js";
import { may } from "../session.js";

const LIMIT = 50;

export function mailboxes(view) {
  const places = [undefined];
  const list = fetched(view, () => get("mailboxes", { limit: LIMIT, after: places.at(-1) }));
  const watch = whenChanged(() => live.status?.counters?.delivered, () => list.again());
  return {
    title: "Mailboxes",
    live: watch.look,
    close: watch.close,
    render() {
      const items = list.value?.items ?? [];
      return html`<div class="head"><h1>Mailboxes</h1><span class="sub">what was delivered here, messages and reports</span></div>
        <section class="card">${list.failure ? html`<div class="inside">${problem(list.failure)}</div>` : list.value === null ? loading() : items.length === 0 ? empty("Nothing was delivered here yet", "A mailbox is shown from its first message on.", "mailboxes")
          : html`<div class="scroll"><table><thead><tr><th>Address</th><th class="number">Messages and reports</th></tr></thead><tbody>${items.map((box) => html`<tr data-key="${box.address}"><td>${may("operator") ? html`<a href="#/mailboxes/${encodeURIComponent(box.address)}"><b>${box.address}</b></a>` : box.address}</td><td class="number">${count(box.entries)}</td></tr>`)}</tbody></table></div>${pager(places, list.value.next, items.length, list.busy)}`}</section>`;
    },
    actions: {
      next() {
        places.push(list.value.next);
        list.again();
      },
      previous() {
        places.pop();
        list.again();
      },
    },
  };
}

export function mailbox(view) {
  const [address] = view.parameters;
  const list = fetched(view, () => get(`mailboxes/${segment(address)}`, { newest: true, limit: LIMIT }));
  const watch = whenChanged(() => live.status?.counters?.delivered, () => list.again());

  const outcome = (one) => html`<tr><td class="address">${one.address}</td><td>${one.outcome === "delivered" ? html`<span class="tag ok">delivered</span> ${at(one.time)}` : html`<span class="tag bad">not delivered</span> ${one.reason}${one.diagnostic && html`, ${one.diagnostic}`}`}</td><td>${one.information ?? ""}</td></tr>`;

  const entry = (item) => {
    const link = `/api/v1/mailboxes/${segment(address)}/${item.number}/content`;
    if (item.kind === "report") {
      return html`<section class="card" data-key="${item.number}"><header><span class="tag accent">report</span><h2>about <a class="mono" href="#/tracking?${new URLSearchParams({ id: item.subject_mts_id })}">${item.subject_mts_id}</a></h2><span class="tools quiet">${at(item.delivered)}</span></header>
        <div class="scroll"><table><tbody>${item.recipients.map(outcome)}</tbody></table></div></section>`;
    }
    if (item.kind === "unreadable") return html`<section class="card" data-key="${item.number}"><header><span class="tag bad">unreadable</span><h2>${item.problem}</h2></header></section>`;
    return html`<section class="card" data-key="${item.number}"><header><h2>${item.subject ?? "without a subject"}</h2>${item.priority !== "normal" && priority(item.priority)}<span class="sub">from ${item.from}</span><span class="tools quiet">${at(item.delivered)} <a class="button small" href="${link}" download="message-${item.number}.ber">Octets</a></span></header>
      <div class="inside stack"><p class="quiet">to ${item.to.join(", ")}${item.cc.length > 0 ? `; copies to ${item.cc.join(", ")}` : ""} · ${item.content_type}, ${octets(item.content_octets)} · <a class="mono" href="#/tracking?${new URLSearchParams({ id: item.mts_id })}">${item.mts_id}</a></p>
      ${item.problem && html`<p class="quiet">${item.problem}</p>`}
      ${item.parts.map((part) => (part.text !== null ? html`<pre class="text">${part.text}${part.cut ? " …" : ""}</pre>` : html`<p><a class="button small" href="/api/v1/mailboxes/${segment(address)}/${item.number}/parts/${part.number}" download="${part.file_name ?? `part-${part.number}`}">${part.file_name ?? part.kind}${part.octets === null ? "" : `, ${octets(part.octets)}`}</a></p>`))}</div></section>`;
  };

  return {
    title: address,
    live: watch.look,
    close: watch.close,
    render() {
      const items = [...(list.value?.items ?? [])].reverse();
      return html`<div class="head"><h1>${address}</h1><span class="sub">${list.value?.older ? `the newest ${items.length}; ${count(list.value.older)} older ones` : ""}</span></div>
        ${list.failure ? problem(list.failure) : list.value === null ? html`<section class="card">${loading()}</section>` : items.length === 0 ? html`<section class="card">${empty("This mailbox is empty", "", "mailboxes")}</section>` : items.map(entry)}`;
    },
  };
}
