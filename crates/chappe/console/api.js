// Requests to the service. A failure has the two sentences of the API: what failed, and why.

export class Failure extends Error {
  constructor(status, what, why) {
    super(`${what}: ${why}`);
    Object.assign(this, { status, what, why });
  }
}

const listeners = new Set();

/** Calls `listener` whenever the service asks who this is. */
export function whenUnknown(listener) {
  listeners.add(listener);
}

function query(parameters) {
  const given = Object.entries(parameters ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

async function request(method, path, parameters, body, headers) {
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}${query(parameters)}`, {
      method,
      body,
      // Changes are told apart from what another page may cause in this browser.
      headers: { "Chappe-Operator": "console", "X-Chappe-CSRF": "1", ...headers },
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new Failure(0, "the service does not answer", "it is stopped, or the network between is down");
  }
  if (answer.ok) return answer;
  let error;
  try {
    ({ error } = await answer.json());
  } catch {
    error = { what: `the service answered ${answer.status}`, why: answer.statusText };
  }
  if (answer.status === 401) listeners.forEach((listener) => listener());
  throw new Failure(answer.status, error.what, error.why);
}

const json = async (answer) => (answer.status === 204 ? null : (await answer).json());

export const get = async (path, parameters) => json(await request("GET", path, parameters));
export const post = async (path, parameters, body) => json(await request("POST", path, parameters, body));
export const put = async (path, parameters, body, headers) => json(await request("PUT", path, parameters, body, headers));
export const remove = async (path, parameters) => json(await request("DELETE", path, parameters));
export const octets = async (path, parameters) => new Uint8Array(await (await request("GET", path, parameters)).arrayBuffer());

/** A value as one segment of a path. */
export const segment = encodeURIComponent;
