/**
 * What happens, drawn while it happens: one small sequence diagram for everything that somebody did.
 *
 * Requests take milliseconds. They are drawn one after the other, slowly enough to be followed; the requests themselves
 * never wait for that.
 */

import { forgetRefused, onStep } from "./client.js";
import { byId, element } from "./dom.js";

const LANES = ["This tab", "API", "Issuer"];
const MOST = 15; // diagrams
const BACKGROUND = "By itself, in the background";
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const LOOK = 240; // ms for an arrow
const READ = 700; // ms for a line of text
const waiting = []; // what is to be drawn; each says how long one looks at it
let drawing = false;
const open = []; // diagrams of what is going on now, the newest last
let background = null;

/** Draw every step from now on. */
export function startFlow() {
  onStep((phase, step) => current()[phase](step, 0));
  byId("flow-clear").addEventListener("click", () => {
    waiting.splice(0).forEach((draw) => draw()); // it would come back otherwise
    byId("flow").replaceChildren();
    background = null;
  });
}

/**
 * Do something under a title: what is asked for meanwhile is drawn in a diagram of its own. `work` is given that
 * diagram. With `fourth`, there is another lane: somebody else who takes part.
 */
export async function act(title, work, { fourth } = {}) {
  if (open.length === 0) {
    forgetRefused();
  }
  const diagram = new Diagram(title, fourth ? [...LANES, fourth] : LANES);
  open.push(diagram);
  try {
    return await work(diagram);
  } finally {
    open.splice(open.indexOf(diagram), 1);
  }
}

/** Somebody else's request, in the fourth lane of a diagram: it was seen by whoever made it, not by this tab. */
export function drawForeign(diagram, path, kind, outcome) {
  const step = { id: Math.random().toString(), method: "POST", path, kind };
  diagram.begin(step, 3);
  diagram.end({ ...step, ...outcome });
}

/** Whether somebody is doing something, so that what goes wrong has an owner. */
export function isBusy() {
  return open.length > 0;
}

function current() {
  if (open.length > 0) {
    background = null;
    return open.at(-1);
  }
  return (background ??= new Diagram(BACKGROUND, LANES, true));
}

/** One diagram. Its methods put what they draw into the queue; what is drawn tells how it goes on. */
class Diagram {
  #rows = [];
  #steps = new Map();
  #repeating;
  #lanes;
  #list = element("ol", { className: "steps" });
  #body;

  constructor(title, lanes, repeating = false) {
    this.#lanes = lanes;
    this.#repeating = repeating; // the same again and again is drawn once, and counted
    const heads = lanes.map((name, index) => element("span", { className: index > 2 ? "lane foreign" : "lane", text: name }));
    this.#body = element("li", { className: "diagram" },
      element("div", { className: "diagram-head" },
        element("h3", { text: title }), element("time", { text: time.format(new Date()) })),
      element("div", { className: "lanes" }, ...heads), this.#list);
    this.#body.style.setProperty("--lanes", lanes.length);
    this.#body.hidden = true; // until there is something in it
    enqueue(() => {
      byId("flow").prepend(this.#body);
      while (byId("flow").childElementCount > MOST) {
        byId("flow").lastElementChild.remove();
      }
      byId("flow-frame").scrollTop = 0;
      return 0;
    });
  }

  /** A request sets out from a lane. */
  begin(step, lane) {
    enqueue(() => {
      const key = `${lane} ${step.kind} ${step.method} ${step.path}`;
      const last = this.#rows.at(-1);
      const joins = this.#rows.findLast((row) => row.key === key && row.pending > 0)
        ?? (last?.key === key && (this.#repeating || !["refresh", "step-up"].includes(step.kind)) ? last : null);
      const row = joins ?? this.#addExchange(key, step, lane);
      row.pending++;
      row.count++;
      row.times.textContent = row.count > 1 ? `×${row.count}` : "";
      this.#steps.set(step.id, row);
      return joins ? 0 : LOOK;
    });
  }

  /** Its answer, or that there will be none. */
  end(step) {
    enqueue(() => {
      const row = this.#steps.get(step.id);
      if (!row) {
        return 0; // begun in another diagram
      }
      row.pending--;
      const outcome = outcomeOf(step);
      const known = row.answers.get(outcome);
      const answer = known ?? this.#addAnswer(row, step, outcome);
      answer.count++;
      answer.times.textContent = answer.count > 1 ? `×${answer.count}` : "";
      return known ? 0 : LOOK;
    });
  }

  /** A line that says what cannot be seen in requests; `who` has a colour. */
  say(text, who = "") {
    enqueue(() => {
      this.#add(element("li", { className: `say ${who}`, text }), null);
      return READ;
    });
  }

  /** A table that grows: what was answered, side by side. Gives back what adds a row: of a text, then of answers. */
  table(...heads) {
    const rows = element("tbody");
    enqueue(() => {
      const head = element("tr", {}, ...heads.map((text) => cell("th", text, "col")));
      this.#add(element("li", {}, element("table", { className: "answers" }, element("thead", {}, head), rows)), null);
      return 0;
    });
    return (text, ...answers) => enqueue(() => {
      const cells = answers.map(({ status, code, say }) => element("td", { className: toneOf(status) },
        element("code", { text: code ? `${status} ${code}` : status }), element("span", { text: say ?? "" })));
      rows.append(element("tr", {}, cell("th", text, "row"), ...cells));
      return READ;
    });
  }

  /** How it ended, good or bad. Resolves once it is drawn. */
  verdict(text, tone) {
    enqueue(() => {
      this.#body.hidden = false;
      this.#body.append(element("p", { className: `verdict ${tone}`, text }));
      return LOOK;
    });
    return this.seen();
  }

  /** Resolves once everything up to here is drawn, and could be looked at. */
  seen() {
    return new Promise((done) => {
      enqueue(() => {
        done();
        return 0;
      });
    });
  }

  #add(item, row) {
    this.#body.hidden = false;
    this.#list.append(item);
    this.#rows.push(row ?? { key: null, pending: 0 });
  }

  #addExchange(key, step, lane) {
    const label = element("span", { className: "label" });
    if (step.kind !== "request") {
      label.append(element("b", { className: "kind", text: step.kind }), " ");
    }
    const to = step.path.startsWith("/auth/") ? 2 : 1;
    const times = element("b", { className: "times" });
    label.append(`${step.method} ${shortened(step.path)} `, times);
    const item = element("li", { className: `step ${step.kind}${lane > 2 ? " foreign" : ""}` }, this.#arrow("out", lane, to, label));
    const row = { key, item, lane, to, times, count: 0, pending: 0, answers: new Map() };
    this.#add(item, row);
    return row;
  }

  #addAnswer(row, step, outcome) {
    const times = element("b", { className: "times" });
    const label = element("span", { className: "label", text: `${outcome} ` });
    label.append(times);
    const arrow = this.#arrow("back", row.to, row.lane, label);
    arrow.classList.add(toneOf(step.status));
    if (step.took !== undefined) {
      arrow.title = `${step.took} ms`;
    }
    row.item.append(arrow);
    row.item.classList.add(toneOf(step.status));
    const answer = { times, count: 0 };
    row.answers.set(outcome, answer);
    return answer;
  }

  /** From the middle of one lane to the middle of another: the grid has two columns for each. */
  #arrow(kind, from, to, label) {
    const made = element("div", { className: `arrow ${kind} ${to > from ? "right" : "left"}` }, element("i"), label);
    made.style.gridColumn = `${2 * Math.min(from, to) + 2} / ${2 * Math.max(from, to) + 2}`;
    const names = `${this.#lanes[from]} to ${this.#lanes[to]}: `;
    label.prepend(element("span", { className: "visually-hidden", text: names }));
    return made;
  }
}

function cell(tag, text, scope) {
  const made = element(tag, { text });
  made.scope = scope;
  return made;
}

function outcomeOf({ kind, status, code }) {
  if (status === 0) {
    return "answer lost";
  }
  return [status, code ?? (["refresh", "step-up"].includes(kind) && status === 200 ? "new token" : "")].join(" ").trim();
}

function toneOf(status) {
  if (status === 0) {
    return "lost";
  }
  return status === 401 ? "refused" : status < 400 ? "good" : "bad";
}

/** Ids say nothing to anybody, and are long. */
function shortened(path) {
  return path.replace(/^(\/auth\/sessions\/).+/, "$1…");
}

function enqueue(draw) {
  waiting.push(draw);
  if (!drawing) {
    drawing = true;
    queueMicrotask(drawAll);
  }
}

async function drawAll() {
  while (waiting.length > 0) {
    const time = waiting.shift()();
    if (time > 0 && !calm.matches && !document.hidden) { // a hidden page would wait long, and for nobody
      await new Promise((done) => setTimeout(done, waiting.length > 20 ? 60 : time));
    }
  }
  drawing = false;
}
