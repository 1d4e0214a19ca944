// What the drivers of the two Slack clients share: orders come in as JSON lines, everything that happens goes out so.
//
// In:  {"do": "send", "as": "m1", ...arguments}; the end of the input ends the process.
// Out: {"step": "event", "name": ..., "args": [...]} for each event the client emits, in order;
//      {"step": "resolved", "as": "m1", "value": ...} or {"step": "rejected", "as": "m1", "error": {...}} for an order.
// Run by test_slack_npm_clients.py. The environment gives SLACK_API_URL, SLACK_TOKEN and SLACK_OPTIONS (JSON).

import { createInterface } from "node:readline";

export const { SLACK_API_URL: apiUrl, SLACK_TOKEN: token } = process.env;
export const options = JSON.parse(process.env.SLACK_OPTIONS ?? "{}");

const plain = (value) => {
  if (value instanceof Error) {
    const { message, code, data, rtmMessage } = value;
    return { message, code, data, rtmMessage };
  }
  if (value?.constructor?.name === "CloseEvent") {
    return { code: value.code, reason: value.reason };
  }
  return value;
};

// The clients' own warnings go to the standard output too: send them elsewhere, so that every line there is ours.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

const say = (step, facts = {}) => write(`${JSON.stringify({ step, ...facts })}\n`);

// Report each event before its listeners run, so that the order is the one in which the client emits them.
export const report = (client) => {
  const emit = client.emit;
  client.emit = function (name, ...args) {
    say("event", { name: name ?? null, args: args.map(plain) });
    return emit.call(this, name, ...args);
  };
};

export const obey = async (orders) => {
  say("ready to obey");
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: order, as, ...args } = JSON.parse(line);
    // Not awaited: an order may wait for an answer that only a later order brings about.
    Promise.resolve()
      .then(() => orders[order](args))
      .then(
        (value) => say("resolved", { as, value: plain(value) }),
        (error) => say("rejected", { as, error: plain(error) }),
      );
  }
  process.exit(0);
};
