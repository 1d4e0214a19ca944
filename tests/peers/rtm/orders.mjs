// Orders in on stdin, steps out on stdout: one JSON object a line.
import { createInterface } from "node:readline";

export function say(step) {
  process.stdout.write(JSON.stringify(step) + "\n");
}

// `more` names what the event belongs to (for instance the subscription).
export function event(name, args = [], more = {}) {
  say({ step: "event", name, ...more, args });
}

// An undefined value leaves `value` out, which tells it from null.
export async function obey(as, action) {
  try {
    say({ step: "resolved", as, value: await action() });
  } catch (reason) {
    say({ step: "rejected", as, error: describe(reason) });
  }
}

// A peer may reject with any JSON value: `message` is its text, `value` itself.
export function describe(reason) {
  if (reason instanceof Error) return { message: reason.message };
  return { message: typeof reason === "string" ? reason : JSON.stringify(reason), value: reason };
}

// Orders start in the order they come, without waiting for each other.
export function takeOrders(orders) {
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    if (!line.trim()) return;
    let order = {};
    try {
      order = JSON.parse(line);
    } catch (error) {
      return say({ step: "rejected", error: { message: `Not an order: ${error.message}` } });
    }
    obey(order?.as, () => {
      if (!Object.hasOwn(orders, order?.do)) throw new Error(`Unknown order: ${order?.do}`);
      return orders[order.do](order);
    });
  });
  input.on("close", () => process.exit(0));
}

export function list(value, name) {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new Error(`${name} must be a list`);
  return value;
}
