/** The hard cases: what breaks logins elsewhere, played for real. The server helps with `/demo/…`. */

import { auth, onStep, stay } from "./client.js";
import { byId, element, onPress } from "./dom.js";
import { loadDevices } from "./devices.js";
import { checked, wordsOf } from "./errors.js";
import { act, drawForeign, isBusy } from "./flow.js";
import { AWAY, changeNetworks, guessPasswords, postFrom } from "./networks.js";
import { nextMessage, onMessage, send } from "./tabs.js";
import { showExpired } from "./token.js";

const AT_ONCE = 5;
const PATIENCE = 15_000;

const CASES = [
  {
    title: "The token expires", button: "Expire it now", play: expire,
    text: "The server refuses the access token. The page gets a new one, and repeats what it had asked.",
  },
  {
    title: "Two tabs at once", button: "Open a second tab", play: twoTabs, fourth: "Other tab",
    text: "Both find their access token expired, and both ask 5 times in the same moment.",
  },
  {
    title: "A lost answer", button: "Lose the answer", play: loseAnswer,
    text: "The server has renewed the token, but the connection breaks before the answer arrives.",
  },
  {
    title: "A new network", button: "Change networks", play: changeNetworks,
    text: "You leave the house: another address. What that does, the policy says. Four of them, side by side.",
  },
  {
    title: "Two places at once", button: "Be in two places", play: twoPlaces, fourth: "Elsewhere",
    text: "Your session is used from another network, while you use it here. Is that you? You are asked.",
  },
  {
    title: "A guessed password", button: "Guess one", play: guessPasswords, fourth: "Guesser",
    text: "Somebody tries passwords, one after the other. After 5 wrong ones none is even looked at.",
  },
  {
    title: "A stolen refresh token", button: "Steal it", play: steal, fourth: "Thief",
    text: "No script can read it, so the server plays the malware. You go on working; then the thief comes.",
  },
  {
    title: "A lost phone", button: "Log out everywhere", play: logOutEverywhere, fourth: "Phone",
    text: "It is logged in to your account (the server pretends). One click here ends every login.",
  },
];

let playing = false;

/** Show the cases. `finish(reason, text)` is called when one of them ended the session. Errors go to `onError`. */
export function startCases(finish, onError) {
  byId("cases").append(...CASES.map((one) => line(one, finish, onError)));
  onMessage("ping", (_, from) => !playing && !isBusy() && send("pong", {}, from));
  onMessage("go", (_, from) => !playing && takePart(from).catch(onError));
  send("hello");
}

function line(one, finish, onError) {
  const result = element("p", { className: "result" });
  result.setAttribute("role", "status");
  const button = element("button", { className: "small", text: one.button });
  button.type = "button";
  const item = element("li", { className: "case" },
    element("h3", { text: one.title }), button, element("p", { className: "muted", text: one.text }), result);
  onPress(button, () => playing || perform(one, item, result, finish), onError);
  return item;
}

/** One at a time: two plays on one stage would be hard to follow. The result of the one before makes room. */
async function perform(one, item, result, finish) {
  playing = true;
  for (const other of byId("cases").querySelectorAll(".result")) {
    other.textContent = "";
  }
  lookAtTheFlow();
  try {
    await act(one.title, async (diagram) => {
      const { text, tone = "good", over } = await one.play(diagram).catch(failed);
      await diagram.verdict(text, tone);
      result.textContent = text;
      result.className = `result ${tone}`;
      item.classList.toggle("played", tone === "good");
      if (over) {
        finish(over, text);
      }
    }, one);
  } finally {
    playing = false;
  }
}

function failed(error) {
  stay(false);
  return { text: wordsOf(error), tone: "bad" };
}

/** On a phone the diagram is below the buttons. */
function lookAtTheFlow() {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (byId("flow-card").getBoundingClientRect().top > innerHeight / 3) {
    byId("flow-card").scrollIntoView({ behavior: calm ? "auto" : "smooth" });
  }
}

const ask = () => auth.fetchWithAuth("/api/me");
const askAtOnce = () => Promise.all(Array.from({ length: AT_ONCE }, async () => checked(await ask())));

async function stageHand(name) {
  return checked(await auth.fetchWithAuth(`/demo/${name}`, { method: "POST" }));
}

async function counts() {
  return (await checked(await auth.fetchWithAuth("/demo/counts"))).json();
}

/** What the issuer counted for this session while `work` ran. */
async function counting(work) {
  const before = await counts();
  await work();
  const after = await counts();
  return { rotated: after.rotated - before.rotated, repeated: after.repeated - before.repeated };
}

async function expireToken() {
  await stageHand("expire");
  showExpired();
}

const refreshes = (number) => (number === 1 ? "1 refresh" : `${number} refreshes`);

async function expire(diagram) {
  const { rotated } = await counting(async () => {
    await expireToken();
    diagram.say("From now on the server refuses this access token.");
    await diagram.seen();
    await checked(await ask());
  });
  return { text: `${refreshes(rotated)}, and the answer came all the same. You would not have noticed.` };
}

async function twoTabs(diagram) {
  const partner = await findOtherTab();
  const { rotated } = await counting(async () => {
    await expireToken();
    diagram.say("The token that both tabs hold is refused from now on. Both ask 5 times, now.");
    const part = drawTogether(diagram, partner);
    send("go", {}, partner);
    const finished = nextMessage("finished", PATIENCE, partner);
    await askAtOnce();
    if (!(await finished)) {
      throw new Error("The other tab was closed, or takes too long. Play it again.");
    }
    part();
  });
  const text = `${refreshes(rotated)} for 2 tabs and ${2 * AT_ONCE} requests. Nobody was logged out.`;
  send("result", { text }, partner);
  return { text, tone: rotated === 1 ? "good" : "bad" };
}

/** A tab that is open already, or a new one. */
async function findOtherTab() {
  send("ping");
  const found = await nextMessage("pong", 300);
  if (found) {
    return found.from;
  }
  const hello = nextMessage("hello", PATIENCE);
  if (!window.open("/#second-tab")) {
    throw new Error("The browser did not allow a second tab. Open one yourself, and play this again.");
  }
  const opened = await hello;
  if (!opened) {
    throw new Error("The second tab did not open in time. Play it again.");
  }
  return opened.from;
}

/** The requests of each tab are in the diagram of the other too, from the fourth lane. Gives back what stops it. */
function drawTogether(diagram, partner) {
  const stopSending = onStep((phase, step) => send("step", { phase, step }, partner));
  const stopDrawing = onMessage("step", ({ phase, step }, from) => from === partner && diagram[phase](step, 3));
  return () => {
    stopSending();
    stopDrawing();
  };
}

/** The part of the other tab. */
async function takePart(partner) {
  playing = true;
  try {
    await act("Two tabs at once", async (diagram) => {
      showExpired();
      diagram.say("The token that both tabs hold is refused from now on. Both ask 5 times, now.");
      const part = drawTogether(diagram, partner);
      const result = nextMessage("result", PATIENCE, partner);
      await askAtOnce();
      send("finished", {}, partner);
      const text = (await result)?.content.text;
      part();
      await diagram.verdict(text ?? "The other tab said nothing more.", text ? "good" : "bad");
    }, { fourth: "Other tab" });
  } finally {
    playing = false;
  }
}

async function loseAnswer(diagram) {
  const { rotated, repeated } = await counting(async () => {
    await stageHand("lose-next-refresh");
    await expireToken();
    diagram.say("The token is refused, and the answer to the next refresh will get lost.");
    await diagram.seen();
    await checked(await ask());
  });
  const good = rotated === 1 && repeated === 1;
  const counted = good ? "1 refresh, and its answer was given a second time" : `${refreshes(rotated)}, ${repeated} repeated`;
  return { text: `${counted}. Nobody was logged out.`, tone: good ? "good" : "bad" };
}

async function twoPlaces(diagram) {
  await auth.refresh(); // it is in use here, now
  diagram.say("Your refresh token is used elsewhere too: by a thief whose browser is like yours, say.", "foreign");
  const elsewhere = await postFrom(AWAY, "/auth/refresh");
  drawForeign(diagram, "/auth/refresh", "elsewhere", elsewhere);
  if (elsewhere.code !== "step_up_required") {
    throw new Error("Nobody noticed.");
  }
  diagram.say("In two networks at once: from now on a new token costs the password. You go on working.");
  await expireToken();
  await diagram.seen();
  await checked(await ask());
  return { text: "Who knows the password goes on, with a new token. The one that was used elsewhere is spent." };
}

async function tryStolen(diagram) {
  const outcome = await (await stageHand("thief")).json();
  drawForeign(diagram, "/auth/refresh", "theft", outcome);
  return outcome;
}

async function steal(diagram) {
  await stageHand("steal");
  diagram.say("The thief has a copy of your refresh token, and tries it from a computer of his own.", "foreign");
  const first = await tryStolen(diagram);
  diagram.say(first.code === "device_mismatch"
    ? "Another device: refused, and nothing changes for you. You go on working."
    : "You go on working.");
  await diagram.seen(); // what the rest of the page shows is in time with the diagram
  await auth.refresh();
  await checked(await ask());
  diagram.say("The thief tries again. You have a newer token by now, so his is used for the second time.", "foreign");
  await diagram.seen();
  stay(true);
  const { session_ended: ended } = await tryStolen(diagram);
  if (!ended) {
    throw new Error("The thief was not noticed.");
  }
  diagram.say("That cannot be you: the session is ended. You ask the API once more.");
  await diagram.seen();
  await ask();
  return { text: "The theft was noticed: the session is over, for the thief and for you.", over: "theft" };
}

async function logOutEverywhere(diagram) {
  await stageHand("phone");
  diagram.say("Your phone is logged in too: it is among your devices now.", "foreign");
  drawForeign(diagram, "/auth/login", "phone", { status: 200 });
  const number = await loadDevices(() => {});
  await diagram.seen();
  stay(true);
  await auth.logout({ all: true });
  const others = number === 2 ? "1 on another device" : `${number - 1} on other devices`;
  return { text: `${number} logins ended at once: this one, and ${others}.`, over: "everywhere" };
}
