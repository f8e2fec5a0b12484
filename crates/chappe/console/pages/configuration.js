// The configuration: edited as text, validated, compared with what is in force, and only then applied.

import { Failure, post } from "../api.js";
import { ask } from "../dialog.js";
import * as draft from "../draft.js";
import { many } from "../format.js";
import { html } from "../html.js";
import { loading, problem } from "../parts.js";
import { may } from "../session.js";

export function configuration(view) {
  let failure = null;
  let isLoaded = false;
  let verdict = null;
  let busy = false;

  async function load() {
    try {
      await draft.load();
      [isLoaded, verdict, failure] = [true, null, null];
    } catch (error) {
      failure = error;
    }
    view.update();
    // What is typed belongs to the reader; only here it is replaced as a whole.
    const field = document.getElementById("configuration");
    if (field && isLoaded) field.value = draft.current();
  }

  async function during(work) {
    if (busy) return;
    [busy, failure] = [true, null];
    view.update();
    try {
      await work();
    } catch (error) {
      failure = error instanceof Failure ? error : { what: "This did not work", why: error.message };
    }
    busy = false;
    view.update();
  }

  const check = () => during(async () => { verdict = await draft.check(); });

  function outcome() {
    if (verdict === null) return html`<p class="quiet">Validate tells what is wrong with the text, or what would be different with it. Nothing is changed before it is applied.</p>`;
    if (!verdict.ok) {
      return html`<p class="bad"><b>${many(verdict.problems.length, "mistake")}</b></p><ol class="events">${verdict.problems.map((one) => html`<li><button class="small" data-do="show" data-line="${one.line}">Line ${one.line}, ${one.column}</button><div class="wrap"><b>${one.what}</b><div class="quiet">${one.fix}</div></div></li>`)}</ol>`;
    }
    if (verdict.words.length === 0) return html`<p class="ok">The text is right, and no setting is different.</p>`;
    return html`<p class="ok"><b>The text is right.</b> ${many(verdict.words.length, "difference")}:</p>${draft.words(verdict)}`;
  }

  load();
  return {
    title: "Configuration",
    render() {
      const { known } = draft.draft;
      const head = html`<div class="head"><h1>Configuration</h1><span class="sub mono wrap">${known?.file}</span>
        <span class="tools"><button data-do="reload" ${busy || known === null ? html`disabled` : ""}>Read the file again …</button></span></div>`;
      if (!may("administrator")) return html`${head}${problem({ what: "This needs the role administrator", why: "log in with another token" })}`;
      if (!isLoaded || known === null) return html`${head}${failure ? problem(failure) : loading()}`;
      const edited = draft.isEdited();
      return html`${head}
        ${known.changed_on_disk && html`<section class="alarm warn"><p>The file holds something else than what the service has read. Have it read again before you edit it here.</p></section>`}
        ${failure && problem(failure)}
        <div class="columns edit"><section class="card"><header><h2>Text</h2><span class="sub">${edited ? "edited" : "as it was read"}; ******** stands for a secret that stays</span></header>
          <textarea id="configuration" class="mono" rows="32" spellcheck="false" autocomplete="off" aria-label="Configuration" data-input="edit">${draft.current()}</textarea></section>
        <section class="card"><header><h2>What would be different</h2></header><div class="inside stack" id="verdict" aria-live="polite">${outcome()}</div>
          <div class="inside row"><button class="${verdict?.ok ? "" : "primary"}" data-do="check" ${busy ? html`disabled` : ""}>Validate</button>
          <button class="${verdict?.ok ? "primary" : ""}" data-do="apply" ${busy || !verdict?.ok || verdict.words.length === 0 ? html`disabled` : ""}>Apply …</button>
          <button data-do="discard" ${busy || !edited ? html`disabled` : ""}>Discard the edit</button></div></section></div>`;
    },
    actions: {
      edit(_, field) {
        draft.draft.text = field.value;
        verdict = null;
        view.update();
      },
      check,
      async discard() {
        draft.discard();
        await load();
      },
      show({ line }) {
        const field = document.getElementById("configuration");
        const lines = field.value.split("\n");
        const start = lines.slice(0, Number(line) - 1).reduce((sum, one) => sum + one.length + 1, 0);
        field.focus();
        field.setSelectionRange(start, start + (lines[Number(line) - 1]?.length ?? 0));
      },
      async apply() {
        const body = html`<p>This is put into force at once and written to <span class="mono">${draft.draft.known.file}</span>; what it holds now stays in <span class="mono">${draft.draft.known.file}.1</span>.</p>${draft.words(verdict)}`;
        if (!(await ask({ title: `Apply ${many(verdict.words.length, "difference")}?`, body, verb: "Apply" }))) return;
        await during(async () => {
          const { words: done } = await draft.apply();
          view.toast(`Applied: ${many(done.length, "difference")}`);
          await load();
        });
      },
      async reload() {
        if (!(await ask({ title: "Read the file again?", body: html`<p>What is in the file is put into force. What is edited here is lost.</p>`, verb: "Read it" }))) return;
        await during(async () => {
          await post("config/reload");
          draft.discard();
          await load();
        });
      },
    },
  };
}
