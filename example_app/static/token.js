/** The bar that shows how much life is left in the access token. */

import { events, tokenInfo } from "./auth.js";
import { byId } from "./dom.js";

/** Keep the bar up to date. */
export function startBar() {
  events.addEventListener("token", show);
  setInterval(show, 100);
  show();
}

function show() {
  const info = tokenInfo();
  const left = info ? Math.max(0, info.expiresAt - Date.now()) : 0;
  const state = !info ? "none" : left === 0 ? "expired" : "valid";
  byId("token-bar").value = info ? left / info.lifetime : 0;
  byId("token-bar").dataset.low = String(info !== null && left / info.lifetime < 0.25);
  setText("token-left", { none: "No token", expired: "Expired", valid: `${Math.ceil(left / 1000)} s` }[state]);
  setText("token-note", note(state, info));
  setText("token-state", state);
  byId("token-state").dataset.state = state;
}

function note(state, info) {
  if (state !== "valid") {
    return "The next request gets a new one.";
  }
  const times = info.generation === 1 ? "once" : `${info.generation} times`;
  return `left of ${info.lifetime / 1000} s · this session was refreshed ${times}`;
}

function setText(id, text) {
  if (byId(id).textContent !== text) {
    byId(id).textContent = text;
  }
}
