/**
 * The page's one client, as the middleware serves it, and a look at the requests that it sends. Tokens are the client's
 * business: no code of this page touches one.
 */

import { createAuthClient } from "/auth/client/index.js";

export const LEEWAY = 5; // seconds: of 30, so that the bar is seen running

const tab = Math.random().toString(36).slice(2);
const listeners = new Set();
const refused = new Map(); // how often a request was answered 401: as often it will be repeated
let steps = 0;
let staying = false;

export const auth = createAuthClient({
  fetch: traced,
  leeway: LEEWAY,
  loginUrl: (reason) => (staying || location.pathname === "/login" ? null : `/login?reason=${reason}`),
});

/** Whether the page stays when the session ends, to explain what happened. Otherwise it goes to the login. */
export function stay(yes) {
  staying = yes;
}

/** `listener(phase, step)`: "begin" when a request is sent, "end" when its outcome is known. Gives back what stops it. */
export function onStep(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What was refused earlier is not repeated any more. */
export function forgetRefused() {
  refused.clear();
}

/** `fetch`, watched. */
async function traced(input, init) {
  const { pathname: path } = new URL(input.url ?? input, location);
  const method = init?.method ?? input.method ?? "GET";
  const step = { id: `${tab}-${++steps}`, method, path, kind: kindOf(method, path) };
  tell("begin", step);
  let answer, text;
  const started = performance.now();
  try {
    answer = await fetch(input, init);
    text = await answer.clone().text(); // an answer that breaks off is none
  } catch (error) {
    tell("end", { ...step, status: 0 });
    if (!answer) {
      throw error;
    }
    return answer;
  }
  const { code, action } = problemIn(answer, text);
  if (answer.status === 401 && ["refresh", "step_up"].includes(action)) {
    refused.set(`${method} ${path}`, (refused.get(`${method} ${path}`) ?? 0) + 1);
  }
  tell("end", { ...step, status: answer.status, code, took: Math.round(performance.now() - started) });
  return answer;
}

function kindOf(method, path) {
  const key = `${method} ${path}`;
  if (path === "/auth/refresh" || path === "/auth/step-up") {
    return path.slice("/auth/".length);
  }
  if (!refused.get(key)) {
    return "request";
  }
  refused.set(key, refused.get(key) - 1);
  return "retry";
}

function problemIn(answer, text) {
  const isProblem = answer.headers.get("Content-Type")?.startsWith("application/problem+json");
  try {
    return isProblem ? JSON.parse(text) : {};
  } catch {
    return {};
  }
}

function tell(phase, step) {
  if (!step.path.startsWith("/demo/")) { // the stage hands are not part of the play
    listeners.forEach((listener) => listener(phase, step));
  }
}
