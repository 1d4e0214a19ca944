// feedme-server-core from npm as a contender: takes orders from stdin as those in Python do, see common/worker.py.
//
// The arguments of the process: the Python that runs the audience, and the drain's address, which is not used.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

import { grown, measured, secondsNow } from "./measured.mjs";

// Installed for the tests; an import looks for packages only in the folders above this file.
const require = createRequire(new URL("../../tests/peers/feedme_a/", import.meta.url));
const feedmeServerCore = require("feedme-server-core");
const transportServer = require("feedme-transport-ws/server");

const [python] = process.argv.slice(2);
const root = new URL("../../", import.meta.url);
const BATCH = 1 << 20; // bytes that may wait to be read

const http = createServer();
http.listen(0, "127.0.0.1");
await once(http, "listening");
// Without the pings that it would send by itself: what is read is counted.
const server = feedmeServerCore({ transport: transportServer({ server: http, heartbeatIntervalMs: 0 }) });
const started = new Promise((resolve) => server.once("start", resolve));
server.start();
await started;

// What the application keeps: the data of each feed, by its name.
let feeds = new Map();
let next = 0;
let audience;
server.on("feedOpen", ({ feedName }, response) => response.success(feeds.get(feedName).data));

const hear = async () => {
  const { value, done } = await audience.lines.next();
  if (done) throw new Error("the audience has gone");
  return value;
};

const gather = async (clients, names, document) => {
  feeds = new Map(names.map((name) => [name, { data: structuredClone(document), change: 0 }]));
  next = 0;
  const command = ["-m", "benchmarks.contenders.feedme_audience", http.address().port, clients, ...names];
  const child = spawn(python, command, { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  audience = { child, clients, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
  await hear();
};

// Make the next change to a feed, and reveal it.
const reveal = (name, feed, { action, changes }) => {
  const feedDeltas = changes[feed.change];
  feed.change = (feed.change + 1) % changes.length;
  for (const { Path, Value } of feedDeltas) {
    Path.slice(0, -1).reduce((node, step) => node[step], feed.data)[Path.at(-1)] = Value;
  }
  server.actionRevelation({
    actionName: action.name,
    actionData: action.data,
    feedName: name,
    feedArgs: {},
    feedDeltas,
    feedData: feed.data,
  });
};

let what;
const orders = {
  async gather({ clients, names, document, ...how }) {
    what = how;
    return measured(async () => {
      await gather(clients, names, document);
      return clients * names.length;
    });
  },

  async reveal({ count }) {
    const { clients, child } = audience;
    const names = [...feeds.keys()];
    const atOnce = Math.max(1, Math.floor(BATCH / (what.frame * clients)));
    const start = secondsNow();
    let audienceCpu = 0;
    const sample = await measured(async () => {
      const times = Math.max(1, Math.round(count / clients));
      for (let left = times; left > 0; left -= atOnce) {
        const batch = Math.min(left, atOnce);
        child.stdin.write(`${batch * clients * what.frame}\n`);
        for (let number = 0; number < batch; number += 1) {
          const name = names[next];
          next = (next + 1) % names.length;
          reveal(name, feeds.get(name), what);
        }
        audienceCpu += Number(await hear());
      }
      return times * clients;
    });
    return { ...sample, audience_cpu: audienceCpu / (secondsNow() - start) };
  },

  async disperse() {
    audience.child.kill();
    await once(audience.child, "exit");
    feeds.clear();
    return {};
  },

  // By how much it grows with feeds that one client has open.
  async grow({ names, document }) {
    return { ...(await grown(() => gather(1, names, document))), count: names.length };
  },
};

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface(process.stdin)) {
  const { do: order, ...options } = JSON.parse(line);
  console.log(JSON.stringify(await orders[order](options)));
}
audience?.child.kill();
process.exit(0); // its timers would keep it alive
