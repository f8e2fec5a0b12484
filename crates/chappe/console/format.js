// Numbers, times and states in words.

import { html } from "./html.js";
import { ago, live } from "./live.js";

/** Instead of a number that is not known yet: what was there at the start is still being counted. */
const COUNTING = "counting";

export function octets(count) {
  if (count === null) return COUNTING;
  const units = ["octets", "KB", "MB", "GB", "TB"];
  let [value, unit] = [count, 0];
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${unit === 0 && count === 1 ? "octet" : units[unit]}`;
}

export const count = (number) => (number === null ? COUNTING : Number(number).toLocaleString("en"));

/** "1 message", "2 messages". */
export const many = (number, one, more = `${one}s`) => `${count(number)} ${number === 1 ? one : more}`;

/** Seconds as the largest two units. */
export function span(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = Math.max(0, units.findIndex(([, length]) => seconds >= length));
  if (seconds < 1) return "0 s";
  const [unit, length] = units[first];
  const whole = Math.floor(seconds / length);
  const next = units[first + 1];
  const rest = next ? Math.floor((seconds % length) / next[1]) : 0;
  return rest > 0 && unit !== "min" ? `${whole} ${unit} ${rest} ${next[0]}` : unit === "min" && whole < 10 && rest > 0 ? `${whole} min ${rest} s` : `${whole} ${unit}`;
}

const two = (number) => String(number).padStart(2, "0");

/** The time of day here; with the date if that is another one than today's. */
export function clock(time) {
  const date = new Date(time);
  const today = new Date(live.time ?? Date.now());
  const hours = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() === today.toDateString()) return hours;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${hours}`;
}

/** A time of day; the moment in UTC is what a pointer shows. */
export const at = (time) => (time ? html`<time datetime="${time}" title="${time}">${clock(time)}</time>` : html`<span class="quiet">–</span>`);

/** How long ago. */
export const since = (time) => (time ? html`<time datetime="${time}" title="${time}">${span(ago(time))}</time>` : html`<span class="quiet">–</span>`);

/** How long from now. */
export function until(time) {
  const seconds = Math.round((Date.parse(time) - Date.parse(live.time)) / 1000);
  return seconds <= 0 ? "now" : `in ${span(seconds)}`;
}

/** State of a link in one word, and its colour. */
export function stateOf(link) {
  if (link.failing_since) return { tone: "bad", word: "Down" };
  if (link.frozen) return { tone: "warn", word: "Frozen" };
  switch (link.state) {
    case "active": return { tone: "ok", word: "Active" };
    case "ready": return { tone: "calm", word: "Ready" };
    case "opening": return { tone: "calm", word: "Opening" };
    case "retry": return { tone: "warn", word: "Retry" };
    case "scheduled": return { tone: "calm", word: "Scheduled" };
    case "held": return { tone: "calm", word: "Held back" };
    case "remote": return { tone: "calm", word: "Remote-initiated" };
    case "disabled": return { tone: "calm", word: "Disabled" };
    default: return { tone: "calm", word: link.state.charAt(0).toUpperCase() + link.state.slice(1) };
  }
}

export const state = ({ tone, word }) => html`<span class="state ${tone}">${word}</span>`;

/** State of a copy in a queue. */
export function copyState(word) {
  const tones = { "in transfer": "ok", retry: "warn", held: "warn", deferred: "calm", "pending reroute": "calm", waiting: "calm" };
  return state({ tone: tones[word] ?? "calm", word: word.charAt(0).toUpperCase() + word.slice(1) });
}

export const severity = (word) => html`<span class="tag ${{ error: "bad", warning: "warn" }[word] ?? ""}">${word}</span>`;

export const priority = (word) => (word === "normal" ? html`normal` : html`<span class="tag ${word === "urgent" ? "accent" : ""}">${word}</span>`);

/** Text of the documentation: `code` and *names*. */
export function prose(text) {
  return (text ?? "").split(/(`[^`]+`|\*[^*]+\*|\[[^\]]+\]\([^)]+\))/).map((part) => {
    if (/^`.+`$/.test(part)) return html`<code>${part.slice(1, -1)}</code>`;
    if (/^\*.+\*$/.test(part)) return html`<em>${part.slice(1, -1)}</em>`;
    if (/^\[.+\)$/.test(part)) return part.slice(1, part.indexOf("]"));
    return part;
  });
}

/** A sentence. */
export const sentence = (text) => {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?)]$/.test(first) ? first : `${first}.`;
};
