// The ladder of one association: who sent what when, TPDU by TPDU, with the layers in each. It grows while the
// association is open.

import { get, segment } from "../api.js";
import { at, count, many, octets } from "../format.js";
import { html } from "../html.js";
import { empty, loading, problem } from "../parts.js";

/** Steps that are asked for at a time, and most that are shown. */
const PAGE = 200;
const MOST = 2000;
/** Milliseconds between two looks at an association that is open. */
const PACE = 1000;

const WORDS = { opened: "TCP opened", closed: "TCP closed", reset: "TCP reset", foreign: "not RFC 1006" };
/** SPDUs that only move the data of a transfer. */
const ROUTINE = new Set(["RTTR", "MIP", "MIA", "octets of an APDU"]);

export function ladder(view) {
  const [number] = view.parameters;
  const path = `associations/${segment(number)}/ladder`;
  let [steps, connections, previous] = [null, [], null];
  let failure = null;
  let [asking, asked] = [false, 0];
  let routine = true;

  async function ask(parameters, take) {
    if (asking) return;
    asking = true;
    asked = Date.now();
    try {
      const page = await get(path, { limit: PAGE, ...parameters });
      connections = page.connections;
      take(page);
      failure = null;
    } catch (error) {
      failure = error;
    }
    asking = false;
    view.update();
  }

  const newest = () => ask({}, (page) => { [steps, previous] = [page.items, page.previous]; });
  const newer = () => ask({ after: steps.at(-1)?.place ?? "0.0" }, (page) => {
    steps = [...steps, ...page.items];
    const surplus = steps.length - MOST;
    if (surplus > 0) {
      steps = steps.slice(surplus);
      previous = steps[0].place;
    }
  });
  const older = () => ask({ before: previous }, (page) => {
    steps = [...page.items, ...steps].slice(0, MOST);
    previous = page.previous;
  });

  const isRoutine = (step) => step.kind === "tpdu" && !step.completes && step.layers.some(({ pdu }) => ROUTINE.has(pdu));
  const isOpen = () => connections.length > 0 && !connections.at(-1).ended;

  /** PDUs from the outside to the inside; what follows itself is counted. */
  function pdus(layers) {
    const runs = [];
    for (const { protocol, pdu } of layers) {
      const last = runs.at(-1);
      if (last?.pdu === pdu) last.times += 1;
      else runs.push({ protocol, pdu, times: 1 });
    }
    return runs.map(({ protocol, pdu, times }) => html`<span class="pdu ${protocol.toLowerCase()}" title="${protocol}">${pdu}${times > 1 ? ` ×${times}` : ""}</span>`);
  }

  const tree = (nodes) => html`<ul class="tree">${nodes.map(({ name, value, children = [] }) => html`<li><span class="quiet">${name}</span>${value !== undefined && html` <span class="wrap">${value}</span>`}${children.length > 0 && tree(children)}</li>`)}</ul>`;

  function row(step, key) {
    const direction = step.from === "initiator" ? "right" : "left";
    const label = step.kind === "tpdu" ? pdus(step.layers) : step.kind === "gap" ? `${octets(step.octets)} not at hand any more` : WORDS[step.kind];
    const line = html`<span class="mono quiet">${step.time.slice(11, 26)}</span><span class="number quiet">${step.number}</span>
      <span class="lane ${direction} ${step.kind}"><span class="label">${label}</span></span>
      <span class="number quiet nowrap">${step.kind === "tpdu" && octets(step.octets)}${step.cut > 0 && html`<span class="under">${octets(step.cut)} not kept</span>`}</span>
      ${step.completes && html`<span class="done"><span class="tag ok">complete</span> <b class="wrap">${step.completes}</b></span>`}`;
    if (step.kind === "gap" || step.details.length === 0) return html`<div class="step" data-key="${key}" data-step="${step.place}">${line}</div>`;
    return html`<details data-key="${key}" data-step="${step.place}"><summary class="step" aria-label="${step.from}: ${step.layers.map(({ pdu }) => pdu).join(", ")}">${line}</summary>${tree(step.details)}</details>`;
  }

  function connection(one, isLast) {
    const own = steps.filter((step) => step.connection === one.number);
    const shown = routine ? own : own.filter((step) => !isRoutine(step));
    const seen = new Map();
    const rows = shown.map((step) => {
      const turn = (seen.get(step.place) ?? 0) + 1;
      seen.set(step.place, turn);
      return row(step, `${step.place}.${turn}`);
    });
    return html`<section class="card" data-key="${one.number}" data-connection="${one.number}"><header><h2>${one.connector ? html`<a href="#/connectors/${segment(one.connector)}">${one.connector}</a>` : "Not bound"}</h2>
        <span class="sub">${at(one.began)} to ${one.ended ? at(one.ended) : "now"}${one.lost_tpdus > 0 && `, ${many(one.lost_tpdus, "TPDU")} not at hand any more`}${one.cut > 0 && `, ${octets(one.cut)} of long TPDUs not kept`}</span>
        <span class="tools">${one.ended ? html`<span class="state calm">Ended</span>` : html`<span class="state ok">Open</span>`}</span></header>
      <div class="ladder"><div class="ends"><b>Initiator${one.role === "initiator" && " (this MTA)"}</b><span class="mono quiet">${one.initiator}</span><b>Responder${one.role === "responder" && " (this MTA)"}</b><span class="mono quiet">${one.responder}</span></div>
        ${rows}
        ${isLast && one.unfinished.map((side) => html`<p class="quiet" data-key="unfinished ${side}">The ${side} is in the middle of something.</p>`)}</div></section>`;
  }

  newest();
  return {
    title: `Association ${number}`,
    live() {
      if (steps !== null && isOpen() && Date.now() - asked >= PACE) newer();
    },
    render() {
      const head = html`<div class="head"><h1>Association ${number}</h1><span class="sub">${steps && many(steps.length, "step")}</span>
        <span class="tools"><label class="row"><input type="checkbox" data-change="routine" ${routine ? html`checked` : ""}> Data and checkpoints</label>
        <a class="button" href="/api/v1/associations/${segment(number)}/recording" download="association-${number}.pcap">Capture for Wireshark</a></span></div>`;
      if (steps === null) return html`${head}${failure === null ? loading() : failure.status === 404 ? html`<section class="card">${empty("No recording of this association", "Its place was needed for newer ones, the recorder is off, or there was no such association.", "associations")}</section>` : problem(failure)}`;
      return html`${head}${failure && problem(failure)}
        ${previous && html`<div class="row"><button data-do="older">Older steps</button><span class="quiet">${count(steps.length)} shown, passwords masked</span></div>`}
        ${connections.map((one, index) => connection(one, index === connections.length - 1))}`;
    },
    actions: {
      older,
      routine(_, field) {
        routine = field.checked;
        view.update();
      },
    },
  };
}
