/** The adapter with the real axios, against a real server. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";

import axios from "axios";

import { address, createAuthClient, token } from "./support.js";

const { attachAxios } = await import(address("axios.js"));

let server, base, seen, live, made;

function tokens() {
  const value = token({ sub: "ann", sid: "s", jti: ++made });
  live = new Set([value]);
  return { access_token: value, expires_in: 900 };
}

function answer(request, body) {
  const sent = request.headers.authorization ?? null;
  const { pathname, search } = new URL(request.url, base);
  seen.push({ line: `${request.method} ${pathname}`, search, token: sent?.replace("Bearer ", "") ?? null, headers: request.headers, body });
  if (pathname.startsWith("/auth/")) {
    return [200, tokens()];
  }
  if (pathname === "/odd") {
    return [500, {}];
  }
  const good = live.has(sent?.replace("Bearer ", "")) && pathname !== "/always";
  return good ? [200, { ok: true }] : [401, { code: "token_expired", action: "refresh", status: 401 }];
}

before(async () => {
  server = createServer(async (request, response) => {
    const chunks = await Array.fromAsync?.(request) ?? (await request.toArray());
    const [status, content] = answer(request, Buffer.concat(chunks).toString());
    response.writeHead(status, { "Content-Type": status === 401 ? "application/problem+json" : "application/json" });
    response.end(JSON.stringify(content));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  base = `http://127.0.0.1:${server.address().port}`;
});
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  [seen, live, made] = [[], new Set(), 0];
});

async function attached(options) {
  const auth = createAuthClient({ baseUrl: base });
  const instance = axios.create({ baseURL: base, ...options });
  const detach = attachAxios(instance, auth);
  const { access_token: first } = await auth.login({ username: "ann" });
  seen.length = 0;
  return { auth, instance, detach, first };
}

const lines = () => seen.map(({ line }) => line);

test("the token is attached, and a 401 repeated once with a new one", async () => {
  const { instance, first } = await attached();
  assert.deepEqual((await instance.get("/api", { params: { q: "a b" } })).data, { ok: true });
  assert.equal(seen[0].token, first);
  live.clear();
  seen.length = 0;
  assert.equal((await instance.get("/api", { params: { q: "a b" }, headers: { "X-Mine": "1" } })).status, 200);
  assert.deepEqual(lines(), ["GET /api", "POST /auth/refresh", "GET /api"]);
  assert.equal(seen[0].search, seen[2].search);
  assert.deepEqual([seen[0].headers["x-mine"], seen[2].headers["x-mine"]], ["1", "1"]);
  assert.notEqual(seen[0].token, seen[2].token);
});

test("a JSON body is repeated as it was, not encoded twice", async () => {
  const { instance } = await attached();
  live.clear();
  await instance.post("/api", { name: "Ann", list: [1, 2] });
  const [one, , two] = seen;
  assert.deepEqual(JSON.parse(two.body), { name: "Ann", list: [1, 2] });
  assert.deepEqual([two.body, two.headers["content-type"]], [one.body, one.headers["content-type"]]);
});

for (const [kind, data] of [["string", "plain text"], ["URLSearchParams", new URLSearchParams({ a: "1 2" })], ["Buffer", Buffer.from("bytes")]]) {
  test(`a body that is a ${kind} is repeated as it was`, async () => {
    const { instance } = await attached();
    live.clear();
    await instance.put("/api", data);
    const [one, , two] = seen;
    assert.ok(one.body.length);
    assert.deepEqual([two.body, two.headers["content-type"]], [one.body, one.headers["content-type"]]);
  });
}

test("a form with a file is repeated whole, with a boundary that fits", async () => {
  const { instance } = await attached();
  live.clear();
  const form = new FormData();
  form.set("name", "Ann");
  form.set("file", new Blob(["content"]), "a.txt");
  assert.equal((await instance.post("/api", form)).status, 200);
  for (const { body, headers } of [seen[0], seen[2]]) {
    const parsed = await new Response(body, { headers: { "Content-Type": headers["content-type"] } }).formData();
    assert.equal(parsed.get("name"), "Ann");
    assert.equal(await parsed.get("file").text(), "content");
  }
});

test("a transformRequest of the caller's gets the data again, and not what it made of it", async () => {
  const { instance } = await attached({ transformRequest: [(data) => JSON.stringify({ wrapped: data })] });
  live.clear();
  await instance.post("/api", "text");
  assert.deepEqual([seen[0].body, seen[2].body], Array(2).fill('{"wrapped":"text"}'));
});

test("20 requests in parallel: one refresh", async () => {
  const { instance } = await attached();
  live.clear();
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => instance.get(`/api/${index}`)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
  assert.equal(lines().filter((line) => line === "POST /auth/refresh").length, 1);
});

test("an endpoint that always says 401: one refresh, one repetition, then the error", async () => {
  const { instance } = await attached();
  await assert.rejects(instance.get("/always"), (error) => axios.isAxiosError(error) && error.response.status === 401);
  assert.deepEqual(lines(), ["GET /always", "POST /auth/refresh", "GET /always"]);
});

test("other errors stay what they were", async () => {
  const { instance } = await attached();
  await assert.rejects(instance.get("/odd"), { name: "AxiosError", status: 500 });
  await assert.rejects(instance.get("http://127.0.0.1:9/", { timeout: 2000 }), (error) => axios.isAxiosError(error) && !error.response);
  assert.deepEqual(lines(), ["GET /odd"]);
});

test("the caller's own Authorization is left alone, and its 401 is their own", async () => {
  const { instance } = await attached();
  await assert.rejects(instance.get("/api", { headers: { Authorization: "Basic abc" } }), { status: 401 });
  assert.deepEqual([lines(), seen[0].headers.authorization], [["GET /api"], "Basic abc"]);
});

test("another origin gets no token, by URL or by baseURL", async (t) => {
  const { instance } = await attached();
  const heard = [];
  const other = createServer((request, response) => {
    heard.push(request.headers.authorization ?? null);
    response.writeHead(401).end();
  });
  await new Promise((done) => other.listen(0, "127.0.0.1", done));
  t.after(() => other.close());
  const elsewhere = `http://127.0.0.1:${other.address().port}`;
  await assert.rejects(instance.get(`${elsewhere}/api`), { status: 401 });
  await assert.rejects(instance.get("/api", { baseURL: elsewhere }), { status: 401 });
  assert.deepEqual(heard, [null, null]);
  assert.deepEqual(lines(), []);
});

test("a response that is not parsed is repeated as well", async () => {
  const { instance } = await attached();
  live.clear();
  assert.equal((await instance.get("/api", { responseType: "text" })).status, 200);
  live.clear();
  assert.equal((await instance.get("/api", { responseType: "arraybuffer" })).status, 200);
});

test("an interceptor that unwraps the data and was there before sees each answer once", async () => {
  const auth = createAuthClient({ baseUrl: base });
  await auth.login({ username: "ann" });
  const instance = axios.create({ baseURL: base });
  instance.interceptors.response.use((response) => response.data);
  attachAxios(instance, auth);
  assert.deepEqual(await instance.get("/api"), { ok: true });
  live.clear();
  assert.deepEqual(await instance.get("/api"), { ok: true });
});

test("taken off again: no token, no repetition", async () => {
  const { instance, detach } = await attached();
  detach();
  await assert.rejects(instance.get("/api"), { status: 401 });
  assert.deepEqual([lines(), seen[0].token], [["GET /api"], null]);
});

test("detached while a request is under way: what was sent is still repeated at most once", async () => {
  const { instance, detach } = await attached();
  live.clear();
  const request = instance.get("/always").catch((error) => error);
  detach();
  assert.equal((await request).response.status, 401);
  assert.ok(lines().filter((line) => line === "GET /always").length <= 2);
});
