/** See index.d.ts. */

const page = globalThis.document;
const now = () => performance.now();
const rest = (time) => new Promise((done) => setTimeout(done, time));

export class AuthError extends Error {
	constructor(answer, problem) {
		super(problem?.detail ?? (answer ? `Status ${answer.status}` : "No answer"));
		Object.assign(this, problem, { status: answer?.status ?? 0, response: answer });
		this.retryAfter = +answer?.headers.get("Retry-After") || 0;
		this.temporary = !this.action || this.action === "retry";
	}
}

const explain = (answer) =>
	/problem\+json/.test(answer?.headers.get("Content-Type")) ? answer.clone().json().catch(() => {}) : null;

function sid(token) {
	try {
		return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/"))).sid;
	} catch {}
}

export function createAuthClient({
	baseUrl = "", prefix = "/auth", transport = "cookie", storage = "memory", leeway = 30, autoRefresh = true,
	allowedOrigins = [], loginUrl, timeout = 15, fetch = (...request) => globalThis.fetch(...request),
} = {}) {
	const here = globalThis.location?.href ?? "http://localhost";
	const base = new URL(baseUrl.replace(/\/?$/, "/"), here);
	const issuer = base.href.replace(/\/$/, prefix);
	const cookie = transport === "cookie";
	let local;
	try {
		local = page && localStorage;
	} catch {}
	const store = storage === "localStorage" && local || Object(storage);
	let channel = page && (cookie || store === local) ? new BroadcastChannel(issuer) : null;
	const closed = new AbortController();
	const handlers = new Set();
	let era = new AbortController();
	let token = null, due = 0, after = 0, failures = 0, failure, flight, timer;

	const alive = () => cookie ? !local || local[issuer] : store.refreshToken;
	const emit = (type, detail) =>
		handlers.forEach(([name, handler]) => name === type && queueMicrotask(() => handler(detail)));

	function drop() {
		era.abort();
		era = new AbortController();
	}

	function hold(accessToken, expiresIn) {
		const same = sid(token) === sid(accessToken);
		if (token && !same) {
			drop();
			emit("signedout", { reason: "other-tab" });
		}
		emit(token && same ? "refreshed" : "signedin", { expiresIn });
		token = accessToken;
		due = now() + (expiresIn - Math.min(leeway, expiresIn / 4)) * 1000;
		failures = after = 0;
		look();
	}

	async function keep(answer, began = era) {
		const accessToken = answer.access_token ?? answer.accessToken;
		const expiresIn = answer.expires_in ?? answer.expiresIn;
		const refreshToken = answer.refresh_token ?? answer.refreshToken;
		if (!accessToken) return;
		try {
			if (refreshToken) store.refreshToken = refreshToken;
			store.accessToken = accessToken;
			local[issuer] = Date.now() / 1000 + expiresIn;
		} catch {
			local = null;
		}
		await store.saveTokens?.();
		if (era !== began) return;
		channel?.postMessage([accessToken, expiresIn]);
		hold(accessToken, expiresIn);
		return answer;
	}

	function end(reason) {
		drop();
		const had = token || local?.[issuer];
		token = null;
		delete store.accessToken;
		if (reason !== "other-tab") {
			delete store.refreshToken;
			delete (local ??= {})[issuer];
			channel?.postMessage([]);
		}
		store.saveTokens?.();
		emit("signedout", { reason });
		const url = loginUrl?.call ? loginUrl(reason) : loginUrl;
		if (page && had && url) location.replace(url);
	}

	async function post(path, content, headers) {
		let answer, limit;
		try {
			answer = await fetch(issuer + path, {
				method: "POST", keepalive: true, body: JSON.stringify(content),
				signal: AbortSignal.any?.([era.signal, limit = AbortSignal.timeout(timeout * 1000)]),
				credentials: cookie ? "include" : "omit",
				headers: { "Content-Type": "application/json", ...(cookie || { "X-Token-Transport": transport }), ...headers },
			});
			if (answer.ok) return await answer.json();
		} catch {}
		throw new AuthError(answer, await explain(answer), limit);
	}

	async function alone(task) {
		const start = now();
		let got;
		try {
			return await navigator.locks.request(issuer, { signal: AbortSignal.timeout(5000) }, async () => {
				got = true;
				if (now() > start + 5) await rest(50);
				return task();
			});
		} catch (error) {
			if (got) throw error;
			return task();
		}
	}

	async function attempt(again) {
		const began = era, old = token, wait = after - now();
		if (wait > 2000) throw failure;
		if (wait > 0) await rest(wait);
		try {
			await alone(async () => {
				if (token !== old) return;
				const answer = await post("/refresh", { refresh_token: store.refreshToken });
				if (era === began && !await keep(answer, began)) throw new AuthError();
			});
		} catch (error) {
			if (era !== began) return;
			failure = error;
			after = now() + 1000 * (Math.min(error.retryAfter, 1e6) || Math.random() * Math.min(60, 2 ** failures++));
			if (error.action === "step_up") emit("stepup", error);
			else if (!error.temporary && error.status < 404) return end("expired");
			else emit("refresherror", { error });
			if (again && error.temporary) return attempt();
			throw error;
		}
	}

	const renew = () => flight ??= attempt(true).finally(() => flight = look());

	function look() {
		clearTimeout(timer);
		if (autoRefresh && (token || alive()) && !page?.hidden) {
			timer = setTimeout(() => getAccessToken().catch(() => {}), Math.max(due, after, now()) - now() + 99);
			timer.unref?.();
		}
	}

	async function getAccessToken(url = base) {
		if (![base.origin, ...allowedOrigins].includes(new URL(url, here).origin)) return null;
		const expiresIn = local?.[issuer] - Date.now() / 1000;
		if (!token && store.accessToken && expiresIn > 0) hold(store.accessToken, expiresIn);
		try {
			if (token ? due < now() : alive()) await renew();
		} catch (error) {
			if (!token) throw error;
		}
		return token;
	}

	async function replacement(old, problem) {
		const action = problem?.action ?? "refresh";
		if (token === old) {
			if (action === "refresh") await renew();
			if (problem?.code === "token_revoked" && !flight) end("expired");
			if (action === "step_up") emit("stepup", problem);
		}
		return token === old || sid(token) !== sid(old) ? null : token;
	}

	async function fetchWithAuth(input, init = {}) {
		const url = new URL(input.url ?? input, baseUrl ? base : here);
		const headers = new Headers(init.headers ?? input.headers);
		const send = (accessToken) => {
			if (accessToken) headers.set("Authorization", `Bearer ${accessToken}`);
			return fetch(input.clone?.() ?? url, { ...init, headers });
		};
		const old = headers.has("Authorization") ? null : await getAccessToken(url);
		const answer = await send(old);
		if (!old || answer.status !== 401 || init.body?.getReader) return answer;
		const newer = await replacement(old, await explain(answer));
		return newer ? send(newer) : answer;
	}

	const enter = (path) => async (content) => {
		await flight?.catch(() => {});
		const answer = await alone(() => post(path, content));
		drop();
		await keep(answer);
		return answer;
	};

	if (channel) channel.onmessage = ({ data: [accessToken, expiresIn] }) => {
		if (accessToken) hold(accessToken, expiresIn);
		else token ? end("other-tab") : drop();
	};
	if (page) ["visibilitychange", "pageshow", "online"].forEach((type) => addEventListener(type, () => {
		after = 0;
		if (token && !alive()) end("other-tab");
		look();
	}, closed));

	return {
		fetchWithAuth, fetch: fetchWithAuth, getAccessToken, replacement,
		login: enter("/login"),
		register: enter("/register"),
		restore: async () => !!await getAccessToken(),
		isAuthenticated: () => !!token,
		async refresh() {
			after = 0;
			await renew();
			return token;
		},
		async logout({ all } = {}) {
			drop();
			const headers = token && { Authorization: `Bearer ${token}` };
			flight = post("/logout", { all, refresh_token: store.refreshToken }, headers).finally(() => flight = look());
			await flight;
			end("user");
		},
		async deleteAccount() {
			const answer = await fetchWithAuth(`${issuer}/account`, { method: "DELETE" });
			if (!answer.ok) throw new AuthError(answer, await explain(answer));
			end("deleted");
		},
		on(...entry) {
			handlers.add(entry);
			return () => handlers.delete(entry);
		},
		dispose() {
			autoRefresh = false;
			look();
			closed.abort();
			channel &&= channel.close();
		},
	};
}
