// The map: this MTA, its adjacent MTAs, and the state of what lies between.

import { count, octets, span, stateOf } from "./format.js";
import { html } from "./html.js";
import { ago } from "./live.js";

/** Links that are drawn; the others are tiles. */
export const DRAWN = 12;
const ROW = 62;
const WIDTH = 1000;
const HOME = { x: 20, width: 210 };
const PEER = { x: 730, width: 250, height: 46 };

/** What is to be seen first: broken, then what waits, then what is used. */
export function byNeed(links) {
  const weight = (link) => (link.failing_since ? 3 : link.frozen && link.messages > 0 ? 2 : link.messages > 0 ? 1 : 0);
  return [...links].sort((a, b) => weight(b) - weight(a) || b.messages - a.messages || b.associations - a.associations || (a.name < b.name ? -1 : 1));
}

const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** What waits on a link, in few characters. */
function waiting(link) {
  if (link.messages === 0) return link.held > 0 ? `${count(link.held)} held` : "";
  return `${count(link.messages)} waiting${link.oldest ? ` · ${span(ago(link.oldest))}` : ""}`;
}

/** `moved` tells what has passed a link of late. */
export function map(status, links, moved) {
  const rows = links.length;
  const height = Math.max(2, rows) * ROW + 16;
  const middle = height / 2;
  const wires = links.map((link, row) => {
    const { tone, word } = stateOf(link);
    const y = rows === 1 ? middle : 8 + ROW / 2 + row * ROW;
    const [from, to] = [HOME.x + HOME.width, PEER.x];
    const bend = `M${from} ${middle} C${from + 190} ${middle} ${from + 170} ${y} ${from + 300} ${y} L${to} ${y}`;
    const back = `M${to} ${y} L${from + 300} ${y} C${from + 170} ${y} ${from + 190} ${middle} ${from} ${middle}`;
    const text = waiting(link);
    const width = text.length * 6.6 + 20;
    const center = (from + 300 + to) / 2;
    const passed = moved(link);
    return html`<a href="#/connectors/${encodeURIComponent(link.name)}" data-key="${link.name}" aria-label="${link.name}: ${word}${text ? `, ${text}` : ""}">
      <path class="wire ${tone}" d="${bend}"></path>
      ${passed.out > 0 && html`<path class="flow" d="${bend.replace(/^M/, "M")}"></path>`}
      ${passed.in > 0 && html`<path class="flow" d="${back}"></path>`}
      ${tone === "bad" && html`<path d="M${from + 306} ${y - 7} l14 14 m0 -14 l-14 14" stroke="var(--bad-line)" stroke-width="3" fill="none"></path>`}
      ${text && html`<rect class="pill ${tone === "bad" || tone === "warn" ? tone : ""}" x="${center - width / 2 + 8}" y="${y - 12}" width="${width}" height="24" rx="12"></rect>
        <text class="pill-text ${tone === "bad" || tone === "warn" ? tone : ""}" x="${center + 8}" y="${y + 4}">${text}</text>`}
      <rect class="node" x="${PEER.x}" y="${y - PEER.height / 2}" width="${PEER.width}" height="${PEER.height}" rx="9"></rect>
      <circle class="mark ${tone}" cx="${PEER.x + 18}" cy="${y - 7}" r="5"></circle>
      <text class="name" x="${PEER.x + 32}" y="${y - 2}">${cut(link.remote_mta, 26)}</text>
      <text class="small" x="${PEER.x + 32}" y="${y + 14}">${cut(`${link.name} · ${word}${link.failing_since ? ` for ${span(ago(link.failing_since))}` : link.associations ? ` · ${link.associations} open` : ""}`, 36)}</text>
    </a>`;
  });
  return html`<svg class="map" viewBox="0 0 ${WIDTH} ${height}" role="group" aria-label="Links of this MTA">
    ${wires}
    <g><rect class="home" x="${HOME.x}" y="${middle - 36}" width="${HOME.width}" height="72" rx="11"></rect>
    <text class="name" x="${HOME.x + 18}" y="${middle - 10}">${cut(status.name, 24)}</text>
    <text class="small" x="${HOME.x + 18}" y="${middle + 8}">${cut(status.domain, 30)}</text>
    <text class="small" x="${HOME.x + 18}" y="${middle + 24}">${count(status.queued)} queued · ${octets(status.queued_octets)}</text></g>
  </svg>`;
}
