/** The helper for WebSockets, with sockets that the test plays the server of. */

import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { address, HOME, problem, tick, token, until, World } from "./support.js";

const helper = await import(address("websocket.js"));

let sockets, opened;

function openSocket(...how) {
  opened.push(helper.openSocket(...how));
  return opened.at(-1);
}

/** Its tokens say how long they live, and are `age` seconds old by the clock of the device. */
class Timed extends World {
  age = 0;

  tokens() {
    const iat = Date.now() / 1000 - this.age;
    Object.assign(this.session, { iat, exp: iat + this.lifetime });
    return super.tokens();
  }
}

class FakeSocket {
  readyState = 0;
  sent = [];

  constructor(url, protocols) {
    if (url === "ws://localhost/refused-by-the-browser") {
      throw new SyntaxError("not a good address");
    }
    Object.assign(this, { url, protocols });
    sockets.push(this);
  }

  get used() {
    return this.protocols[1];
  }

  get renewals() {
    return this.sent.map((text) => JSON.parse(text).access_token);
  }

  /** The server accepts it. */
  accept(timeStamp = 1000) {
    this.readyState = 1;
    this.onopen({ type: "open", target: this, timeStamp });
  }

  /** It ends, by whomever. */
  end(code, reason = "", timeStamp = 1000) {
    this.readyState = 3;
    this.onclose({ type: "close", code, reason, timeStamp });
  }

  send(data) {
    this.sent.push(data);
  }

  close(...how) {
    this.closedWith = how;
    if (this.readyState < 2) {
      this.readyState = 2;
      queueMicrotask(() => this.end(how[0] ?? 1005, how[1]));
    }
  }
}

globalThis.WebSocket = FakeSocket;
globalThis.location = { href: `${HOME}/page`, toString: () => `${HOME}/page` };

/** A world with a session, and what the helper has said. */
async function start(options, { login = true, url = "/chat", ...more } = {}) {
  const world = new Timed(more);
  if (login) {
    await world.login();
  }
  const said = [];
  const socket = openSocket(world.auth, url, {
    onopen: ({ target }) => said.push(["open", target]),
    onmessage: ({ data }) => said.push(["message", data]),
    onclose: (event, again) => said.push(["close", event.code ?? event.message, again]),
    ...options,
  });
  await tick();
  return { world, said, socket };
}

const closes = (said) => said.filter(([what]) => what === "close").map(([, ...rest]) => rest);

/** Time that only moves when the test says so, for the timers of the helper. */
function stopTime(t) {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
}

/** Whatever was begun has come to its next wait. */
async function settle() {
  for (let turn = 0; turn < 50; turn++) {
    await new Promise((done) => setImmediate(done));
  }
}

beforeEach(() => (sockets = [], opened = []));
afterEach(() => opened.forEach((socket) => socket.close()));

const addresses = [
  ["/chat", "ws://localhost/chat"],
  ["chat?room=1", "ws://localhost/chat?room=1"],
  ["http://localhost/chat", "ws://localhost/chat"],
  ["ws://localhost/chat", "ws://localhost/chat"],
  [new URL("ws://localhost/chat"), "ws://localhost/chat"],
  ["https://api.example.com/http", "wss://api.example.com/http"],
  ["wss://api.example.com/ws", "wss://api.example.com/ws"],
];
for (const [url, wanted] of addresses) {
  test(`${url} is opened at ${wanted}, with the token as a sub-protocol and nowhere else`, async () => {
    const { world } = await start({ protocols: ["chat", "v2"] }, { url, allowedOrigins: ["https://api.example.com"] });
    assert.equal(sockets[0].url, wanted);
    assert.deepEqual(sockets[0].protocols, ["bearer", await world.auth.getAccessToken(), "chat", "v2"]);
  });
}

test("another origin is sent no token, and no socket is opened", async () => {
  const { said } = await start({ reconnect: true }, { url: "wss://evil.example/chat" });
  assert.deepEqual([sockets.length, closes(said)], [0, [["signedout", false]]]);
});

test("without a session no socket is opened", async () => {
  const { said, socket } = await start({ reconnect: true }, { login: false });
  await until(() => said.length);
  assert.deepEqual([sockets.length, closes(said)], [0, [["signedout", false]]]);
  assert.equal(socket.send("x"), false);
});

test("a token that cannot be had is told", async () => {
  const world = new Timed({ session: { sub: "ann", sid: "s" } });
  world.routes["POST /auth/refresh"] = () => problem(429, "rate_limited", { headers: { "Retry-After": "60" } });
  const said = [];
  openSocket(world.auth, "/chat", { onclose: (error, again) => said.push([error, again]) });
  await until(() => said.length);
  assert.deepEqual([said[0][0].status, said[0][0].retryAfter, said[0][1], sockets.length], [429, 60, false, 0]);
});

test("an address that the browser does not take is told", async () => {
  const { said } = await start({}, { url: "/refused-by-the-browser" });
  assert.deepEqual(closes(said), [["not a good address", false]]);
});

test("messages go both ways while it is open, and are not kept while it is not", async () => {
  const { said, socket } = await start();
  assert.equal(socket.send("early"), false);
  sockets[0].accept();
  assert.equal(socket.send("hello"), true);
  sockets[0].onmessage({ data: "hi" });
  sockets[0].end(1001);
  assert.equal(socket.send("late"), false);
  assert.deepEqual(sockets[0].sent, ["hello"]);
  assert.deepEqual(said, [["open", sockets[0]], ["message", "hi"], ["close", 1001, false]]);
});

test("no handler is needed", async () => {
  const world = new Timed();
  await world.login();
  openSocket(world.auth, "/chat");
  await tick();
  sockets[0].accept();
  sockets[0].onmessage?.({ data: "hi" });
  sockets[0].end(1000);
});

test("every new token is sent over it, once", async () => {
  const { world } = await start();
  sockets[0].accept();
  await tick();
  assert.deepEqual(sockets[0].sent, [], "the one that it was opened with is not sent again");
  const tokens = [await world.auth.refresh(), await world.auth.refresh()];
  await tick();
  assert.deepEqual(sockets[0].sent.map((text) => JSON.parse(text)), tokens.map((value) => ({ type: "token", access_token: value })));
});

test("a token that came while it was being opened is sent when it is", async () => {
  const { world } = await start();
  const fresh = await world.auth.refresh();
  await tick();
  assert.deepEqual(sockets[0].sent, []);
  sockets[0].accept();
  await tick();
  assert.deepEqual(sockets[0].renewals, [fresh]);
});

test("a new token is asked for before the lease ends, though the client has no timer", async (t) => {
  const { world } = await start({}, { autoRefresh: false });
  stopTime(t);
  sockets[0].accept();
  for (const number of [1, 2, 3]) {
    await settle();
    mock.timers.tick(674_000);
    await settle();
    assert.equal(world.refreshes, number - 1);
    mock.timers.tick(1000);
    await settle();
    assert.deepEqual([world.refreshes, sockets[0].sent.length], [number, number]);
  }
});

for (const [what, age, wait] of [
  ["a fresh token", 0, 674.25],
  ["one of which most is over", 800, 74.25],
  ["one that is over by the clock of the device, which is fast", 5000, 0],
  ["one that has not begun by the clock of the device, which is slow", -5000, 674.25],
]) {
  test(`when the socket is opened with ${what} the next one is asked for after ${wait} s`, async (t) => {
    const { world } = await start({}, { autoRefresh: false });
    world.age = age;
    await world.auth.refresh();
    const socket = openSocket(world.auth, "/chat");
    await tick();
    world.calls.length = 0;
    stopTime(t);
    sockets[1].accept();
    await settle();
    mock.timers.tick(Math.max(0, wait * 1000 - 500));
    await settle();
    assert.equal(world.refreshes, wait ? 0 : 1);
    mock.timers.tick(1000);
    await settle();
    assert.equal(world.refreshes, 1);
    socket.close();
  });
}

test("a refresh that fails is tried again half a minute later, for as long as the socket is open", async (t) => {
  const { world } = await start({}, { autoRefresh: false });
  world.routes["POST /auth/refresh"] = () => problem(503, "store_unavailable", { headers: { "Retry-After": "3" } });
  stopTime(t);
  sockets[0].accept();
  await settle();
  mock.timers.tick(675_000);
  await settle();
  const first = world.refreshes;
  assert.ok(first > 0);
  mock.timers.tick(29_000);
  await settle();
  assert.equal(world.refreshes, first);
  delete world.routes["POST /auth/refresh"];
  mock.timers.tick(1000);
  await settle();
  assert.deepEqual([world.refreshes, sockets[0].sent.length], [first + 1, 1]);
  sockets[0].end(1001);
  mock.timers.tick(5_000_000);
  await settle();
  assert.equal(world.refreshes, first + 1);
});

test("after 4401 the token is refreshed once and the socket opened again", async () => {
  const { world, said } = await start();
  sockets[0].accept();
  sockets[0].end(4401, "token_expired");
  await until(() => sockets.length === 2);
  assert.equal(world.refreshes, 1);
  assert.notEqual(sockets[1].used, sockets[0].used);
  sockets[1].accept();
  assert.deepEqual(said.map(([what]) => what), ["open", "close", "open"]);
  assert.deepEqual(closes(said), [[4401, true]]);
});

test("a second 4401 at once is the end, so nothing goes in circles", async () => {
  const { world, said } = await start();
  sockets[0].accept();
  sockets[0].end(4401);
  await until(() => sockets.length === 2);
  sockets[1].accept();
  sockets[1].end(4401, "", 6000);
  assert.deepEqual(closes(said), [[4401, true], [4401, false]]);
  await tick(50);
  assert.deepEqual([world.refreshes, sockets.length], [1, 2]);
});

test("one that comes after five good seconds is not the second", async () => {
  const { said } = await start();
  for (const number of [1, 2, 3]) {
    await until(() => sockets.length === number);
    sockets.at(-1).accept(1000);
    sockets.at(-1).end(4401, "token_expired", 6001);
  }
  assert.deepEqual(closes(said), Array(3).fill([4401, true]));
});

test("after 4401 with a session that is over it is over", async () => {
  const { world, said } = await start({ reconnect: true });
  sockets[0].accept();
  world.session = null;
  sockets[0].end(4401, "token_revoked");
  await until(() => said.length === 3);
  assert.deepEqual(closes(said), [[4401, true], ["signedout", false]]);
  assert.deepEqual(world.named("signedout"), [{ reason: "expired" }]);
  await tick(20);
  assert.equal(sockets.length, 1);
});

for (const code of [1000, 1001, 1006, 1011, 1012, 4000, 4403]) {
  test(`after ${code} it is over, unless it was asked for`, async () => {
    const { world, said } = await start();
    sockets[0].accept();
    sockets[0].end(code);
    assert.deepEqual(closes(said), [[code, false]]);
    await world.auth.refresh();
    assert.deepEqual(sockets[0].sent, []);
    const other = await start({ reconnect: true });
    sockets[1].accept();
    sockets[1].end(code);
    await until(() => sockets.length === 3);
    assert.deepEqual(closes(other.said), [[code, true]]);
    assert.equal(other.world.refreshes, 0, "the token is as good as it was");
    other.socket.close();
  });
}

test("waiting grows with each failure, at random, and begins again after five good seconds", async (t) => {
  t.mock.method(Math, "random", () => 0.5);
  const { said, socket } = await start({ reconnect: true });
  stopTime(t);
  sockets[0].accept(1000);
  for (const [number, wait] of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
    sockets[number].end(1006, "", 2000 + number * 60_000);
    mock.timers.tick(wait - 1);
    await settle();
    assert.equal(sockets.length, number + 1);
    mock.timers.tick(1);
    await settle();
    assert.equal(sockets.length, number + 2);
  }
  sockets.at(-1).accept(1000);
  sockets.at(-1).end(1006, "", 6001);
  mock.timers.tick(500);
  await settle();
  assert.equal(sockets.length, 10);
  assert.ok(closes(said).every(([, again]) => again));
  socket.close();
});

test("a logout closes it", async () => {
  const { world, said } = await start({ reconnect: true });
  sockets[0].accept();
  await world.auth.logout();
  await until(() => closes(said).length);
  assert.deepEqual([sockets[0].closedWith, closes(said)], [[], [[1005, false]]]);
  await world.login();
  assert.equal(sockets.length, 1);
});

test("somebody else's login closes it, and no token of theirs is sent over it", async () => {
  const { world } = await start();
  sockets[0].accept();
  await world.auth.login({ username: "bob" });
  await tick();
  assert.deepEqual([sockets[0].sent, sockets[0].closedWith], [[], []]);
});

test("it can be closed, with a code and a reason of the page's own", async () => {
  const { world, said, socket } = await start({ reconnect: true });
  sockets[0].accept();
  socket.close(4000, "bye");
  socket.close();
  await until(() => closes(said).length);
  assert.deepEqual(closes(said), [[4000, false]]);
  await world.auth.refresh();
  assert.deepEqual(sockets[0].sent, []);
});

test("closed before there is a token: no socket is opened", async () => {
  const world = new Timed();
  await world.login();
  const said = [];
  openSocket(world.auth, "/chat", { onclose: ({ message }, again) => said.push([message, again]) }).close();
  await until(() => said.length);
  assert.deepEqual([sockets.length, said], [0, [["signedout", false]]]);
});

test("closed while it waits to connect again: nothing more happens", async (t) => {
  const { said, socket } = await start({ reconnect: true });
  stopTime(t);
  sockets[0].end(1006);
  socket.close();
  mock.timers.tick(100_000);
  await settle();
  assert.deepEqual([sockets.length, closes(said)], [1, [[1006, true]]]);
});

test("the token in a socket is read from what base64url makes of it", async () => {
  const { world } = await start({}, { login: false });
  world.session = { sub: "ann", sid: "s", odd: "???>>>~~~ü" };
  assert.match(token(world.session).split(".")[1], /[-_]/);
  await world.auth.refresh();
  openSocket(world.auth, "/chat");
  await tick();
  sockets[0].accept();
  assert.equal(sockets[0].readyState, 1);
});

/** An auth client that does what the test says; `listeners` are those who still listen. */
function fakeAuth() {
  const listeners = new Set();
  const value = token({ iat: Date.now() / 1000, exp: Date.now() / 1000 + 900 });
  return {
    listeners,
    token: value,
    async getAccessToken() {
      return this.token;
    },
    async refresh() {
      return this.token;
    },
    on(name, handler) {
      const entry = [name, handler];
      listeners.add(entry);
      return () => listeners.delete(entry);
    },
    emit: (wanted, detail) => listeners.forEach(([name, handler]) => name === wanted && handler(detail)),
  };
}
let fake;

test("a session that ends while its new token is being sent: nothing is sent", async () => {
  const auth = fake = fakeAuth();
  openSocket(auth, "/chat");
  await tick();
  sockets[0].accept();
  auth.token = null;
  auth.emit("refreshed", { expiresIn: 900 });
  await tick();
  assert.deepEqual(sockets[0].sent, []);
});

for (const [how, end] of [
  ["by the server", () => sockets[0].end(1000)],
  ["by the page", (socket) => socket.close()],
  ["with the session", () => fake.emit("signedout", { reason: "user" })],
]) {
  test(`closed ${how}: it listens to nothing any more`, async () => {
    const auth = fake = fakeAuth();
    const socket = openSocket(auth, "/chat");
    await tick();
    sockets[0].accept();
    assert.equal(auth.listeners.size, 2);
    end(socket);
    await tick();
    assert.equal(auth.listeners.size, 0);
  });
}
