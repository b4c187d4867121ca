/** Lets an axios instance use a client of index.js; described in axios.d.ts. */

export function attachAxios(instance, auth) {
  const sent = new WeakMap(); // headers of a request -> its token, and its body before axios wrote it

  const attach = async (config) => {
    const { headers, data } = config;
    if (!headers.has("Authorization")) {
      const url = new URL(instance.getUri(config), globalThis.location?.href);
      const token = await auth.tokenFor(url);
      if (token) {
        headers.set("Authorization", `Bearer ${token}`);
        sent.set(headers, { token, data });
      }
    }
    return config;
  };

  const again = async (error) => {
    const { config, response } = error;
    const first = response?.status === 401 && sent.get(config.headers);
    if (first && !first.data?.getReader) {
      const token = await auth.replacement(first.token, response.data?.code && response.data);
      if (token) {
        const headers = config.headers.concat({ Authorization: `Bearer ${token}` });
        return instance.request({ ...config, headers, data: first.data });
      }
    }
    throw error;
  };

  const request = instance.interceptors.request.use(attach);
  const response = instance.interceptors.response.use(null, again);
  return () => {
    instance.interceptors.request.eject(request);
    instance.interceptors.response.eject(response);
  };
}
