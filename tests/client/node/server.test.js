/** Imported where there is no page: nothing happens, and nothing keeps the process alive. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { test } from "node:test";
import { promisify } from "node:util";

import { address } from "./support.js";

const NEW_GLOBALS = `
const before = new Set(Reflect.ownKeys(globalThis));
globalThis.fetch = () => { throw new Error("a request at import"); };
const { createAuthClient } = await import(${JSON.stringify(address("index.js"))});
const { attachAxios } = await import(${JSON.stringify(address("axios.js"))});
for (const options of [undefined, {}, { transport: "body" }, { storage: "localStorage" }, { loginUrl: "/login" }]) {
  const auth = createAuthClient(options);
  if (auth.isAuthenticated()) throw new Error("signed in");
}
console.log(JSON.stringify([typeof attachAxios, Reflect.ownKeys(globalThis).filter((key) => !before.has(key)).map(String)]));
`;

const SESSION = (base) => `
import { createAuthClient } from ${JSON.stringify(address("index.js"))};
const auth = createAuthClient({ baseUrl: ${JSON.stringify(base)}, transport: "body" });
await auth.login({ username: "ann" });
await auth.refresh();
console.log(auth.isAuthenticated());
`;

async function run(program) {
  const began = performance.now();
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { timeout: 30_000 });
  return { said: JSON.parse(stdout), took: performance.now() - began };
}

test("import and creation: no request, no new global name, and the process ends", async () => {
  const { said, took } = await run(NEW_GLOBALS);
  assert.deepEqual(said, ["function", []]);
  assert.ok(took < 10_000, `${took} ms`);
});

test("a session with its timers does not keep the process alive", async (t) => {
  const answer = { access_token: "a.e30.c", expires_in: 900, refresh_token: "r" };
  const server = createServer((request, response) => {
    response.setHeader("Connection", "close");
    response.setHeader("Content-Type", "application/json");
    request.resume().on("end", () => response.end(JSON.stringify(answer)));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const { said, took } = await run(SESSION(`http://127.0.0.1:${server.address().port}`));
  assert.equal(said, true);
  assert.ok(took < 10_000, `${took} ms`);
});
