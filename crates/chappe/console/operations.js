// What an operator can do to queues and messages. Each change is asked about first, with what the service itself says
// would happen (`dry_run`); what is shown afterwards is what the service says has happened.

import { post, remove, segment } from "./api.js";
import { ask, open } from "./dialog.js";
import { count, many, prose, since } from "./format.js";
import { html } from "./html.js";
import { live } from "./live.js";
import { may } from "./session.js";

/** Copies that one request of an operation takes. */
const PORTION = 200;
/** Copies that a confirmation names. */
const NAMED = 50;

/** Operations on messages: what they are called, and what they do in a sentence. */
const MESSAGE = {
  delete: { verb: "Delete", done: "deleted", danger: true, says: ({ report }) => (report === "false" ? "The copies are removed. Nobody is told." : "The copies are removed. Originators who want a non-delivery report get one.") },
  hold: { verb: "Hold", done: "held", says: () => "They stay out of their queues until they are released, also after a restart, and do not become too old meanwhile." },
  release: { verb: "Release", done: "released", says: () => "They go back into their queues. What is too old by now is reported on as such." },
  move: { verb: "Move", done: "moved", says: ({ connector }) => html`They go into the queue of <b>${connector}</b>, whatever its address spaces are.` },
  priority: { verb: "Change priority of", done: "changed", says: ({ set }) => html`They take the place of <b>${set}</b> messages in their queues. The priority in the envelope stays.` },
  drain: { verb: "Route again", done: "routed again", says: () => "They are routed without this connector. What no other connector takes stays where it is; nobody gets a report." },
};

const disabled = (isAllowed) => (isAllowed ? "" : html`disabled title="Your role does not allow this"`);

/** Buttons for a link; `main` is the one to press first. */
export function linkButtons(link, { main, small } = {}) {
  const size = small ? "small" : "";
  const allowed = disabled(may("operator"));
  return html`
    ${!link.frozen && !link.opens_nothing && html`<button class="${size} ${main === "retry" ? "primary" : ""}" data-do="retry" data-link="${link.name}" ${allowed}>Retry now</button>`}
    ${link.frozen
      ? html`<button class="${size}" data-do="thaw" data-link="${link.name}" ${allowed}>Thaw</button>`
      : html`<button class="${size}" data-do="freeze" data-link="${link.name}" ${allowed}>Freeze …</button>`}
    ${link.messages !== 0 && html`<button class="${size}" data-do="drain" data-link="${link.name}" ${allowed}>Drain …</button>`}
    ${small ? "" : html`<a class="button ${size}" href="#/messages?queue=${encodeURIComponent(link.name)}">Messages</a>`}`;
}

/** What these buttons do. */
export function linkActions(view) {
  const change = async (name, path, text) => {
    try {
      const { changed } = await post(path);
      view.toast(changed === false ? `${name}: it was so already` : text);
    } catch (failure) {
      view.toast(`${failure.what}: ${failure.why}`, true);
    }
  };
  return {
    retry: ({ link }) => change(link, `queues/${segment(link)}/retry`, `${link}: an association is being opened`),
    connect: ({ link }) => change(link, `connectors/${segment(link)}/connect`, `${link}: an association is being opened`),
    thaw: ({ link }) => change(link, `queues/${segment(link)}/thaw`, `${link}: thawed`),
    async freeze({ link }) {
      const found = live.links.get(link);
      const body = html`<p>Nothing is transferred from the queue of <b>${link}</b> any more until it is thawed, whatever restarts come between. What is being transferred is finished. What comes in over this link is not concerned.</p>
        <p>${many(found?.messages ?? 0, "message")} ${found?.messages === 1 ? "waits" : "wait"} in it${found?.oldest ? html`, the oldest for ${since(found.oldest)}` : ""}.</p>`;
      if (await ask({ title: `Freeze ${link}?`, body, verb: "Freeze" })) await change(link, `queues/${segment(link)}/freeze`, `${link}: frozen`);
    },
    drain: ({ link }) =>
      operate(view, "drain", {}, pages((parameters) => post(`queues/${segment(link)}/drain`, parameters)), `the queue of ${link}`),
  };
}

/** Operations on links: what they are called, on which links they make sense, and what they do in a sentence. */
const LINK = {
  freeze: { verb: "Freeze", done: "frozen", path: (name) => `queues/${segment(name)}/freeze`, fits: (link) => !link.frozen, else: "frozen already", says: "Nothing is transferred from these queues any more until they are thawed, whatever restarts come between. What is being transferred is finished. What comes in over these links is not concerned." },
  thaw: { verb: "Thaw", done: "thawed", path: (name) => `queues/${segment(name)}/thaw`, fits: (link) => link.frozen, else: "not frozen", says: "What waits in these queues is transferred again." },
  retry: { verb: "Retry", done: "tried", path: (name) => `queues/${segment(name)}/retry`, fits: (link) => !link.frozen && !link.opens_nothing, else: "frozen, or never opened by us", says: "All that waits in these queues is tried now, whatever the retry timers say." },
  connect: { verb: "Connect", done: "told to connect", path: (name) => `connectors/${segment(name)}/connect`, fits: (link) => !link.opens_nothing, else: "never opened by us", says: "An association is opened on each of these links now, even where nothing waits." },
};

/** Does one operation to several links, one after the other; asks before. */
export async function onLinks(view, name, links) {
  const kind = LINK[name];
  const [fit, others] = [links.filter(kind.fits), links.filter((link) => !kind.fits(link))];
  const state = { step: "asking", done: 0, failed: [], stop: false };
  const waiting = fit.reduce((sum, link) => sum + (link.messages ?? 0), 0);
  const draw = () => html`<div class="shell" data-step="${state.step}"><header><h2 id="dialog-title">${state.step === "over" ? "Done" : `${kind.verb} ${many(fit.length, "queue")}?`}</h2></header><div class="inside">
    ${state.step === "asking" && html`<p>${fit.length > 0 ? kind.says : "There is nothing that this could be done to."}</p>${fit.length > 0 && html`<p>${many(waiting, "message")} ${waiting === 1 ? "waits" : "wait"} in them.</p>`}
      ${others.length > 0 && html`<p class="quiet">${many(others.length, "other")} ${others.length === 1 ? "stays" : "stay"} as ${others.length === 1 ? "it is" : "they are"}: ${kind.else}.</p>`}
      ${fit.length > 0 && html`<div class="list"><table><tbody>${fit.slice(0, NAMED).map((link) => html`<tr><td>${link.name}</td><td class="quiet">${link.remote_mta}</td><td class="number">${many(link.messages ?? 0, "message")}</td></tr>`)}</tbody></table></div>`}${fit.length > NAMED && html`<p class="quiet">and ${count(fit.length - NAMED)} more</p>`}`}
    ${state.step === "working" && html`<p>${count(state.done)} of ${count(fit.length)} ${kind.done}</p><progress max="${fit.length}" value="${state.done}"></progress>`}
    ${state.step === "over" && html`<p><b>${many(state.done, "queue")}</b> ${kind.done}${state.stop ? "; stopped before the end" : ""}.</p>`}
    ${state.failed.slice(0, NAMED).map(([link, why]) => html`<p class="bad"><b>${link}</b> ${why}</p>`)}
    </div><footer>${state.step === "asking" ? html`<span class="quiet">Nothing is changed yet.</span><button data-do="close">Cancel</button><button class="primary" data-do="confirm" ${fit.length === 0 ? html`disabled` : ""} autofocus>${kind.verb} ${many(fit.length, "queue")}</button>` : state.step === "working" ? html`<button data-do="stop">Stop</button>` : html`<button class="primary" data-do="close">Close</button>`}</footer></div>`;
  const own = open(
    state,
    draw,
    {
      async confirm() {
        own.update({ step: "working" });
        for (const link of fit) {
          if (state.stop) break;
          try {
            await post(kind.path(link.name));
            state.done += 1;
          } catch (failure) {
            state.failed.push([link.name, failure.why ?? failure.message]);
          }
          own.update({});
        }
        own.update({ step: "over" });
        view.changed?.();
      },
      stop: () => own.update({ stop: true }),
    },
    () => { state.stop = true; },
  );
}

/** All of a selection, portion by portion. */
const pages = (request) =>
  async function* (parameters) {
    let after;
    do {
      const page = await request({ ...parameters, limit: PORTION, after });
      yield page.items;
      after = page.next ?? undefined;
    } while (after !== undefined);
  };

/** Each of these copies. */
const each = (numbers, name) =>
  async function* (parameters) {
    for (const number of numbers) {
      try {
        const { dry_run, report, ...others } = parameters;
        const page = name === "delete"
          ? await remove(`messages/${number}`, { dry_run, report })
          : await post(`messages/${number}/${name}`, { dry_run, ...others });
        yield page.items;
      } catch (failure) {
        if (failure.status !== 409 && failure.status !== 404) throw failure;
        yield [{ number, done: false, why: failure.why, originator: "", recipient: "" }];
      }
    }
  };

/** An operation on messages: those with these numbers, or all that a selection takes. */
export function onMessages(view, name, parameters, { numbers, selection }) {
  const portions = numbers ? each(numbers, name) : pages((given) => post(`selection/${name}`, { ...selection, ...given }));
  return operate(view, name, parameters, portions);
}

async function operate(view, name, parameters, portions, of) {
  const kind = MESSAGE[name];
  const state = { step: "looking", done: 0, refused: 0, first: [], why: new Map(), failure: null, stop: false, wanted: 0 };

  const collect = async (own, given) => {
    own.update({ done: 0, refused: 0, first: [], why: new Map(), failure: null, stop: false });
    for await (const items of portions(given)) {
      for (const item of items) {
        if (item.done) state.done += 1;
        else {
          state.refused += 1;
          state.why.set(item.why, (state.why.get(item.why) ?? 0) + 1);
        }
        if (state.first.length < NAMED) state.first.push(item);
      }
      own.update({});
      if (state.stop) break;
    }
  };

  const list = () => html`${state.first.length > 0 && html`<div class="list"><table><thead><tr><th>Message</th><th>From</th><th>To</th><th></th></tr></thead><tbody>
    ${state.first.map((item) => html`<tr><td class="number">${item.number}</td><td class="address">${item.originator}</td><td class="address">${item.recipient}</td><td>${item.done ? "" : html`<span class="tag warn">stays</span>`}</td></tr>`)}
    </tbody></table></div>`}${state.done + state.refused > state.first.length && html`<p class="quiet">and ${count(state.done + state.refused - state.first.length)} more</p>`}`;

  const reasons = () =>
    state.why.size > 0 && html`<div class="stack"><p><b>${many(state.refused, "message")}</b> ${state.refused === 1 ? "stays" : "stay"} as ${state.refused === 1 ? "it is" : "they are"}:</p>
      ${[...state.why].slice(0, 5).map(([why, times]) => html`<p class="quiet">${state.why.size > 1 ? `${count(times)} × ` : ""}${prose(why)}</p>`)}</div>`;

  const draw = () => {
    const title = { looking: `${kind.verb} messages`, asking: `${kind.verb} ${many(state.done, "message")}?`, working: `${kind.verb} messages`, over: "Done" }[state.step];
    const buttons = {
      looking: html`<span class="quiet">Nothing is changed yet.</span><button data-do="close">Cancel</button>`,
      asking: html`<span class="quiet">Nothing is changed yet.</span><button data-do="close">Cancel</button>
        <button class="primary ${kind.danger ? "danger" : ""}" data-do="confirm" ${state.done === 0 ? html`disabled` : ""}>${kind.verb} ${many(state.done, "message")}</button>`,
      working: html`<button data-do="stop">Stop</button>`,
      over: html`<button class="primary" data-do="close">Close</button>`,
    }[state.step];
    return html`<div class="shell" data-step="${state.step}"><header><h2 id="dialog-title">${title}</h2>${of && html`<p class="quiet">${of}</p>`}</header><div class="inside">
      ${state.failure && html`<div class="problem" role="alert"><b>${state.failure.what ?? "Something went wrong"}</b>${state.failure.why ?? state.failure.message}</div>`}
      ${state.step === "looking" && html`<p>Asking what would happen … ${count(state.done + state.refused)} so far</p><progress></progress>`}
      ${state.step === "asking" && html`<p>${state.done > 0 ? kind.says(parameters) : "There is nothing that this could be done to."}</p>${reasons()}${list()}`}
      ${state.step === "working" && html`<p>${count(state.done)} of ${count(state.wanted)} ${kind.done}</p><progress max="${state.wanted}" value="${state.done}"></progress>`}
      ${state.step === "over" && html`<p><b>${many(state.done, "message")}</b> ${kind.done}${state.stop ? "; stopped before the end" : ""}.</p>${reasons()}`}
      </div><footer>${buttons}</footer></div>`;
  };

  return new Promise((resolve) => {
    const own = open(
      state,
      draw,
      {
        async confirm() {
          own.update({ step: "working", wanted: state.done });
          try {
            await collect(own, parameters);
          } catch (failure) {
            own.update({ failure });
          }
          own.update({ step: "over" });
          view.update();
          view.changed?.();
        },
        stop: () => own.update({ stop: true }),
      },
      () => {
        state.stop = true;
        resolve(state);
        // What was only looked at leaves the selection as it is.
        if (state.step !== "looking" && state.step !== "asking") view.changed?.();
      },
    );
    collect(own, { ...parameters, dry_run: true }).then(
      () => own.update({ step: "asking" }),
      (failure) => own.update({ step: "asking", failure }),
    );
  });
}

/** Asks where to, then moves. */
export function chooseConnector(view, go) {
  const names = [...live.links.keys()];
  const own = open(
    {},
    () => html`<div class="shell"><header><h2 id="dialog-title">Move to which connector?</h2></header><div class="inside">
      <label class="field">Connector<select id="move-to" autofocus>${names.map((name) => html`<option>${name}</option>`)}</select></label></div>
      <footer><button data-do="close">Cancel</button><button class="primary" data-do="choose">Continue …</button></footer></div>`,
    {
      choose() {
        const connector = document.getElementById("move-to").value;
        own.close();
        go({ connector });
      },
    },
  );
}

