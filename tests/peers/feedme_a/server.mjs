// Drives the published server (feedme-server-core over feedme-transport-ws); see ../driver.mjs.
//
// The arguments of the process: the dialect, and as JSON the options of the server, with those of the transport in them.
// The server holds the data of feeds for whoever tests (`hold`), which the original leaves to its application.
// A request is answered as `policy` says; where that is to hold it, its event has a number, and `answer` takes it.

import { once } from "node:events";
import { createServer } from "node:http";

import feedmeServerCore from "feedme-server-core";
import transportServer from "feedme-transport-ws/server.js";
import { deltaWriter, feedSerializer } from "feedme-util";

import { obey, report, sayEvent } from "../driver.mjs";

const [dialect, options] = process.argv.slice(2);
const { transport: transportOptions, ...serverOptions } = JSON.parse(options);

// What the later dialects changed in what a server sends.
const ADAPTERS = {
  a: {},
  b: { HandshakeResponse: ({ ClientId, ...message }) => message },
  c: {
    HandshakeResponse: ({ ClientId, ...message }) => message,
    ActionRevelation: (message) => ({ ...message, MessageType: "FeedAction" }),
  },
};
const adapters = ADAPTERS[dialect];

// An HTTP server of ours, since the transport cannot take a free port itself.
const http = createServer();
const listen = async (port) => {
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
};
await listen(0);
const { port } = http.address();

const transport = transportServer({ server: http, ...transportOptions });
const sendAsIs = transport.send.bind(transport);
transport.send = (client, text) => {
  const message = JSON.parse(text);
  const adapt = adapters[message.MessageType];
  sendAsIs(client, adapt ? JSON.stringify(adapt(message)) : text);
};
const server = feedmeServerCore({ transport, ...serverOptions });

const held = new Map();
const serialOf = ({ feedName, feedArgs }) => feedSerializer.serialize(feedName, feedArgs);

// How requests are answered, by their kind, and by the name of the action or feed where that has a policy of its own.
const policies = new Map();
const requests = new Map();
const answer = (response, { success, failure }) => {
  if (failure) {
    response.failure(failure.code, failure.data);
  } else {
    response.success(success);
  }
};
const DEFAULTS = {
  handshake: () => ({}),
  action: ({ actionArgs }) => ({ success: actionArgs }),
  feedOpen(request) {
    const success = held.get(serialOf(request));
    return success ? { success } : { failure: { code: "NO_SUCH_FEED", data: {} } };
  },
  feedClose: () => ({}),
};
for (const [kind, byDefault] of Object.entries(DEFAULTS)) {
  server.on(kind, (request, response) => {
    const number = requests.size + 1;
    requests.set(number, { kind, request, response });
    sayEvent(kind, [{ ...request, number }]);
    const policy = policies.get(`${kind} ${request.actionName ?? request.feedName}`) ?? policies.get(kind);
    if (policy !== "hold") {
      answer(response, policy ?? byDefault(request));
    }
  });
}
report(server, { except: (name) => name in DEFAULTS });

const happened = (name) => new Promise((resolve) => server.once(name, resolve));

const socketOf = (clientId) => {
  // Neither package gives its sockets away.
  const id = server._transportClientIds[clientId];
  return { id, socket: transport._wsClients[id]._socket };
};

const orders = {
  port: () => port,
  async start() {
    if (!http.listening) {
      await listen(port);
    }
    server.start();
    await happened("start");
  },
  // Nobody listens at the port any more: an attempt to connect is refused.
  async stop() {
    server.stop();
    await happened("stop");
    http.close();
  },
  state: () => server.state(),
  hold: ({ feedData, ...feed }) => void held.set(serialOf(feed), feedData),
  held: (feed) => held.get(serialOf(feed)),
  // Without a hash of its own (feedData, feedMd5), a revelation of a feed that is held changes it, and has its hash.
  reveal({ hash = true, ...revelation }) {
    const serial = serialOf(revelation);
    if (!held.has(serial) || "feedData" in revelation || "feedMd5" in revelation) {
      server.actionRevelation(revelation);
      return;
    }
    const feedData = revelation.feedDeltas.reduce(
      (data, delta) => deltaWriter.apply(data, structuredClone(delta)),
      structuredClone(held.get(serial)),
    );
    server.actionRevelation(hash ? { ...revelation, feedData } : revelation);
    held.set(serial, feedData);
  },
  terminate: (termination) => server.feedTermination(termination),
  disconnect: ({ clientId }) => server.disconnect(clientId),
  drop: ({ clientId }) => void socketOf(clientId).socket.destroy(),
  // Send what no server would.
  raw: ({ clientId, text }) => sendAsIs(socketOf(clientId).id, text),
  policy: ({ kind, name, answer: given }) => void policies.set(name ? `${kind} ${name}` : kind, given),
  answer({ number, answer: given }) {
    const { kind, request, response } = requests.get(number);
    answer(response, given ?? DEFAULTS[kind](request));
  },
};

await obey(orders);
