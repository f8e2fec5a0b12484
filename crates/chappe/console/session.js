// Who uses the console, and what that role may do.

const RANKS = ["viewer", "operator", "administrator"];

/** Without tokens everybody on this machine is an administrator. */
export const session = { name: null, role: "administrator", isNeeded: false };

export const may = (role) => RANKS.indexOf(session.role) >= RANKS.indexOf(role);
