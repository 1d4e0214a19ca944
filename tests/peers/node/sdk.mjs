// The published SDK of RingCentral (@ringcentral/sdk + @ringcentral/subscriptions) logs in at a gateway, subscribes, gets
// an event, loses its connection, comes back and gets another event.
//
// Run by test_npm_sdk.py, which reads the JSON lines printed here: one per step, each {"step": ..., ...facts}.
// The environment names the gateway as its own first four lines do (RINGCENTRAL_SERVER_URL and so on).

import { setTimeout as sleep } from "node:timers/promises";

import { SDK } from "@ringcentral/sdk";
import { Subscriptions } from "@ringcentral/subscriptions";

const { RINGCENTRAL_SERVER_URL: server, RINGCENTRAL_CLIENT_ID: clientId } = process.env;
const { RINGCENTRAL_CLIENT_SECRET: clientSecret, RINGCENTRAL_JWT: jwt } = process.env;

const say = (step, facts = {}) => console.log(JSON.stringify({ step, ...facts }));

const sdk = new SDK({ server, clientId, clientSecret });
const platform = sdk.platform();
await platform.login({ jwt });
say("login", { loggedIn: await platform.loggedIn() });

const extension = await (await platform.get("/restapi/v1.0/account/~/extension/~")).json();
say("rest", { id: extension.id, extensionNumber: extension.extensionNumber });

const notified = [];
const subscription = new Subscriptions({ sdk }).createSubscription();
subscription.on(subscription.events.notification, (notification) => notified.push(notification));
subscription.setEventFilters(["/restapi/v1.0/account/~/extension/~/message-store"]);
const registered = await subscription.register();
say("subscribed", { id: registered.subscriptionInfo.id });

const eventOfPager = async (text) => {
  const answer = await platform.post("/restapi/v1.0/account/~/extension/~/company-pager", {
    from: { extensionNumber: extension.extensionNumber },
    to: [{ extensionNumber: extension.extensionNumber }],
    text,
  });
  const { id } = await answer.json();
  const isIt = ({ body }) => body.changes[0].newMessageIds?.includes(id);
  while (!notified.some(isIt)) {
    await sleep(10);
  }
  const { uuid, subscriptionId, body } = notified.find(isIt);
  return { uuid, subscriptionId, type: body.changes[0].type };
};

say("event", await eventOfPager("before the loss"));

await fetch(`${server}/_gateway/cut`, { method: "POST" });
say("lost");

// It tells nobody when it has come back, so the gateway is asked.
const kinds = async () => (await (await fetch(`${server}/_gateway/log`)).json()).map(({ kind }) => kind);
while (!(await kinds()).includes("recovered")) {
  await sleep(50);
}
say("recovered");

say("event", await eventOfPager("after the recovery"));

await platform.logout();
say("revoked");
process.exit(0); // its WebSocket and its timer would go on for ever
