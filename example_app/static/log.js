/** The log panel: every step of every request, with its time and outcome. */

import { events } from "./auth.js";
import { byId, element } from "./dom.js";

const MOST = 200;
const time = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3,
});

/** Show every step from now on. */
export function startLog() {
  events.addEventListener("step", ({ detail }) => add(detail));
  byId("log-clear").addEventListener("click", () => byId("log").replaceChildren());
}

function add(step) {
  const log = byId("log");
  const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(line(step));
  while (log.childElementCount > MOST) {
    log.firstElementChild.remove();
  }
  if (follow) {
    log.scrollTop = log.scrollHeight;
  }
}

function line({ kind, at, id, method, path, status, code, took, text }) {
  const what = element("span", { className: "what" });
  if (text !== undefined) {
    what.append(text);
  } else {
    what.append(element("b", { text: method }), ` ${path}`);
  }
  const made = element("li", { className: `step ${kind} ${tone(kind, status)}` },
    element("time", { text: time.format(at) }),
    element("span", { className: "number", text: id ? `#${id}` : "" }),
    element("span", { className: "kind", text: kind === "note" ? "" : kind }),
    what,
    element("span", { className: "outcome", text: outcome(kind, status, code) }));
  if (took !== undefined) {
    made.title = `${Math.round(took)} ms`;
  }
  return made;
}

function outcome(kind, status, code) {
  const meaning = code ?? (kind === "refresh" && status === 200 ? "new token" : "");
  return [status || "", meaning].join(" ").trim();
}

/** Which colour an outcome has. */
function tone(kind, status) {
  if (status === undefined) {
    return "plain";
  }
  if (status === 401) {
    return "refused";
  }
  return status >= 200 && status < 400 ? "good" : "bad";
}
