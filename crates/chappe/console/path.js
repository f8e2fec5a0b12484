// The path of a message: the domains and MTAs that it has passed by its trace, this MTA, and where it goes next.

import { clock, span } from "./format.js";
import { html } from "./html.js";

const BOX = { width: 176, height: 74, gap: 54 };
const cut = (text, most = 22) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** Draws what `envelope.hops` tell, then the next MTA of each copy. */
export function path(envelope, copies, live) {
  const { hops } = envelope;
  const next = copies.filter((copy) => copy.queue !== "work");
  const rows = Math.max(1, next.length);
  const height = Math.max(1, rows) * (BOX.height + 16) + 8;
  const middle = height / 2;
  const step = BOX.width + BOX.gap;
  const width = (hops.length + (next.length > 0 ? 1 : 0)) * step + 20;
  const box = (x, y, kind, lines) => html`<rect class="hop ${kind}" x="${x}" y="${y - BOX.height / 2}" width="${BOX.width}" height="${BOX.height}" rx="9"></rect>
    ${lines.map((line, row) => html`<text class="${row === 0 ? "name" : "small"}" x="${x + 13}" y="${y - 14 + row * 18}">${cut(line)}</text>`)}`;
  const arrow = (fromX, fromY, toX, toY, text) => html`<path class="arrow" d="M${fromX} ${fromY} C${fromX + 26} ${fromY} ${toX - 26} ${toY} ${toX - 7} ${toY}"></path><path class="head" d="M${toX} ${toY} l-8 -4.5 v9 z"></path>
    ${text && html`<text class="small" x="${(fromX + toX) / 2}" y="${(fromY + toY) / 2 - 9}" text-anchor="middle">${text}</text>`}`;
  const drawn = hops.map((hop, index) => {
    const x = 10 + index * step;
    const isHere = index === hops.length - 1;
    const before = hops[index - 1];
    const taken = before ? Math.round((Date.parse(hop.arrival) - Date.parse(before.arrival)) / 1000) : null;
    const what = hop.actions.length > 0 ? hop.actions.join(", ") : clock(hop.arrival);
    return html`<g>${index > 0 && arrow(x - BOX.gap, middle, x, middle, taken !== null && taken >= 0 ? span(taken) : "")}
      ${box(x, middle, `${isHere ? "here" : ""} ${hop.actions.length > 0 ? "warn" : ""}`, [hop.mta ?? hop.domain, hop.mta ? hop.domain : "domain", isHere ? `here since ${clock(hop.arrival)}` : what])}<title>${hop.mta ?? ""} ${hop.domain} ${hop.arrival} ${hop.actions.join(", ")}</title></g>`;
  });
  const ends = next.map((copy, row) => {
    const x = 10 + hops.length * step;
    const y = middle + (row - (next.length - 1) / 2) * (BOX.height + 16);
    const link = live.links.get(copy.queue);
    return html`<g>${arrow(x - BOX.gap, middle, x, y, "")}${box(x, y, "next", [link?.remote_mta ?? copy.queue, `by ${copy.queue}`, copy.state])}</g>`;
  });
  return html`<svg class="map path" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="The path of the message: ${hops.map((hop) => hop.mta ?? hop.domain).join(", then ")}">${drawn}${ends}</svg>`;
}
