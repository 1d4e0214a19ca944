// feedme-client from npm as a contender: takes orders from stdin as those in Python do, see common/worker.py.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { grown, measured } from "./measured.mjs";

// Installed for the tests; an import looks for packages only in the folders above this file.
const require = createRequire(new URL("../../tests/peers/feedme_a/", import.meta.url));
const feedmeClient = require("feedme-client");
const transport = require("feedme-transport-ws/client");

const url = `${process.argv[2].replace("http", "ws")}/feedme`;
const client = feedmeClient({ transport: transport(url) });
client.on("badServerMessage", (error) => {
  throw error;
});
const connected = new Promise((resolve) => client.once("connect", resolve));
client.connect();
await connected;

const open = async (name) => {
  const feed = client.feed(name, {});
  const opened = new Promise((resolve) => feed.once("open", resolve));
  feed.desireOpen();
  await opened;
  return feed;
};
const feeds = new Map();

const orders = {
  async open({ feed }) {
    feeds.set(feed, await open(feed));
    return {};
  },

  revelations: ({ feed, document, count }) =>
    measured(async () => {
      let taken = 0;
      let onAction;
      const done = new Promise((resolve) => {
        onAction = () => {
          taken += 1;
          if (taken === count) resolve();
        };
      });
      feeds.get(feed).on("action", onAction);
      await client.action("burst", { document, count });
      await done;
      feeds.get(feed).off("action", onAction);
      return taken;
    }),

  // By how much it grows with feeds that are open.
  async grow({ names }) {
    const opened = async () => {
      for (const name of names) feeds.set(name, await open(name));
    };
    return { ...(await grown(opened)), count: names.length };
  },
};

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface(process.stdin)) {
  const { do: what, ...options } = JSON.parse(line);
  console.log(JSON.stringify(await orders[what](options)));
}
process.exit(0); // its timers would keep it alive
