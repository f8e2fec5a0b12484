// Settings of a connector as fields: each shows what is written, what holds otherwise, and what it is for.

import { prose } from "./format.js";
import { html } from "./html.js";
import { PRESETS, cells, grid, texts } from "./times.js";

/** What a field holds: what was typed, else what is written, else nothing. */
export const valueOf = ({ key }, written, pending) => (pending.has(key) ? pending.get(key) : written[key]);

const NAMES = { retry: "Retry", rts: "RTS", association: "Association", transfer_timeout: "Transfer timeouts", hold: "Hold", form: "Form", restrictions: "Restrictions", called_selectors: "Selectors of the peer", calling_selectors: "Our own selectors" };

/** A key in words, as in "Window size". */
function label(key) {
  const name = key.split(".").at(-1);
  const text = name.replace(/_s_per_kb$/, "").replace(/_(s|kb)$/, "").replaceAll("_", " ").replace(/\bmta\b/g, "MTA").replace(/\btpdu\b/g, "TPDU");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const lines = (value) => (Array.isArray(value) ? value.join("\n") : (value ?? ""));

function input(field, value, { allowed, isFixed }) {
  const { key, kind } = field;
  const off = allowed && !isFixed ? "" : html`disabled`;
  const common = html`id="field-${key}" data-field="${key}" data-kind="${kind}" ${off}`;
  const otherwise = field.default && field.default !== "–" ? field.default : "";
  switch (kind) {
    case "number":
      return html`<span class="row nowrap"><input type="number" step="1" min="${field.low}" max="${field.high > 1e12 ? "" : field.high}" value="${value ?? ""}" placeholder="${otherwise && `default ${otherwise}`}" data-input="field" ${common}><span class="quiet">${field.unit}</span></span>`;
    case "truth":
      return html`<label class="row"><input type="checkbox" data-change="field" ${(value ?? otherwise === "yes") ? html`checked` : ""} ${common}> yes</label>`;
    case "choice":
    case "size":
      return html`<select data-change="field" ${common}><option value="" ${value === undefined || value === null ? html`selected` : ""}>default: ${otherwise}</option>${field.choices.map((one) => html`<option ${String(value ?? "") === one ? html`selected` : ""}>${one}</option>`)}</select>`;
    case "secret":
      return html`<span class="row"><input type="password" autocomplete="new-password" value="${typeof value === "string" ? value : ""}" placeholder="${value === true ? "set; type to change it" : "none"}" data-input="field" ${common}>${value !== undefined && value !== null && html`<button type="button" class="small" data-do="clearfield" data-field="${key}" ${off}>Clear</button>`}</span>`;
    case "texts":
      return html`<textarea rows="${Math.min(8, Math.max(2, (value?.length ?? 0) + 1))}" spellcheck="false" placeholder="${otherwise || "one a line"}" data-input="field" ${common}>${lines(value)}</textarea>`;
    case "words":
      return html`<span class="row" id="field-${key}">${field.choices.map((one) => html`<label class="row"><input type="checkbox" data-change="word" data-field="${key}" data-word="${one}" ${!value || value.includes(one) ? html`checked` : ""} ${off}> ${one}</label>`)}</span>`;
    case "spaces":
      return html`<div class="stack" id="field-${key}">${(value ?? []).map((space, n) => html`<span class="row space" data-key="${n}"><input class="wide" value="${space.address}" placeholder="P=BETA;A= ;C=GB" aria-label="Address space ${n + 1}" data-input="space" data-field="${key}" data-n="${n}" data-part="address" spellcheck="false" ${off}>
        <label class="row">cost <input type="number" min="1" max="100" value="${space.cost ?? ""}" placeholder="1" aria-label="Cost of address space ${n + 1}" data-input="space" data-field="${key}" data-n="${n}" data-part="cost" ${off}></label>
        <button type="button" class="small" data-do="lessspace" data-field="${key}" data-n="${n}" aria-label="Remove address space ${n + 1}" ${off}>Remove</button></span>`)}
        <span><button type="button" class="small" data-do="morespace" data-field="${key}" ${off}>Add an address space</button></span></div>`;
    case "domain":
      return html`<span class="row" id="field-${key}">${[["country", "country", "GB"], ["admd", "administration", "a space"], ["prmd", "private", "none"]].map(([part, name, hint]) => html`<label class="field">${name}<input value="${value?.[part] ?? ""}" placeholder="${hint}" data-input="domain" data-field="${key}" data-part="${part}" spellcheck="false" ${off}></label>`)}</span>`;
    default:
      return html`<input value="${value ?? ""}" placeholder="${otherwise || "none"}" autocomplete="off" spellcheck="false" data-input="field" ${common}>`;
  }
}

/** One field of the form with what it is for. `paint` takes the times that were painted. */
function field(one, written, pending, { allowed, isFixed, paint }, about) {
  const value = valueOf(one, written, pending);
  const isChanged = pending.has(one.key);
  const control = one.kind === "times"
    ? html`<div class="stack" id="field-${one.key}">${grid(cells(value ?? []), paint, !allowed)}<span class="mono wrap">${(value ?? []).length === 0 ? html`<span class="quiet">no times are selected</span>` : lines(value).replaceAll("\n", ", ")}</span></div>`
    : input(one, value, { allowed, isFixed });
  return html`<div class="setting ${isChanged ? "changed" : ""} ${one.kind}" data-setting="${one.key}"><div class="name"><label for="field-${one.key}">${label(one.key)}</label><code>${one.key}</code>${isChanged && html`<span class="tag accent">edited</span>`}</div>
    <div class="control">${control}</div><p class="about">${about && prose(about)}</p></div>`;
}

/** The fields of a page, with a heading where a table of the file begins. */
export function form(fields, written, pending, options) {
  let [table, told] = ["", ""];
  return fields.map((one) => {
    const own = one.key.includes(".") ? one.key.split(".")[0] : "";
    const heading = own !== table && own !== "" ? html`<h3>${NAMES[own] ?? own}</h3>` : "";
    table = own;
    // Settings that share an explanation have it at the first of them.
    const about = one.about === told ? "" : one.about;
    told = one.about;
    return html`${heading}${field(one, written, pending, { ...options, isFixed: one.key === "name" }, about)}`;
  });
}

/** What the controls of `form` do: they put values into `pending`, and leave out what is as it was written. */
export function fieldActions(get, changed) {
  const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
  const put = (key, value) => {
    const { written, pending } = get();
    if (same(value, written[key])) pending.delete(key);
    else pending.set(key, value);
    changed();
  };
  const now = (key) => {
    const { written, pending } = get();
    return structuredClone(valueOf({ key }, written, pending) ?? null);
  };
  const all = (key) => get().fields.find((one) => one.key === key)?.choices ?? [];
  return {
    put,
    actions: {
      field({ field: key, kind }, element) {
        const text = element.value;
        if (kind === "truth") return put(key, element.checked);
        if (kind === "texts") {
          const items = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
          return put(key, items.length === 0 ? null : items);
        }
        if (text === "") {
          // A password is not taken away by leaving its field empty.
          return kind === "secret" ? (get().pending.delete(key), changed()) : put(key, null);
        }
        return put(key, kind === "number" || kind === "size" ? Math.trunc(Number(text)) : text);
      },
      clearfield: ({ field: key }) => put(key, null),
      word({ field: key, word }, element) {
        const chosen = new Set(now(key) ?? all(key));
        if (element.checked) chosen.add(word);
        else chosen.delete(word);
        put(key, chosen.size === all(key).length ? null : all(key).filter((one) => chosen.has(one)));
      },
      space({ field: key, n, part }, element) {
        const spaces = now(key) ?? [];
        if (part === "cost" && element.value === "") delete spaces[n].cost;
        else spaces[n][part] = part === "cost" ? Math.trunc(Number(element.value)) : element.value;
        put(key, spaces);
      },
      morespace: ({ field: key }) => put(key, [...(now(key) ?? []), { address: "", cost: 1 }]),
      lessspace({ field: key, n }) {
        const spaces = (now(key) ?? []).filter((_, index) => index !== Number(n));
        put(key, spaces.length === 0 ? null : spaces);
      },
      domain({ field: key, part }, element) {
        const domain = now(key) ?? { country: "", admd: "" };
        if (element.value === "" && part === "prmd") delete domain.prmd;
        else domain[part] = element.value;
        put(key, domain.country === "" && domain.admd === "" && !domain.prmd ? null : domain);
      },
      times: ({ timesSet }) => put("selected_times", PRESETS[timesSet].length === 0 ? null : PRESETS[timesSet]),
    },
    paint: (selected) => put("selected_times", selected.size === 0 ? null : texts(selected)),
  };
}
