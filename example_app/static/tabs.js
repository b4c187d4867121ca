/** What the tabs of this page tell each other for the demonstration. Tokens are shared by the client, not here. */

const channel = new BroadcastChannel("notes-demo");
const me = Math.random().toString(36).slice(2);
const handlers = new Map();

/** Be told of messages of one type: `handler(content, from)`. One handler each; gives back what stops it. */
export function onMessage(type, handler) {
  handlers.set(type, handler);
  return () => handlers.delete(type);
}

/** Tell all other tabs, or the one called `to`. */
export function send(type, content = {}, to = null) {
  channel.postMessage({ type, content, from: me, to });
}

/** The first message of one type (from the tab called `from`): `{content, from}`, or null after `patience` ms. */
export function nextMessage(type, patience, from = null) {
  return new Promise((done) => {
    const finish = (found) => {
      clearTimeout(timer);
      stop();
      done(found);
    };
    const timer = setTimeout(() => finish(null), patience);
    const stop = onMessage(type, (content, sender) => (from ?? sender) === sender && finish({ content, from: sender }));
  });
}

channel.onmessage = ({ data: { type, content, from, to } }) => {
  if (to === null || to === me) {
    handlers.get(type)?.(content, from);
  }
};
