/** The bar that shows how much life is left in the access token. It knows when that ends, not what it is. */

import { LEEWAY, auth } from "./client.js";
import { byId, setText } from "./dom.js";

let life = null; // {expiresAt, lifetime}, or null without a session
let refusedByServer = false;
let renewals = 0;

/** Keep the bar up to date. */
export function startBar() {
  auth.on("signedin", begin);
  auth.on("refreshed", (token) => {
    renewals++;
    begin(token);
  });
  auth.on("signedout", () => {
    life = null;
    show();
  });
  setInterval(show, 100);
  show();
}

/** The server says that the token has expired, whatever the clock says. */
export function showExpired() {
  refusedByServer = true;
  show();
}

function begin({ expiresIn }) {
  refusedByServer = false;
  // From another tab it comes with some of its life gone.
  life = { expiresAt: Date.now() / 1000 + expiresIn, lifetime: Math.max(Math.round(expiresIn), life?.lifetime ?? 1) };
  show();
}

function show() {
  const left = life && !refusedByServer ? Math.max(0, life.expiresAt - Date.now() / 1000) : 0;
  const state = !life ? "none" : left === 0 ? "expired" : "valid";
  const spare = life ? Math.min(LEEWAY, life.lifetime / 4) : 0; // as the client has it
  byId("token-bar").value = life ? left / life.lifetime : 0;
  byId("token-bar").dataset.low = String(life !== null && left < spare);
  byId("token-mark").hidden = !life;
  byId("token-mark").style.left = `${life ? (100 * spare) / life.lifetime : 0}%`;
  setText("token-left", { none: "No token", expired: "Expired", valid: `${Math.ceil(left)} s` }[state]);
  setText("token-note", { none: "", expired: "the next request gets a new one", valid: note() }[state]);
  setText("token-state", state);
  byId("token-state").dataset.state = state;
}

function note() {
  const times = ["not renewed yet", "renewed once"][renewals] ?? `renewed ${renewals} times`;
  return life ? `left of ${life.lifetime} s · ${times} in this tab` : "";
}
