// @slack/rtm-api from npm as a contender: takes orders from stdin as those in Python do, see common/worker.py.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { measured, secondsNow } from "./measured.mjs";

// Installed for the tests; an import looks for packages only in the folders above this file.
const require = createRequire(new URL("../../tests/peers/node/", import.meta.url));
const { LogLevel, RTMClient } = require("@slack/rtm-api");

const CHANNEL = "C0BENCH00";
const TEXT = "The quick brown fox jumps over the lazy dog.";

const rtm = new RTMClient("xoxb-a-token", {
  slackApiUrl: `${process.argv[2]}/api/`,
  logLevel: LogLevel.ERROR,
  replyAckOnReconnectTimeout: 10, // sends nothing for so many ms after it has connected
});
const ready = new Promise((resolve) => rtm.once("ready", resolve));
await rtm.start();
await ready;

const orders = {
  events: ({ count, size }) =>
    measured(async () => {
      let taken = 0;
      let onMessage;
      const done = new Promise((resolve) => {
        onMessage = () => {
          taken += 1;
          if (taken === count) resolve();
        };
      });
      rtm.on("message", onMessage);
      await rtm.sendMessage(`burst ${count} ${size}`, CHANNEL);
      await done;
      rtm.off("message", onMessage);
      return taken;
    }),

  send: ({ in_flight: inFlight, seconds: time }) =>
    measured(async () => {
      const end = secondsNow() + time;
      let count = 0;
      const caller = async () => {
        do {
          await rtm.sendMessage(TEXT, CHANNEL);
          count += 1;
        } while (secondsNow() < end);
      };
      await Promise.all(Array.from({ length: inFlight }, caller));
      return count;
    }),
};

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface(process.stdin)) {
  const { do: what, ...options } = JSON.parse(line);
  console.log(JSON.stringify(await orders[what](options)));
}
process.exit(0); // its timers would keep it alive
