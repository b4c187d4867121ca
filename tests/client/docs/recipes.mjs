/** One recipe of the page over a server made up here; prints what became of it. Argument: the recipe's name. */

const pause = (time) => new Promise((done) => setTimeout(done, time));
const jwt = (claims) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;
const say = (value) => console.log(JSON.stringify(value));

let answers = 0;
let down = false;
let spent = null; // an access token that is refused from now on
const requests = [];

const grant = (subject, session) => ({
  access_token: jwt({ sub: subject, sid: session, n: ++answers }),
  expires_in: 900,
  refresh_token: `r${answers}`,
});

function problem(status, code, action) {
  const headers = { "Content-Type": "application/problem+json" };
  return new Response(JSON.stringify({ status, code, action, detail: code }), { status, headers });
}

let person = ["user-1", "session-1"];
globalThis.fetch = async (url, { headers, body } = {}) => {
  const { pathname } = new URL(url, "https://app.example/");
  const authorization = new Headers(headers).get("Authorization");
  requests.push([pathname, body]);
  if (down) {
    throw new TypeError("no network");
  }
  switch (pathname) {
    case "/auth/login":
    case "/auth/refresh":
      return Response.json(grant(...person));
    case "/auth/logout":
      return Response.json({});
    case "/own":
      return new Response("", { status: 401 }); // an app's own 401
    case "/none":
      return problem(401, "pin_needed", "none");
    case "/events":
      return new Response(new Blob(["data: 1\n\nda", "ta: 2\n\n"]).stream());
    default:
      return authorization && authorization !== `Bearer ${spent}` ? Response.json({}) : problem(401, "token_expired", "refresh");
  }
};

/** A page; each call is another tab of the same browser. */
const items = {};
let reloads = 0;
function browser() {
  Object.defineProperty(items, "removeItem", { value: (key) => delete items[key], configurable: true });
  Object.defineProperty(items, "getItem", { value: (key) => items[key] ?? null, configurable: true });
  Object.defineProperty(items, "setItem", { value: (key, value) => (items[key] = `${value}`), configurable: true });
  globalThis.localStorage = items;
  globalThis.location = { href: "https://app.example/", origin: "https://app.example", pathname: "/", reload: () => reloads++ };
  globalThis.document = { hidden: false, addEventListener() {} };
  globalThis.window = { addEventListener() {} };
  globalThis.addEventListener = () => {};
}

const recipes = {
  async state() {
    browser();
    const { auth, start, current, subscribe } = await import("./session.js");
    const { useSession: useInReact } = await import("./react.js");
    const { useSession: useInVue } = await import("./vue.js");
    const seen = [];
    const note = () => seen.push(current());
    const stop = subscribe(note);
    const drawn = [useInReact(), useInVue().value];
    await start();
    await auth.login({ name: "ada" });
    const again = [useInReact(), useInVue().value];
    await auth.logout();
    stop();
    say({ drawn, again, seen, left: [useInReact(), useInVue().value] });
  },
  async unknown() {
    browser();
    items["https://app.example/auth"] = "1"; // this browser had a session
    down = true;
    const { start, current } = await import("./session.js");
    await start();
    const before = current();
    down = false;
    await pause(4000);
    say([before, current()]);
  },
  async "another person"() {
    browser();
    const { auth, current } = await import("./session.js?tab=1");
    const other = await import("./session.js?tab=2");
    await auth.login({ name: "ada" });
    await pause(30);
    person = ["user-2", "session-2"];
    const seen = [];
    for (const name of ["signedin", "signedout"]) {
      auth.on(name, (detail) => seen.push([name, detail.reason ?? null]));
    }
    await other.auth.login({ name: "eve" });
    await pause(30);
    say({ seen, reloads, current: current() });
  },
  async "a 401 of the app"() {
    browser();
    const { auth } = await import("./session.js");
    await auth.login({});
    requests.length = 0;
    const own = (await auth.fetch("/own")).status;
    const none = (await auth.fetch("/none")).status;
    say({ own, none, requests: requests.map(([path]) => path), signedIn: auth.isAuthenticated() });
  },
  async native() {
    const { stored } = await import("expo-secure-store");
    const { auth } = await import("./native.js?app=1");
    const before = await auth.restore();
    await auth.login({});
    const kept = Object.fromEntries(stored);
    auth.dispose();
    const next = await import("./native.js?app=2"); // the app was closed, and is started
    const after = await next.auth.restore();
    const rotated = stored.get("refreshToken");
    await next.auth.logout();
    await pause(50);
    say({ before, after, kept: Object.keys(kept), tokens: [kept.refreshToken, rotated], left: stored.size, last: requests.at(-1) });
  },
  async upload() {
    browser();
    const { auth } = await import("./session.js");
    const { upload } = await import("./upload.js");
    await auth.login({});
    spent = await auth.getAccessToken();
    const sent = [];
    globalThis.XMLHttpRequest = class {
      upload = {};
      open(method, url) {
        Object.assign(this, { method, url });
      }
      setRequestHeader(name, value) {
        this.authorization = value;
      }
      getResponseHeader() {
        return this.status === 401 ? "application/problem+json" : null;
      }
      send(file) {
        sent.push(file);
        this.status = this.authorization === `Bearer ${spent}` ? 401 : 204;
        this.responseText = JSON.stringify({ status: 401, code: "token_expired", action: "refresh" });
        this.onload();
      }
    };
    const { status } = await upload("/files/1", "content", () => {});
    say({ status, sent });
  },
  async stream() {
    browser();
    const { auth } = await import("./session.js");
    const { events } = await import("./events.js");
    await auth.login({});
    const seen = [];
    for await (const event of events("/events")) {
      seen.push(event);
    }
    say(seen);
  },
};

await recipes[process.argv[2]]();
process.exit();
