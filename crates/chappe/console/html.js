// Pages are text with every value escaped, and the document is changed only where that text differs: what has the focus,
// is selected or is being typed stays as it is while the page is live.

const SPECIAL = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

class Markup {
  constructor(text) {
    this.text = text;
  }
}

const shown = (value) => {
  if (value === null || value === undefined || value === false || value === true) return "";
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(shown).join("");
  return String(value).replace(/[&<>"']/g, (octet) => SPECIAL[octet]);
};

/** Markup from a template: what is inserted is escaped, unless it is markup itself; lists are joined. */
export function html(parts, ...values) {
  return new Markup(parts.reduce((text, part, index) => text + shown(values[index - 1]) + part));
}

/** Makes the children of `place` what `markup` says. */
export function render(place, markup) {
  const template = document.createElement("template");
  template.innerHTML = shown(markup);
  children(place, template.content);
}

const keyOf = (node) => node.dataset?.key;

function children(place, wanted) {
  const keyed = new Map();
  for (const child of place.children) {
    if (keyOf(child) !== undefined) keyed.set(keyOf(child), child);
  }
  let at = place.firstChild;
  for (const want of [...wanted.childNodes]) {
    const key = keyOf(want);
    let have = key === undefined ? at : keyed.get(key);
    if (have && (have.nodeName !== want.nodeName || keyOf(have) !== key)) have = null;
    if (!have) {
      place.insertBefore(want, at);
    } else {
      if (have === at) at = at.nextSibling;
      else place.insertBefore(have, at);
      node(have, want);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function node(have, want) {
  if (have.nodeType !== Node.ELEMENT_NODE) {
    if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
    return;
  }
  for (const { name, value } of [...want.attributes]) {
    if (have.getAttribute(name) !== value) {
      have.setAttribute(name, value);
      if (name === "value" && have !== document.activeElement) have.value = value;
    }
  }
  for (const { name } of [...have.attributes]) {
    // Whether a detail is open is up to the reader.
    if (!want.hasAttribute(name) && !(name === "open" && have.nodeName === "DETAILS")) have.removeAttribute(name);
  }
  if (have.nodeName === "INPUT" && (have.type === "checkbox" || have.type === "radio")) {
    have.checked = want.hasAttribute("checked");
  }
  const chosen = have.nodeName === "SELECT" && have === document.activeElement ? have.value : null;
  children(have, want);
  if (chosen !== null) have.value = chosen;
}
