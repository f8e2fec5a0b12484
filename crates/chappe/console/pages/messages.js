// Messages in the queues, page by page as the service lists them; some of them, or all that a selection takes, can be
// deleted, held, released, moved, or given another priority.

import { get } from "../api.js";
import { copyState, count, many, octets, priority, since, span, until } from "../format.js";
import { fetched, whenChanged } from "../fetched.js";
import { html } from "../html.js";
import { live } from "../live.js";
import { chooseConnector, onMessages } from "../operations.js";
import { empty, loading, pager, problem } from "../parts.js";
import { may } from "../session.js";

const LIMIT = 50;
/** Requests for one page, where few messages match. */
const FURTHEST = 30;
const STATES = ["waiting", "retry", "in-transfer", "deferred", "pending-reroute", "held"];
const PRIORITIES = ["urgent", "normal", "non-urgent"];
const AGES = [["", "any age"], ["600", "10 min"], ["3600", "1 h"], ["21600", "6 h"], ["86400", "1 day"], ["259200", "3 days"]];
const FIELDS = ["queue", "state", "from", "to", "priority", "older_than_s"];

export function messages(view) {
  let selection = pick(view.query);
  let places = [undefined];
  const chosen = new Set();
  /** How far one goes by itself for a page of what is rare; each request looks at ten thousand records. */
  let looked = 0;
  let turn = 0;
  const list = fetched(view, async () => {
    const mine = (turn += 1);
    const found = { items: [], next: places.at(-1) ?? null };
    looked = 0;
    do {
      const page = await get("messages", { ...selection, limit: LIMIT - found.items.length, after: found.next ?? undefined });
      found.items.push(...page.items);
      found.next = page.next;
      looked += 1;
      if (found.items.length < LIMIT && found.next && mine === turn) view.update();
    } while (found.items.length < LIMIT && found.next && looked < FURTHEST && mine === turn && view.isOpen);
    return found;
  });
  const watch = whenChanged(
    () => [live.status?.queued, live.status?.counters?.transferred_out, [...live.links.values()].map((link) => `${link.held}${link.state}`).join()].join(),
    () => {
      // A look through a long queue goes on to its end, however much changes meanwhile.
      if (list.busy) isStale = true;
      else list.again();
    },
  );
  let isStale = false;
  view.changed = () => {
    chosen.clear();
    list.again();
  };

  function pick(query) {
    return Object.fromEntries(FIELDS.filter((name) => query[name]).map((name) => [name, query[name]]));
  }

  const select = (field, label, options) => html`<label class="field">${label}<select name="${field}" data-change="filter">
    ${options.map(([value, text]) => html`<option value="${value}" ${value === (selection[field] ?? "") ? html`selected` : ""}>${text}</option>`)}</select></label>`;

  const filters = () => html`<form class="filters inside" data-submit="filter">
    ${select("queue", "Queue", [["", "all queues"], ["work", "work (not routed yet)"], ...[...live.links.keys()].map((name) => [name, name])])}
    ${select("state", "State", [["", "any state"], ...STATES.map((state) => [state, state.replace("-", " ")])])}
    ${select("priority", "Priority", [["", "any priority"], ...PRIORITIES.map((one) => [one, one])])}
    ${select("older_than_s", "Here for longer than", AGES)}
    <label class="field">From (address or space)<input name="from" value="${selection.from ?? ""}" data-change="filter" placeholder="P=ALPHA;A= ;C=GB" autocomplete="off" spellcheck="false"></label>
    <label class="field">To (address or space)<input name="to" value="${selection.to ?? ""}" data-change="filter" placeholder="S=ops;P=BETA;A= ;C=GB" autocomplete="off" spellcheck="false"></label></form>`;

  const row = (message) => html`<tr data-key="${message.number}.${message.queue}" aria-selected="${String(chosen.has(message.number))}">
    <td><input type="checkbox" data-change="choose" data-number="${message.number}" aria-label="Select message ${message.number}" ${chosen.has(message.number) ? html`checked` : ""}></td>
    <td><a href="#/messages/${message.number}"><b>${message.number}</b></a><span class="under">${message.kind}</span></td>
    <td>${copyState(message.state)}${message.next_try_in_s !== null && html`<span class="under">try in ${span(message.next_try_in_s)}</span>`}${message.deferred_until && html`<span class="under">${until(message.deferred_until)}</span>`}</td>
    <td class="nowrap">${message.queue}</td>
    <td class="address">${message.originator}</td>
    <td class="address">${message.recipients[0] ?? ""}${message.recipient_count > 1 && html`<span class="under">and ${count(message.recipient_count - 1)} more</span>`}</td>
    <td>${priority(message.priority)}</td>
    <td class="number">${octets(message.size)}</td>
    <td class="nowrap">${since(message.received)}</td>
    <td class="number">${message.attempts > 0 ? html`<span title="${message.last_failure ?? ""}">${message.attempts}</span>` : ""}</td></tr>`;

  const bulk = (items) => {
    const isAll = chosen.size === 0;
    const what = isAll ? "all that match" : many(chosen.size, "message");
    const allowed = may("operator") && items.length > 0 ? "" : html`disabled`;
    return html`<div class="bulk"><b>${isAll ? "With all that match" : `${count(chosen.size)} selected`}</b>
      <button class="small" data-do="hold" ${allowed} aria-label="Hold ${what}">Hold …</button>
      <button class="small" data-do="release" ${allowed} aria-label="Release ${what}">Release …</button>
      <button class="small" data-do="move" ${allowed} aria-label="Move ${what}">Move …</button>
      <select class="small" data-change="priority" ${allowed} aria-label="Priority of ${what}"><option value="">Priority …</option>${PRIORITIES.map((one) => html`<option>${one}</option>`)}</select>
      <button class="small danger" data-do="delete" data-report="true" ${allowed} aria-label="Delete ${what} with report">Delete with report …</button>
      <button class="small danger" data-do="delete" data-report="false" ${allowed} aria-label="Delete ${what} without report">Delete silently …</button>
      ${!isAll && html`<button class="small plain" data-do="unchoose">Clear selection</button>`}</div>`;
  };

  const target = () => (chosen.size > 0 ? { numbers: [...chosen] } : { selection: Object.keys(selection).length > 0 ? selection : { all: "true" } });
  const run = (name, parameters) => onMessages(view, name, parameters, target());

  return {
    title: "Messages",
    requery(query) {
      selection = pick(query);
      places = [undefined];
      chosen.clear();
      list.again();
    },
    live() {
      if (isStale && !list.busy) {
        isStale = false;
        list.again();
      }
      watch.look();
    },
    close: watch.close,
    render() {
      const items = list.value?.items ?? [];
      const isNarrow = Object.keys(selection).length > 0;
      return html`<div class="head"><h1>Messages</h1><span class="sub">${live.status ? html`${count(live.status.queued)} in the queues of connectors` : ""}</span>
          ${isNarrow && html`<span class="tools"><a class="button" href="#/messages">Clear filters</a></span>`}</div>
        <section class="card">${filters()}</section>
        <section class="card">${list.failure ? html`<div class="inside">${problem(list.failure)}</div>` : list.value === null ? html`${looked > 0 && html`<div class="inside quiet">Looking through a long queue …</div>`}${loading()}` : html`
          ${(items.length > 0 || chosen.size > 0) && bulk(items)}
          ${items.length === 0
            ? list.value.next
              ? html`<div class="empty"><b>None among the first ${count(FURTHEST * 10000)} records</b><button data-do="next">Look on</button></div>`
              : isNarrow ? empty("No message is like that", "Nothing in the queues matches these filters.", "calm") : empty("The queues are empty", "Whatever was accepted has been passed on or delivered.", "calm")
            : html`<div class="scroll"><table id="messages"><thead><tr><th><input type="checkbox" data-change="chooseall" aria-label="Select this page" ${items.every((item) => chosen.has(item.number)) ? html`checked` : ""}></th><th>Number</th><th>State</th><th>Queue</th><th>From</th><th>To</th><th>Priority</th><th class="number">Size</th><th>Here for</th><th class="number">Failed</th></tr></thead>
              <tbody>${items.map(row)}</tbody></table></div>`}
          ${pager(places, list.value.next, items.length, list.busy)}`}</section>`;
    },
    actions: {
      filter(_, field) {
        const given = Object.fromEntries([...new FormData(field.closest("form"))].filter(([, value]) => value !== ""));
        view.go(`/messages?${new URLSearchParams(given)}`);
      },
      choose({ number }, field) {
        if (field.checked) chosen.add(Number(number));
        else chosen.delete(Number(number));
        view.update();
      },
      chooseall(_, field) {
        for (const { number } of list.value.items) {
          if (field.checked) chosen.add(number);
          else chosen.delete(number);
        }
        view.update();
      },
      unchoose() {
        chosen.clear();
        view.update();
      },
      next() {
        places.push(list.value.next);
        list.again();
      },
      previous() {
        places.pop();
        list.again();
      },
      hold: () => run("hold", {}),
      release: () => run("release", {}),
      move: () => chooseConnector(view, (parameters) => run("move", parameters)),
      delete: ({ report }) => run("delete", { report }),
      priority(_, field) {
        const { value } = field;
        field.value = "";
        if (value) run("priority", { set: value });
      },
    },
  };
}
