/** Every name that the declarations of the client promise, used as a page would use it. Only compiled, never run. */

import axios, { type AxiosInstance } from "axios";

import { attachAxios } from "../../../jwt_refresh_middleware/client/axios.js";
import {
  AuthError,
  createAuthClient,
  type AuthClient,
  type AuthClientOptions,
  type AuthEvents,
  type Problem,
  type SignedOutReason,
  type TokenAnswer,
  type TokenLife,
  type TokenStorage,
} from "../../../jwt_refresh_middleware/client/index.js";

import { attachStepUp, type Credentials, type StepUpDemand } from "../../../jwt_refresh_middleware/client/step-up.js";
import { openSocket, type AuthSocket, type AuthSocketOptions } from "../../../jwt_refresh_middleware/client/websocket.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_equal: Equal<A, B>): void {}

const phone: TokenStorage = { saveTokens: async () => {} };
phone.accessToken = phone.refreshToken ?? "none";
delete phone.accessToken;

const everything: Required<AuthClientOptions> = {
  baseUrl: "https://users.example.com",
  prefix: "/auth",
  transport: "body",
  storage: phone,
  leeway: 30,
  autoRefresh: false,
  allowedOrigins: ["https://api.example.com"] as const,
  loginUrl: (reason: SignedOutReason) => (reason === "user" ? null : `/login?why=${reason}`),
  timeout: 15,
  fetch: (input, init) => globalThis.fetch(input, init),
};

const auth: AuthClient = createAuthClient(everything);
createAuthClient();
createAuthClient({});
createAuthClient({ storage: "localStorage", transport: "cookie", loginUrl: "/login" });
createAuthClient({ storage: "memory", fetch: globalThis.fetch });
createAuthClient({ storage: sessionStorage });

export async function methods(): Promise<void> {
  same<TokenAnswer, Awaited<ReturnType<typeof auth.login>>>(true);
  const answer: TokenAnswer = await auth.register({ username: "ann", password: "secret", age: 7 });
  await auth.login({ username: "ann", password: String(answer["access_token"]) });
  const plain: Response = await auth.fetch("/api");
  const given: Response = await auth.fetchWithAuth(new Request("/api"), { method: "POST", body: new FormData() });
  await auth.fetch(new URL("https://api.example.com/"));
  same<typeof auth.fetch, typeof auth.fetchWithAuth>(true);
  const drop_in: typeof globalThis.fetch = auth.fetch;
  const token: string | null = await auth.getAccessToken();
  const fresh: string | null = await auth.refresh();
  const there: boolean = await auth.restore();
  const known: boolean = auth.isAuthenticated();
  const sent: string | null = await auth.getAccessToken(new URL("/api", location.href));
  await auth.getAccessToken("https://api.example.com/x");
  const next: string | null = await auth.replacement(sent ?? "", undefined);
  await auth.logout();
  await auth.logout({ all: true });
  same<TokenAnswer, Awaited<ReturnType<typeof auth.stepUp>>>(true);
  await auth.stepUp({ password: "secret" });
  await auth.deleteAccount();
  auth.dispose();
  console.log(plain.ok, given.ok, drop_in, token, fresh, there, known, next);
}

export function events(): void {
  const stops: Array<() => void> = [
    auth.on("signedin", ({ expiresIn }) => same<typeof expiresIn, number>(true)),
    auth.on("refreshed", (life: TokenLife) => console.log(life.expiresIn)),
    auth.on("signedout", ({ reason }) => same<typeof reason, SignedOutReason>(true)),
    auth.on("refresherror", ({ error }) => same<typeof error, AuthError>(true)),
    auth.on("stepup", (problem: Problem | AuthError) => console.log(problem.action, problem.code, problem.error)),
    auth.on("stepup", async ({ max_age, acr_values }, token) => {
      same<typeof token, string | null>(true);
      console.log(max_age?.toFixed(), acr_values?.split(" "));
    }),
  ];
  const names: Record<keyof AuthEvents, true> = { signedin: true, refreshed: true, signedout: true, refresherror: true, stepup: true };
  const reasons: Record<SignedOutReason, true> = { user: true, expired: true, deleted: true, "other-tab": true };
  stops.forEach((stop) => stop());
  console.log(names, reasons);
}

export async function errors(): Promise<void> {
  try {
    await auth.login({});
  } catch (error) {
    if (error instanceof AuthError) {
      const { status, code, retryAfter, temporary, message, title, detail, action, error: name }: AuthError = error;
      const parts: [number, string | undefined, number, boolean, string] = [status, code, retryAfter, temporary, message];
      same<typeof action, Problem["action"] | undefined>(true);
      same<typeof name, string | null | undefined>(true);
      console.log(parts, title?.length, detail?.length);
    }
  }
}

export function problems(problem: Problem): void {
  const { type, title, status, code, detail, action, error } = problem;
  const parts: [string, string, number, string, string, string, string | null] = [type, title, status, code, detail, action, error];
  const unknown: unknown = problem["other"];
  const wanted: [number | null | undefined, string | null | undefined] = [problem.max_age, problem.acr_values];
  console.log(parts, unknown, wanted);
}

export function adapter(): void {
  const instance: AxiosInstance = axios.create();
  const detach: () => void = attachAxios(instance, auth);
  attachAxios(axios, createAuthClient());
  attachAxios(axios.create({ baseURL: "https://api.example.com" }), auth);
  detach();
}

export function sockets(): void {
  const all: Required<AuthSocketOptions> = {
    protocols: ["chat"] as const,
    reconnect: true,
    onopen: ({ target }) => console.log(target),
    onmessage: ({ data }) => console.log(data),
    onclose: (event, again) => {
      same<typeof event, CloseEvent | Error>(true);
      same<typeof again, boolean>(true);
      console.log(event instanceof AuthError ? event.retryAfter : event instanceof Error ? event.message : event.code);
    },
  };
  const socket: AuthSocket = openSocket(auth, "/chat", all);
  openSocket(auth, new URL("wss://api.example.com/chat"));
  openSocket(auth, "/chat", {});
  const sent: boolean = socket.send("text");
  socket.send(new Uint8Array([1]));
  socket.send(new Blob(["x"]));
  socket.close();
  socket.close(4000, "bye");
  // @ts-expect-error a list
  openSocket(auth, "/chat", { protocols: "chat" });
  // @ts-expect-error no such option
  openSocket(auth, "/chat", { token: "x" });
  // @ts-expect-error the client comes first
  openSocket("/chat", auth);
  // @ts-expect-error not an object
  socket.send({ type: "token" });
  // @ts-expect-error not there
  console.log(sent, socket.readyState);
}

export function stepUps(): void {
  const ask = async ({ maxAge, acrValues, reason, error, signal }: StepUpDemand): Promise<Credentials> => {
    same<typeof reason, "request" | "refresh">(true);
    same<typeof signal, AbortSignal>(true);
    console.log(maxAge?.toFixed(), acrValues.join(" "), error?.retryAfter);
    return error ? null : { password: "secret" };
  };
  const detach: () => void = attachStepUp(auth, ask);
  attachStepUp(auth, () => null);
  attachStepUp(auth, () => {});
  attachStepUp(auth, ({ error }) => (error ? undefined : { password: "secret" }));
  detach();
  // @ts-expect-error credentials are an object
  attachStepUp(auth, async () => "secret");
  // @ts-expect-error the client comes first
  attachStepUp(ask, auth);
  // @ts-expect-error nothing of the kind is asked
  attachStepUp(auth, ({ password }) => ({ password }));
}

export function wrong(): void {
  // @ts-expect-error no such option
  createAuthClient({ baseURL: "https://users.example.com" });
  // @ts-expect-error no such transport
  createAuthClient({ transport: "header" });
  // @ts-expect-error no such storage
  createAuthClient({ storage: "cookie" });
  // @ts-expect-error tokens are text
  createAuthClient({ storage: { accessToken: 7 } });
  // @ts-expect-error seconds are a number
  createAuthClient({ leeway: "30" });
  // @ts-expect-error a list, not one
  createAuthClient({ allowedOrigins: "https://api.example.com" });
  // @ts-expect-error no such reason
  createAuthClient({ loginUrl: (reason) => (reason === "bored" ? "/" : null) });
  // @ts-expect-error credentials are an object
  auth.login("ann", "secret");
  // @ts-expect-error no such event
  auth.on("logout", () => {});
  // @ts-expect-error nothing of the kind in this event
  auth.on("signedout", ({ expiresIn }) => expiresIn);
  // @ts-expect-error a promise is no boolean to be used as one
  const there: boolean = auth.restore();
  // @ts-expect-error the token may be absent
  const token: Promise<string> = auth.getAccessToken();
  // @ts-expect-error no such option
  auth.logout({ everywhere: true });
  // @ts-expect-error the client comes second
  attachAxios(auth, axios.create());
  // @ts-expect-error not an axios instance
  attachAxios(fetch, auth);
  // @ts-expect-error what happened cannot be changed
  new AuthError().status = 200;
  // @ts-expect-error no such method
  auth.signOut();
  console.log(there, token);
}
