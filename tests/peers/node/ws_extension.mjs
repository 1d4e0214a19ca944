// Drives the WebSocketExtension of @rc-ex/ws; see ../driver.mjs.

import RingCentral from "@rc-ex/core";
import WebSocketExtension, { Events } from "@rc-ex/ws";

import { obey, sayEvent } from "../driver.mjs";

const { RINGCENTRAL_SERVER_URL: server, RINGCENTRAL_CLIENT_ID: clientId } = process.env;
const { RINGCENTRAL_CLIENT_SECRET: clientSecret, RINGCENTRAL_JWT: jwt } = process.env;

const rc = new RingCentral({ server, clientId, clientSecret });
const ws = new WebSocketExtension({
  autoRecover: { enabled: true, checkInterval: () => 100, pingServerInterval: 200 },
});
// An address where nobody listens ends its process, for it has no listener for that: here is one.
ws.eventEmitter.on(Events.newWebSocketObject, (socket) => socket.on("error", () => sayEvent("socketError", [])));
for (const name of Object.values(Events)) {
  // Most come with its WebSocket, of which there is nothing to tell.
  ws.eventEmitter.on(name, (value) => sayEvent(name, value instanceof Error ? [value] : []));
}

await obey({
  install: async () => {
    await rc.authorize({ jwt });
    await rc.installExtension(ws);
  },
  subscribe: async ({ filters }) => {
    const { subscriptionInfo } = await ws.subscribe(filters, (notification) => sayEvent("notification", [notification]));
    return subscriptionInfo.id;
  },
  recoveryState: () => ws.connectionDetails.recoveryState,
});
