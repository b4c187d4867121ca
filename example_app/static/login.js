/** The page of the login, which is also that of the registration. */

import { enter, resume } from "./auth.js";
import { byId } from "./dom.js";

const REASONS = {
  "logged-out": "You are logged out.",
  ended: "Your session has ended. Log in again.",
  deleted: "Your account and your notes are deleted.",
};
const MODES = {
  login: {
    path: "/auth/login", purpose: "Log in to see your notes.", submit: "Log in",
    question: "New here?", other: "Create an account", autocomplete: "current-password",
  },
  register: {
    path: "/auth/register", purpose: "Create an account; you are logged in at once.", submit: "Create account",
    question: "You have an account?", other: "Log in", autocomplete: "new-password",
  },
};
let mode = "login";

function show(next) {
  mode = next;
  const texts = MODES[mode];
  byId("purpose").textContent = texts.purpose;
  byId("submit").textContent = texts.submit;
  byId("switch-text").textContent = texts.question;
  byId("switch").textContent = texts.other;
  byId("password").autocomplete = texts.autocomplete;
  byId("password").minLength = mode === "register" ? 8 : 0;
  byId("password-hint").hidden = mode !== "register";
  byId("error").hidden = true;
}

function complain(text) {
  byId("error").textContent = text;
  byId("error").hidden = false;
}

async function submit(event) {
  event.preventDefault();
  byId("error").hidden = true;
  byId("submit").disabled = true;
  try {
    const credentials = { username: byId("username").value, password: byId("password").value };
    const wrong = await enter(MODES[mode].path, credentials);
    if (wrong === null) {
      location.replace("/");
      return;
    }
    complain(wrong);
  } catch (error) {
    complain(error.message);
  } finally {
    byId("submit").disabled = false;
  }
}

byId("form").addEventListener("submit", submit);
byId("switch").addEventListener("click", () => show(mode === "login" ? "register" : "login"));

const reason = REASONS[new URLSearchParams(location.search).get("reason")];
if (reason) {
  byId("notice").textContent = reason;
  byId("notice").hidden = false;
} else if (await resume().catch(() => false)) {
  location.replace("/"); // logged in already
}
