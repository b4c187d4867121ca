/**
 * Double-token authentication in a browser.
 *
 * The access token is in the memory of this module and nowhere else; the refresh token is in an HttpOnly cookie that no
 * script can read. `fetchWithAuth` is `fetch` with the access token: when that has expired it is renewed once, and the
 * request is repeated once.
 *
 * `events` tells what happens, for the log panel: "step" (a request and its outcome), "token" (a new one, or none).
 */

export const events = new EventTarget();

const PATIENCE = 15_000; // milliseconds

let current = null; // {value, expiresAt, lifetime, subject, generation}, or null
let lastSubject = null; // whose page this is, even while there is no token
let refreshing = null; // the one refresh of this tab that is under way
let over = false; // logged out: an answer that is still under way must not log in again
let requests = 0;

/** The server could not be asked, or not now. Nobody is logged out for that. */
export class Unavailable extends Error {}

/** The session is over; the page is on its way to /login. */
export class SessionOver extends Error {}

/** What may be shown of the access token: not the token. */
export function tokenInfo() {
  return current && { expiresAt: current.expiresAt, lifetime: current.lifetime, generation: current.generation };
}

/** Drop the access token, as a reload of the page does. The next request is refused, and gets a new one. */
export function forget() {
  adopt(null);
  tell({ kind: "note", text: "Access token forgotten; the cookie remains" });
}

/** `fetch` with the access token. Rejects with `Unavailable` or `SessionOver`; any other answer is the caller's. */
export async function fetchWithAuth(input, init) {
  const request = new Request(input, init);
  if (new URL(request.url).origin !== location.origin) {
    throw new TypeError("the access token is for this origin only");
  }
  const id = ++requests;
  const used = current;
  const first = await send(request.clone(), used, { id, kind: "request" });
  if (first.answer.status !== 401 || first.problem?.action !== "refresh") {
    return outcome(first);
  }
  try {
    await refresh(used, id);
  } catch (error) {
    if (error instanceof SessionOver) {
      leave("ended");
    }
    throw error;
  }
  return outcome(await send(request, current, { id, kind: "retry" }));
}

/** Log in or register: `path` is /auth/login or /auth/register. Resolves with null, or with what was wrong. */
export async function enter(path, credentials) {
  const { answer, problem } = await post(path, credentials);
  return answer.ok ? null : (problem?.detail ?? `The server answered ${answer.status}.`);
}

/** A first access token, by the cookie. Resolves with false if there is no session. */
export async function resume() {
  try {
    await refresh(current);
    return true;
  } catch (error) {
    if (error instanceof SessionOver) {
      return false;
    }
    throw error;
  }
}

/** End the session, then go to /login. */
export async function logout() {
  const { answer } = await inTurn(() => post("/auth/logout"));
  if (!answer.ok) {
    throw new Unavailable(`The server answered ${answer.status}. You are still logged in.`);
  }
  leave("logged-out");
}

/** Clear what is known and go to /login, which says why. */
export function leave(reason) {
  if (!over) {
    over = true;
    adopt(null);
    location.replace(`/login?reason=${reason}`);
  }
}

/** What is left to do about an answer: leave, complain, or hand it to the caller. */
function outcome({ answer, problem }) {
  if (answer.status === 401 && problem?.action === "login") {
    leave("ended");
    throw new SessionOver(problem.detail);
  }
  if (problem?.action === "retry") {
    throw new Unavailable(`${problem.title}. You are still logged in.`);
  }
  return answer;
}

/** A new access token instead of `used`. Concurrent callers share one refresh; tabs take turns. */
async function refresh(used, id) {
  if (current !== null && current !== used) {
    return; // somebody was faster
  }
  if (refreshing) {
    tell({ id, kind: "note", text: "waits for the refresh that is under way" });
  }
  refreshing ??= inTurn(askForToken).finally(() => (refreshing = null));
  await refreshing;
}

async function askForToken() {
  const started = Date.now();
  const { answer, problem } = await post("/auth/refresh");
  if (over || (answer.status === 401 && problem?.action === "login")) {
    adopt(null);
    throw new SessionOver(problem?.detail ?? "Logged out.");
  }
  if (!answer.ok) {
    throw new Unavailable(`${problem?.title ?? `The server answered ${answer.status}`}. You are still logged in.`);
  }
  adopt(await answer.json(), started);
}

/** Keep a token. If it is another person's (who logged in in another tab), this page is not theirs: load it anew. */
function adopt(tokens, started) {
  if (tokens) {
    const { sub, gen } = claims(tokens.access_token);
    if (lastSubject !== null && lastSubject !== sub) {
      over = true;
      location.reload();
      throw new SessionOver("Somebody else has logged in.");
    }
    lastSubject = sub;
    const lifetime = tokens.expires_in * 1000;
    current = { value: tokens.access_token, expiresAt: started + lifetime, lifetime, generation: gen };
  } else {
    current = null;
  }
  events.dispatchEvent(new CustomEvent("token"));
}

/** The claims of a token of ours, unverified: for display, and to notice another subject. */
function claims(token) {
  const payload = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(payload, (character) => character.charCodeAt(0))));
}

/** One tab at a time uses the cookie, so that each of them sends the newest one. */
function inTurn(task) {
  return navigator.locks ? navigator.locks.request("notes-auth", task) : task();
}

/** A request with the cookie only. It must not hold up the other tabs for ever. */
function post(path, content) {
  const json = content && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) };
  const request = new Request(path, { method: "POST", signal: AbortSignal.timeout(PATIENCE), ...json });
  return send(request, null, { kind: path === "/auth/refresh" ? "refresh" : "request" });
}

/** Send a request and tell of it. Resolves with the answer and, if it is one, the problem that it describes. */
async function send(request, token, step) {
  if (token) {
    request.headers.set("Authorization", `Bearer ${token.value}`);
  }
  const started = performance.now();
  const told = { ...step, method: request.method, path: new URL(request.url).pathname };
  let answer;
  try {
    answer = await fetch(request);
  } catch {
    tell({ ...told, status: 0, code: "no answer" });
    throw new Unavailable("The server cannot be reached. Nothing has changed; try again.");
  }
  const problem = await problemOf(answer);
  tell({ ...told, status: answer.status, code: problem?.code, took: performance.now() - started });
  return { answer, problem };
}

async function problemOf(answer) {
  if (!answer.headers.get("Content-Type")?.startsWith("application/problem+json")) {
    return null;
  }
  return answer.clone().json().catch(() => null);
}

function tell(step) {
  events.dispatchEvent(new CustomEvent("step", { detail: { at: new Date(), ...step } }));
}
