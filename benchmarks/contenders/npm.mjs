// @rc-ex/ws from npm as a contender: takes orders from stdin as those in Python do, see common/worker.py.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { measured, secondsNow } from "./measured.mjs";

// Installed for the tests; an import looks for packages only in the folders above this file.
const require = createRequire(new URL("../../tests/peers/node/", import.meta.url));
const { default: RingCentral } = require("@rc-ex/core");
const { default: WebSocketExtension, Events } = require("@rc-ex/ws");

const FILTERS = ["/restapi/v1.0/account/~/extension/~/telephony/sessions"];
const INFO = "/restapi/v1.0/account/~/extension/~";
const BENCH = "/restapi/v1.0/bench";

const rc = new RingCentral({ server: process.argv[2], clientId: "benchmarks", clientSecret: "a secret" });
await rc.authorize({ jwt: "a JWT" });
const ws = new WebSocketExtension({ restOverWebSocket: true });
await rc.installExtension(ws);
let onNotification = () => {};
await ws.subscribe(FILTERS, (notification) => onNotification(notification));

const orders = {
  rest: ({ in_flight: inFlight, seconds: time }) =>
    measured(async () => {
      const end = secondsNow() + time;
      let count = 0;
      const caller = async () => {
        do {
          await rc.get(INFO);
          count += 1;
        } while (secondsNow() < end);
      };
      await Promise.all(Array.from({ length: inFlight }, caller));
      return count;
    }),

  notifications: async ({ count, size, in_flight: inFlight }) => {
    const hanging = Array.from({ length: inFlight }, () => rc.get(`${BENCH}/hang`));
    await rc.get(INFO); // all of them are sent
    const sample = await measured(async () => {
      let taken = 0;
      const done = new Promise((resolve) => {
        onNotification = () => {
          taken += 1;
          if (taken === count) resolve();
        };
      });
      await rc.post(`${BENCH}/burst`, { count, size });
      await done;
      return taken;
    });
    await Promise.all(hanging);
    return sample;
  },

  replay: async ({ delay }) => {
    await rc.post(`${BENCH}/replay`, { count: 10, delay });
    return {};
  },

  recover: async () => {
    const start = secondsNow();
    const recovered = new Promise((resolve) => {
      ws.eventEmitter.once(Events.autoRecoverSuccess, () => resolve(secondsNow() - start));
    });
    const replayed = new Promise((resolve) => {
      onNotification = () => resolve(secondsNow() - start);
    });
    ws.ws.terminate();
    return { recovered: await recovered, replayed: await replayed };
  },
};

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface(process.stdin)) {
  const { do: what, ...options } = JSON.parse(line);
  console.log(JSON.stringify(await orders[what](options)));
}
process.exit(0); // its timers would keep it alive
