// The dialog: asks before anything is changed, says what will happen and how many it concerns, and what has become of it.

import { html, render } from "./html.js";

const dialog = () => document.getElementById("dialog");
let current = null;

/** Shows a dialog until it is closed; `draw` makes its content from `state`, `actions` are its buttons. */
export function open(state, draw, actions, closed = () => {}) {
  current?.closed();
  const place = dialog();
  current = {
    state,
    actions,
    closed,
    update(change) {
      Object.assign(state, change);
      if (current?.state === state) render(place, draw(state));
    },
    close() {
      if (current?.state !== state) return;
      current = null;
      closed();
      place.close();
    },
  };
  const own = current;
  render(place, html``);
  render(place, draw(state));
  if (!place.open) place.showModal();
  place.querySelector("[autofocus]")?.focus();
  return own;
}

/** Runs a button of the dialog; tells whether it has such a one. */
export function press(name, element) {
  if (!current) return false;
  if (name === "close") current.close();
  else if (current.actions[name]) current.actions[name](current, element);
  else return false;
  return true;
}

/** Asks; true if it was confirmed. */
export function ask({ title, body, verb, danger }) {
  return new Promise((resolve) => {
    let answer = false;
    open(
      {},
      () => html`<div class="shell"><header><h2 id="dialog-title">${title}</h2></header><div class="inside">${body}</div>
        <footer><button data-do="close">Cancel</button><button class="primary ${danger ? "danger" : ""}" data-do="confirm" autofocus>${verb}</button></footer></div>`,
      { confirm: (own) => { answer = true; own.close(); } },
      () => resolve(answer),
    );
  });
}

/** The dialog was closed, by the keyboard perhaps; this is told late, when the next one may be open already. */
export function escaped() {
  if (dialog().open) return;
  const own = current;
  current = null;
  own?.closed();
}
