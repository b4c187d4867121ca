/** The helper for step-ups: who is asked when, what goes on after it, and what ends it otherwise. */

import assert from "node:assert/strict";
import { test } from "node:test";

import axios from "axios";

import { address, AuthError, contentOf, gate, HOME, json, problem, tick, until, World } from "./support.js";

const { attachStepUp } = await import(address("step-up.js"));
const { attachAxios } = await import(address("axios.js"));
const RIGHT = { password: "secret" };
const WRONG = { password: "wrong" };

/** A world in which /bank wants an authentication that is younger than the login's, and /vault a second factor. */
class Bank extends World {
  demands = [];
  /** What the person answers, one for each time that they are asked; after that they are silent. */
  answers = [];

  constructor(options) {
    super(options);
    for (const name of ["/bank", "/bank/2", "/vault"]) {
      this.routes[`GET ${name}`] = this.routes[`POST ${name}`] = (call) => this.guarded(call, name === "/vault");
    }
    this.detach = attachStepUp(this.auth, (demand) => this.asked(demand));
  }

  guarded(call, vault) {
    if (!this.live.has(call.token)) {
      return problem(401, "token_expired");
    }
    const { auth_time, acr } = contentOf(call.token);
    const refused = vault ? { acr_values: "mfa hwk", max_age: null } : { acr_values: null, max_age: 60 };
    return (vault ? acr === "mfa" : auth_time) ? json(200, {}) : problem(401, "step_up_required", refused);
  }

  asked(demand) {
    this.demands.push(demand);
    const answer = this.answers.shift();
    return answer === undefined ? new Promise(() => {}) : answer;
  }

  get stepUps() {
    return this.count("POST /auth/step-up");
  }
}

async function entered(answers = [], options = {}) {
  const world = new Bank(options);
  await world.login();
  world.answers = answers;
  return world;
}

const get = (world, ...paths) => Promise.all(paths.map((path) => world.auth.fetch(path).then(({ status }) => status)));

test("a request that is refused: the person is asked, and it is sent again with what they prove", async () => {
  const world = await entered([RIGHT]);
  assert.deepEqual(await get(world, "/bank"), [200]);
  assert.deepEqual(world.lines, ["GET /bank", "POST /auth/step-up", "GET /bank"]);
  const [{ signal, ...demand }] = world.demands;
  assert.deepEqual(demand, { maxAge: 60, acrValues: [], reason: "request", error: null });
  assert.equal(signal.aborted, true, "it is over");
  assert.deepEqual(JSON.parse(world.calls[1].body), RIGHT);
  assert.equal(world.calls[1].init.credentials, "include");
  assert.deepEqual(world.events.map(([name]) => name), ["stepup", "refreshed"]);
  assert.deepEqual(await get(world, "/bank"), [200]);
  assert.equal(world.demands.length, 1);
});

test("ten requests at once: the person is asked once, each is sent again once", async () => {
  const world = await entered([Promise.resolve(RIGHT)]);
  assert.deepEqual(await get(world, ...Array(10).fill("/bank")), Array(10).fill(200));
  assert.deepEqual([world.demands.length, world.stepUps, world.count("GET /bank"), world.refreshes], [1, 1, 20, 0]);
});

test("a body is sent again as it was, a stream is not", async () => {
  const world = await entered([RIGHT]);
  const body = new Blob(["stream"]).stream();
  assert.equal((await world.auth.fetch("/bank", { method: "POST", body, duplex: "half" })).status, 401);
  assert.equal(world.demands.length, 0);
  assert.equal((await world.auth.fetch("/bank", { method: "POST", body: "order" })).status, 200);
  assert.deepEqual(world.calls.filter(({ line }) => line === "POST /bank").map((call) => call.body), ["stream", "order", "order"]);
});

for (const nothing of [null, Promise.resolve(undefined)]) {
  test(`the person gives up (${nothing}): the 401s are the results, the session goes on, the next request asks`, async () => {
    const world = await entered([nothing, RIGHT]);
    const answers = await Promise.all([world.auth.fetch("/bank"), world.auth.fetch("/bank/2")]);
    assert.deepEqual(answers.map(({ status }) => status), [401, 401]);
    assert.equal((await answers[1].json()).code, "step_up_required");
    assert.deepEqual([world.demands.length, world.lines.sort()], [1, ["GET /bank", "GET /bank/2"]]);
    assert.equal(world.demands[0].signal.aborted, true);
    assert.equal(world.auth.isAuthenticated(), true);
    assert.deepEqual(await get(world, "/bank"), [200]);
    assert.equal(world.demands.length, 2);
  });
}

test("a wrong password, too many of them, no answer: asked again with the reason, nobody is signed out", async () => {
  const world = await entered([WRONG, RIGHT, RIGHT, RIGHT]);
  const failures = [
    () => problem(401, "invalid_credentials"),
    () => problem(429, "rate_limited", { headers: { "Retry-After": "7" } }),
    () => Promise.reject(new TypeError("Failed to fetch")),
  ];
  world.routes["POST /auth/step-up"] = () => (failures.shift() ?? (() => world.prove()))();
  assert.deepEqual(await get(world, "/bank"), [200]);
  assert.deepEqual(world.demands.map(({ error }) => error?.code ?? error?.status ?? null), [null, "invalid_credentials", "rate_limited", 0]);
  assert.ok(world.demands[1].error instanceof AuthError);
  assert.equal(world.demands[2].error.retryAfter, 7);
  assert.equal(new Set(world.demands.map(({ signal }) => signal)).size, 1, "one dialog");
  assert.deepEqual([world.named("signedout"), world.auth.isAuthenticated(), world.refreshes], [[], true, 0]);
});

test("refused even with what was proven: that is the result, the person is not asked in circles", async () => {
  const world = await entered([RIGHT, RIGHT, RIGHT]);
  world.routes["GET /never"] = () => problem(401, "step_up_required", { max_age: 60 });
  assert.deepEqual(await get(world, "/never"), [401]);
  assert.deepEqual(world.lines, ["GET /never", "POST /auth/step-up", "GET /never"]);
});

test("a token that is over, at a route that wants more: a refresh, then the person is asked", async () => {
  const world = await entered([RIGHT]);
  world.expire();
  assert.deepEqual(await get(world, "/bank"), [200]);
  assert.deepEqual(world.lines, ["GET /bank", "POST /auth/refresh", "GET /bank", "POST /auth/step-up", "GET /bank"]);
});

test("refused with a token that was refreshed meanwhile: the person is asked with the new one", async () => {
  const world = await entered([RIGHT]);
  const slow = gate();
  world.routes["GET /bank"] = async (call) => (await (world.count("GET /bank") === 1 && slow.opened), world.guarded(call));
  const late = get(world, "/bank");
  await until(() => world.count("GET /bank") === 1);
  await world.auth.refresh();
  slow.open();
  assert.deepEqual(await late, [200]);
  assert.deepEqual([world.demands.length, world.count("GET /bank")], [1, 3]);
});

test("refused with a token from before the step-up: sent again, and nobody is asked", async () => {
  const world = await entered([RIGHT]);
  const slow = gate();
  world.routes["GET /bank/2"] = async (call) => {
    const answer = world.guarded(call);
    await slow.opened;
    return answer;
  };
  const late = get(world, "/bank/2");
  await until(() => world.count("GET /bank/2") === 1);
  assert.deepEqual(await get(world, "/bank"), [200]);
  slow.open();
  assert.deepEqual(await late, [200]);
  assert.equal(world.demands.length, 1);
});

test("a refresh that is refused: every request waits for one dialog, then all go on at once", async () => {
  const world = await entered([Promise.resolve(RIGHT)]);
  world.expire();
  world.marked = true;
  assert.deepEqual(await get(world, "/api", "/api/2", "/bank", "/api/3"), [200, 200, 200, 200]);
  const [{ signal, ...demand }] = world.demands;
  assert.deepEqual(demand, { maxAge: null, acrValues: [], reason: "refresh", error: null });
  assert.deepEqual([signal.aborted, world.demands.length, world.stepUps, world.refreshes], [true, 1, 1, 1]);
  assert.deepEqual(world.named("signedout"), []);
});

test("after a step-up no refresh waits for the failures before it", async (t) => {
  t.mock.method(Math, "random", () => 0.999);
  const world = await entered([RIGHT]);
  world.marked = true;
  for (let number = 0; number < 6; number++) {
    await assert.rejects(world.auth.refresh(), { code: "step_up_required" });
  }
  world.expire();
  const start = performance.now();
  assert.deepEqual(await get(world, "/api"), [200]);
  world.expire();
  assert.deepEqual(await get(world, "/api"), [200]);
  assert.ok(performance.now() - start < 500);
  assert.deepEqual([world.demands.length, world.refreshes], [1, 7]);
});

test("a page that is loaded again: restore() waits for the person", async () => {
  const world = new Bank({ session: { sub: "ann", sid: "s" } });
  world.answers = [RIGHT];
  world.marked = true;
  assert.equal(await world.auth.restore(), true);
  await tick();
  assert.deepEqual([world.demands.length, world.named("signedin").length], [1, 1]);
});

test("the person gives up where a refresh was refused: an AuthError that says so, and no end", async () => {
  const world = new Bank({ session: { sub: "ann", sid: "s" } });
  world.answers = [null, null];
  world.routes["POST /auth/refresh"] = () => problem(401, "step_up_required", { acr_values: "mfa", max_age: 5 });
  await assert.rejects(world.auth.restore(), { code: "step_up_required", action: "step_up", max_age: 5, acr_values: "mfa" });
  await assert.rejects(world.auth.fetch("/api"), AuthError);
  assert.deepEqual(world.demands.map(({ maxAge, acrValues }) => [maxAge, acrValues]), [[5, ["mfa"]], [5, ["mfa"]]]);
  assert.deepEqual(world.named("signedout"), []);
});

test("a refresh that nobody waits for asks nobody; while the token lives requests go on", async () => {
  const world = new Bank({ leeway: 1 });
  world.lifetime = 0.4;
  await world.login();
  world.marked = true;
  await until(() => world.refreshes >= 1);
  assert.deepEqual(await get(world, "/api"), [200]);
  await assert.rejects(world.auth.refresh(), { code: "step_up_required" });
  assert.deepEqual([world.demands, world.named("stepup"), world.named("signedout")], [[], [], []]);
  assert.equal(world.named("refresherror")[0].error.action, "step_up");
});

test("who gave up is not asked again by a timer", async (t) => {
  t.mock.method(Math, "random", () => 0);
  const world = new Bank({ session: { sub: "ann", sid: "s" } });
  world.answers = [null];
  world.marked = true;
  await assert.rejects(world.auth.restore(), { code: "step_up_required" });
  await until(() => world.refreshes >= 4);
  assert.deepEqual([world.demands.length, world.named("signedout")], [1, []]);
  world.auth.dispose();
});

test("proven elsewhere: the dialog is told, its answer is not sent, and the requests go on", async () => {
  const world = await entered();
  const waiting = get(world, "/bank", "/bank/2");
  await until(() => world.demands.length);
  await world.auth.refresh();
  await tick();
  assert.equal(world.demands[0].signal.aborted, false, "a new token that says no more");
  world.prove();
  await world.auth.refresh();
  assert.deepEqual(await waiting, [200, 200]);
  assert.deepEqual([world.demands[0].signal.aborted, world.demands.length, world.stepUps], [true, 1, 0]);
});

test("a refresh that was refused is met by any new token", async () => {
  const world = await entered();
  world.expire();
  world.marked = true;
  const waiting = get(world, "/api");
  await until(() => world.demands.length);
  world.marked = false;
  await world.auth.refresh();
  assert.deepEqual(await waiting, [200]);
  assert.deepEqual([world.demands[0].signal.aborted, world.stepUps], [true, 0]);
});

test("proven elsewhere while the answer is under way, and refused: taken all the same", async () => {
  const world = await entered([WRONG, RIGHT]);
  world.routes["POST /auth/step-up"] = async () => {
    world.prove();
    await world.auth.refresh();
    return problem(401, "invalid_credentials");
  };
  assert.deepEqual(await get(world, "/bank"), [200]);
  assert.deepEqual([world.demands.length, world.stepUps], [1, 1]);
});

test("another context is asked for after the first, one that was proven is not", async () => {
  const world = await entered();
  world.routes["POST /auth/step-up"] = () => world.prove(world.stepUps > 1 ? "mfa" : "pwd");
  world.answers = [RIGHT, RIGHT];
  const waiting = get(world, "/bank", "/vault", "/vault");
  assert.deepEqual(await waiting, [200, 200, 200]);
  assert.deepEqual(world.demands.map(({ maxAge, acrValues }) => [maxAge, acrValues]), [[60, []], [null, ["mfa", "hwk"]]]);
  world.session = { ...world.session, acr: "pwd" };
  await world.auth.refresh();
  const both = get(world, "/vault");
  await until(() => world.demands.length === 3);
  world.prove("pwd");
  await world.auth.refresh();
  await tick();
  assert.equal(world.demands[2].signal.aborted, false, "the password alone is not enough here");
  world.prove("mfa");
  await world.auth.refresh();
  assert.deepEqual(await both, [200]);
});

for (const [what, end] of [
  ["a logout", (world) => world.auth.logout()],
  ["taken off", async (world) => world.detach()],
  ["somebody else's login", (world) => world.auth.login({ username: "bob" })],
]) {
  test(`${what} while the person is being asked: the dialog is told, the 401 is the result`, async () => {
    const world = await entered();
    const waiting = get(world, "/bank");
    await until(() => world.demands.length);
    await end(world);
    assert.deepEqual(await waiting, [401]);
    assert.equal(world.demands[0].signal.aborted, true);
    assert.deepEqual([world.count("GET /bank"), world.stepUps], [1, 0]);
  });
}

test("taken off: nobody is asked any more", async () => {
  const world = await entered([RIGHT]);
  world.detach();
  assert.deepEqual(await get(world, "/bank"), [401]);
  assert.equal(world.demands.length, 0);
});

test("the session turns out to be over: signed out, and nobody is asked again", async () => {
  const world = await entered([RIGHT, RIGHT]);
  world.routes["POST /auth/step-up"] = () => problem(401, "refresh_invalid");
  world.session = null;
  assert.deepEqual(await get(world, "/bank"), [401]);
  assert.deepEqual([world.demands.length, world.stepUps], [1, 1]);
  assert.deepEqual(world.named("signedout"), [{ reason: "expired" }]);
});

test("what ask throws is what the requests reject with; the next one is asked", async () => {
  const world = await entered([Promise.reject(new RangeError("no dialog")), RIGHT]);
  await assert.rejects(world.auth.fetch("/bank"), { name: "RangeError", message: "no dialog" });
  assert.equal(world.demands[0].signal.aborted, true);
  assert.deepEqual(await get(world, "/bank"), [200]);
});

test("stepUp() with the transport body: the newest refresh token goes along, and the next one is kept", async () => {
  const storage = {};
  const world = await entered([], { body: true, storage });
  const old = storage.refreshToken;
  const held = gate();
  world.routes["POST /auth/refresh"] = async () => (await held.opened, world.tokens());
  const refresh = world.auth.refresh();
  const stepUp = world.auth.stepUp({ ...RIGHT, remember: true });
  held.open();
  await Promise.all([refresh, stepUp]);
  const { body, headers } = world.calls.find(({ line }) => line === "POST /auth/step-up");
  const { refresh_token: sent, ...credentials } = JSON.parse(body);
  assert.deepEqual(credentials, { ...RIGHT, remember: true });
  assert.match(sent, /^refresh-/);
  assert.notEqual(sent, old);
  assert.notEqual(storage.refreshToken, sent);
  assert.equal(headers.get("X-Token-Transport"), "body");
});

test("stepUp() that fails ends nothing", async () => {
  const world = await entered();
  const mine = await world.auth.getAccessToken();
  await assert.rejects(world.auth.stepUp(WRONG), { code: "invalid_credentials", action: "login" });
  assert.equal(await world.auth.getAccessToken(), mine);
  assert.deepEqual(world.events, []);
});

test("without the helper: a request waits for what a handler of stepup gives back", async () => {
  const world = await entered();
  world.detach();
  world.auth.on("stepup", async (detail, used) => {
    assert.equal(used, world.calls[0].token);
    await tick(20);
    world.prove(); // by a second factor of the app's own
    await world.auth.refresh();
  });
  assert.deepEqual(await get(world, "/bank"), [200]);
  assert.deepEqual(world.lines, ["GET /bank", "POST /auth/refresh", "GET /bank"]);
});

test("axios: what it sends is asked for and sent again, once", async () => {
  const world = await entered([RIGHT]);
  const instance = axios.create({ baseURL: HOME, adapter: "fetch", env: { fetch: world.fetch } });
  attachAxios(instance, world.auth);
  assert.equal((await instance.post("/bank", { order: 1 })).status, 200);
  assert.deepEqual(world.lines, ["POST /bank", "POST /auth/step-up", "POST /bank"]);
  assert.deepEqual(world.calls.filter(({ line }) => line === "POST /bank").map(({ body }) => body), ['{"order":1}', '{"order":1}']);
});
