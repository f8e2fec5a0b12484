// Times of a week as a grid of quarters of an hour, UTC: painted with the mouse, or with arrows and the space bar.

import { html } from "./html.js";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const OF_DAY = 96;
const CELL = { width: 9, height: 20, left: 40, top: 20 };
const two = (number) => String(number).padStart(2, "0");
const clock = (cell) => `${two(Math.floor(cell / 4))}:${two((cell % 4) * 15)}`;

function cellOf(text) {
  const found = /^(\d{2}):(00|15|30|45)$/.exec(text.trim());
  const cell = found ? Number(found[1]) * 4 + Number(found[2]) / 15 : NaN;
  return cell <= OF_DAY ? cell : NaN;
}

function daysOf(text) {
  if (/^daily$/i.test(text)) return DAYS.map((_, day) => day);
  const number = (name) => DAYS.findIndex((day) => day.toLowerCase() === name.toLowerCase());
  return text.split(",").flatMap((part) => {
    const [from, to = from] = part.split("-").map(number);
    if (from < 0 || to < 0) return [];
    return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, n) => (from + n) % 7);
  });
}

/** The cells that these texts select, as in "Mon-Fri 08:00-18:00"; what is no time selects none. */
export function cells(texts) {
  const selected = new Set();
  for (const text of texts) {
    const [days = "", times = ""] = text.trim().split(/\s+/);
    const [from, to] = times.split("-").map(cellOf);
    if (!(from < OF_DAY) || !(to >= 0) || from === to) continue;
    const length = from < to ? to - from : OF_DAY - from + to;
    for (const day of daysOf(days)) {
      for (let n = 0; n < length; n += 1) selected.add((day * OF_DAY + from + n) % (7 * OF_DAY));
    }
  }
  return selected;
}

/** Days as they are written: a run as "Mon-Fri", others one by one. */
function named(days) {
  if (days.length === 7) return "daily";
  const runs = [];
  for (const day of days) {
    const last = runs.at(-1);
    if (last && last[1] === day - 1) last[1] = day;
    else runs.push([day, day]);
  }
  return runs.map(([from, to]) => (from === to ? DAYS[from] : to === from + 1 ? `${DAYS[from]},${DAYS[to]}` : `${DAYS[from]}-${DAYS[to]}`)).join(",");
}

/** The shortest texts for these cells. */
export function texts(selected) {
  const spans = new Map();
  for (let day = 0; day < 7; day += 1) {
    for (let cell = 0; cell < OF_DAY; cell += 1) {
      if (!selected.has(day * OF_DAY + cell)) continue;
      const from = cell;
      while (cell < OF_DAY && selected.has(day * OF_DAY + cell)) cell += 1;
      const times = `${clock(from)}-${clock(cell)}`;
      spans.set(times, [...(spans.get(times) ?? []), day]);
    }
  }
  return [...spans].sort(([a, [x]], [b, [y]]) => x - y || (a < b ? -1 : 1)).map(([times, days]) => `${named(days)} ${times}`);
}

let painter = null;
let painting = null;
let cursor = 32;

/** The grid; `paint` gets the cells after each change. */
export function grid(selected, paint, disabled) {
  painter = disabled ? null : { selected, paint };
  const width = CELL.left + OF_DAY * CELL.width + 16;
  const height = CELL.top + 7 * CELL.height + 4;
  const hours = Array.from({ length: 13 }, (_, n) => n * 2);
  const row = (name, day) => html`<text class="day" x="0" y="${CELL.top + day * CELL.height + 14}">${name}</text>
    ${Array.from({ length: OF_DAY }, (_, n) => {
      const cell = day * OF_DAY + n;
      return html`<rect class="${selected.has(cell) ? "on" : ""} ${n % 4 === 0 ? "hour" : ""} ${cell === cursor ? "cursor" : ""}" data-cell="${cell}" x="${CELL.left + n * CELL.width}" y="${CELL.top + day * CELL.height}" width="${CELL.width - 1}" height="${CELL.height - 3}"></rect>`;
    })}`;
  const at = `${DAYS[Math.floor(cursor / OF_DAY)]} ${clock(cursor % OF_DAY)}`;
  return html`<div class="times scroll"><svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="application" tabindex="0" data-times="" aria-label="Selected times of the week, in quarters of an hour, UTC. Arrows move, the space bar selects, with Shift an hour at a time. ${at} is ${selected.has(cursor) ? "" : "not "}selected.">
    ${hours.map((hour) => html`<text class="clock" x="${CELL.left + hour * 4 * CELL.width}" y="13">${two(hour)}</text>`)}${DAYS.map(row)}</svg></div>
    <div class="row"><button type="button" class="small" data-do="times" data-times-set="work">Mon–Fri 08–18</button><button type="button" class="small" data-do="times" data-times-set="night">Nights 22–06</button><button type="button" class="small" data-do="times" data-times-set="all">All</button><button type="button" class="small" data-do="times" data-times-set="none">None</button>
      <span class="quiet">${at} UTC</span></div>`;
}

/** Selections at one press. */
export const PRESETS = { work: ["Mon-Fri 08:00-18:00"], night: ["daily 22:00-06:00"], all: ["daily 00:00-24:00"], none: [] };

function set(cell, on) {
  if (on) painter.selected.add(cell);
  else painter.selected.delete(cell);
  cursor = cell;
  painter.paint(painter.selected);
}

const under = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-cell]");

document.addEventListener("pointerdown", (event) => {
  const cell = event.target.closest?.("[data-cell]");
  if (!cell || !painter || event.button !== 0) return;
  event.preventDefault();
  cell.closest("svg").focus();
  painting = !painter.selected.has(Number(cell.dataset.cell));
  set(Number(cell.dataset.cell), painting);
});
document.addEventListener("pointermove", (event) => {
  if (painting === null || !painter) return;
  const cell = under(event);
  if (cell && painter.selected.has(Number(cell.dataset.cell)) !== painting) set(Number(cell.dataset.cell), painting);
});
document.addEventListener("pointerup", () => { painting = null; });
document.addEventListener("keydown", (event) => {
  if (!painter || event.target.dataset?.times === undefined) return;
  const step = event.shiftKey ? 4 : 1;
  const moves = { ArrowLeft: -step, ArrowRight: step, ArrowUp: -OF_DAY, ArrowDown: OF_DAY };
  if (event.key in moves) {
    cursor = (cursor + moves[event.key] + 7 * OF_DAY) % (7 * OF_DAY);
    painter.paint(painter.selected);
  } else if (event.key === " ") {
    const on = !painter.selected.has(cursor);
    const first = cursor;
    for (let n = 0; n < step; n += 1) {
      if (on) painter.selected.add(first + n);
      else painter.selected.delete(first + n);
    }
    painter.paint(painter.selected);
  } else {
    return;
  }
  event.preventDefault();
});
