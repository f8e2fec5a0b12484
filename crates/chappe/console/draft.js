// The configuration as it is edited in this console: one text, whichever page edits it, until it is applied or discarded.
// It is in the memory of this page only, since it may hold new passwords.

import { get, post, put } from "./api.js";
import { open } from "./dialog.js";
import { many } from "./format.js";
import { html } from "./html.js";

/** What the service has read, and the edited text if there is one. */
export const draft = { known: null, text: null };

export const isEdited = () => draft.known !== null && draft.text !== null && draft.text !== draft.known.text;

/** The text that is edited now. */
export const current = () => draft.text ?? draft.known?.text ?? "";

/** Fetches what the service has read; an edit that is under way stays, and is about what it was made from. */
export async function load() {
  if (!isEdited()) Object.assign(draft, { known: await get("config"), text: null });
}

/** The edit is forgotten. */
export function discard() {
  Object.assign(draft, { known: null, text: null });
}

/** What can be set of a connector, and what the edited text says. */
export const form = () => post("config/form", {}, current());

/** One change more: of settings of a connector, a new one, or one less. */
export async function edit(change) {
  const { text } = await post("config/edit", {}, JSON.stringify({ text: current(), ...change }));
  draft.text = text;
}

export const check = () => post("config/check", {}, current());

/** Puts the edited text into force. */
export async function apply() {
  const done = await put("config", {}, current(), { "If-Match": `"${draft.known.digest}"` });
  discard();
  return done;
}

/** What is different, in words, and what of it takes a restart. */
export const words = (verdict) => html`<ul>${verdict.words.map((word) => html`<li class="wrap">${word}</li>`)}</ul>
  ${verdict.restart.length > 0 && html`<p class="warn">At the next start only: ${verdict.restart.join(", ")}.</p>`}`;

/**
 * Validates the edit, shows what would be different, and applies it if that is confirmed. `note` says what else will happen;
 * `cancelled` is called if the edit is not kept, `applied` once it is in force.
 */
export async function review(view, { note, cancelled, applied } = {}) {
  const state = { step: "looking", verdict: null, failure: null };
  const differ = () => state.verdict?.words.length ?? 0;
  const own = open(
    state,
    () => {
      const { step, verdict, failure } = state;
      const title = { looking: "What would be different?", wrong: "The edit has mistakes", same: "Nothing is different", asking: `Apply ${many(differ(), "difference")}?`, working: "Applying …", over: "Applied" }[step];
      return html`<div class="shell" data-step="${step}"><header><h2 id="dialog-title">${title}</h2><p class="quiet mono wrap">${draft.known?.file}</p></header><div class="inside" id="review">
        ${failure && html`<div class="problem" role="alert"><b>${failure.what ?? "This did not work"}</b>${failure.why ?? failure.message}</div>`}
        ${step === "looking" && html`<p>Asking the service … Nothing is changed yet.</p><progress></progress>`}
        ${step === "wrong" && html`<ol class="events">${verdict.problems.map((one) => html`<li><span class="quiet">Line ${one.line}</span><div class="wrap"><b>${one.what}</b><div class="quiet">${one.fix}</div></div></li>`)}</ol>`}
        ${step === "same" && html`<p>The text says the same as what is in force.</p>`}
        ${(step === "asking" || step === "working") && html`${words(verdict)}${note && html`<p>${note}</p>`}<p class="quiet">It is put into force at once and written to the file; what the file holds now stays beside it, with .1 at the end of its name.</p>`}
        ${step === "over" && html`${words(state.done)}${state.done.outstanding.map((text) => html`<p class="warn">${text}</p>`)}`}
      </div><footer>${step === "over" ? html`<button class="primary" data-do="close">Close</button>` : html`
        ${(step === "asking" || step === "wrong") && html`<span class="row keep"><button class="small plain" data-do="astext">Edit as text</button>${step === "asking" && html`<button class="small plain" data-do="tryroutes">Try routes with it</button>`}</span>`}
        <button data-do="discardedit">Discard</button><button data-do="close">${step === "asking" ? "Not yet" : "Back"}</button>
        <button class="primary" data-do="confirm" ${step === "asking" ? "" : html`disabled`}>Apply</button>`}</footer></div>`;
    },
    {
      async confirm() {
        own.update({ step: "working", failure: null });
        try {
          const done = await apply();
          own.update({ step: "over", done });
          applied?.(done);
        } catch (failure) {
          own.update({ step: "asking", failure });
        }
        view.update();
      },
      discardedit() {
        discard();
        own.close();
        cancelled?.();
      },
      astext() {
        own.close();
        view.go("/configuration");
      },
      tryroutes() {
        own.close();
        view.go("/route");
      },
    },
    view.update,
  );
  try {
    const verdict = await check();
    own.update({ verdict, step: !verdict.ok ? "wrong" : verdict.words.length === 0 ? "same" : "asking" });
  } catch (failure) {
    own.update({ failure, verdict: { words: [], restart: [] }, step: "same" });
  }
}
