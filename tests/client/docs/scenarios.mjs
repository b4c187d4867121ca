/**
 * One scenario of the table "Before and after" with one of the two files of the page, in two "tabs" over a server made
 * up here. Prints what became of it. Arguments: the file's name, the scenario. It runs beside the files and node_modules.
 */

import axios, { AxiosError, AxiosHeaders } from "axios";

const [file, scenario] = process.argv.slice(2);
const pause = (time) => new Promise((done) => setTimeout(done, time));
const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

// ---- the browser: one origin, so one storage, one lock, one jar

const items = new Map();
globalThis.localStorage = new Proxy(
  {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => items.set(key, `${value}`),
    removeItem: (key) => items.delete(key),
    clear: () => items.clear(),
  },
  {
    get: (target, key) => target[key] ?? items.get(key),
    set: (target, key, value) => items.set(key, `${value}`) && true,
  },
);
let turn = Promise.resolve();
const locks = { request: (name, options, work) => (turn = turn.catch(() => {}).then(work)) };
Object.defineProperty(globalThis, "navigator", { value: { locks }, configurable: true });
globalThis.location = { href: "https://app.example/", origin: "https://app.example", pathname: "/", hash: "" };
globalThis.document = { hidden: false, addEventListener() {} };
globalThis.window = { addEventListener() {} };
globalThis.addEventListener = () => {};

// ---- the server

const server = {
  generation: 0, over: false, refreshes: 0, leaked: false,
  strict: false, // a spent token ends the session; otherwise it is given the same successor, as by the middleware
  fault: null, delay: 0,
};
let valid = null; // the one access token
let cookie = null;
let answers = 0;

function tokens() {
  valid = jwt({ sub: "user-1", sid: "session-1", n: ++answers });
  return { access_token: valid, expires_in: 900, refresh_token: `r${server.generation}` };
}

function problem(status, code, action) {
  const headers = { "Content-Type": "application/problem+json" };
  return new Response(JSON.stringify({ status, code, action, detail: code }), { status, headers });
}

async function refreshed(token) {
  server.refreshes++;
  await pause(server.delay);
  if (server.fault === "503" || server.fault === "503 once") {
    server.fault = server.fault === "503" ? "503" : null;
    return problem(503, "store_unavailable", "retry");
  }
  const age = server.generation - Number(token?.slice(1));
  server.over ||= server.strict && age !== 0;
  if (server.over || !(age <= 1)) {
    return problem(401, "refresh_invalid", "login");
  }
  server.generation += age ? 0 : 1;
  const content = tokens();
  if (server.fault === "lost once") {
    server.fault = null;
    throw new TypeError("connection lost");
  }
  cookie = content.refresh_token;
  return Response.json(content);
}

globalThis.fetch = async (url, { headers, body } = {}) => {
  const { hostname, pathname } = new URL(url, location.href);
  const authorization = new Headers(headers).get("Authorization");
  if (hostname !== "app.example") {
    server.leaked ||= Boolean(authorization);
    return Response.json({});
  }
  switch (pathname) {
    case "/auth/login":
      cookie = `r${server.generation}`;
      return Response.json(tokens());
    case "/auth/refresh":
      return refreshed((body && JSON.parse(body).refresh_token) ?? cookie);
    case "/auth/logout":
      return Response.json({});
    default: {
      const ok = authorization === `Bearer ${valid}`; // judged when it arrives
      await pause(pathname === "/slow" ? 400 : 10);
      return ok ? Response.json({}) : problem(401, "token_expired", "refresh");
    }
  }
};

axios.defaults.adapter = async (config) => {
  const { url, method, headers, data } = { url: axios.getUri(config), ...config, headers: config.headers.toJSON() };
  const answer = await fetch(url, { method, headers, body: data }).catch((error) => {
    throw new AxiosError(error.message, AxiosError.ERR_NETWORK, config);
  });
  const content = await answer.json();
  const response = { data: content, status: answer.status, headers: new AxiosHeaders(), config };
  if (config.validateStatus(answer.status)) {
    return response;
  }
  throw new AxiosError(`status ${answer.status}`, AxiosError.ERR_BAD_REQUEST, config, null, response);
};

// ---- two tabs

async function open(number) {
  const tab = await import(`${new URL(file, import.meta.url)}?tab=${number}`);
  if (tab.auth) {
    return { ...tab, logout: tab.auth.logout, signedIn: () => tab.auth.isAuthenticated() };
  }
  return { ...tab, signedIn: () => Boolean(localStorage.getItem("accessToken")) };
}

const first = await open(1);
const second = await open(2);
if (first.auth) {
  await first.auth.login({ name: "ada" });
} else {
  const { access_token, refresh_token } = await (await fetch("/auth/login")).json();
  localStorage.setItem("accessToken", access_token);
  localStorage.setItem("refreshToken", refresh_token);
}
await pause(20); // for the other tab to hear of it
valid = "another"; // the access token has expired

/** The status that each request ended with, 0 for none at all, "never" for one that did not end in four seconds. */
const outcomes = (...requests) =>
  Promise.all(
    requests.map((request) =>
      Promise.race([
        request.then(({ status }) => status, (error) => error.response?.status ?? error.status ?? 0),
        pause(4000).then(() => "never"),
      ]),
    ),
  );

const scenarios = {
  tabs() {
    server.strict = true;
    server.delay = 300; // both are under way before one is answered
    return outcomes(first.api.get("/me"), second.api.get("/me"));
  },
  lost() {
    server.fault = "lost once";
    return outcomes(first.api.get("/me"));
  },
  unavailable() {
    server.fault = "503 once";
    return outcomes(first.api.get("/me"));
  },
  dead() {
    server.over = true;
    return outcomes(first.api.get("/me"));
  },
  waiting() {
    server.fault = "503";
    server.delay = 300;
    return outcomes(first.api.get("/me"), first.api.get("/me"), first.api.get("/me"));
  },
  late() {
    return outcomes(first.api.get("/me"), first.api.get("/slow"));
  },
  async logout() {
    server.delay = 300;
    const request = outcomes(first.api.get("/me"));
    while (!server.refreshes) {
      await pause(10);
    }
    await first.logout();
    return request;
  },
  async foreign() {
    await outcomes(first.api.get("/me"));
    return outcomes(first.api.get("https://other.example/"));
  },
};

const ended = await scenarios[scenario]();
await pause(50); // for the other tab to hear of it
const { refreshes, leaked, over } = server;
console.log(JSON.stringify({ ended, signedIn: [first.signedIn(), second.signedIn()], refreshes, leaked, over }));
process.exit();
