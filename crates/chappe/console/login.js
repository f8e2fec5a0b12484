// Logging in with a token, and who is logged in.

import { get, remove } from "./api.js";
import { html } from "./html.js";
import { session } from "./session.js";

let failure = null;
let busy = false;

/** Asks the service who this is; throws if it asks for a token. */
export async function identify() {
  const { name, role, how } = await get("session");
  Object.assign(session, { name: how === "none" ? null : name, role, isNeeded: false });
}

/** Logs in with a token; the service gives a cookie, and the token is forgotten. */
export async function login(token, update) {
  [busy, failure] = [true, null];
  update();
  try {
    const answer = await fetch("/api/v1/session", { method: "POST", headers: { Authorization: `Bearer ${token}`, "X-Chappe-CSRF": "1" }, credentials: "same-origin" });
    if (!answer.ok) throw (await answer.json()).error;
    await identify();
  } catch (error) {
    failure = error.what ? error : { what: "The service does not answer", why: error.message };
  }
  busy = false;
  update();
  return failure === null;
}

export const logout = () => remove("session");

export const loginPage = () => html`<section class="login card"><div class="inside stack">
  <img src="mark.svg" alt="" width="48" height="48"><h1>Chappe</h1>
  <p class="quiet">This MTA asks for a token. Whoever has set it up can give you one with the role that you need.</p>
  <form class="stack" data-submit="login"><label class="field">Token<input type="password" name="token" id="token" autocomplete="current-password" required autofocus></label>
  ${failure && html`<div class="problem" role="alert"><b>${failure.what}</b>${failure.why}</div>`}
  <button class="primary" ${busy ? html`disabled` : ""}>Log in</button></form></div></section>`;
