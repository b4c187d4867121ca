/** The password, asked for again: where a request needs it, or the issuer doubts the session. */

import { attachStepUp } from "/auth/client/step-up.js";

import { auth } from "./client.js";
import { byId } from "./dom.js";
import { wordsOf } from "./errors.js";
import { countDown, wordsOfWait } from "./wait.js";

let asked = null; // the signal of what is asked for, null once the person has given up
let answer = null; // takes the credentials, or null; null while they are being checked
let endWait = null;

/** Ask whenever it is needed. */
export function startProof() {
  attachStepUp(auth, ask);
  byId("proof-form").addEventListener("submit", submit);
  byId("proof-no").addEventListener("click", () => byId("proof").close());
  byId("proof").addEventListener("close", () => byId("proof").open || giveUp()); // it may be open again by then
}

/** Called again after a wrong password: then the dialogue is open, unless it was closed meanwhile. */
function ask({ maxAge, reason, error, signal }) {
  if (error === null) {
    open(reason, maxAge, signal);
  } else if (asked !== signal) {
    return null;
  }
  endWait?.();
  endWait = null;
  byId("proof-yes").ariaDisabled = "false";
  if (error !== null) {
    complain(error);
  }
  byId("proof-password").focus();
  return new Promise((done) => (answer = done));
}

function open(reason, maxAge, signal) {
  asked = signal;
  byId("proof-text").textContent = reason === "refresh"
    ? "Your session is used from two networks at once. If that is you, it goes on."
    : `For this, your password must have been given in the last ${maxAge} seconds.`;
  const name = byId("who").textContent; // not known where the page itself could not be opened
  byId("proof-name").value = name;
  byId("proof-name").readOnly = name !== "";
  byId("proof-password").value = "";
  byId("proof-error").hidden = true;
  byId("proof").showModal();
  signal.addEventListener("abort", () => asked === signal && byId("proof").close(), { once: true });
}

function complain(error) {
  const limited = error.code === "rate_limited";
  const wrong = error.code === "invalid_credentials";
  byId("proof-error").textContent = limited ? wordsOfWait(error.retryAfter) : wrong ? "That is not right. Try again." : wordsOf(error);
  byId("proof-error").hidden = false;
  byId("proof-password").select();
  if (limited) {
    endWait = countDown(byId("proof-yes"), error.retryAfter, () => (byId("proof-error").hidden = true));
  }
}

function submit(event) {
  event.preventDefault();
  if (byId("proof-yes").ariaDisabled === "true") {
    return;
  }
  byId("proof-yes").ariaDisabled = "true";
  answer({ username: byId("proof-name").value, password: byId("proof-password").value });
}

/** Closed: by the person, or because it was right. */
function giveUp() {
  asked = null;
  byId("proof-password").value = "";
  endWait?.();
  endWait = null;
  answer?.(null);
  answer = null;
}
