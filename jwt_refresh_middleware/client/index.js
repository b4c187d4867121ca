/** See index.d.ts. */

const page = globalThis.document;
const now = () => performance.now();
const pause = (time) => new Promise((done) => setTimeout(done, time));

export class AuthError extends Error {
	constructor(answer, problem) {
		super(problem?.detail ?? (answer ? `Status ${answer.status}` : "No answer"));
		Object.assign(this, problem, { status: answer?.status ?? 0, response: answer });
		this.retryAfter = +answer?.headers.get("Retry-After") || 0;
		this.temporary = !this.action || this.action === "retry";
	}
}

const problemOf = (answer) =>
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
	const kept = storage === "localStorage" && local || Object(storage);
	let channel = page && (cookie || kept === local) ? new BroadcastChannel(issuer) : null;
	const gone = new AbortController();
	const handlers = new Set();
	let era = new AbortController();
	let token = null, due = 0, after = 0, failures = 0, failure, flight, timer;

	const hinted = () => cookie ? !local || local[issuer] : kept.refreshToken;
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
		check();
	}

	async function adopt(answer, began = era) {
		const accessToken = answer.access_token ?? answer.accessToken;
		const expiresIn = answer.expires_in ?? answer.expiresIn;
		const refreshToken = answer.refresh_token ?? answer.refreshToken;
		if (!accessToken) return;
		try {
			kept.accessToken = accessToken;
			if (refreshToken) kept.refreshToken = refreshToken;
			local[issuer] = Date.now() / 1000 + expiresIn;
		} catch {
			local = null;
		}
		await kept.saveTokens?.();
		if (era !== began) return;
		channel?.postMessage([accessToken, expiresIn]);
		hold(accessToken, expiresIn);
		return answer;
	}

	function end(reason) {
		drop();
		const known = token || local?.[issuer];
		token = null;
		delete kept.accessToken;
		if (reason !== "other-tab") {
			delete kept.refreshToken;
			delete (local ??= {})[issuer];
			channel?.postMessage([]);
		}
		kept.saveTokens?.();
		emit("signedout", { reason });
		const url = loginUrl?.call ? loginUrl(reason) : loginUrl;
		if (page && known && url) location.replace(url);
	}

	async function post(path, content, headers) {
		let answer;
		try {
			answer = await fetch(issuer + path, {
				method: "POST", keepalive: true, body: JSON.stringify(content),
				signal: AbortSignal.any?.([era.signal, AbortSignal.timeout(timeout * 1000)]),
				credentials: cookie ? "include" : "omit",
				headers: { "Content-Type": "application/json", ...(cookie || { "X-Token-Transport": transport }), ...headers },
			});
			if (answer.ok) return await answer.json();
		} catch {}
		throw new AuthError(answer, await problemOf(answer));
	}

	async function inTurn(work) {
		const asked = now();
		let begun;
		try {
			return await navigator.locks.request(issuer, { signal: AbortSignal.timeout(5000) }, async () => {
				begun = true;
				if (now() > asked + 20) await pause(50);
				return work();
			});
		} catch (error) {
			if (begun) throw error;
			return work();
		}
	}

	async function renewal(again) {
		const began = era, used = token, wait = after - now();
		if (wait > 2000) throw failure;
		if (wait > 0) await pause(wait);
		try {
			await inTurn(async () => {
				if (token !== used) return;
				const answer = await post("/refresh", { refresh_token: kept.refreshToken });
				if (era === began && !await adopt(answer, began)) throw new AuthError();
			});
		} catch (error) {
			if (era !== began) return;
			failure = error;
			after = now() + 1000 * (error.retryAfter || Math.random() * Math.min(60, 2 ** failures++));
			if (error.action === "step_up") emit("stepup", error);
			else if (!error.temporary && error.status < 404) return end("expired");
			else {
				emit("refresherror", { error });
				if (again && error.temporary) return renewal();
				check();
			}
			throw error;
		}
	}

	const renew = () => flight ??= renewal(true).finally(() => flight = null);

	function check() {
		clearTimeout(timer);
		if (autoRefresh && (token || hinted()) && !page?.hidden) {
			timer = setTimeout(() => getAccessToken().catch(() => {}), Math.max(due, after, now()) - now() + 99);
			timer.unref?.();
		}
	}

	async function getAccessToken(url = base) {
		if (![base.origin, ...allowedOrigins].includes(new URL(url, here).origin)) return null;
		const expiresIn = local?.[issuer] - Date.now() / 1000;
		if (!token && kept.accessToken && expiresIn > 0) hold(kept.accessToken, expiresIn);
		try {
			if (token ? due < now() : hinted()) await renew();
		} catch (error) {
			if (!token) throw error;
		}
		return token;
	}

	async function replacement(used, problem) {
		const action = problem?.action ?? "refresh";
		if (token === used) {
			if (action === "refresh") await renew();
			if (problem?.code === "token_revoked") end("expired");
			if (action === "step_up") emit("stepup", problem);
		}
		return token === used || sid(token) !== sid(used) ? null : token;
	}

	async function fetchWithAuth(input, init = {}) {
		const url = new URL(input.url ?? input, baseUrl ? base : here);
		const headers = new Headers(init.headers ?? input.headers);
		const send = (accessToken) => {
			if (accessToken) headers.set("Authorization", `Bearer ${accessToken}`);
			return fetch(input.clone?.() ?? url, { ...init, headers });
		};
		const used = headers.has("Authorization") ? null : await getAccessToken(url);
		const answer = await send(used);
		if (!used || answer.status !== 401 || init.body?.getReader) return answer;
		const next = await replacement(used, await problemOf(answer));
		return next ? send(next) : answer;
	}

	const enter = (path) => async (content) => {
		await flight?.catch(() => {});
		const answer = await inTurn(() => post(path, content));
		drop();
		await adopt(answer);
		return answer;
	};

	if (channel) channel.onmessage = ({ data: [accessToken, expiresIn] }) => {
		if (accessToken) hold(accessToken, expiresIn);
		else if (token) end("other-tab");
	};
	if (page) for (const type of ["visibilitychange", "pageshow", "online"]) addEventListener(type, () => {
		after = 0;
		if (token && !hinted()) end("other-tab");
		check();
	}, gone);

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
			await post("/logout", { all, refresh_token: kept.refreshToken }, headers).finally(check);
			end("user");
		},
		async deleteAccount() {
			const answer = await fetchWithAuth(`${issuer}/account`, { method: "DELETE" });
			if (!answer.ok) throw new AuthError(answer, await problemOf(answer));
			end("deleted");
		},
		on(...entry) {
			handlers.add(entry);
			return () => handlers.delete(entry);
		},
		dispose() {
			autoRefresh = false;
			check();
			gone.abort();
			channel &&= channel.close();
		},
	};
}
