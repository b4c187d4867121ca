/** The list of devices: the live sessions of the account. */

import { auth } from "./client.js";
import { ago, byId, element, onPress } from "./dom.js";
import { checked } from "./errors.js";
import { act } from "./flow.js";

/** Show the devices, and let the buttons end them. Errors go to `onError`. */
export async function startDevices(onError) {
  onPress(byId("end-others"), () => act("End all other devices", async () => {
    await checked(await auth.fetchWithAuth("/auth/sessions", { method: "DELETE" }));
    await loadDevices(onError);
  }), onError);
  onPress(byId("reload-devices"), () => act("Look at the devices", () => loadDevices(onError)), onError);
  await loadDevices(onError);
}

/** Ask for the sessions; this device first, then the one used last. Resolves with how many there are. */
export async function loadDevices(onError) {
  const answer = await checked(await auth.fetchWithAuth("/auth/sessions"));
  const { sessions } = await answer.json();
  sessions.sort((a, b) => b.current - a.current || b.last_used_at.localeCompare(a.last_used_at));
  byId("devices").replaceChildren(...sessions.map((session) => line(session, onError)));
  byId("end-others").hidden = sessions.length < 2;
  return sessions.length;
}

function line(session, onError) {
  const name = session.device ?? "Unknown device";
  const title = element("span", { className: "name", text: name, title: session.user_agent ?? "" });
  if (session.current) {
    title.append(element("span", { className: "badge", text: "this device" }));
  }
  if (session.step_up) {
    title.append(element("span", { className: "badge doubted", text: "password wanted" }));
  }
  const where = [session.ip ?? "no address", session.place].filter(Boolean).join(", ");
  const facts = element("span", { className: "muted" }, `${where} · last used `, ago(session.last_used_at));
  const end = element("button", { className: "quiet", text: session.current ? "Log out" : "End" });
  end.type = "button";
  end.setAttribute("aria-label", session.current ? "Log out of this device" : `End the session of ${name}`);
  onPress(end, () => act("End a device", () => endSession(session, onError)), onError);
  return element("li", { className: session.current ? "device current" : "device" },
    element("span", { className: "text" }, title, facts), end);
}

async function endSession(session, onError) {
  if (session.current) {
    await auth.logout();
    return;
  }
  const answer = await auth.fetchWithAuth(`/auth/sessions/${encodeURIComponent(session.id)}`, { method: "DELETE" });
  if (answer.status !== 404) { // it has ended by itself
    await checked(answer);
  }
  await loadDevices(onError);
  byId("reload-devices").focus({ preventScroll: true }); // the button that had the focus is gone
}
