/** An issuer and an API behind a `fetch` of their own, for tests that need no server. */

import { resolve } from "node:path";
import { after, before } from "node:test";
import { pathToFileURL } from "node:url";

// Another folder holds a copy with a fault sown into it.
const folder = resolve(process.env.CLIENT_FOLDER ?? `${import.meta.dirname}/../../../jwt_refresh_middleware/client`);
export const address = (name) => pathToFileURL(`${folder}/${name}`).href;
export const { AuthError, createAuthClient } = await import(address("index.js"));

// The client's timers keep no process alive, so somebody else has to while a test waits for them.
let waiting;
before(() => (waiting = setInterval(() => {}, 1000)));
after(() => clearInterval(waiting));

export const HOME = "http://localhost";
export const tick = (time = 0) => new Promise((done) => setTimeout(done, time));

/** A promise and what fulfils it. */
export function gate() {
  let open;
  const opened = new Promise((done) => (open = done));
  return { opened, open };
}

export async function until(holds, patience = 10_000) {
  const deadline = performance.now() + patience;
  while (!holds()) {
    if (performance.now() > deadline) {
      throw new Error(`never came true: ${holds}`);
    }
    await tick(5);
  }
}

const encoded = (part) => Buffer.from(JSON.stringify(part)).toString("base64url");
export const token = (content) => [{ alg: "none" }, content, "signature"].map(encoded).join(".");
export const contentOf = (value) => JSON.parse(Buffer.from(value.split(".")[1], "base64url"));

export const json = (status, content, headers = {}) =>
  new Response(JSON.stringify(content), { status, headers: { "Content-Type": "application/json", ...headers } });

const ACTIONS = { token_expired: "refresh", step_up_required: "step_up" };

/** An answer of the middleware's own. */
export function problem(status, code, { action, headers, ...more } = {}) {
  action ??= ACTIONS[code] ?? (status === 401 ? "login" : status === 429 || status > 499 ? "retry" : "none");
  const content = { type: `https://e.example#${code}`, title: code, status, code, detail: code, action, error: null };
  return json(status, { ...content, ...more }, { "Content-Type": "application/problem+json", ...headers });
}

export class World {
  /** What came in, in order: {line, path, token, body, headers, status}. */
  calls = [];
  events = [];
  /** Access tokens that the API takes. */
  live = new Set();
  /** Who the cookie (or the refresh token) belongs to. */
  session = null;
  lifetime = 900;
  /** Whether the issuer wants a step-up before it gives out another token. */
  marked = false;
  proofs = 0;
  made = 0;
  /** "POST /auth/refresh" -> what answers instead of the issuer. */
  routes = {};

  constructor({ camel = false, body = false, session = null, ...options } = {}) {
    Object.assign(this, { camel, body, session });
    this.fetch = (input, init) => this.#fetch(input, init);
    this.options = { fetch: this.fetch, baseUrl: HOME, transport: body ? "body" : "cookie", ...options };
    this.auth = this.client();
  }

  client(options) {
    const auth = createAuthClient({ ...this.options, ...options });
    for (const name of ["signedin", "refreshed", "signedout", "refresherror", "stepup"]) {
      auth.on(name, (detail) => this.events.push([name, detail]));
    }
    return auth;
  }

  async #fetch(input, init = {}) {
    init.signal?.throwIfAborted();
    const request = new Request(input, init.body?.getReader ? { ...init, duplex: "half" } : init);
    const { pathname, origin } = new URL(request.url);
    const line = `${request.method} ${pathname}`;
    const sent = request.headers.get("Authorization");
    const call = { line, origin, url: request.url, token: sent?.replace(/^Bearer /, "") ?? null, headers: request.headers };
    Object.assign(call, { init, bytes: Buffer.from(await request.arrayBuffer()) });
    call.body = call.bytes.toString();
    this.calls.push(call);
    const aborted = new Promise((_, fail) => {
      init.signal?.addEventListener("abort", () => fail(init.signal.reason));
    });
    const answer = await Promise.race([(this.routes[line] ?? this.#default)(call), aborted]);
    call.status = answer.status;
    return answer;
  }

  #default = (call) => {
    if (!call.line.includes(" /auth/")) {
      return this.live.has(call.token) ? json(200, { ok: true }) : problem(401, "token_expired");
    }
    if (call.line.endsWith("/login") || call.line.endsWith("/register")) {
      const { username } = JSON.parse(call.body);
      this.session = { sub: username, sid: `sid-${username}-${++this.made}` };
      return this.tokens();
    }
    if (call.line.endsWith("/step-up")) {
      return JSON.parse(call.body).password === "secret" ? this.prove() : problem(401, "invalid_credentials");
    }
    if (call.line.endsWith("/refresh") && this.marked) {
      return problem(401, "step_up_required", { acr_values: null, max_age: null });
    }
    if (call.line.endsWith("/refresh")) {
      return this.session ? this.tokens() : problem(401, "refresh_invalid");
    }
    this.session = null;
    this.live.clear();
    return json(200, { status: "logged_out" });
  };

  /** The answer of a login or a refresh: a new access token, which the API takes from now on. */
  tokens(lifetime = this.lifetime) {
    const number = ++this.made;
    const value = token({ ...this.session, jti: number });
    this.live.add(value);
    const snake = { access_token: value, token_type: "Bearer", expires_in: lifetime, scope: "" };
    const camel = { accessToken: value, tokenType: "Bearer", expiresIn: lifetime, scope: "" };
    const kept = this.camel ? { refreshToken: `refresh-${number}` } : { refresh_token: `refresh-${number}` };
    return json(200, { ...(this.camel ? camel : snake), ...(this.body && kept) });
  }

  /** The person has authenticated again, for instance as `acr`. */
  prove(acr = this.session.acr) {
    this.marked = false;
    this.session = { ...this.session, auth_time: 1000 + ++this.proofs, acr };
    return this.tokens();
  }

  async login(username = "ann") {
    const { accessToken, access_token: value = accessToken } = await this.auth.login({ username, password: "secret" });
    this.calls.length = this.events.length = 0;
    return value;
  }

  /** From now on the API takes none of the tokens that it has taken so far. */
  expire() {
    this.live.clear();
  }

  count(line) {
    return this.calls.filter((call) => call.line === line).length;
  }

  get refreshes() {
    return this.count("POST /auth/refresh");
  }

  get lines() {
    return this.calls.map((call) => call.line);
  }

  named(name) {
    return this.events.filter(([type]) => type === name).map(([, detail]) => detail);
  }
}
