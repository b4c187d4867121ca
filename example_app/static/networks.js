/**
 * The cases that need another network. A browser cannot leave its own, so the page pretends: the server believes what is
 * on this machine about where a request came from (`trusted_proxies`), as it would believe a proxy.
 */

import { drawForeign } from "./flow.js";

const HOME = "192.0.2.10";
export const AWAY = "198.51.100.7";
const GUESSES = 5;

const POLICIES = [
  ["roaming", "roaming, the default"], ["strict", "strict"], ["off", "off"], ["step_up", "on_ip_change: step_up"],
];
const AS_EXPECTED = { roaming: [200, 200], strict: [401, 200], off: [200, 200], step_up: [401, 200] };

/** A request as if it came from the network of `address`: `{status, code, retryAfter}`. */
export async function postFrom(address, path, content = {}) {
  const headers = { "Content-Type": "application/json", "X-Forwarded-For": address };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(content) });
  const { code } = await answer.json();
  return { status: answer.status, code, retryAfter: Number(answer.headers.get("Retry-After")) };
}

/** A login at home, a refresh from another network, another one at home: under each policy. */
export async function changeNetworks(diagram) {
  diagram.say("Four little apps, each with a policy of its own. You log in at home, leave, and come back.");
  const row = diagram.table("device_policy", "Elsewhere", "At home again");
  const played = [];
  for (const [name, title] of POLICIES) {
    const { away, home } = await moveUnder(name);
    row(title, away, home);
    played.push(AS_EXPECTED[name].join() === [away.status, home.status].join());
  }
  return played.every(Boolean)
    ? { text: "Let through, refused, or asked for a proof: as the policy says. Whatever it says, at home it goes on." }
    : { text: "Not every policy did what it should.", tone: "bad" };
}

async function moveUnder(name) {
  const app = `/demo/presets/${name}/auth`;
  await expectGood(postFrom(HOME, `${app}/login`));
  const away = await postFrom(AWAY, `${app}/refresh`);
  const events = await (await fetch(`${app}/noticed`)).json();
  const home = await postFrom(HOME, `${app}/refresh`);
  await expectGood(postFrom(HOME, `${app}/logout`));
  return { away: { ...away, say: events.length > 0 ? `event ${events.at(-1)}` : "no event" }, home };
}

async function expectGood(request) {
  const { status } = await request;
  if (status !== 200) {
    throw new Error(`A little app answered ${status}. Play it again.`);
  }
}

/** Wrong passwords for an account that nobody has, from an address that nobody has. */
export async function guessPasswords(diagram) {
  const username = `somebody-${crypto.randomUUID().slice(0, 8)}`;
  const address = `203.0.113.${1 + Math.floor(254 * Math.random())}`;
  const guess = async (password) => {
    const outcome = await postFrom(address, "/auth/login", { username, password });
    drawForeign(diagram, "/auth/login", "guess", outcome);
    return outcome;
  };
  for (let number = 1; number <= GUESSES; number++) {
    await guess(`password-${number}`);
  }
  diagram.say("The next one is not even looked at.");
  const { status, retryAfter } = await guess("the-right-one");
  await diagram.seen();
  return status === 429
    ? { text: `The guesser has to wait ${retryAfter} s, whatever is tried. You stay logged in, and can log in here.` }
    : { text: "Nobody stopped the guesser.", tone: "bad" };
}
