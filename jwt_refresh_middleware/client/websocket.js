/** See websocket.d.ts. */
export function openSocket(auth, url, { protocols = [], reconnect = false, onopen, onclose, onmessage } = {}) {
	const target = new URL(url, location).href.replace(/^ws/, "http");
	let socket, token, timer, opened, over, tries = 0;

	async function renew({ expiresIn }) {
		if (socket?.readyState !== 1) return;
		clearTimeout(timer);
		timer = setTimeout(() => auth.refresh().catch(() => renew({ expiresIn: 40 })), --expiresIn * 750);
		const fresh = await auth.getAccessToken(target);
		if (fresh && fresh !== token) socket.send(JSON.stringify({ type: "token", access_token: token = fresh }));
	}

	async function connect(refresh) {
		opened = NaN;
		if (refresh) await auth.refresh();
		token = await auth.getAccessToken(target);
		if (over ||= !token) throw Error("signedout");
		socket = new WebSocket(target.replace("http", "ws"), ["bearer", token, ...protocols]);
		socket.onmessage = onmessage;
		socket.onclose = ended;
		socket.onopen = (event) => {
			const { exp, iat } = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
			renew({ expiresIn: Math.min(exp - iat, exp - Date.now() / 1000) });
			opened = event.timeStamp;
			onopen?.(event);
		};
	}

	const start = (refresh) => connect(refresh).catch(ended);

	function ended(event) {
		clearTimeout(timer);
		if (event.timeStamp - opened > 5000) tries = 0;
		const refresh = event.code === 4401;
		const again = !over && (reconnect || refresh && !tries);
		if (again) timer = setTimeout(start, Math.random() * 1000 * Math.min(60, 2 ** tries++), refresh);
		else close();
		onclose?.(event, again);
	}

	function close(...how) {
		over = true;
		stops.forEach((stop) => stop());
		clearTimeout(timer);
		socket?.close(...how);
	}

	const stops = [auth.on("refreshed", renew), auth.on("signedout", () => close())];
	start();

	return { close, send: (data) => socket?.readyState === 1 && !socket.send(data) };
}
