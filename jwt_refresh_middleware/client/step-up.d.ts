import type { AuthClient, AuthError } from "./index.js";

/** What the person is asked for. */
export interface StepUpDemand {
  /** How many seconds ago they may have authenticated; null if that is no matter (RFC 9470, 3). */
  readonly maxAge: number | null;
  /** The authentication contexts of which one is needed; empty if that is no matter. */
  readonly acrValues: readonly string[];
  /** `request`: what a request is for needs it. `refresh`: the whole session waits, no token is given out before. */
  readonly reason: "request" | "refresh";
  /**
   * Why it is asked again: a wrong password (`invalid_credentials`), too many of them (`rate_limited`, see `retryAfter`),
   * no answer. Null the first time.
   */
  readonly error: AuthError | null;
  /**
   * Aborted when nothing is to be asked any more: it was right, another tab was faster, the session is over. It is the
   * same one for all that is asked until then, so a dialog can stay open over a wrong password.
   */
  readonly signal: AbortSignal;
}

/**
 * Have the person prove again who they are where a request or a refresh is answered `step_up_required`, and let the
 * requests that were refused go on after it.
 *
 * However many requests wait, `ask` is called once, and once more after each failure, until it gives back nothing. Then
 * the answers go back to whoever made the requests: the 401, or an {@link AuthError} where it was the refresh. After a
 * success each is sent again once; one that is refused even then is not asked for again. A demand for another context
 * (`acrValues`) than the one that is being asked for is asked for after it. If another tab is faster, its token is taken.
 *
 * step-up.js is served as it is, so what it does is told here: whether a token says more than the one that was refused is
 * seen by `auth_time`, `amr` and `acr`, which nothing but an authentication moves. They are compared, never trusted.
 *
 * @param ask gives back what `authenticate` of the middleware takes, or nothing (also null) if the person gives up. It is
 *   not called for a refresh by timer while nobody waits for it. What it throws is what the requests reject with
 * @returns what detaches it; who waits then gets the 401
 */
export function attachStepUp(
  auth: AuthClient,
  ask: (demand: StepUpDemand) => Credentials | Promise<Credentials>,
): () => void;

/** Null, or nothing: the person gave up. */
export type Credentials = Record<string, unknown> | null | undefined | void;
