// Quarantine: what this program could not deal with, why, and what becomes of it.

import { get, post, remove } from "../api.js";
import { ask } from "../dialog.js";
import { at, count, many, octets, since } from "../format.js";
import { fetched, whenChanged } from "../fetched.js";
import { html } from "../html.js";
import { countQuarantine, live } from "../live.js";
import { empty, loading, pager, problem } from "../parts.js";
import { may } from "../session.js";

const LIMIT = 50;

export function quarantine(view) {
  const places = [undefined];
  const list = fetched(view, () => get("quarantine", { limit: LIMIT, after: places.at(-1) }));
  // What comes here is an event, and what leaves as well.
  const watch = whenChanged(() => live.events.filter((event) => ["quarantined", "operator-action"].includes(event.kind)).at(-1)?.number, () => list.again());

  const named = (item) => html`<dl class="facts"><dt>Number</dt><dd>${item.number}</dd><dt>What it is</dt><dd>${item.kind}${item.size !== null && `, ${octets(item.size)}`}</dd>
    ${item.originator && html`<dt>From</dt><dd>${item.originator}</dd>`}${item.mts_id && html`<dt>MTS-identifier</dt><dd class="mono">${item.mts_id}</dd>`}<dt>Why it is here</dt><dd>${item.why}</dd></dl>`;

  async function change(number, work, text) {
    try {
      await work();
      view.toast(`${number}: ${text}`);
    } catch (failure) {
      view.toast(`${failure.what}: ${failure.why}`, true);
    }
    list.again();
    countQuarantine();
  }

  const find = (number) => list.value.items.find((item) => String(item.number) === number);

  const row = (item) => {
    const allowed = may("operator") ? "" : html`disabled title="Your role does not allow this"`;
    const tries = [item.failures > 0 && many(item.failures, "failure"), item.deaths > 0 && `the process died ${item.deaths === 1 ? "once" : `${count(item.deaths)} times`} with it`].filter(Boolean);
    return html`<tr data-key="${item.number}" data-number="${item.number}">
      <td><b>${item.number}</b><span class="under">${item.kind}${item.size !== null && `, ${octets(item.size)}`}</span></td>
      <td class="why"><div class="wrap">${item.why}</div>${tries.length > 0 && html`<span class="under">${tries.join("; ")}</span>`}</td>
      <td class="nowrap">${item.since ? html`${since(item.since)} ago<span class="under">${at(item.since)}</span>` : html`<span class="quiet">not known</span>`}</td>
      <td>${item.queue === "work" ? "not routed yet" : item.queue}${item.from && html`<span class="under">came over ${item.from}</span>`}</td>
      <td class="address">${item.originator ?? html`<span class="quiet">not known</span>`}${item.mts_id && html`<span class="under mono"><a href="#/tracking?${new URLSearchParams({ id: item.mts_id })}">${item.mts_id.replace(/^.*;L=/i, "")}</a></span>`}</td>
      <td>${item.told ? html`<span class="tag ok">yes</span>` : html`<span class="tag warn">not told</span>`}</td>
      <td class="actions"><div class="row">${may("operator")
        ? html`<a class="button small" href="/api/v1/quarantine/${item.number}" download="quarantine-${item.number}.ber">Export</a>`
        : html`<button class="small" disabled title="Your role does not allow this">Export</button>`}
        <button class="small" data-do="release" data-number="${item.number}" ${allowed}>Release …</button>
        <button class="small danger" data-do="delete" data-number="${item.number}" ${allowed}>Delete …</button></div></td></tr>`;
  };

  return {
    title: "Quarantine",
    live: watch.look,
    close: watch.close,
    render() {
      const items = list.value?.items ?? [];
      return html`<div class="head"><h1>Quarantine</h1><span class="sub">what could not be dealt with; it holds nothing up, and stays until you decide</span></div>
        <section class="card">${list.failure ? html`<div class="inside">${problem(list.failure)}</div>` : list.value === null ? loading()
          : items.length === 0 && places.length === 1 ? empty("Nothing is in quarantine", "Every message could be dealt with.", "calm")
          : html`<div class="scroll"><table id="quarantine"><thead><tr><th>Number</th><th>Why it is here</th><th>Since</th><th>Queue</th><th>Originator</th><th>Told</th><th></th></tr></thead>
              <tbody>${items.map(row)}</tbody></table></div>${pager(places, list.value.next, items.length, list.busy)}`}</section>
        ${items.length > 0 && html`<section class="card"><header><h2>What to do</h2></header><div class="inside stack">
          <p><b>Export</b> it, and give it to whoever has to find out what is wrong with it: it holds the message as it was stored.</p>
          <p><b>Release</b> it once the program is mended or upgraded: it is tried as if it had just come. What fails again comes back here.</p>
          <p><b>Delete</b> it if nobody needs it any more.</p></div></section>`}`;
    },
    actions: {
      async release({ number }) {
        const item = find(number);
        const body = html`<p>It goes back into the work queue and is tried up to three times, as if it had just come. If that fails again, it comes back here.</p>
          ${item.deaths > 0 && html`<p class="bad">The process has died with it in hand. That may happen again; mail of others waits until it has been started anew.</p>`}
          ${item.told && html`<p>Its originator was told that it could not be delivered. That report is not taken back: he may send it once more.</p>`}${named(item)}`;
        if (await ask({ title: `Release ${number} from quarantine?`, body, verb: "Release", danger: item.deaths > 0 })) {
          await change(number, () => post(`quarantine/${number}/release`), "back in the work queue");
        }
      },
      async delete({ number }) {
        const item = find(number);
        const body = html`<p>It is deleted for good, with its content. Nobody is told.</p>
          <p>${item.told ? "Its originator knows that it was not delivered." : html`<b>Its originator was not told</b> that it was not delivered, and will not be.`}</p>${named(item)}`;
        if (await ask({ title: `Delete ${number} for good?`, body, verb: "Delete", danger: true })) {
          await change(number, () => remove(`quarantine/${number}`), "deleted");
        }
      },
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
