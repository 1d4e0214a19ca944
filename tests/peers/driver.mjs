// What the drivers of the JavaScript peers share: orders come in as JSON lines, everything that happens goes out so.
//
// In:  {"do": "send", "as": "m1", ...arguments}; the end of the input ends the process.
// Out: {"step": "event", "name": ..., "args": [...]} for each event the peer emits, in order, with "of" where it has
//      several parts that emit;
//      {"step": "resolved", "as": "m1", "value": ...} or {"step": "rejected", "as": "m1", "error": {...}} for an order.
// driven.py is the other end.

import { createInterface } from "node:readline";

// What the errors of Slack's clients, and of Feedme's client, server and transport, say beside their message.
const FACTS = [
  ...["message", "code", "data", "rtmMessage"],
  ...["serverErrorCode", "serverErrorData", "serverMessage", "clientMessage", "parseError", "deltaError"],
  ...["transportError", "wsError", "wsCode", "wsReason"],
];

const plain = (value) => {
  if (value instanceof Error) {
    return Object.fromEntries(FACTS.filter((fact) => fact in value).map((fact) => [fact, plain(value[fact])]));
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

export const sayEvent = (name, args, of) => say("event", { of, name: name ?? null, args: args.map(plain) });

// Report each event before its listeners run, so that the order is the one in which the emitter emits them.
export const report = (emitter, { of, except = () => false } = {}) => {
  const emit = emitter.emit;
  emitter.emit = function (name, ...args) {
    if (!except(name)) {
      sayEvent(name, args, of);
    }
    return emit.call(this, name, ...args);
  };
};

export const obey = async (orders) => {
  say("ready to obey");
  for await (const line of createInterface({ input: process.stdin })) {
    // Each in a turn of its own, though several may arrive at once: what one emits comes before the next.
    await new Promise(setImmediate);
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
