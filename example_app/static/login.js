/** The page of the login, which is also that of the registration. */

import { auth } from "./client.js";
import { byId } from "./dom.js";
import { isNoAnswer } from "./errors.js";
import { countDown, wordsOfWait } from "./wait.js";

const REASONS = new Map(Object.entries({
  user: "You are logged out.",
  expired: "Your session has ended. Log in again.",
  deleted: "Your account and your notes are deleted.",
  "other-tab": "Your session was ended in another tab.",
  everywhere: "You are logged out, on all your devices.",
  theft: "Somebody used a copy of your refresh token. It was noticed at once, and the session was ended: the copy is "
    + "worth nothing any more. Log in again, and you have a new one.",
}));
const MODES = {
  login: {
    purpose: "Log in to see your notes.", submit: "Log in", enter: auth.login,
    question: "New here?", other: "Create an account", autocomplete: "current-password",
  },
  register: {
    purpose: "Create an account; you are logged in at once.", submit: "Create account", enter: auth.register,
    question: "You have an account?", other: "Log in", autocomplete: "new-password",
  },
};
let mode = "login";
let endWait = null; // while the server lets nobody try the name that is in the form

function show(next) {
  mode = next;
  endWait?.();
  endWait = null;
  const texts = MODES[mode];
  byId("purpose").textContent = texts.purpose;
  byId("submit").textContent = texts.submit;
  byId("switch-text").textContent = texts.question;
  byId("switch").textContent = texts.other;
  byId("password").autocomplete = texts.autocomplete;
  byId("password").minLength = mode === "register" ? 8 : 0;
  byId("password-hint").hidden = mode !== "register";
  byId("error").hidden = byId("again").hidden = true;
}

function complain(text) {
  byId("error").textContent = text;
  byId("error").hidden = false;
}

async function submit(event) {
  event.preventDefault();
  if (byId("submit").ariaDisabled === "true") {
    return;
  }
  byId("error").hidden = byId("again").hidden = true;
  byId("submit").ariaDisabled = "true";
  try {
    await MODES[mode].enter({ username: byId("username").value, password: byId("password").value });
    byId("submit").ariaDisabled = "false";
  } catch (error) {
    byId("submit").ariaDisabled = "false";
    if (error.code === "rate_limited") {
      wait(error.retryAfter);
    } else {
      complain(isNoAnswer(error) ? "The server cannot be reached. Try again." : error.message);
    }
    byId("password").focus();
  }
}

/** Too many were wrong. */
function wait(left) {
  complain(wordsOfWait(left));
  endWait = countDown(byId("submit"), left, () => {
    endWait = null;
    byId("error").hidden = true;
    byId("again").hidden = false;
  });
}

byId("form").addEventListener("submit", submit);
byId("submit").disabled = false; // not before somebody takes care of what is sent
byId("switch").addEventListener("click", () => show(mode === "login" ? "register" : "login"));
byId("username").addEventListener("input", () => endWait && show(mode)); // the wait was another account's
auth.on("signedin", () => location.replace("/")); // here, or in another tab

const reason = REASONS.get(new URLSearchParams(location.search).get("reason"));
if (reason) {
  byId("notice").textContent = reason;
  byId("notice").hidden = false;
}
auth.restore().catch(() => {}); // logged in already? Otherwise there is the form
