/** The page of the app: who is here, and what the buttons do. */

import { SessionOver, events, fetchWithAuth, forget, leave, logout, resume } from "./auth.js";
import { loadDevices, startDevices } from "./devices.js";
import { byId, onPress } from "./dom.js";
import { checked } from "./errors.js";
import { startLog } from "./log.js";
import { startNotes } from "./notes.js";
import { startBar } from "./token.js";

/** Say what went wrong. With `retry`, offer to load the page again. */
function complain(error, retry = false) {
  if (error instanceof SessionOver) {
    return; // on the way to /login
  }
  byId("banner-text").textContent = error.message;
  byId("banner-retry").hidden = !retry;
  byId("banner").hidden = false;
}

async function ask() {
  return (await checked(await fetchWithAuth("/api/me"))).json();
}

async function deleteAccount() {
  byId("confirm").close();
  await checked(await fetchWithAuth("/auth/account", { method: "DELETE" }));
  leave("deleted");
}

function startButtons() {
  const press = (id, action) => onPress(byId(id), action, complain);
  press("ask", ask);
  press("ask-many", () => Promise.all(Array.from({ length: 5 }, ask)));
  press("forget", forget);
  press("logout", logout);
  press("confirm-yes", deleteAccount);
  byId("delete").addEventListener("click", () => byId("confirm").showModal());
  byId("confirm-no").addEventListener("click", () => byId("confirm").close());
  byId("banner-retry").addEventListener("click", () => location.reload());
  window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // "back" after a logout
}

/** A success takes the complaint away; whoever comes back to the page sees what has become of the devices. */
function keepUpToDate() {
  events.addEventListener("step", ({ detail: { kind, status } }) => {
    byId("banner").hidden ||= kind !== "refresh" && status >= 200 && status < 300;
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      loadDevices(complain).catch(complain);
    }
  });
}

async function start() {
  startLog();
  startBar();
  startButtons();
  try {
    if (!(await resume())) {
      location.replace("/login");
      return;
    }
    byId("main").hidden = byId("logout").hidden = false; // not before: a stranger would see it flash by
    const me = await ask();
    byId("who").textContent = me.username;
    await startNotes(complain);
    await startDevices(complain);
    keepUpToDate();
    byId("main").setAttribute("aria-busy", "false");
  } catch (error) {
    complain(error, true);
  }
}

await start();
