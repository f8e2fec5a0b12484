// What the service tells by itself: the state of all links and new events. Nothing here is guessed; when the stream is
// silent, what is shown is marked as old.

import { get } from "./api.js";

const SILENCE_MS = 4000;
const RETRY_MS = 2000;
const SAMPLES = 150;
/** So many that are mere information, and so many others. */
const MOST_EVENTS = 1000;

/** What is known, and when it was so. */
export const live = {
  /** "connecting", "live" or "lost". */
  connection: "connecting",
  lostAt: null,
  /** Time of the service, as it said it last. */
  time: null,
  status: null,
  links: new Map(),
  trouble: null,
  events: [],
  /** How many the stream has left out since they were fetched: where much goes well it tells a few and the number. */
  leftOut: 0,
  /** What is in quarantine, up to a hundred. */
  quarantined: 0,
  /** Transferred since the last sample, by second: `[in, out]`. */
  samples: [],
};

const listeners = new Set();
let source = null;
let lastFrame = 0;
let counted = null;
let fetchEvents = async () => [];

/** Calls `listener` after each change. */
export function whenLive(listener) {
  listeners.add(listener);
}

const tell = () => listeners.forEach((listener) => listener());

/** Begins, or begins anew. `events` fetches the newest events. */
export function connect(events) {
  fetchEvents = events ?? fetchEvents;
  source?.close();
  source = new EventSource("/api/v1/stream");
  lastFrame = Date.now();
  const frame = (name, take) =>
    source.addEventListener(name, ({ data }) => {
      lastFrame = Date.now();
      take(JSON.parse(data));
      if (live.connection !== "live") Object.assign(live, { connection: "live", lostAt: null });
      tell();
    });
  frame("state", (state) => {
    live.links = new Map(state.links.map((link) => [link.name, link]));
    Object.assign(live, { status: state.status, time: state.time, trouble: state.trouble });
    counted = null;
    sample();
    refreshEvents();
    countQuarantine();
  });
  frame("change", (change) => {
    for (const link of change.links ?? []) live.links.set(link.name, link);
    for (const name of change.gone ?? []) live.links.delete(name);
    if (change.links) live.links = new Map([...live.links].sort(([a], [b]) => (a < b ? -1 : 1)));
    if (change.status) live.status = change.status;
    if ("trouble" in change) live.trouble = change.trouble;
    live.time = change.time;
    live.leftOut += change.events_left_out ?? 0;
    sample();
  });
  frame("events", (events) => {
    add(events);
    if (events.some(({ kind }) => kind === "quarantined")) countQuarantine();
  });
  source.onerror = () => {
    // The browser connects again by itself, unless it was refused.
    lost();
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY_MS);
  };
}

/** Ends the stream, as when nobody is logged in. */
export function disconnect() {
  source?.close();
  source = null;
}

function lost() {
  if (live.connection === "live") Object.assign(live, { connection: "lost", lostAt: new Date(lastFrame) });
  else if (live.connection === "connecting" && live.lostAt === null) Object.assign(live, { connection: "lost", lostAt: new Date() });
  tell();
}

setInterval(() => {
  if (source && Date.now() - lastFrame > SILENCE_MS) {
    lost();
    if (Date.now() - lastFrame > 3 * SILENCE_MS) connect();
  }
}, 1000);

function sample() {
  const now = { in: live.status.counters.transferred_in, out: live.status.counters.transferred_out };
  if (counted) {
    live.samples.push([Math.max(0, now.in - counted.in), Math.max(0, now.out - counted.out)]);
    live.samples.splice(0, live.samples.length - SAMPLES);
  }
  counted = now;
}

function add(events) {
  const known = new Map(live.events.map((event) => [event.number, event]));
  for (const event of events) known.set(event.number, event);
  const all = [...known.values()].sort((a, b) => a.number - b.number);
  const newest = (isInformation) => all.filter(({ severity }) => (severity === "information") === isInformation).slice(-MOST_EVENTS);
  live.events = [...newest(true), ...newest(false)].sort((a, b) => a.number - b.number);
}

/** Fetches the newest events: counts of repetitions are not in the stream. */
export async function refreshEvents() {
  try {
    const fetched = await fetchEvents();
    Object.assign(live, { events: [], leftOut: 0 });
    add(fetched);
    tell();
  } catch {
    // The stream says soon enough that the service is gone.
  }
}

/** Counts what is in quarantine: the stream tells when something has come, not what is there. */
export async function countQuarantine() {
  try {
    live.quarantined = (await get("quarantine", { limit: 100 })).items.length;
    tell();
  } catch {
    // As above.
  }
}

/** Seconds between a time of the service and its newest one. */
export function ago(time) {
  return Math.max(0, Math.round((Date.parse(live.time ?? new Date().toISOString()) - Date.parse(time)) / 1000));
}
