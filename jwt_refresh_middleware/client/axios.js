/** For axios: see axios.d.ts. */
export function attachAxios({ interceptors: { request, response }, getUri, request: send }, auth) {
  const sent = new WeakMap();

  const attached = request.use(async (config) => {
    const { headers, data } = config;
    const token = headers.has("Authorization") ? null : await auth.getAccessToken(getUri(config));
    if (token) {
      headers.set("Authorization", `Bearer ${token}`);
      sent.set(headers, { token, data });
    }
    return config;
  });

  const retried = response.use(null, async (error) => {
    const { config, response } = error;
    const { token, data } = (response?.status === 401 && sent.get(config.headers)) || {};
    const next = token && !data?.getReader && await auth.replacement(token, response.data);
    if (!next) throw error;
    const headers = config.headers.concat({ Authorization: `Bearer ${next}` });
    return send({ ...config, headers, data });
  });

  return () => {
    request.eject(attached);
    response.eject(retried);
  };
}
