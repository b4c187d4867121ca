/** Double-token authentication for a web page. What it does for whom is described in index.d.ts. */

const KEYS = ["accessToken", "accessTokenExpiresAt", "refreshToken"];
const page = globalThis.document;
const pause = (time) => new Promise((done) => setTimeout(done, time));
const quiet = () => {};

export class AuthError extends Error {
  constructor(answer, problem) {
    super(problem?.detail ?? (answer ? `The server answered ${answer.status}` : "No answer"));
    const { status = 0, headers } = answer ?? {};
    const retryAfter = +headers?.get("Retry-After") || 0;
    const temporary = !problem || status === 429 || status > 499;
    Object.assign(this, { name: "AuthError", status, problem, code: problem?.code, retryAfter, temporary });
  }
}

/** The problem (RFC 9457) that an answer describes, if it is one of the middleware's. */
async function problemOf(answer) {
  const problem = /^application\/problem\+json/.test(answer.headers.get("Content-Type"))
    && await answer.clone().json().catch(quiet);
  return problem?.code && problem;
}

/** Whose session a token is of: read to notice a change, never to trust it. */
function claims(token) {
  try {
    return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return {};
  }
}

export function createAuthClient({
  baseUrl = "", prefix = "/auth", transport = "cookie", storage = "memory", leeway = 30, autoRefresh = true,
  allowedOrigins = [], loginUrl, timeout = 15, fetch = (...of) => globalThis.fetch(...of),
} = {}) {
  const here = globalThis.location?.href ?? "http://localhost";
  const home = new URL(baseUrl.replace(/\/?$/, "/"), here);
  const issuer = home.href.slice(0, -1) + prefix;
  const byCookie = transport === "cookie";
  let local; // not on a server, nor where it is blocked
  try {
    local = page && localStorage;
  } catch {}
  const kept = storage.getItem ? storage : storage === "localStorage" && local;
  let channel = page && (byCookie || kept === local) && new BroadcastChannel(issuer);
  const target = new EventTarget();
  const gone = new AbortController();

  let token = null; // when it is to be renewed, by two clocks: one may stand still, the other jump
  let refreshToken; // of the transport "body"
  let epoch = 0; // of sessions: what was begun in an earlier one is dropped
  let flight, stop, timer, failure, failures = 0, notBefore = 0;

  const due = () => (token ? Math.min(token.wall - Date.now(), token.steady - performance.now()) : 0);
  const hinted = () => (byCookie ? !local || local[issuer] : refreshToken);
  const emit = (type, detail) => target.dispatchEvent(Object.assign(new Event(type), { detail }));
  const urlOf = (input) => new URL(input.url ?? input, baseUrl ? home : here);

  function hold(value, expiresAt) {
    const expiresIn = expiresAt - Date.now() / 1000;
    const fresh = (expiresIn - Math.min(leeway, expiresIn / 4)) * 1000;
    const before = token && claims(token.value).sub;
    const same = before === claims(value).sub;
    token = { value, wall: Date.now() + fresh, steady: performance.now() + fresh };
    failures = notBefore = 0;
    if (before && !same) {
      epoch++;
      emit("signedout", { reason: "other-tab" });
    }
    emit(same ? "refreshed" : "signedin", { expiresIn, expiresAt });
    schedule();
  }

  /** The session is over; `told` by another tab, which has done the rest. */
  function end(reason, told) {
    const { sid } = claims(token?.value);
    epoch++;
    stop?.abort();
    token = refreshToken = null;
    if (!told) {
      local?.removeItem(issuer);
      keep();
      channel?.postMessage({ sid });
    }
    emit("signedout", { reason });
    const url = loginUrl?.call ? loginUrl(reason) : loginUrl;
    if (page && url && new URL(url, here).pathname !== location.pathname) {
      location.replace(url);
    }
  }

  async function keep(...items) {
    for (const [index, key] of KEYS.entries()) {
      await (items[index] ? kept?.setItem?.(key, `${items[index]}`) : kept?.removeItem?.(key));
    }
  }

  /** Keeps what came before anybody uses it. */
  async function adopt(answer) {
    const value = answer.access_token ?? answer.accessToken;
    const expiresAt = Date.now() / 1000 + (answer.expires_in ?? answer.expiresIn);
    refreshToken = answer.refresh_token ?? answer.refreshToken;
    if (byCookie && local) {
      local[issuer] = 1;
    }
    await keep(value, expiresAt, refreshToken);
    channel?.postMessage({ value, expiresAt });
    hold(value, expiresAt);
  }

  async function post(path, content, headers) {
    const { signal } = (stop = new AbortController());
    const patience = setTimeout(() => stop.abort(), timeout * 1000);
    let answer;
    try {
      answer = await fetch(issuer + path, {
        method: "POST", body: JSON.stringify(content), keepalive: true, signal,
        credentials: byCookie ? "include" : "omit",
        headers: { "Content-Type": "application/json", ...(byCookie || { "X-Token-Transport": transport }), ...headers },
      });
      if (answer.ok) {
        return await answer.json();
      }
    } catch {
      answer = null;
    }
    clearTimeout(patience);
    throw new AuthError(answer, answer && await problemOf(answer));
  }

  /** One tab at a time; nobody waits longer than 5 s. */
  function inTurn(work) {
    let begun;
    const asked = performance.now();
    return globalThis.navigator?.locks ? navigator.locks.request(issuer, { signal: AbortSignal.timeout(5000) }, async () => {
      begun = true;
      await pause(performance.now() - asked > 20 ? 50 : 0); // what another tab got is on its way here
      return work();
    }).catch((error) => {
      if (begun) {
        throw error;
      }
      return work();
    }) : work();
  }

  async function exchange() {
    const [began, used] = [epoch, token];
    await inTurn(async () => {
      if (token !== used || epoch !== began) {
        return;
      }
      refreshToken = await kept?.getItem?.(KEYS[2]) ?? refreshToken;
      const answer = await post("/refresh", { refresh_token: refreshToken }).catch((error) => error);
      if (epoch !== began) {
        return;
      }
      if (answer.message) {
        throw answer;
      }
      await adopt(answer);
    });
  }

  async function renewal(again) {
    const wait = notBefore - performance.now();
    if (wait > 2000) {
      throw failure;
    }
    await (wait > 0 && pause(wait));
    try {
      await exchange();
    } catch (error) {
      const { status, problem, temporary, retryAfter } = failure = error;
      notBefore = performance.now() + 1000 * (retryAfter || Math.min(60, 2 ** failures++) * (1 + Math.random()) / 2);
      if (problem?.action === "step_up") {
        emit("stepup", problem);
      } else if (!temporary && [400, 401, 403].includes(status)) {
        end("expired");
      } else {
        emit("refresherror", { error });
        if (again) {
          return renewal();
        }
      }
      throw error;
    }
  }

  const renew = () => (flight ??= renewal(true).finally(() => {
    flight = null;
    schedule();
  }));

  function schedule() {
    clearTimeout(timer);
    if (autoRefresh && hinted() && !page?.hidden) {
      timer = setTimeout(check, Math.min(Math.max(due(), notBefore - performance.now(), 500), 1e9));
      timer.unref?.();
    }
  }

  /** A tab that slept or was hidden may have missed the end of the session, or of its token. */
  function check() {
    if (token && !hinted()) {
      end("other-tab", true);
    } else if (due() <= 0 && hinted() && !page?.hidden) {
      renew().catch(quiet);
    } else {
      schedule();
    }
  }

  async function getAccessToken() {
    if (!token) {
      const [value, expiresAt, refresh] = await Promise.all(KEYS.map((key) => kept?.getItem?.(key)));
      refreshToken ??= refresh;
      if (!token && expiresAt > Date.now() / 1000) {
        hold(value, +expiresAt);
      }
    }
    if (due() <= 0 && hinted()) {
      await renew().catch((error) => {
        if (!token && error.temporary) {
          throw error;
        }
      });
    }
    return token && token.value;
  }

  const tokenFor = async (url) => ([home.origin, ...allowedOrigins].includes(urlOf(url).origin) ? getAccessToken() : null);

  async function replacement(used, problem) {
    if (token?.value === used) {
      if (problem?.action === "login") {
        end("expired");
      } else if (!problem || problem.action === "refresh") {
        await renew().catch((error) => {
          if (token) {
            throw error;
          }
        });
      } else if (problem.action === "step_up") {
        emit("stepup", problem);
      }
    }
    const next = token && token.value;
    return next !== used && claims(next).sub === claims(used).sub ? next : null;
  }

  async function fetchWithAuth(input, init) {
    const headers = new Headers(init?.headers ?? input.headers);
    const send = (value) => {
      if (value) {
        headers.set("Authorization", `Bearer ${value}`);
      }
      return fetch(input.clone?.() ?? urlOf(input), { ...init, headers });
    };
    const used = headers.has("Authorization") ? null : await tokenFor(input);
    const answer = await send(used);
    const next = used && answer.status === 401 && !init?.body?.getReader && await replacement(used, await problemOf(answer));
    return next ? send(next) : answer;
  }

  async function enter(path, credentials) {
    await flight?.catch(quiet);
    const answer = await inTurn(() => post(path, credentials));
    if (answer.access_token ?? answer.accessToken) {
      epoch++;
      token = null;
      await adopt(answer);
    }
    return answer;
  }

  if (channel) {
    channel.onmessage = ({ data: { value, expiresAt, sid } }) => {
      if (value) {
        hold(value, expiresAt);
      } else if (token && sid === claims(token.value).sid) {
        end("other-tab", true);
      }
    };
    for (const type of ["visibilitychange", "pageshow", "online"]) {
      (type[0] === "v" ? page : window).addEventListener(type, () => {
        notBefore = 0;
        check();
      }, gone);
    }
  }

  return {
    fetchWithAuth, fetch: fetchWithAuth, getAccessToken, tokenFor, replacement,
    login: (credentials) => enter("/login", credentials),
    register: (credentials) => enter("/register", credentials),
    restore: async () => Boolean(await getAccessToken()),
    isAuthenticated: () => Boolean(token),
    async refresh() {
      notBefore = 0;
      await renew();
      return token && token.value;
    },
    async logout({ all } = {}) {
      epoch++;
      stop?.abort();
      await post("/logout", { all, refresh_token: refreshToken }, token && { Authorization: `Bearer ${token.value}` });
      end("user");
    },
    async deleteAccount() {
      const answer = await fetchWithAuth(`${issuer}/account`, { method: "DELETE" });
      if (!answer.ok) {
        throw new AuthError(answer, await problemOf(answer));
      }
      end("deleted");
    },
    on(type, handler) {
      const listener = (event) => handler(event.detail);
      target.addEventListener(type, listener);
      return () => target.removeEventListener(type, listener);
    },
    dispose() {
      autoRefresh = false;
      clearTimeout(timer);
      gone.abort();
      channel?.close();
      channel = null;
    },
  };
}
