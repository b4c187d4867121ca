/**
 * Double-token authentication for a web page.
 *
 * The access token (RFC 6750) is in the memory of this module; the refresh token is in an `HttpOnly` cookie that no
 * script can read. Requests carry the access token, it is renewed before it ends and after a 401, and each request is
 * repeated at most once, and once more after a step-up. Tabs take turns and share what they get.
 *
 * index.js is served as it is, so what it does is told here:
 *
 * - One refresh at a time in a page (`renew`), and one tab at a time (`alone`, a Web Lock around the POST). A tab waits
 *   5 s at most, then goes on without its turn: the issuer answers both. Who had to wait (5 ms or more), or finds that a
 *   token was noted meanwhile (see the last point), waits 50 ms longer: the token of the other tab is on its way by the
 *   `BroadcastChannel`. Only access tokens go over it.
 * - `era` is one stretch of a session: a logout, or somebody else's login, begins another (`drop`). What was asked for in
 *   an earlier one is aborted, and not taken if it comes all the same.
 * - How long a token lives is counted from its receipt by `performance.now()`, which never jumps; where that stands still
 *   while a laptop sleeps, the 401 says so.
 * - A 401 to a token that is no longer the current one is repeated at once. Never as somebody else: both tokens have to
 *   be of one session (`sid`, read from the token to notice a change, not to trust it).
 * - A request is sent again at most twice: after a refresh, and after a step-up. `again` is the first, with 0.5 after a
 *   refresh and 1.5 after a step-up: nothing comes after the latter, and nothing but it after the former.
 * - A session ends when the issuer says so: 400, 401 or 403 with a problem of the middleware (RFC 9457). After anything
 *   else the refresh is tried once more, then later each time: `Retry-After`, or up to 1, 2, 4 … 60 s at random.
 * - `wait` is handed on where nobody needs it, so that it lives until the answer was read: Node collects a signal of
 *   `AbortSignal.timeout` that only `AbortSignal.any` knows of, and it never fires.
 * - `localStorage` has, under the issuer's URL, when the last token ends: no secret, but a sign that there is a session.
 *   Without it the issuer is not asked, so strangers cause no 401; if it disappears, another tab has logged out.
 */

/** All options of {@link createAuthClient}; every one of them may be left out. */
export interface AuthClientOptions {
  /** Where the issuer is, without the prefix: `https://users.example.com` or `/app`. Default: `/`. */
  baseUrl?: string;
  /** Where the middleware has mounted its routes. Default `/auth`. */
  prefix?: string;
  /**
   * `cookie` (default): the refresh token is in an `HttpOnly` cookie. `body`: it is in the answers, for apps that are
   * no web page; it is then kept in `storage` beside the access token.
   */
  transport?: "cookie" | "body";
  /**
   * Where the access token is kept besides memory. Default `memory`: nowhere. `localStorage`: as `accessToken`, where any
   * script of the page can read it, also one that was injected. Or an object of your own, as `sessionStorage`.
   */
  storage?: "memory" | "localStorage" | Storage | TokenStorage;
  /** Seconds before its end that a token is renewed, a quarter of its lifetime at most. Default 30. */
  leeway?: number;
  /** Renew by a timer while the page is visible. Default true; otherwise with the next request. */
  autoRefresh?: boolean;
  /** Other origins that are sent the access token, as `https://api.example.com`. Default: none. */
  allowedOrigins?: readonly string[];
  /** Where the page goes once the session is over; a function is asked each time, and may say null. Default: nowhere. */
  loginUrl?: string | ((reason: SignedOutReason) => string | null | undefined);
  /** Seconds that the issuer may take to answer. Default 15. */
  timeout?: number;
  /** Sends every request, for instance to log them. Default: the global `fetch` at the time of the call. */
  fetch?: typeof globalThis.fetch;
}

/** Properties that are written with every token, before it is used, and deleted with the session. */
export interface TokenStorage {
  accessToken?: string;
  /** With the transport `body` only. */
  refreshToken?: string;
  /** Called after both, and awaited before a new token is used: for a store that is asynchronous. It must not reject. */
  saveTokens?(): unknown;
}

/**
 * `user`: logged out here. `expired`: the issuer says so. `deleted`: with the account. `other-tab`: ended in another tab,
 * or replaced by another session.
 */
export type SignedOutReason = "user" | "expired" | "deleted" | "other-tab";

/** An answer as RFC 9457 has it, with the members that the middleware adds. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  action: "refresh" | "login" | "step_up" | "retry" | "none";
  error: string | null;
  /** With `step_up_required`: authentication contexts that would do, separated by spaces (RFC 9470, 3). */
  acr_values?: string | null;
  /** With `step_up_required`: how many seconds ago the person may have authenticated. */
  max_age?: number | null;
  [member: string]: unknown;
}

/** How long a new access token lives, in seconds. */
export interface TokenLife {
  expiresIn: number;
}

/** What {@link AuthClient.on} can listen to, and what each handler is given, after the client has changed. */
export interface AuthEvents {
  /** There is a session now: by a login, a registration, a page that was loaded again, or another tab. */
  signedin: TokenLife;
  /** There is a new access token, from here or from another tab. */
  refreshed: TokenLife;
  /** The session is over. If another one has taken its place, `signedin` follows. */
  signedout: { reason: SignedOutReason };
  /**
   * A refresh did not succeed, and nobody is logged out for it. It is tried again, later each time. If its `action` is
   * `step_up` there will be no new token before the person has done that.
   */
  refresherror: { error: AuthError };
  /**
   * Somebody waits for the person to prove again who they are (RFC 9470): the `Problem` that a request was answered, or
   * the `AuthError` of the refresh that it needs. If a handler gives back a promise the request waits for it, and is sent
   * again if there is a new token then. step-up.js is such a handler.
   */
  stepup: Problem | AuthError;
}

/** Why nothing came of it: with the members of the {@link Problem} that the middleware answered, if it did. */
export class AuthError extends Error {
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** Seconds to wait (`Retry-After`); 0 if the answer does not say. */
  readonly retryAfter: number;
  /** Whether it may go away by itself: no answer, or none of the middleware's, or one that says `retry`. */
  readonly temporary: boolean;
  /** The code of the problem, as `invalid_credentials`. */
  readonly code?: string;
  readonly title?: string;
  readonly action?: Problem["action"];
  readonly error?: string | null;
  readonly detail?: string;
  readonly acr_values?: string | null;
  readonly max_age?: number | null;
  /** The answer. Its body has not been read yet, so what a route of the app said can be. */
  readonly response?: Response;
}

/** What a login or a refresh answers, in the case that the middleware is set to. */
export type TokenAnswer = Record<string, unknown>;

export interface AuthClient {
  /** `POST {prefix}/register`, a route of the app. If it answers with tokens there is a session. @throws AuthError */
  register(credentials: Record<string, unknown>): Promise<TokenAnswer>;
  /** `POST {prefix}/login`. @throws AuthError `invalid_credentials` among others */
  login(credentials: Record<string, unknown>): Promise<TokenAnswer>;
  /**
   * `POST {prefix}/step-up`: the person of this session proves again who they are. The new token says so, in every tab.
   * Whatever it is answered, the session goes on. @throws AuthError `invalid_credentials` among others
   */
  stepUp(credentials: Record<string, unknown>): Promise<TokenAnswer>;
  /**
   * End the session, with `all` every session of this person. If that fails the session goes on.
   * @throws AuthError
   */
  logout(options?: { all?: boolean }): Promise<void>;
  /** `DELETE {prefix}/account`, a route of the app; then the session is over. @throws AuthError */
  deleteAccount(): Promise<void>;
  /**
   * `fetch` with the access token, if the URL is of the issuer's origin or an allowed one and no `Authorization` was
   * given. A 401 is repeated once with a new token, and once after a step-up, unless the body is a `ReadableStream` or
   * the session is over: then it is the result. Relative URLs are relative to `baseUrl` if that was given, else to the
   * page.
   * @throws AuthError if a new token is needed and cannot be had at the moment; nobody is logged out for that
   */
  fetchWithAuth(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** The same as {@link AuthClient.fetchWithAuth}. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /**
   * An access token that lives for a while yet, null without a session. If it cannot be renewed at the moment it is the
   * one that there is.
   * @param url where it is to be sent, absolute or relative to the page; null if it must not be sent there. Default: to
   *   the issuer
   * @throws AuthError if there is none, and a new one cannot be had at the moment
   */
  getAccessToken(url?: string | URL): Promise<string | null>;
  /** A new access token in any case, null if the session is over. Callers share one refresh. @throws AuthError */
  refresh(): Promise<string | null>;
  /**
   * Take up the session of an earlier page; whether there is one. Asks the issuer only if this browser had a session.
   * @throws AuthError if that cannot be said at the moment
   */
  restore(): Promise<boolean>;
  /** Whether there is a session, as far as this page knows. */
  isAuthenticated(): boolean;
  /** Listen to an event. Gives back what stops it. `token` is the access token as the handler is called. */
  on<Name extends keyof AuthEvents>(
    name: Name,
    handler: (detail: AuthEvents[Name], token: string | null) => unknown,
  ): () => void;
  /** Stop timers and listeners. The session goes on. */
  dispose(): void;
  /**
   * For other HTTP clients: the token to repeat a request with that was answered 401, null if it is not to be repeated.
   * @param used the token that the request carried
   * @param problem what the middleware said, if the answer is its own
   * @throws AuthError as `fetchWithAuth` does
   */
  replacement(used: string, problem?: Problem): Promise<string | null>;
}

/** A client for one issuer; a page needs one. On a server it does nothing until it is asked to. */
export function createAuthClient(options?: AuthClientOptions): AuthClient;
