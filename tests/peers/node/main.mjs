// The published JavaScript client (@rc-ex/core + @rc-ex/ws) goes through its whole main job against a gateway.
//
// Run by test_npm_client.py, which reads the JSON lines printed here: one per step, each {"step": ..., ...facts}.
// The environment names the gateway as its own first four lines do (RINGCENTRAL_SERVER_URL and so on).

import { once } from "node:events";

import RingCentral from "@rc-ex/core";
import WebSocketExtension, { Events } from "@rc-ex/ws";

const { RINGCENTRAL_SERVER_URL: server, RINGCENTRAL_CLIENT_ID: clientId } = process.env;
const { RINGCENTRAL_CLIENT_SECRET: clientSecret, RINGCENTRAL_JWT: jwt } = process.env;

const say = (step, facts = {}) => console.log(JSON.stringify({ step, ...facts }));

const notified = [];
let wake = () => {};
const onNotification = (notification) => {
  notified.push(notification);
  wake();
};
const eventOf = async (messageId) => {
  const isIt = ({ body }) => body.changes[0].newMessageIds.includes(messageId);
  while (!notified.some(isIt)) {
    await new Promise((resolve) => (wake = resolve));
  }
  const { uuid, subscriptionId, body } = notified.find(isIt);
  return { uuid, subscriptionId, type: body.changes[0].type };
};

const rc = new RingCentral({ server, clientId, clientSecret });
await rc.authorize({ jwt });
say("login", { tokenType: rc.token.token_type });

const ws = new WebSocketExtension({
  restOverWebSocket: true,
  autoRecover: { enabled: true, checkInterval: () => 100, pingServerInterval: 200 },
});
await rc.installExtension(ws);
say("installed", { maxActiveRequests: ws.connectionDetails.maxActiveRequests });

const extension = await rc.restapi().account().extension().get();
say("rest", { id: extension.id, extensionNumber: extension.extensionNumber });

const subscription = await ws.subscribe(["/restapi/v1.0/account/~/extension/~/message-store"], onNotification);
say("subscribed", { id: subscription.subscriptionInfo.id });

const pager = (client, text) =>
  client
    .restapi()
    .account()
    .extension()
    .companyPager()
    .post({
      from: { extensionNumber: extension.extensionNumber },
      to: [{ extensionNumber: extension.extensionNumber }],
      text,
    });

say("event", await eventOf((await pager(rc, "before the loss")).id));

const lost = once(ws.ws, "close");
const recovered = once(ws.eventEmitter, Events.autoRecoverSuccess);
const cut = await fetch(`${server}/_gateway/cut`, { method: "POST" });
await lost;
say("lost", { cut: cut.status });

// While its socket is gone this client can send no request, so a plain one with the same token does it.
const plain = new RingCentral({ server, clientId, clientSecret, token: rc.token });
await pager(plain, "during the loss");

await recovered;
say("recovered", { recoveryState: ws.connectionDetails.recoveryState, id: subscription.subscriptionInfo.id });

say("event", await eventOf((await pager(rc, "after the recovery")).id));

await rc.revoke();
say("revoked", { notified: notified.map(({ uuid }) => uuid) });
