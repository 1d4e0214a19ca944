// Drives the client peer: see orders.mjs for the format of the lines.
import { describe, event, list, takeOrders } from "./orders.mjs";
import { RtmClient } from "./rtm_client_peer.mjs";

const HOOKS = ["onOpen", "onClose", "onError", "onAuthenticating", "onReconnecting", "onMessage"];
const STATES = ["connecting", "open", "closing", "closed"];

let client;
const unsubscribers = new Map(); // tag of the subscribing order -> unsubscribe()

// In the original these are unhandled and may end the process; a peer has to
// stay, so they become events.
process.on("unhandledRejection", (reason) => event("unhandledRejection", [describe(reason)]));

function current() {
  if (!client) throw new Error("Not opened");
  return client;
}

function reporter(order) {
  return (...args) => event("callback", args, { as: order.as, event: order.event });
}

takeOrders({
  open({ url, options }) {
    client?.Close();
    unsubscribers.clear();
    // Without options none are handed over, so the client's own default counts.
    client = options === undefined ? new RtmClient(url) : new RtmClient(url, options);
    for (const hook of HOOKS) client.Options[hook] = (...args) => event(hook, args);
  },
  call: (order) => current().Call(order.function, ...list(order.data, "data")),
  callWait: (order) => current().CallWait(order.function, ...list(order.data, "data")),
  subscribe(order) {
    unsubscribers.set(order.as, current().Subscribe(order.event, reporter(order)));
  },
  async subscribePush(order) {
    const unsubscribe = await current().SubscribePush(order.event, order.tags, reporter(order));
    unsubscribers.set(order.as, unsubscribe);
  },
  unsubscribe({ subscription }) {
    const unsubscribe = unsubscribers.get(subscription);
    if (!unsubscribe) throw new Error(`Unknown subscription: ${subscription}`);
    unsubscribe();
  },
  close: () => current().Close(),
  drop: () => current().Socket.terminate(),
  state() {
    const { Socket, Authenticated, MessageQueue, InvokeQueue, Subscriptions, attempt } = current();
    return {
      socket: STATES[Socket.readyState],
      authenticated: Authenticated,
      queued: MessageQueue.length,
      entries: InvokeQueue.size, // only grows, until Close()
      subscriptions: Object.fromEntries(
        Object.entries(Subscriptions).map(([name, entries]) => [name, entries.length])),
      attempt,
    };
  },
});

event("ready");
