// See index.d.ts

const page = globalThis.document;
const now = () => performance.now();
const rest = (time) => new Promise((done) => setTimeout(done, time));

export class AuthError extends Error {
	constructor(answer, error) {
		super(error?.detail ?? (answer ? "Status " + answer.status : "No answer"));
		Object.assign(this, error, { status: answer?.status ?? 0, response: answer });
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
	allowedOrigins = [], loginUrl, timeout = 15, fetch = (...content) => globalThis.fetch(...content),
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
	let era = new AbortController();
	const closed = new AbortController();
	const handlers = new Set();
	let due = 0, after = 0, failures = 0, failure, flight, timer, token = null;

	async function replacement(old, error) {
		if (token === old) {
			if (error?.action === "step_up") await emit("stepup", error);
			if (error?.code === "token_revoked" && !flight) end("expired");
			if (!error?.action || error.action === "refresh") await renew().catch(stepUp);
		}
		return token === old || sid(token) !== sid(old) ? null : token;
	}

	async function stepUp(error) {
		const old = token;
		if (error.action === "step_up") await emit("stepup", error);
		if (token === old) throw error;
	}

	const enter = (path, again) => async (content) => {
		await flight?.catch(() => {});
		const answer = await alone(() => post(path, { ...content, ...(again && { refresh_token: store.refreshToken }) }));
		drop();
		await keep(answer);
		return answer;
	};

	async function fetchWithAuth(input, init = {}) {
		const headers = new Headers(init.headers ?? input.headers);
		const url = new URL(input.url ?? input, baseUrl ? base : here);
		async function send(old, again) {
			if (old) headers.set("Authorization", `Bearer ${old}`);
			const answer = await fetch(input.clone?.() ?? url, { ...init, headers });
			if (!old || answer.status !== 401 || init.body?.getReader) return answer;
			const error = await explain(answer);
			const asked = error?.action === "step_up" && token === old;
			old = again > asked ? null : await replacement(old, error);
			return old ? send(old, asked + 0.5) : answer;
		}
		return send(headers.has("Authorization") ? null : await getAccessToken(url));
	}

	async function post(path, content, headers) {
		let wait, answer;
		try {
			answer = await fetch(issuer + path, {
				method: "POST", keepalive: true, body: JSON.stringify(content),
				signal: AbortSignal.any?.([era.signal, wait = AbortSignal.timeout(timeout * 1000)]),
				credentials: cookie ? "include" : "omit",
				headers: { "Content-Type": "application/json", ...(cookie || { "X-Token-Transport": transport }), ...headers },
			});
			if (answer.ok) return await answer.json();
		} catch {}
		throw new AuthError(answer, await explain(answer), wait);
	}

	async function alone(task) {
		const old = local?.[issuer], start = now();
		let answer;
		try {
			return await navigator.locks.request(issuer, { signal: AbortSignal.timeout(5000) }, async () => {
				if (now() > start + 5 || local?.[issuer] !== old) await rest(50);
				return answer = task();
			});
		} catch {
			return answer ?? task();
		}
	}

	async function attempt(again) {
		const old = token, start = era, wait = after - now();
		if (wait > 2000) throw failure;
		if (wait > 0) await rest(wait);
		try {
			await alone(async () => {
				if (token !== old) return;
				const answer = await post("/refresh", { refresh_token: store.refreshToken });
				if (era === start && !await keep(answer, start)) throw new AuthError();
			});
		} catch (error) {
			if (era !== start) return;
			failure = error;
			after = now() + 1000 * (Math.min(error.retryAfter, 1e6) || Math.random() * Math.min(60, 2 ** failures++));
			if (!error.temporary && error.status < 404 && error.action !== "step_up") return end("expired");
			emit("refresherror", { error });
			if (again && error.temporary) return attempt();
			throw error;
		}
	}

	const renew = () => flight ??= attempt(true).finally(() => flight = look());

	function look() {
		clearTimeout(timer);
		if (autoRefresh && alive() && !page?.hidden) {
			timer = setTimeout(getAccessToken, Math.max(due, after) - now() + 99, base, true);
			timer.unref?.();
		}
	}

	const alive = () => cookie ? !local || local[issuer] : store.refreshToken;
	const emit = (type, content) =>
		Promise.all([...handlers].map(async ([name, handler]) => name === await type && handler(content, token)));

	function drop() {
		era.abort();
		era = new AbortController();
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
		if (page && url && had) location.replace(url);
	}

	function hold(accessToken, expiresIn) {
		if (token && sid(token) !== sid(accessToken)) {
			token = null;
			drop();
			emit("signedout", { reason: "other-tab" });
		}
		emit(token ? "refreshed" : "signedin", { expiresIn });
		token = accessToken;
		due = now() + (expiresIn - Math.min(leeway, expiresIn / 4)) * 1000;
		failures = after = 0;
		look();
	}

	async function keep(answer, start = era) {
		const { access_token, accessToken = access_token, expires_in, expiresIn = expires_in,
			refresh_token, refreshToken = refresh_token } = answer;
		if (!accessToken) return;
		try {
			if (refreshToken) store.refreshToken = refreshToken;
			store.accessToken = accessToken;
			local[issuer] = Date.now() / 1000 + expiresIn;
		} catch {
			local = null;
		}
		await store.saveTokens?.();
		if (era !== start) return;
		channel?.postMessage([accessToken, expiresIn]);
		hold(accessToken, expiresIn);
		return answer;
	}

	async function getAccessToken(url = base, again) {
		if (![base.origin, ...allowedOrigins].includes(new URL(url, here).origin)) return null;
		const expiresIn = local?.[issuer] - Date.now() / 1000;
		if (!token && store.accessToken && expiresIn > 0) hold(store.accessToken, expiresIn);
		if (token ? due < now() : alive()) await renew().catch((error) => token || again || stepUp(error));
		return token;
	}

	if (channel) channel.onmessage = ({ data: [accessToken, expiresIn] }) => {
		accessToken ? hold(accessToken, expiresIn) : token ? end("other-tab") : drop();
	};
	if (page) ["visibilitychange", "pageshow", "online"].forEach((type) => addEventListener(type, () => {
		if (token && !alive()) end("other-tab");
		after = 0;
		look();
	}, closed));

	return {
		on: (...content) => (handlers.add(content), () => handlers.delete(content)),
		register: enter("/register"),
		login: enter("/login"),
		stepUp: enter("/step-up", true),
		restore: async () => !!await getAccessToken(),
		dispose() {
			closed.abort();
			channel = channel?.close();
			autoRefresh = false;
			look();
		},
		async logout({ all } = {}) {
			drop();
			await (flight = post("/logout", { all, refresh_token: store.refreshToken },
				token && { Authorization: `Bearer ${token}` }).finally(() => flight = look()));
			end("user");
		},
		isAuthenticated: () => !!token,
		async refresh() {
			after = 0;
			await renew();
			return token;
		},
		async deleteAccount() {
			const answer = await fetchWithAuth(`${issuer}/account`, { method: "DELETE" });
			if (!answer.ok) throw new AuthError(answer, await explain(answer));
			end("deleted");
		},
		getAccessToken, replacement, fetchWithAuth, fetch: fetchWithAuth,
	};
}
