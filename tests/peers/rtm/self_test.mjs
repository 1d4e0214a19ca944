// Proves both programs against each other, over real sockets on 127.0.0.1.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const DEADLINE_MS = 5000;
const QUIET_MS = 150; // how long "nothing happens" is watched
const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const USERS = {
  auth: [
    { value: { token: "ann" }, result: { id: "u1", role: "admin" } },
    { value: { token: "bob" }, result: { id: "u2", role: "guest" } },
  ],
};
const ANN = { authenticationData: { token: "ann" } };
const BOB = { authenticationData: { token: "bob" } };

const running = new Set();
const quiet = () => new Promise((done) => setTimeout(done, QUIET_MS));

// One program under test; `steps` is all it printed so far.
class Program {
  steps = [];
  #tags = 0;
  #watchers = new Set();

  constructor(file, ...args) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    this.child = spawn(process.execPath, [path, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    running.add(this);
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.steps.push(JSON.parse(line));
      for (const watcher of this.#watchers) watcher();
    });
  }

  // Gives the tag back; whoever wants the outcome awaits `outcome(tag)`.
  order(name, args = {}) {
    const as = `t${++this.#tags}`;
    this.child.stdin.write(JSON.stringify({ do: name, as, ...args }) + "\n");
    return as;
  }

  outcome(tag) {
    return this.find((s) => s.as === tag && s.step !== "event", `outcome of ${tag}`);
  }

  async value(name, args) {
    const step = await this.outcome(this.order(name, args));
    assert.equal(step.step, "resolved", JSON.stringify(step));
    return step.value;
  }

  // The first `count` events of that name, as their args.
  async events(name, count = 1) {
    const all = () => this.steps.filter((s) => s.step === "event" && s.name === name);
    await this.find(() => all().length >= count, `${count} x ${name}`);
    return all().slice(0, count).map((s) => s.args);
  }

  names() {
    return this.steps.filter((s) => s.step === "event").map((s) => s.name);
  }

  find(matches, what) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const step = this.steps.find(matches);
        if (step) finish(resolve, step);
      };
      const finish = (settle, value) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        settle(value);
      };
      const timer = setTimeout(
        () => finish(reject, new Error(`No ${what} in ${JSON.stringify(this.steps, null, 1)}`)),
        DEADLINE_MS);
      this.#watchers.add(look);
      look();
    });
  }

  async end() {
    running.delete(this);
    if (this.child.exitCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.stdin.end(); // end of input ends the program
    assert.deepEqual(await exited, [0, null]);
  }
}

async function startServer(options) {
  const server = new Program("server.mjs", JSON.stringify({ options }));
  const [[port]] = await server.events("listening");
  assert.equal(server.steps[0].name, "listening");
  return { server, port, url: `ws://127.0.0.1:${port}` };
}

async function startClient(url, options) {
  const client = new Program("client.mjs");
  await client.events("ready");
  await client.value("open", { url, options });
  return client;
}

const tests = {
  async "authentication accepted: order of steps, frames, queue flushed after onOpen"() {
    const { server, url } = await startServer({ ...USERS, authDelayMs: 50 });
    await server.value("register", { name: "sum", behaviour: "sum" });
    const client = await startClient(url, ANN);
    await client.events("onOpen");
    assert.equal(await client.value("callWait", { function: "sum", data: [1, 2] }), 3);
    assert.deepEqual(client.names(),
      ["ready", "onAuthenticating", "onMessage", "onOpen", "onMessage"]);
    const frames = (await server.events("frame", 2)).map(([, raw]) => JSON.parse(raw));
    for (const frame of frames) assert.match(frame.id, UUID4);
    assert.deepEqual(frames.map(({ id, ...rest }) => rest), [
      { type: "auth", data: [{ token: "ann" }] },
      { type: "invoke", data: [1, 2], function: "sum" },
    ]);
    assert.deepEqual(await server.events("authenticated"), [[1, { id: "u1", role: "admin" }]]);
    assert.deepEqual(await server.events("opened"), [[1, { path: "/", protocol: null }]]);
    assert.equal((await client.value("state")).entries, 2); // kept for ever
  },

  async "authentication refused: onError, closed, no onClose, no reconnect"() {
    const { server, url } = await startServer(USERS);
    const client = await startClient(url,
      { authenticationData: { token: "eve" }, reconnectDelayMs: 20 });
    assert.deepEqual(await client.events("onError"),
      [[{ code: "rtm/auth-error", data: "Server returned an invalid response." }]]);
    assert.deepEqual(await server.events("closed"), [[1, 1005]]);
    await quiet();
    assert.deepEqual(client.names(), ["ready", "onAuthenticating", "onMessage", "onError"]);
    const [[, raw]] = await server.events("frame");
    const [[reply]] = await client.events("onMessage");
    assert.deepEqual(JSON.parse(reply), { id: JSON.parse(raw).id, data: null });
  },

  async "authentication timeout: server tells and closes, calls are refused till then"() {
    const { server, url } = await startServer({ ...USERS, authTimeoutMs: 300 });
    await server.value("register", { name: "echo", behaviour: "echo" });
    const client = await startClient(url, {}); // sends no auth
    await client.events("onOpen");
    const refused = await client.outcome(client.order("callWait", { function: "echo" }));
    assert.deepEqual(refused.error, { message: "Unauthorized", value: "Unauthorized" });
    assert.deepEqual(await server.events("authTimeout"), [[1]]);
    await client.events("onClose");
    await server.events("closed");
    assert.ok(!server.names().includes("called"));
  },

  async "calls made while authentication is pending are sent at once, and held"() {
    const { server, url } = await startServer({ ...USERS, authDelayMs: 200 });
    await server.value("register", { name: "echo", behaviour: "echo" });
    const client = await startClient(url, ANN);
    await client.events("onAuthenticating");
    assert.deepEqual(await client.value("callWait", { function: "echo", data: ["x"] }), ["x"]);
    await server.events("called");
    assert.deepEqual(server.names().filter((n) => n !== "opened"),
      ["listening", "frame", "frame", "authenticated", "called"]);
  },

  async "an error reply to auth is an unhandled rejection, the socket stays open"() {
    const { server, url } = await startServer({ ...USERS, authDelayMs: 1000 });
    const client = await startClient(url, ANN);
    const [[, raw]] = await server.events("frame");
    const { id } = JSON.parse(raw);
    await server.value("raw", { text: JSON.stringify({ id, data: { error: "no" } }) });
    assert.deepEqual(await client.events("unhandledRejection"), [[{ message: "no", value: "no" }]]);
    const state = await client.value("state");
    assert.deepEqual([state.socket, state.authenticated], ["open", false]);
    assert.ok(!client.names().includes("onOpen"));
  },

  async "call, callWait and errors"() {
    const { server, url } = await startServer();
    for (const [name, behaviour] of [
      ["echo", "echo"], ["sum", "sum"], ["fail", "throw"], ["none", "none"], ["slow", "delayed-80"],
    ]) await server.value("register", { name, behaviour, error: { code: 7 } });
    const client = await startClient(url, {});
    await client.events("onOpen");
    const call = (name, data) => client.outcome(client.order("callWait", { function: name, data }));
    const slow = call("slow", [1]);
    assert.deepEqual((await call("echo", [null, { a: [1] }])).value, [null, { a: [1] }]);
    assert.equal((await call("sum", [1, 2, 3])).value, 6);
    assert.ok(!("value" in (await call("none"))));
    assert.deepEqual((await call("fail")).error, { message: '{"code":7}', value: { code: 7 } });
    assert.equal((await call("nobody")).error.message, "Function nobody is not registered.");
    assert.deepEqual((await slow).value, [1]);
    // Call resolves at once, and ignores even an error reply.
    assert.equal(await client.value("call", { function: "fail", data: [9] }), undefined);
    await client.events("onMessage", 7);
    assert.deepEqual((await server.events("called", 6)).at(-1), [1, "fail", [9]]);
    const [[, last]] = (await server.events("frame", 7)).slice(-1);
    const { id, ...frame } = JSON.parse(last);
    assert.deepEqual(frame, { type: "invoke", data: [9], function: "fail" });
    assert.ok(!client.names().includes("unhandledRejection"));
  },

  async "emit with filter, publish, several callbacks, unsubscribe"() {
    const { server, url } = await startServer(USERS);
    const ann = await startClient(url, ANN);
    const bob = await startClient(url, BOB);
    const first = ann.order("subscribe", { event: "news" });
    const second = ann.order("subscribe", { event: "news" });
    await bob.value("subscribe", { event: "news" });
    await server.events("authenticated", 2);
    assert.equal(await server.value("emit", { event: "news", data: ["a", 1] }), 2);
    assert.deepEqual(await ann.events("callback", 2), [["a", 1], ["a", 1]]);
    assert.deepEqual(ann.steps.filter((s) => s.name === "callback").map((s) => s.as),
      [first, second]);
    assert.deepEqual((await ann.events("onMessage", 2))[1], ['{"event":"news","data":["a",1]}']);
    await ann.value("unsubscribe", { subscription: first });
    const filter = { field: "role", equals: "admin" };
    assert.equal(await server.value("emit", { event: "news", data: ["b"], filter }), 1);
    assert.equal(await server.value("publish", { user: "u2", event: "news", data: ["c"] }), 1);
    assert.deepEqual((await ann.events("callback", 3))[2], ["b"]);
    assert.deepEqual(await bob.events("callback", 2), [["a", 1], ["c"]]);
    await server.value("emit", { event: "unknown", data: [] });
    await quiet();
    assert.equal(ann.names().filter((n) => n === "callback").length, 3);
  },

  async "push: tags, and no second subscribe frame after a reconnect"() {
    const { server, url } = await startServer();
    const client = await startClient(url, { reconnectDelayMs: 50 });
    const tag = client.order("subscribePush", { event: "goal", tags: ["red", "blue"] });
    await client.outcome(tag);
    assert.deepEqual(await server.events("subscribed"), [[1, "goal", ["red", "blue"]]]);
    assert.equal(await server.value("push", { event: "goal", tags: ["green"], data: [0] }), 0);
    assert.equal(await server.value("push", { event: "goal", tags: ["x", "red"], data: [1] }), 1);
    assert.equal(await server.value("push", { event: "goal", data: [2, 3] }), 1);
    assert.deepEqual(await client.events("callback", 2), [[1], [2, 3]]);
    await server.value("dropAll");
    await client.events("onOpen", 2);
    await quiet();
    assert.equal(await server.value("push", { event: "goal", data: [4] }), 0);
    // The callback itself survives, so a plain emit still reaches it.
    assert.equal(await server.value("emit", { event: "goal", data: [5] }), 1);
    assert.deepEqual((await client.events("callback", 3))[2], [5]);
    await client.value("unsubscribe", { subscription: tag });
    assert.deepEqual((await client.value("state")).subscriptions, { goal: 0 });
    assert.equal((await server.events("frame")).length, 1);
    assert.equal(server.names().filter((n) => n === "frame").length, 1);
  },

  async "reconnect: authenticates again, lost waiters never settle, attempts start anew"() {
    const { server, url } = await startServer(USERS);
    await server.value("register", { name: "never", behaviour: "never" });
    const client = await startClient(url, { ...ANN, reconnectDelayMs: 50 });
    await client.events("onOpen");
    const lost = client.order("callWait", { function: "never" });
    await server.events("called");
    await client.value("drop");
    await client.events("onOpen", 2);
    await server.value("closeAll", { code: 4000 });
    await client.events("onOpen", 3);
    assert.deepEqual(await server.events("closed", 2), [[1, 1006], [2, 4000]]);
    assert.deepEqual(await client.events("onReconnecting", 2), [[1], [1]]);
    await server.events("authenticated", 3);
    const opening = ["onAuthenticating", "onMessage", "onOpen"];
    const again = ["onClose", "onReconnecting", ...opening];
    assert.deepEqual(client.names(), ["ready", ...opening, ...again, ...again]);
    assert.ok(!client.steps.some((s) => s.as === lost));
    assert.equal(server.names().filter((n) => n === "called").length, 1); // not re-sent
  },

  async "offline: failed attempts are counted, calls are queued and sent after onOpen"() {
    const { server, port, url } = await startServer(USERS);
    await server.value("register", { name: "echo", behaviour: "echo" });
    const client = await startClient(url, { ...ANN, reconnectDelayMs: 40 });
    await client.events("onOpen");
    await server.value("stop");
    await client.events("onClose");
    await client.value("call", { function: "echo", data: [1] });
    const second = client.order("callWait", { function: "echo", data: [2] });
    assert.equal((await client.value("state")).queued, 2);
    assert.deepEqual(await client.events("onReconnecting", 3), [[1], [2], [3]]);
    const [[error]] = await client.events("onError");
    assert.equal(error.code, "rtm/network-error");
    await server.value("listen", { port, options: USERS });
    assert.deepEqual((await client.outcome(second)).value, [2]);
    const frames = (await server.events("frame", 4)).map(([, raw]) => JSON.parse(raw));
    assert.deepEqual(frames.map((f) => f.type), ["auth", "auth", "invoke", "invoke"]);
    assert.deepEqual(frames.slice(2).map((f) => f.data), [[1], [2]]);
    const { queued, attempt } = await client.value("state");
    assert.deepEqual([queued, attempt], [0, 0]);
  },

  async "close: no onClose, no reconnect, everything cleared"() {
    const { server, url } = await startServer();
    const client = await startClient(url); // no options: would reconnect after 1 s
    await client.value("subscribe", { event: "news" });
    await client.events("onOpen");
    await client.value("close");
    assert.deepEqual(await server.events("closed"), [[1, 1005]]);
    await quiet();
    assert.deepEqual(client.names(), ["ready", "onOpen"]);
    const { socket, subscriptions, entries } = await client.value("state");
    assert.deepEqual([socket, subscriptions, entries], ["closed", {}, 0]);
  },

  async "default reconnect delay without options, none with empty options"() {
    const { server, url } = await startServer();
    const without = await startClient(url);
    const empty = await startClient(url, {});
    await Promise.all([without.events("onOpen"), empty.events("onOpen")]);
    await server.value("dropAll");
    await Promise.all([without.events("onClose"), empty.events("onClose")]);
    const closed = Date.now();
    await without.events("onOpen", 2);
    assert.ok(Date.now() - closed > 900);
    assert.ok(!empty.names().includes("onReconnecting"));
  },

  async "odd frames: not JSON, text as data, unknown and repeated ids"() {
    const { server, url } = await startServer();
    await server.value("register", { name: "never", behaviour: "never" });
    const client = await startClient(url, {});
    await client.value("subscribe", { event: "news" });
    await client.events("onOpen");
    await server.value("raw", { text: "not json" });
    await server.value("raw", { text: '{"event":"news","data":"str"}' });
    await server.value("raw", { text: '{"id":"unknown","data":{"error":"x"}}' });
    assert.deepEqual((await client.events("onMessage", 3))[0], ["not json"]);
    assert.deepEqual(await client.events("callback"), [["s", "t", "r"]]);
    const tag = client.order("callWait", { function: "never" });
    const [[, raw]] = await server.events("frame");
    const { id } = JSON.parse(raw);
    for (const data of [1, 2]) await server.value("raw", { text: JSON.stringify({ id, data }) });
    await client.events("onMessage", 5);
    assert.equal((await client.outcome(tag)).value, 1);
    assert.equal(client.names().filter((n) => n === "unhandledRejection").length, 1);
    assert.equal((await client.value("state")).socket, "open");
  },

  async "server: a frame that is not JSON, or has no sound shape, is told and ignored"() {
    const { server, url } = await startServer();
    const socket = new (await import("ws")).default(url);
    await once(socket, "open");
    socket.send("not json");
    socket.send('{"id":1,"type":"invoke"}');
    assert.deepEqual(await server.events("invalid", 2),
      [[1, "not json"], [1, '{"id":1,"type":"invoke"}']]);
    assert.deepEqual(await server.value("clients"),
      [{ client: 1, authentication: null, subscriptions: [] }]);
    socket.terminate();
  },

  async "orders: unknown or broken ones are rejected, the program stays"() {
    const client = new Program("client.mjs");
    const unknown = await client.outcome(client.order("dance"));
    assert.equal(unknown.error.message, "Unknown order: dance");
    assert.equal((await client.outcome(client.order("state"))).error.message, "Not opened");
    client.child.stdin.write("{\n");
    await client.find((s) => s.error?.message.startsWith("Not an order"), "rejected line");
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    for (const program of [...running]) await program.end();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}\n${error.stack}`);
    for (const program of [...running]) {
      running.delete(program);
      program.child.kill();
    }
  }
}
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
