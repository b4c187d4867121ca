/** See step-up.d.ts. */
function claims(token) {
	try {
		return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
	} catch {
		return {};
	}
}

const proof = (token, { auth_time, amr, acr } = claims(token)) => JSON.stringify([auth_time, amr, acr]);

function meets(problem, used, token) {
	if (!token || token === used) return false;
	if (problem instanceof Error) return true;
	const known = !problem.acr_values || problem.acr_values.split(" ").includes(claims(token).acr);
	return known && proof(token) !== proof(used);
}

export function attachStepUp(auth, ask) {
	let newest, asking;

	async function demand(problem, used) {
		newest = used;
		while (!meets(problem, used, newest)) {
			const one = asking ??= begin(problem, used);
			const outcome = await one.over;
			if (outcome === "elsewhere") continue;
			if (outcome === "ended" || one.problem === problem || !problem.acr_values) return;
			if (one.problem.acr_values === problem.acr_values) return;
		}
	}

	function begin(problem, used) {
		const one = { problem, used, stop: new AbortController() };
		one.over = converse(one).finally(() => {
			asking = null;
			one.stop.abort();
		});
		return one;
	}

	async function converse(one) {
		const { signal } = one.stop;
		const stopped = new Promise((done) => signal.addEventListener("abort", () => done()));
		const { max_age, acr_values } = one.problem;
		const wanted = { maxAge: max_age ?? null, acrValues: acr_values?.split(" ") ?? [], signal };
		wanted.reason = one.problem instanceof Error ? "refresh" : "request";
		for (let error = null; ; ) {
			const credentials = await Promise.race([ask({ ...wanted, error }), stopped]);
			if (signal.aborted) return signal.reason;
			if (!credentials) return "ended";
			try {
				await auth.stepUp(credentials);
				return "proven";
			} catch (failure) {
				error = failure;
			}
			if (signal.aborted) return signal.reason;
			if (error.action === "login" && error.code !== "invalid_credentials") {
				await auth.refresh().catch(() => {});
				return "ended";
			}
		}
	}

	function learn(_, token) {
		newest = token;
		if (asking && meets(asking.problem, asking.used, token)) asking.stop.abort("elsewhere");
	}

	const stops = [
		auth.on("stepup", demand), auth.on("refreshed", learn), auth.on("signedin", learn),
		auth.on("signedout", () => asking?.stop.abort("ended")),
	];
	return () => {
		stops.forEach((stop) => stop());
		asking?.stop.abort("ended");
	};
}
