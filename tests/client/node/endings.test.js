/** What ends a session and what does not; what comes after a refusal; what a logout or a login does to what is under way. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { contentOf, gate, json, problem, tick, until, World } from "./support.js";

const STATUSES = [400, 401, 403, 404, 413, 429, 500, 502, 503];
const html = (status) => new Response("<h1>Sorry</h1>", { status, headers: { "Content-Type": "text/html" } });
const broken = (status) => new Response('{"code": "refresh_inv', { status, headers: { "Content-Type": "application/problem+json" } });
const cut = (status) => {
  const body = new ReadableStream({ pull: (stream) => stream.error(new TypeError("the line is cut")) });
  return new Response(body, { status, headers: { "Content-Type": "application/problem+json" } });
};
const ANSWERS = {
  "a problem of ours": (status) => problem(status, "refresh_invalid"),
  "another JSON": (status) => json(status, { action: "block", detail: "by the firewall" }),
  "a problem without a code": (status) => json(status, { title: "no" }, { "Content-Type": "application/problem+json" }),
  HTML: html,
  "a broken body": broken,
  "a body that is cut off": cut,
};
const CASES = STATUSES.flatMap((status) => Object.keys(ANSWERS).map((kind) => [`${status} with ${kind}`, () => ANSWERS[kind](status)]));
CASES.push(
  ["a network error", () => Promise.reject(new TypeError("Failed to fetch"))],
  ["200 with HTML", () => html(200)],
  ["200 with a broken body", () => broken(200)],
  ["200 with a body that is cut off", () => cut(200)],
  ["200 with another JSON", () => json(200, { welcome: "to the hotel" })],
  ["200 with null", () => json(200, null)],
);
const ENDING = new Set([400, 401, 403].map((status) => `${status} with a problem of ours`));

test("what a refresh is answered with, and whether that ends the session", { concurrency: true }, async (t) => {
  await Promise.all(CASES.map(([name, answer]) => t.test(`${name}: ${ENDING.has(name) ? "over" : "goes on"}`, async () => {
    const world = new World();
    const mine = await world.login();
    world.expire();
    world.routes["POST /auth/refresh"] = answer;
    const outcome = await world.auth.refresh().catch((error) => error);
    await tick();
    if (ENDING.has(name)) {
      assert.equal(outcome, null);
      assert.deepEqual(world.named("signedout"), [{ reason: "expired" }]);
      assert.equal(world.auth.isAuthenticated(), false);
      assert.equal(world.refreshes, 1);
    } else {
      assert.ok(outcome instanceof Error, "refresh() does not succeed");
      assert.deepEqual(world.named("signedout"), []);
      assert.ok(world.named("refresherror").length, "somebody is told");
      assert.equal(world.auth.isAuthenticated(), true);
      assert.equal(await world.auth.getAccessToken(), mine);
      assert.ok(world.refreshes <= 2, `${world.refreshes} refreshes`);
      delete world.routes["POST /auth/refresh"];
      assert.notEqual(await world.auth.refresh(), mine, "the next one succeeds");
    }
  })));
});

test("a server that is down is asked seldom, and later each time", async (t) => {
  t.mock.method(Math, "random", () => 0.5);
  const world = new World();
  await world.login();
  world.expire();
  const times = [];
  world.routes["POST /auth/refresh"] = () => {
    times.push(performance.now());
    return html(503);
  };
  const end = performance.now() + 4000;
  while (performance.now() < end) {
    await world.auth.fetch("/api").catch(() => {});
    await tick(20);
  }
  assert.ok(times.length >= 3 && times.length <= 5, `${times.length} refreshes in 4 s`);
  const pauses = times.slice(1).map((time, index) => time - times[index]);
  assert.ok(pauses[0] > 400 && pauses[1] > pauses[0] + 300, `they came ${pauses} ms after each other`);
});

test("Retry-After is kept to", async () => {
  const world = new World();
  const mine = await world.login();
  world.expire();
  world.routes["POST /auth/refresh"] = () => problem(429, "rate_limited", { headers: { "Retry-After": "3" } });
  const began = performance.now();
  await assert.rejects(world.auth.fetch("/api"), { code: "rate_limited", retryAfter: 3, temporary: true });
  assert.equal(world.refreshes, 1);
  delete world.routes["POST /auth/refresh"];
  while (world.refreshes < 2) {
    await world.auth.fetch("/api").catch((error) => assert.equal(error.code, "rate_limited"));
    await tick(20);
  }
  assert.ok(performance.now() - began > 2900, `asked again after ${performance.now() - began} ms`);
  assert.notEqual(await world.auth.getAccessToken(), mine);
  assert.ok(world.named("refresherror").every(({ error }) => error.code === "rate_limited"));
});

test("one failure is mended within the same request", async () => {
  const world = new World();
  await world.login();
  world.expire();
  const tokens = () => world.tokens();
  world.routes["POST /auth/refresh"] = () => {
    world.routes["POST /auth/refresh"] = tokens;
    return html(502);
  };
  assert.equal((await world.auth.fetch("/api")).status, 200);
  assert.equal(world.refreshes, 2);
});

test("an issuer that never answers is given up after the timeout", async () => {
  const world = new World({ timeout: 0.1 });
  await world.login();
  world.routes["POST /auth/refresh"] = () => new Promise(() => {});
  await assert.rejects(world.auth.refresh(), { status: 0, temporary: true });
  assert.deepEqual(world.named("signedout"), []);
});

test("the timeout of one refresh does not cut off the next", async () => {
  const world = new World({ timeout: 0.6 });
  await world.login();
  await world.auth.refresh();
  world.routes["POST /auth/refresh"] = async () => {
    await tick(400);
    return world.tokens();
  };
  await tick(400);
  await world.auth.refresh(); // is under way when the time of the first one is up
  assert.deepEqual(world.named("refresherror"), []);
});

test("a refusal whose body never ends is given up as well", async () => {
  const world = new World({ timeout: 0.2 });
  await world.login();
  world.routes["POST /auth/refresh"] = ({ init }) => {
    const body = new ReadableStream({ start: (stream) => init.signal.addEventListener("abort", () => stream.error(init.signal.reason)) });
    return new Response(body, { status: 401, headers: { "Content-Type": "application/problem+json" } });
  };
  const outcome = await Promise.race([world.auth.refresh().catch((error) => error), tick(5000)]);
  assert.ok(outcome instanceof Error, "still waiting after 5 s");
  assert.deepEqual(world.named("signedout"), []);
});

test("the timeout is not collected as garbage", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const world = new World({ timeout: 0.3 });
  await world.login();
  world.routes["POST /auth/refresh"] = ({ init }) => new Promise((_, fail) => init.signal.addEventListener("abort", () => fail(init.signal.reason)));
  const refresh = world.auth.refresh().catch((error) => error);
  await tick(50);
  collect();
  const outcome = await Promise.race([refresh, tick(5000)]);
  assert.ok(outcome instanceof Error, "still waiting after 5 s");
  assert.deepEqual([outcome.status, outcome.temporary], [0, true]);
});

test("logout while a refresh is in flight: it stays a logout", async () => {
  const world = new World();
  await world.login();
  const slow = gate();
  world.routes["POST /auth/refresh"] = async () => {
    const answer = world.tokens();
    await slow.opened;
    return answer;
  };
  const refresh = world.auth.refresh().catch((error) => error);
  await until(() => world.refreshes === 1);
  await world.auth.logout();
  slow.open();
  await refresh;
  assert.equal(world.auth.isAuthenticated(), false);
  assert.deepEqual(world.named("signedout"), [{ reason: "user" }]);
  assert.deepEqual(world.named("refreshed"), []);
  assert.deepEqual(world.named("refresherror"), []);
});

test("logout while a refresh is in flight whose fetch knows no signal: it stays a logout", async () => {
  const world = new World();
  await world.login();
  const slow = gate();
  world.routes["POST /auth/refresh"] = async () => {
    const answer = world.tokens();
    await slow.opened;
    return answer;
  };
  const deaf = (input, init) => world.fetch(input, { ...init, signal: undefined });
  const auth = world.client({ fetch: deaf });
  await auth.login({ username: "ann" });
  world.events.length = 0;
  const refresh = auth.refresh().catch((error) => error);
  await until(() => world.refreshes === 1);
  await auth.logout();
  slow.open();
  await refresh;
  assert.equal(auth.isAuthenticated(), false);
  assert.deepEqual(world.events, [["signedout", { reason: "user" }]]);
});

test("logout while a refused refresh waits for its second attempt: there is none", async (t) => {
  t.mock.method(Math, "random", () => 0.9);
  const world = new World();
  await world.login();
  world.routes["POST /auth/refresh"] = () => html(503);
  const refresh = world.auth.refresh().catch((error) => error);
  await until(() => world.named("refresherror").length === 1);
  delete world.routes["POST /auth/refresh"];
  await world.auth.logout();
  await refresh;
  assert.equal(world.refreshes, 1);
  assert.deepEqual(world.named("signedout"), [{ reason: "user" }]);
});

test("a logout is the person's own, also to a request that is refused meanwhile", async () => {
  const world = new World();
  await world.login();
  const slow = gate();
  world.routes["POST /auth/logout"] = async () => {
    await slow.opened;
    return json(200, { status: "logged_out" });
  };
  world.routes["GET /api"] = () => problem(401, "token_revoked");
  const logout = world.auth.logout();
  assert.equal((await world.auth.fetch("/api")).status, 401);
  assert.deepEqual(world.named("signedout"), []);
  slow.open();
  await logout;
  assert.deepEqual(world.named("signedout"), [{ reason: "user" }]);
});

test("login while a refresh is in flight: the login holds", async () => {
  const world = new World();
  await world.login("ann");
  const slow = gate();
  world.routes["POST /auth/refresh"] = async () => {
    const answer = world.tokens();
    await slow.opened;
    return answer;
  };
  const refresh = world.auth.refresh().catch((error) => error);
  await until(() => world.refreshes === 1);
  const login = world.auth.login({ username: "bob" });
  await tick(20);
  slow.open();
  await Promise.all([refresh, login]);
  assert.equal(contentOf(await world.auth.getAccessToken()).sub, "bob");
});

test("a refresh that begins while a login is under way: the login holds", async () => {
  const world = new World();
  await world.login("ann");
  const ann = world.session;
  const [slowLogin, slowRefresh] = [gate(), gate()];
  world.routes["POST /auth/login"] = async () => {
    await slowLogin.opened;
    world.session = { sub: "bob", sid: "b" };
    return world.tokens();
  };
  world.routes["POST /auth/refresh"] = async () => {
    world.session = ann;
    const answer = world.tokens();
    await slowRefresh.opened;
    return answer;
  };
  const login = world.auth.login({ username: "bob" });
  const refresh = world.auth.refresh().catch((error) => error);
  await tick(20);
  slowLogin.open();
  await login;
  slowRefresh.open();
  await refresh;
  assert.equal(contentOf(await world.auth.getAccessToken()).sub, "bob");
});

test("a request of one person is not repeated as the next one", async () => {
  const world = new World();
  await world.login("ann");
  const slow = gate();
  world.routes["POST /comment"] = async () => {
    await slow.opened;
    return problem(401, "token_expired");
  };
  const comment = world.auth.fetch("/comment", { method: "POST", body: "Ann's" });
  await until(() => world.count("POST /comment") === 1);
  await world.auth.login({ username: "bob" });
  slow.open();
  assert.equal((await comment).status, 401);
  assert.equal(world.count("POST /comment"), 1);
  assert.equal(world.auth.isAuthenticated(), true);
});

test("a page that is signed in as nobody yet: a login counts, not the refresh that began before it", async () => {
  const world = new World({ session: { sub: "ann", sid: "a" } });
  const slow = gate();
  const login = world.auth.login({ username: "bob" });
  world.routes["POST /auth/refresh"] = async () => {
    world.session = { sub: "ann", sid: "a" };
    const answer = world.tokens();
    await slow.opened;
    return answer;
  };
  const restoring = world.auth.restore().catch((error) => error);
  await login;
  slow.open();
  await restoring;
  assert.equal(contentOf(await world.auth.getAccessToken()).sub, "bob");
});

test("the refresh answers for somebody else: the request is not repeated, the page is told", async () => {
  const world = new World();
  await world.login("ann");
  world.expire();
  world.session = { sub: "bob", sid: "b" }; // who logged in in another browser window that cannot tell us
  assert.equal((await world.auth.fetch("/comment", { method: "POST", body: "Ann's" })).status, 401);
  assert.deepEqual(world.lines, ["POST /comment", "POST /auth/refresh"]);
  assert.deepEqual(world.events.map(([name]) => name), ["signedout", "signedin"]);
});

test("another session of the same person is not somebody to repeat a request as", async () => {
  const world = new World();
  await world.login("ann");
  const slow = gate();
  world.routes["POST /comment"] = async () => {
    await slow.opened;
    return problem(401, "token_expired");
  };
  const comment = world.auth.fetch("/comment", { method: "POST" });
  await until(() => world.count("POST /comment") === 1);
  await world.auth.login({ username: "ann" });
  slow.open();
  assert.equal((await comment).status, 401);
  assert.equal(world.count("POST /comment"), 1);
  assert.deepEqual(world.events.map(([name, { reason }]) => [name, reason]), [["signedout", "other-tab"], ["signedin", undefined]]);
});

test("body transport: what is new is kept before it is used, and sent the next time", async () => {
  const steps = [];
  const noting = (verb) => (kept, key, value) => steps.push(`${verb} ${key}`) && Reflect[verb](kept, key, value);
  const items = {};
  const storage = new Proxy(items, { set: noting("set"), deleteProperty: noting("deleteProperty") });
  const world = new World({ body: true, storage });
  for (const name of ["signedin", "refreshed"]) {
    world.auth.on(name, () => steps.push("used"));
  }
  const first = await world.auth.login({ username: "ann" });
  assert.equal(world.calls[0].headers.get("X-Token-Transport"), "body");
  assert.equal(world.calls[0].init.credentials, "omit");
  assert.deepEqual(steps.splice(0).sort(), ["set accessToken", "set refreshToken", "used"]);
  assert.deepEqual(items, { accessToken: first.access_token, refreshToken: first.refresh_token });
  world.routes["GET /api"] = () => steps.push("sent") && json(200, {});
  world.lifetime = 1;
  await world.auth.refresh();
  await world.auth.fetch("/api");
  assert.deepEqual(JSON.parse(world.calls[1].body), { refresh_token: first.refresh_token });
  assert.notEqual(items.refreshToken, first.refresh_token);
  assert.deepEqual([steps.slice(0, 2).sort(), steps.at(-1)], [["set accessToken", "set refreshToken"], "sent"]);
  await world.auth.logout();
  assert.deepEqual(items, {});
});

test("body transport in memory: the refresh token is sent, rotated, and gone after the logout", async () => {
  const world = new World({ body: true, camel: true });
  const { refreshToken } = await world.auth.login({ username: "ann" });
  await world.auth.refresh();
  await world.auth.refresh();
  const sent = world.calls.filter((call) => call.line === "POST /auth/refresh").map((call) => JSON.parse(call.body).refresh_token);
  assert.equal(sent[0], refreshToken);
  assert.equal(new Set(sent).size, 2);
  await world.auth.logout();
  assert.match(JSON.parse(world.calls.at(-1).body).refresh_token, /^refresh-/);
  world.calls.length = 0;
  assert.equal(await world.auth.getAccessToken(), null);
  assert.deepEqual(world.lines, []);
});

test("body transport: an app that is started again goes on with what was kept", async () => {
  const storage = {};
  const world = new World({ body: true, storage });
  const { refresh_token: kept } = await world.auth.login({ username: "ann" });
  world.calls.length = 0;
  const later = world.client();
  assert.equal(await later.restore(), true);
  assert.deepEqual(world.calls.map(({ line, body }) => [line, JSON.parse(body)]), [["POST /auth/refresh", { refresh_token: kept }]]);
  assert.equal((await later.fetch("/api")).status, 200);
});

test("body transport: a logout right after the start ends the session that was kept", async () => {
  const storage = {};
  const world = new World({ body: true, storage });
  const { refresh_token: kept } = await world.auth.login({ username: "ann" });
  await world.client().logout();
  assert.deepEqual([world.lines.at(-1), JSON.parse(world.calls.at(-1).body)], ["POST /auth/logout", { refresh_token: kept }]);
  assert.deepEqual(storage, {});
});

test("an asynchronous store: awaited before a new token is used; a logout meanwhile stays a logout", async () => {
  const saving = [];
  let slow = gate();
  const storage = { saveTokens: () => saving.push({ ...storage }) && slow.opened };
  const world = new World({ body: true, storage });
  const login = world.auth.login({ username: "ann" });
  await until(() => saving.length === 1);
  assert.equal(world.auth.isAuthenticated(), false);
  slow.open();
  const { access_token, refresh_token } = await login;
  assert.deepEqual([saving[0].accessToken, saving[0].refreshToken], [access_token, refresh_token]);
  assert.equal(world.auth.isAuthenticated(), true);
  slow = gate();
  const refresh = world.auth.refresh().catch((error) => error);
  await until(() => saving.length === 2);
  const logout = world.auth.logout();
  await until(() => saving.length === 3);
  slow.open();
  await Promise.all([refresh, logout]);
  assert.equal(world.auth.isAuthenticated(), false);
  assert.deepEqual([saving[2].accessToken, saving[2].refreshToken], [undefined, undefined]);
  assert.equal(await world.auth.getAccessToken(), null);
});

test("a storage that cannot be written: the session goes on in memory", async () => {
  for (const body of [true, false]) {
    const storage = new Proxy({}, { set: () => { throw new Error("full"); } });
    const world = new World({ body, storage });
    await world.login();
    assert.equal((await world.auth.fetch("/api")).status, 200);
    if (body) continue; // its refresh token is nowhere
    await world.auth.refresh();
    assert.equal((await world.auth.fetch("/api")).status, 200);
    await world.auth.logout();
    assert.equal(world.auth.isAuthenticated(), false);
  }
});

function skew(world, { date = 0, steady = 0 }) {
  const [now, elapsed] = [Date.now, performance.now];
  Date.now = () => now() + date;
  performance.now = () => elapsed.call(performance) + steady;
  return () => Object.assign(Date, { now }) && Object.assign(performance, { now: elapsed });
}

for (const [what, clocks, refreshes] of [
  ["the Date jumps a day ahead", { date: 86_400_000 }, 0],
  ["the Date jumps a day back", { date: -86_400_000 }, 0],
  ["the Date jumps a day back, and the token's time is up", { date: -86_400_000, steady: 900_000 }, 1],
  ["the Date stands still", { steady: 880_000 }, 1],
  ["nothing happens to the clocks", {}, 0],
  ["29 s before its end", { date: 871_000, steady: 871_000 }, 1],
  ["31 s before its end", { date: 865_000, steady: 865_000 }, 0],
]) {
  test(`clocks: ${what}: ${refreshes} refreshes`, async (t) => {
    const world = new World({ autoRefresh: false });
    await world.login();
    t.after(skew(world, clocks));
    await world.auth.fetch("/api");
    await world.auth.fetch("/api");
    assert.equal(world.refreshes, refreshes);
  });
}

test("clocks: the steady one stood still in a sleep: the 401 says so, and is mended once", async (t) => {
  const world = new World({ autoRefresh: false });
  await world.login();
  world.expire();
  t.after(skew(world, { date: 880_000 }));
  for (let request = 0; request < 3; request++) {
    assert.equal((await world.auth.fetch("/api")).status, 200);
  }
  assert.equal(world.refreshes, 1);
});

test("a short-lived token is used for three quarters of its life", async () => {
  const world = new World({ autoRefresh: false });
  world.lifetime = 2;
  const mine = await world.login();
  await tick(1000);
  assert.equal(await world.auth.getAccessToken(), mine);
  await tick(700);
  assert.notEqual(await world.auth.getAccessToken(), mine);
  assert.equal(world.refreshes, 1);
});

test("autoRefresh renews by itself; without it nothing happens until somebody asks", async () => {
  for (const [autoRefresh, refreshes] of [[true, 1], [false, 0]]) {
    const world = new World({ autoRefresh });
    world.lifetime = 1.2;
    await world.login();
    world.lifetime = 900;
    await tick(1800);
    assert.equal(world.refreshes, refreshes);
  }
});

test("a refusal for good on a server: one refresh, however often somebody asks", async () => {
  const world = new World();
  assert.equal(await world.auth.restore(), false);
  await tick(1500);
  assert.equal(world.refreshes, 1);
  for (let request = 0; request < 5; request++) {
    assert.equal((await world.auth.fetch("/api")).status, 401);
  }
  assert.equal(world.refreshes, 1);
  await world.auth.login({ username: "ann" });
  assert.equal((await world.auth.fetch("/api")).status, 200);
});

test("loginUrl is not asked where there is no page", async () => {
  const asked = [];
  const world = new World({ loginUrl: (reason) => asked.push(reason) && "/login" });
  await world.login();
  await world.auth.logout();
  assert.deepEqual(world.named("signedout"), [{ reason: "user" }]);
  assert.ok(asked.every((reason) => reason === "user"));
});
