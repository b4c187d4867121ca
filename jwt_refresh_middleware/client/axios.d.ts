import type { AuthClient } from "./index.js";

/** The part of an axios instance (1.x) that is used. */
export interface AxiosLike {
  getUri(config?: any): string;
  request(config: any): Promise<any>;
  interceptors: {
    request: { use(fulfilled: (config: any) => any): number; eject(id: number): void };
    response: { use(fulfilled: null, rejected: (error: any) => any): number; eject(id: number): void };
  };
}

/**
 * Let an axios instance send the access token and repeat a request once that was answered 401. For what is sent where,
 * and what a 401 means, it asks the client. Bodies are sent again as they were before axios wrote them; a
 * `ReadableStream` is not. Attach it last: an interceptor that is added later sees a repeated answer twice.
 *
 * @param instance of `axios.create()`, or `axios` itself
 * @returns what takes it off the instance again
 */
export function attachAxios(instance: AxiosLike, auth: AuthClient): () => void;
