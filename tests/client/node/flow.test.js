/** Login, requests, refresh, logout; who shares what, and what is repeated. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthError, gate, HOME, json, problem, tick, until, World } from "./support.js";

for (const camel of [false, true]) {
  test(`the whole flow, ${camel ? "camelCase" : "snake_case"} answers`, async () => {
    const world = new World({ camel });
    assert.equal(world.auth.isAuthenticated(), false);
    const first = await world.login();
    assert.ok(first && world.auth.isAuthenticated());
    assert.equal(await world.auth.getAccessToken(), first);
    assert.equal((await world.auth.fetch("/api")).status, 200);
    const second = await world.auth.refresh();
    assert.notEqual(second, first);
    assert.equal((await world.auth.fetchWithAuth("/api")).status, 200);
    await world.auth.logout();
    assert.equal(world.auth.isAuthenticated(), false);
    assert.deepEqual(world.lines, ["GET /api", "POST /auth/refresh", "GET /api", "POST /auth/logout"]);
    assert.deepEqual(world.calls.map((call) => call.token), [first, null, second, second]);
    assert.deepEqual(world.events.map(([name]) => name), ["refreshed", "signedout"]);
    assert.deepEqual(world.named("signedout"), [{ reason: "user" }]);
  });
}

test("events carry how long the token lives", async () => {
  const world = new World();
  await world.auth.login({ username: "ann" });
  await tick();
  assert.deepEqual(world.named("signedin"), [{ expiresIn: 900 }]);
});

test("the cookie travels, and nothing of it is in the requests", async () => {
  const world = new World({ session: { sub: "ann", sid: "s" } });
  await world.auth.restore();
  const [{ init, body, headers }] = world.calls;
  assert.equal(init.credentials, "include");
  assert.equal(body, "{}");
  assert.equal(headers.get("X-Token-Transport"), null);
  assert.equal(headers.get("Content-Type"), "application/json");
});

test("a wrong password is an AuthError, and ends no session that there is", async () => {
  const world = new World();
  const mine = await world.login();
  world.routes["POST /auth/login"] = () => problem(401, "invalid_credentials");
  await assert.rejects(world.auth.login({ username: "ann" }), (error) => {
    assert.ok(error instanceof AuthError && error instanceof Error);
    assert.deepEqual([error.status, error.code, error.temporary], [401, "invalid_credentials", false]);
    assert.equal(error.message, "invalid_credentials");
    assert.deepEqual([error.action, error.title, error.error, error.retryAfter], ["login", "invalid_credentials", null, 0]);
    return true;
  });
  assert.equal(await world.auth.getAccessToken(), mine);
  assert.deepEqual(world.events, []);
});

test("a registration that answers without tokens begins no session", async () => {
  const world = new World();
  world.routes["POST /auth/register"] = () => json(201, { id: 7 });
  assert.deepEqual(await world.auth.register({ username: "ann" }), { id: 7 });
  assert.equal(world.auth.isAuthenticated(), false);
  delete world.routes["POST /auth/register"];
  await world.auth.register({ username: "ann" });
  assert.equal(world.auth.isAuthenticated(), true);
});

test("20 requests in parallel with a dead token: one refresh, all of them answered", async () => {
  const world = new World();
  await world.login();
  world.expire();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => world.auth.fetch(`/api/${index}`)));
  assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
  assert.equal(world.refreshes, 1);
  assert.equal(world.calls.length, 41);
});

test("20 requests in parallel before a token is there: one refresh, and none is sent twice", async () => {
  const world = new World({ session: { sub: "ann", sid: "s" } });
  await Promise.all(Array.from({ length: 20 }, (_, index) => world.auth.fetch(`/api/${index}`)));
  assert.equal(world.refreshes, 1);
  assert.equal(world.calls.length, 21);
});

test("a 401 that is late, for a token that was replaced meanwhile: repeated without a refresh", async () => {
  const world = new World();
  const old = await world.login();
  const slow = gate();
  world.routes["GET /slow"] = async (call) => {
    await (call.token === old && slow.opened);
    return world.live.has(call.token) ? json(200, {}) : problem(401, "token_expired");
  };
  const late = world.auth.fetch("/slow");
  await until(() => world.count("GET /slow") === 1);
  world.expire();
  assert.equal((await world.auth.fetch("/api")).status, 200);
  assert.equal(world.refreshes, 1);
  slow.open();
  assert.equal((await late).status, 200);
  assert.equal(world.refreshes, 1);
  assert.equal(world.count("GET /slow"), 2);
});

for (const [what, answer] of Object.entries({
  "the middleware's 401": () => problem(401, "token_expired"),
  "an app's own 401": () => json(401, { detail: "no" }),
})) {
  test(`an endpoint that always answers with ${what}: one refresh, one repetition, then the answer`, async () => {
    const world = new World();
    await world.login();
    world.routes["GET /always"] = answer;
    assert.equal((await world.auth.fetch("/always")).status, 401);
    assert.deepEqual(world.lines, ["GET /always", "POST /auth/refresh", "GET /always"]);
    assert.equal(world.auth.isAuthenticated(), true);
  });
}

test("a 403 and a 500 of the API are handed on, and refresh nothing", async () => {
  const world = new World();
  await world.login();
  for (const status of [400, 403, 404, 500, 503]) {
    world.routes["GET /odd"] = () => json(status, {});
    assert.equal((await world.auth.fetch("/odd")).status, status);
  }
  assert.equal(world.refreshes, 0);
  assert.equal(world.calls.length, 5);
});

test("a 401 to a token of a session that was ended: nobody is asked, it is the result", async () => {
  const world = new World();
  await world.login();
  world.routes["GET /api"] = () => problem(401, "token_revoked");
  assert.equal((await world.auth.fetch("/api")).status, 401);
  assert.deepEqual(world.lines, ["GET /api"]);
  assert.deepEqual(world.named("signedout"), [{ reason: "expired" }]);
  assert.equal(world.auth.isAuthenticated(), false);
});

test("the session turns out to be over: the 401 is the result, nothing is repeated", async () => {
  const world = new World();
  await world.login();
  world.expire();
  world.session = null;
  assert.equal((await world.auth.fetch("/api")).status, 401);
  assert.deepEqual(world.lines, ["GET /api", "POST /auth/refresh"]);
  assert.deepEqual(world.named("signedout"), [{ reason: "expired" }]);
});

test("a step-up is an event: the session goes on, nothing is refreshed or repeated", async () => {
  const world = new World();
  await world.login();
  world.routes["GET /bank"] = () => problem(401, "step_up_required", { max_age: 60 });
  assert.equal((await world.auth.fetch("/bank")).status, 401);
  const [detail] = world.named("stepup");
  assert.deepEqual([detail.code, detail.action, detail.max_age], ["step_up_required", "step_up", 60]);
  assert.deepEqual(world.lines, ["GET /bank"]);
  assert.equal(world.auth.isAuthenticated(), true);
});

test("a refresh may ask for a step-up: the session goes on", async () => {
  const world = new World();
  await world.login();
  world.routes["POST /auth/refresh"] = () => problem(401, "step_up_required");
  await assert.rejects(world.auth.refresh(), { code: "step_up_required" });
  assert.equal(world.named("refresherror")[0].error.action, "step_up");
  await assert.rejects(async () => (world.expire(), await world.auth.fetch("/api")), { code: "step_up_required" });
  assert.equal(world.named("stepup").length, 1, "somebody waits for it");
  assert.deepEqual(world.named("signedout"), []);
  assert.equal(world.auth.isAuthenticated(), true);
});

const form = new FormData();
form.set("name", "Ann");
const BODIES = {
  string: "text",
  FormData: form,
  Blob: new Blob(["blob"], { type: "text/x" }),
  URLSearchParams: new URLSearchParams({ a: "1" }),
  ArrayBuffer: new TextEncoder().encode("buffer").buffer,
  Uint8Array: new TextEncoder().encode("bytes"),
};
for (const [kind, body] of Object.entries(BODIES)) {
  test(`a body that is a ${kind} is sent again as it was`, async () => {
    const world = new World();
    await world.login();
    world.expire();
    assert.equal((await world.auth.fetch("/api", { method: "POST", body })).status, 200);
    const [first, second] = world.calls.filter((call) => call.line === "POST /api");
    const plain = ({ bytes, headers }) => {
      const type = headers.get("Content-Type");
      const boundary = type?.split("boundary=")[1];
      return [bytes.toString().replaceAll(boundary ?? "\0", "-"), type?.replace(boundary ?? "\0", "-")];
    };
    assert.ok(first.bytes.length > 2);
    assert.deepEqual(plain(second), plain(first));
  });
}

test("a Request is sent again with its method, headers and body", async () => {
  const world = new World();
  await world.login();
  world.expire();
  const request = new Request(`${HOME}/api`, { method: "PUT", body: '{"a":1}', headers: { "Content-Type": "application/json", "X-Mine": "1" } });
  assert.equal((await world.auth.fetch(request)).status, 200);
  const sent = world.calls.filter((call) => call.line === "PUT /api");
  assert.deepEqual(sent.map((call) => [call.body, call.headers.get("X-Mine"), call.headers.get("Content-Type")]), Array(2).fill(['{"a":1}', "1", "application/json"]));
  assert.notEqual(sent[0].token, sent[1].token);
});

test("a Request with an init: the init wins, its own headers are sent along", async () => {
  const world = new World();
  const mine = await world.login();
  await world.auth.fetch(new Request(`${HOME}/api`, { headers: { "X-Old": "1" } }), { method: "DELETE", headers: { "X-New": "1" } });
  const [call] = world.calls;
  assert.deepEqual([call.line, call.token, call.headers.get("X-New"), call.headers.get("X-Old")], ["DELETE /api", mine, "1", null]);
});

test("a URL object and an absolute address are taken as well", async () => {
  const world = new World();
  const mine = await world.login();
  await world.auth.fetch(new URL(`${HOME}/api`));
  await world.auth.fetch(`${HOME}/api?x=1`);
  assert.deepEqual(world.calls.map((call) => call.token), [mine, mine]);
});

test("a ReadableStream is sent once; its 401 is the result", async () => {
  const world = new World();
  await world.login();
  world.expire();
  const body = new Blob(["stream"]).stream();
  const answer = await world.auth.fetch("/api", { method: "POST", body, duplex: "half" });
  assert.equal(answer.status, 401);
  assert.equal((await answer.json()).code, "token_expired");
  assert.deepEqual(world.calls.map((call) => [call.line, call.body]), [["POST /api", "stream"]]);
});

test("the caller's headers and init are left as they were", async () => {
  const world = new World();
  await world.login();
  world.expire();
  const headers = new Headers({ "X-Mine": "1" });
  const init = Object.freeze({ headers });
  await world.auth.fetch("/api", init);
  assert.deepEqual([...headers], [["x-mine", "1"]]);
});

test("an Authorization that the caller gave is left alone, and its 401 is their own", async () => {
  const world = new World();
  await world.login();
  for (const headers of [{ authorization: "Basic abc" }, new Headers({ Authorization: "Basic abc" }), [["Authorization", "Basic abc"]]]) {
    assert.equal((await world.auth.fetch("/api", { headers })).status, 401);
  }
  assert.equal((await world.auth.fetch(new Request(`${HOME}/api`, { headers: { Authorization: "Basic abc" } }))).status, 401);
  assert.deepEqual(world.calls.map((call) => call.headers.get("Authorization")), Array(4).fill("Basic abc"));
});

const APART = [
  "https://api.example.com.evil/x", "https://evil/https://api.example.com", "http://api.example.com/x", "https://api.example.com:8443/x",
  "https://sub.api.example.com/x", "http://localhost.evil/x", "https://localhost/x", "http://localhost:81/x",
  "//evil/x", "http://127.0.0.1/x",
];
const WITHIN = ["https://api.example.com/x", "https://API.example.com:443/x", "http://localhost:80/x", "/x", "x", "//localhost/x"];

test("the token goes to the issuer's origin and the allowed ones, and to no other", async () => {
  const world = new World({ allowedOrigins: ["https://api.example.com"] });
  const mine = await world.login();
  for (const [urls, token] of [[APART, null], [WITHIN, mine]]) {
    for (const url of urls) {
      assert.equal(await world.auth.getAccessToken(url), token, url);
      assert.equal(await world.auth.getAccessToken(new URL(url, HOME)), token, url);
      world.calls.length = 0;
      await world.auth.fetch(url);
      assert.equal(world.calls[0].token, token, url);
    }
  }
  assert.equal(await world.auth.getAccessToken("https://api.example.com@evil/x"), null); // fetch itself refuses this one
});

test("a 401 of another origin is that origin's own: no refresh, no repetition", async () => {
  const world = new World();
  await world.login();
  assert.equal((await world.auth.fetch("https://elsewhere.example/api")).status, 401);
  assert.deepEqual(world.lines, ["GET /api"]);
});

test("baseUrl and prefix say where the issuer is, with a path and without", async () => {
  for (const [baseUrl, prefix, login, page] of [
    ["https://users.example", "/auth", "https://users.example/auth/login", "https://users.example/page"],
    ["https://users.example/", "/auth", "https://users.example/auth/login", "https://users.example/page"],
    ["https://users.example/app", "/a/b", "https://users.example/app/a/b/login", "https://users.example/app/page"],
  ]) {
    const world = new World({ baseUrl, prefix });
    world.routes[`POST ${new URL(login).pathname}`] = () => world.tokens();
    world.session = { sub: "ann", sid: "s" };
    await world.auth.login({ username: "ann" });
    await world.auth.fetch("page");
    assert.deepEqual(world.calls.map((call) => call.url), [login, page]);
  }
});

test("on() gives back what stops it", async () => {
  const world = new World();
  const heard = [];
  const stop = world.auth.on("signedin", () => heard.push(1));
  await world.auth.login({ username: "ann" });
  stop();
  await world.auth.login({ username: "bob" });
  await tick();
  assert.equal(heard.length, 1);
});

test("deleteAccount: DELETE with the token, then the session is over", async () => {
  const world = new World();
  const mine = await world.login();
  world.routes["DELETE /auth/account"] = (call) => (call.token === mine ? new Response(null, { status: 204 }) : problem(401, "token_expired"));
  await world.auth.deleteAccount();
  assert.deepEqual(world.named("signedout"), [{ reason: "deleted" }]);
  assert.equal(world.auth.isAuthenticated(), false);
  assert.deepEqual(world.lines, ["DELETE /auth/account"]);
});

test("deleteAccount that fails is an AuthError, and the session goes on", async () => {
  const world = new World();
  await world.login();
  world.routes["DELETE /auth/account"] = () => problem(503, "store_unavailable", { headers: { "Retry-After": "7" } });
  await assert.rejects(world.auth.deleteAccount(), { code: "store_unavailable", retryAfter: 7, temporary: true });
  assert.equal(world.auth.isAuthenticated(), true);
});

test("logout: {all} is sent, the token goes along; without success the session goes on", async () => {
  const world = new World();
  const mine = await world.login();
  world.routes["POST /auth/logout"] = () => problem(503, "store_unavailable");
  await assert.rejects(world.auth.logout({ all: true }), { code: "store_unavailable" });
  assert.deepEqual([JSON.parse(world.calls[0].body), world.calls[0].token], [{ all: true }, mine]);
  assert.equal(await world.auth.getAccessToken(), mine);
  assert.deepEqual(world.events, []);
  delete world.routes["POST /auth/logout"];
  await world.auth.logout();
  assert.equal(await world.auth.getAccessToken().catch(() => null), null);
});

test("after the logout nothing carries the token any more", async () => {
  const world = new World();
  await world.login();
  await world.auth.logout();
  world.calls.length = 0;
  await world.auth.fetch("/api");
  assert.equal(world.calls.at(-1).token, null);
});

test("restore: true with a session, false without; an error while that cannot be said", async () => {
  assert.equal(await new World({ session: { sub: "ann", sid: "s" } }).auth.restore(), true);
  const without = new World();
  assert.equal(await without.auth.restore(), false);
  const away = new World();
  away.routes["POST /auth/refresh"] = () => problem(503, "store_unavailable", { headers: { "Retry-After": "9" } });
  await assert.rejects(away.auth.restore(), { temporary: true, retryAfter: 9 });
  await assert.rejects(away.auth.fetch("/api"), { temporary: true });
  assert.equal(away.count("GET /api"), 0);
});

test("a body transport that holds nothing asks nobody", async () => {
  for (const storage of ["memory", {}]) {
    const world = new World({ body: true, storage });
    assert.equal(await world.auth.restore(), false);
    assert.equal(await world.auth.getAccessToken(), null);
    assert.equal((await world.auth.fetch("/api")).status, 401);
    assert.deepEqual(world.lines, ["GET /api"]);
  }
});

test("dispose: no timer refreshes any more, the session goes on", async () => {
  const world = new World();
  world.lifetime = 0.4;
  await world.login();
  world.auth.dispose();
  await tick(1200);
  assert.deepEqual(world.lines, []);
  assert.equal((await world.auth.fetch("/api")).status, 200);
  assert.equal(world.refreshes, 1);
});
