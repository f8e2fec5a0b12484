// Pieces that several pages have: empty, loading and failed states, small curves, pagers.

import { count } from "./format.js";
import { html } from "./html.js";
import { icon } from "./icons.js";

export const loading = () => html`<div class="loading" aria-label="Loading"><i></i><i></i><i></i></div>`;

export const empty = (title, text, drawing = "nothing") =>
  html`<div class="empty">${icon(drawing)}<b>${title}</b><span>${text}</span></div>`;

export const problem = (failure) =>
  html`<div class="problem" role="alert"><b>${failure.what ?? "Something went wrong"}</b>${failure.why ?? failure.message}</div>`;

/** Transferred in and out, second by second. */
export function curve(samples, width = 600, height = 70) {
  const most = Math.max(1, ...samples.flat());
  const step = width / Math.max(1, samples.length - 1);
  const line = (index) =>
    samples.map((sample, n) => `${(n * step).toFixed(1)},${(height - 3 - (sample[index] / most) * (height - 10)).toFixed(1)}`).join(" ");
  return html`<svg class="curve" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="Transfers in and out over the last minutes">
    <line class="base" x1="0" x2="${width}" y1="${height - 2}" y2="${height - 2}"></line>
    ${samples.length > 1 && html`<polygon class="in" points="0,${height - 2} ${line(0)} ${width},${height - 2}"></polygon><polyline class="out" points="${line(1)}"></polyline>`}
  </svg>`;
}

/** How much of something is used. */
export function bar(value, limit) {
  const part = limit > 0 ? Math.min(1, value / limit) : 0;
  return html`<div class="bar ${part >= 0.8 ? "high" : ""}" role="img" aria-label="${Math.round(part * 100)} per cent"><svg viewBox="0 0 100 1" preserveAspectRatio="none"><rect width="${(part * 100).toFixed(1)}" height="1"></rect></svg></div>`;
}

/** Forwards and back through a list that the service pages. `places` is where each page so far begins. */
export function pager(places, next, shown, busy) {
  const page = places.length;
  return html`<div class="pager"><span>${shown === 0 && page === 1 ? "" : `Page ${count(page)} · ${count(shown)} shown`}${busy ? " · loading …" : ""}</span>
    <span class="row"><button class="small" data-do="previous" ${page > 1 ? "" : html`disabled`}>Previous</button>
    <button class="small" data-do="next" ${next ? "" : html`disabled`}>Next</button></span></div>`;
}
