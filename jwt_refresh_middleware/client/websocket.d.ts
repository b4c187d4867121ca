import type { AuthClient } from "./index.js";

/** All of them may be left out. */
export interface AuthSocketOptions {
  /** Sub-protocols of the app, offered after `bearer` and the token. Without one of them the server answers `bearer`. */
  protocols?: readonly string[];
  /**
   * Connect again after every close that was not asked for, and after every failure to connect, later each time: after
   * up to 1, 2, 4 … 60 s at random. Default false: only after the close code 4401, and once.
   */
  reconnect?: boolean;
  /** Called each time that a socket opens. The socket itself is `event.target`, to set its `binaryType` for instance. */
  onopen?: (event: Event) => void;
  onmessage?: (event: MessageEvent) => void;
  /**
   * Called with each socket that closes, also with one that was never open, or with the error because of which there was
   * no token to connect with: an {@link AuthError}, or one with the message `signedout` without a session.
   * @param again whether it is tried again; then `onopen` or `onclose` follows, unless `close` was called before, or the
   *   session has ended
   */
  onclose?: (event: CloseEvent | Error, again: boolean) => void;
}

/** One socket after the other. */
export interface AuthSocket {
  /** Whether it was given to a socket: false while none is open, and then it is not kept. */
  send(data: Parameters<WebSocket["send"]>[0]): boolean;
  /** Close it for good. */
  close(code?: number, reason?: string): void;
}

/**
 * Open a WebSocket with the access token as a sub-protocol, and keep it open for as long as the session lives: whenever
 * the client has a new token it is sent over the socket, and a new one is asked for when three quarters of the time are
 * over (less a second, since tokens end with a whole one), in the background too, where the client has no timer. If the server ends it with 4401 all the same, the token is
 * refreshed once and the socket opened again. It ends with `signedout`.
 *
 * @param url where to: `wss:`, `https:`, or relative to the page. It has to be of the issuer's origin or of one of the
 *   `allowedOrigins` of the client, since others are not sent the token: then `onclose` is called as without a session
 */
export function openSocket(auth: AuthClient, url: string | URL, options?: AuthSocketOptions): AuthSocket;
