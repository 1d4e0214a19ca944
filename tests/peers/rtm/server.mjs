// Drives the server peer: see orders.mjs for the format of the lines.
// An optional argument, the JSON of a `listen` order, listens at the start.
import { isDeepStrictEqual } from "node:util";
import { event, list, obey, takeOrders } from "./orders.mjs";
import { RtmServer } from "./rtm_server_peer.mjs";

const server = new RtmServer();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const observers = {
  onOpened: (c) => event("opened", [c.number, { path: c.path, protocol: c.protocol }]),
  onFrame: (c, raw) => event("frame", [c.number, raw]),
  onInvalid: (c, raw) => event("invalid", [c.number, raw]),
  onAuthenticated: (c, result) => event("authenticated", [c.number, result]),
  onRefused: (c, params) => event("refused", [c.number, params]),
  onAuthTimeout: (c) => event("authTimeout", [c.number]),
  onCalled: (c, name, args) => event("called", [c.number, name, args]),
  onSubscribed: (c, name, tags) => event("subscribed", [c.number, name, tags]),
  onClosed: (c, code) => event("closed", [c.number, code]),
  onSocketError: (c, error) => event("socketError", [c.number, error.message]),
};

// `auth` lists what is accepted, and the result that is sent back for it.
function authHandler(accepted, delayMs) {
  return async (value) => {
    if (delayMs) await sleep(delayMs);
    return accepted.find((entry) => isDeepStrictEqual(entry.value, value))?.result;
  };
}

function behaviour({ behaviour: text, error = "thrown" }) {
  const delayed = /^delayed-(\d+)$/.exec(text);
  if (delayed) return async (...args) => (await sleep(Number(delayed[1])), args);
  switch (text) {
    case "echo": return (...args) => args;
    case "sum": return (...args) => args.reduce((total, value) => total + value, 0);
    case "throw": return () => { throw error; };
    case "none": return () => undefined; // answered, but without `data`
    case "never": return () => new Promise(() => {}); // never answered
    default: throw new Error(`Unknown behaviour: ${text}`);
  }
}

async function listen({ port = 0, options = {} }) {
  const { auth, authDelayMs, authTimeoutMs } = options;
  const handler = auth && authHandler(list(auth, "auth"), authDelayMs);
  const bound = await server.Listen(port, { ...observers, authHandler: handler, authTimeoutMs });
  event("listening", [bound]);
  return { port: bound };
}

// `client` picks one connection by its number; without it, all.
function chosen({ client }) {
  return server.Connections.filter((c) => client === undefined || c.number === client);
}

// Does something to each connection, and tells how many there were.
function each(order, action) {
  const connections = chosen(order);
  for (const { socket } of connections) action(socket);
  return connections.length;
}

takeOrders({
  listen,
  stop: () => server.Stop(),
  register: (order) => server.Register(order.name, behaviour(order)),
  emit({ event: name, data, filter }) {
    const accepts = filter
      ? (authentication) => isDeepStrictEqual(authentication?.[filter.field], filter.equals)
      : undefined;
    return server.Emit(name, list(data, "data"), accepts);
  },
  publish: ({ user, event: name, data }) => server.Publish(user, name, ...list(data, "data")),
  push: ({ event: name, tags, data }) => server.Push(name, tags, ...list(data, "data")),
  raw: (order) => each(order, (socket) => socket.send(order.text)),
  dropAll: (order) => each(order, (socket) => socket.terminate()),
  closeAll: (order) => each(order, (socket) => socket.close(order.code)),
  clients: () => server.Connections.map((c) => ({
    client: c.number,
    authentication: c.authentication,
    subscriptions: c.subscriptions,
  })),
});

if (process.argv[2]) obey(undefined, () => listen(JSON.parse(process.argv[2])));
