// Line drawings for the navigation and for empty pages.

import { html } from "./html.js";

const PATHS = {
  overview: "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z",
  queues: "M4 6h16M4 12h16M4 18h10",
  messages: "M3 6h18v12H3zM3 7l9 7 9-7",
  tracking: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  connectors: "M8 7v4a4 4 0 0 0 8 0V7M6 7h12M12 15v6M9 3v4M15 3v4",
  associations: "M7 7h10M14 4l3 3-3 3M17 17H7M10 14l-3 3 3 3",
  events: "M12 3v9l5 3M12 21a9 9 0 1 1 9-9",
  mailboxes: "M4 12l3-7h10l3 7v7H4zM4 12h5l1 3h4l1-3h5",
  route: "M6 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM18 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8 17h6a3 3 0 0 0 0-6h-4a3 3 0 0 1 0-6h6",
  configuration: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  monitors: "M3 12h4l3-7 4 14 3-7h4",
  quarantine: "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6zM12 8v5M12 16v.5",
  menu: "M4 6h16M4 12h16M4 18h16",
  light: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M19 5l-2 2M7 17l-2 2",
  dark: "M20 14A8 8 0 0 1 10 4a8 8 0 1 0 10 10z",
  auto: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  calm: "M4 12l5 5L20 6",
  nothing: "M3 7l9-4 9 4v10l-9 4-9-4zM3 7l9 4 9-4M12 11v10",
};

export const icon = (name) => html`<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${PATHS[name]}"></path></svg>`;
