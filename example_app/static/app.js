/** The page of the app: who is here, and what the buttons do. */

import { startCases } from "./cases.js";
import { auth, onStep } from "./client.js";
import { loadDevices, startDevices } from "./devices.js";
import { byId, element, onPress } from "./dom.js";
import { checked, wordsOf } from "./errors.js";
import { act, isBusy, startFlow } from "./flow.js";
import { startNotes } from "./notes.js";
import { startProof } from "./proof.js";
import { startBar } from "./token.js";

let over = false; // signed out: the page is on its way to the login, or explains why

/** Say what went wrong. With `reload`, trying again means to load the page again. */
function complain(error, reload = false) {
  if (!over) {
    byId("banner-text").textContent = wordsOf(error);
    byId("banner").hidden = false;
    byId("banner").dataset.reload = reload;
  }
}

async function ask() {
  return (await checked(await auth.fetchWithAuth("/api/me"))).json();
}

async function tryAgain() {
  if (byId("banner").dataset.reload === "true") {
    location.reload();
  } else {
    await act("Try again", ask);
  }
}

function startButtons() {
  const press = (id, action) => onPress(byId(id), action, complain);
  press("ask", () => act("Ask the API", ask));
  press("ask-many", () => act("Ask 5 times at once", () => Promise.all(Array.from({ length: 5 }, ask))));
  press("logout", () => act("Log out", () => auth.logout()));
  press("banner-retry", tryAgain);
  press("confirm-yes", () => {
    byId("confirm").close();
    return act("Delete the account", () => auth.deleteAccount());
  });
  byId("delete").addEventListener("click", () => byId("confirm").showModal());
  byId("confirm-no").addEventListener("click", () => byId("confirm").close());
  window.addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // "back" after a logout
}

/** What happens without anybody pressing a button. */
function listen() {
  auth.on("signedout", () => {
    over = true;
    const gone = "You are logged out. Your notes and your devices are not on this page any more.";
    byId("app").replaceChildren(element("p", { className: "card muted", text: gone }));
    byId("who").textContent = "";
    byId("logout").hidden = byId("banner").hidden = true;
  });
  auth.on("signedin", () => over && location.reload()); // somebody logged in in another tab: perhaps another person
  // A step-up is asked for when somebody needs what it gives.
  auth.on("refresherror", ({ error }) => isBusy() || error.action === "step_up" || complain(error));
  onStep((phase, { status }) => {
    byId("banner").hidden ||= phase === "end" && status >= 200 && status < 300;
  });
}

/** The session has ended in a play: stay to explain it, but touch nothing more. */
function finish(reason, text) {
  byId("play").inert = true;
  byId("finale-text").textContent = text;
  byId("finale-link").href = `/login?reason=${reason}`;
  byId("finale").hidden = false;
  byId("finale-link").focus({ preventScroll: true });
}

async function open() {
  if (!(await auth.restore())) {
    if (!over) {
      location.replace("/login");
    }
    return;
  }
  byId("who").textContent = (await ask()).username;
  const lists = Promise.all([startNotes(complain), startDevices(complain)]);
  startCases(finish, complain);
  byId("main").hidden = byId("logout").hidden = false; // not before: a stranger would see it flash by
  await lists;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !over && !isBusy()) {
      loadDevices(complain).catch(complain); // they may have changed meanwhile
    }
  });
  byId("main").setAttribute("aria-busy", "false");
}

if (location.hash === "#second-tab") {
  document.title = "Notes (second tab)";
  byId("second-tab").hidden = false;
}
startFlow();
startProof();
startBar();
startButtons();
listen();
await act("Open the page", open).catch((error) => complain(error, true));
