// Where is my message: what tracking knows of one, by its identifier, or of all in which a text occurs.

import { get } from "../api.js";
import { at, count, many, octets } from "../format.js";
import { html } from "../html.js";
import { live } from "../live.js";
import { empty, loading, problem } from "../parts.js";
import { may } from "../session.js";

const ENOUGH = 100;
const SPANS = [["3600", "the last hour"], ["86400", "the last day"], ["604800", "the last 7 days"], ["2592000", "the last 30 days"], ["0", "all that is kept"]];
/** What is looked for by its words, and so in all that is kept unless something else is said. */
const WORDS = ["subject", "originator", "recipient"];
const EVENTS = ["message-in", "message-submitted", "message-out", "message-delivered", "non-delivered", "report-generated", "report-in", "report-out", "report-delivered", "probe-submitted", "rerouted", "redirected", "list-expanded", "message-deleted", "discarded"];
const TONES = { "message-delivered": "ok", "message-out": "ok", "report-delivered": "ok", "non-delivered": "bad", discarded: "bad", "message-deleted": "warn", rerouted: "warn", "report-discarded": "warn" };

/** Whether this is an MTS-identifier, as in `C=GB;A= ;P=ALPHA;L=MTA-A-1`: it has a local part. */
export const isIdentifier = (text) => /(^|;)L=[^;]+$/i.test(text ?? "");

/** An identifier by its local part, which is what differs; the whole is what a pointer shows. */
const named = (id) => html`<a href="#/tracking?${new URLSearchParams({ id })}" title="${id}">${id.replace(/^.*;L=/i, "")}</a>`;

/** What happened, step by step. */
export function history(items) {
  if (items.length === 0) return empty("Nothing is known of it", "It was never here, or longer ago than tracking is kept.", "tracking");
  return html`<div class="scroll"><table class="history"><thead><tr><th>Time</th><th>What happened</th><th>Message</th><th>Over</th><th>From</th><th>To</th><th class="number">Size</th></tr></thead><tbody>
    ${items.map((item) => html`<tr><td class="nowrap">${at(item.time)}</td>
      <td><span class="tag ${TONES[item.event] ?? ""}">${item.event}</span>${item.event_id !== null && html` <span class="quiet" title="Number in the tracking log of Exchange">${item.event_id}</span>`}${item.text && html`<span class="under">${item.text}</span>`}</td>
      <td class="address mono">${named(item.mts_id)}${item.subject_mts_id && html`<span class="under">about ${named(item.subject_mts_id)}</span>`}${item.subject && html`<span class="under">${item.subject}</span>`}</td>
      <td>${item.connector ? html`<a href="#/connectors/${encodeURIComponent(item.connector)}">${item.connector}</a>` : ""}</td>
      <td class="address">${item.originator ?? ""}</td>
      <td class="address">${item.recipients[0] ?? ""}${item.recipient_count > 1 && html`<span class="under">and ${count(item.recipient_count - 1)} more</span>`}</td>
      <td class="number">${item.size === null ? "" : octets(item.size)}</td></tr>`)}</tbody></table></div>`;
}

export function tracking(view) {
  let query = view.query;
  let state = { items: null, next: null, busy: false, failure: null };
  let turn = 0;

  const hasWords = () => WORDS.some((name) => query[name]);
  const span = () => query.span ?? (hasWords() ? "0" : "86400");

  const since = () => {
    if (span() === "0") return "1970-01-01T00:00:00Z";
    const now = Date.parse(live.time ?? new Date().toISOString());
    return new Date(now - Number(span()) * 1000).toISOString().replace(/\.\d+Z/, "Z");
  };

  async function run(isMore) {
    const mine = (turn += 1);
    state = isMore ? { ...state, busy: true } : { items: null, next: null, busy: true, failure: null };
    view.update();
    try {
      if (query.id) {
        const { items, cut } = await get(`tracking/${encodeURIComponent(query.id)}`);
        if (mine === turn) state = { items, next: null, cut, busy: false, failure: null };
      } else {
        const wanted = (state.items?.length ?? 0) + ENOUGH;
        const from = since();
        let after = isMore ? state.next : undefined;
        let items = isMore ? state.items : [];
        do {
          const page = await get("tracking", { subject: query.subject, originator: query.originator, recipient: query.recipient, find: query.find, event: query.event, connector: query.connector, since: from, limit: ENOUGH, after });
          if (mine !== turn) return;
          items = [...items, ...page.items];
          after = page.next;
          state = { items, next: after, busy: Boolean(after) && items.length < wanted, failure: null };
          view.update();
        } while (after && items.length < wanted);
      }
    } catch (failure) {
      if (mine === turn) state = { ...state, busy: false, failure };
    }
    view.update();
  }

  run();

  return {
    title: "Tracking",
    requery(changed) {
      query = changed;
      // The field with the focus keeps what is typed there; but what was looked for before must not narrow this search.
      for (const field of document.querySelectorAll("form[data-submit='search'] input")) {
        field.value = query[field.name] ?? (field.name === "find" ? query.id : null) ?? "";
      }
      run();
    },
    close: () => { turn += 1; },
    render() {
      return html`<div class="head"><h1>Where is my message?</h1><span class="sub">${query.id ? html`<span class="mono wrap">${query.id}</span>` : "everything that has happened to messages here"}</span>
          ${query.id && html`<span class="tools"><a class="button" href="#/tracking">Search again</a></span>`}</div>
        <section class="card"><form class="filters inside" data-submit="search">
          <label class="field wide">Address, or part of an MTS-identifier<input name="find" id="track" value="${query.find ?? query.id ?? ""}" placeholder="S=anna;O=Acme, or C=GB;A= ;P=ALPHA;L=…" autocomplete="off" spellcheck="false"></label>
          <label class="field">Subject<input name="subject" value="${query.subject ?? ""}" placeholder="invoice 47*" ${may("operator") ? html`title="Words, each of which has to be there; one may end in *"` : html`disabled title="Your role does not see subjects"`} autocomplete="off"></label>
          <label class="field">From<input name="originator" value="${query.originator ?? ""}" placeholder="S=anna;O=Acme" title="Words of the originator's address, or attributes of it" autocomplete="off" spellcheck="false"></label>
          <label class="field">To<input name="recipient" value="${query.recipient ?? ""}" placeholder="bob" title="Words of a recipient's address, or attributes of it" autocomplete="off" spellcheck="false"></label>
          <label class="field">In<select name="span" data-change="search">${SPANS.map(([value, text]) => html`<option value="${value}" ${value === span() ? html`selected` : ""}>${text}</option>`)}</select></label>
          <label class="field">What happened<select name="event" data-change="search"><option value="">anything</option>${EVENTS.map((name) => html`<option ${name === query.event ? html`selected` : ""}>${name}</option>`)}</select></label>
          <label class="field">Over<select name="connector" data-change="search"><option value="">any connector</option>${[...live.links.keys()].map((name) => html`<option ${name === query.connector ? html`selected` : ""}>${name}</option>`)}</select></label>
          <button class="primary">Search</button></form></section>
        <section class="card">${state.failure ? html`<div class="inside">${state.failure.status === 404 ? empty("Nothing is known of it", state.failure.why, "tracking") : problem(state.failure)}</div>`
          : state.items === null ? loading()
          : html`${state.items.length === 0 && state.busy ? loading() : state.items.length === 0 && !query.id ? empty("Nothing found", "Look further back, or search for less.", "tracking") : history(state.items)}
            <div class="pager"><span>${many(state.items.length, "step")}${state.cut ? ", and more than are shown" : ""}${state.busy ? " · searching …" : ""}</span>
              <span class="row">${state.busy ? html`<button class="small" data-do="stop">Stop</button>` : state.next && html`<button class="small" data-do="more">Look further back</button>`}</span></div>`}</section>`;
    },
    actions: {
      search(_, element) {
        const form = element.closest("form");
        const given = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== ""));
        const isUsual = given.span === (WORDS.some((name) => given[name]) ? "0" : "86400");
        // A span that was only the usual one before words were given is not meant.
        if (isUsual || (given.span === span() && !query.span)) delete given.span;
        if (isIdentifier(given.find)) view.go(`/tracking?${new URLSearchParams({ id: given.find })}`);
        else view.go(`/tracking?${new URLSearchParams(given)}`);
      },
      more: () => run(true),
      stop() {
        turn += 1;
        state = { ...state, busy: false };
        view.update();
      },
    },
  };
}
