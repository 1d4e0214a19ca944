// The original RTM client, with its habits. Where a habit looks like a bug,
// it is kept on purpose: a server has to live with it.
import { randomUUID } from "node:crypto";
import WebSocket from "ws";

const POLL_MS = 100;

export class RtmClient {
  // Habit: with no options object at all it reconnects after 1 s; with one,
  // an absent (or 0) reconnectDelayMs means no reconnect.
  constructor(address, options = { reconnectDelayMs: 1000 }) {
    this.Address = address;
    this.Options = options;
    this.Authenticated = false;
    this.Subscriptions = {}; // event -> entries, in the order they subscribed
    this.InvokeQueue = new Map(); // id -> {resolve, reject}: who waits for a reply
    this.MessageQueue = []; // texts to send after onOpen
    this.attempt = 0;
    this.#connect(); // habit: connects at once
  }

  // Habit: nothing on the wire tells Call from CallWait. Call leaves no entry,
  // so its reply (also an error) meets an unknown id and is ignored.
  async Call(func, ...args) {
    this.#sendOrQueue(this.#invoke(func, args));
  }

  // Habit: no timeout, and a disconnect neither rejects nor re-sends.
  CallWait(func, ...args) {
    const message = this.#invoke(func, args);
    const reply = this.#waitFor(message.id);
    this.#sendOrQueue(message);
    return reply;
  }

  // Local only: nothing is sent.
  Subscribe(event, callback) {
    const entry = { callback };
    (this.Subscriptions[event] ??= []).push(entry);
    return () => {
      const left = this.Subscriptions[event]?.filter((other) => other !== entry);
      if (left) this.Subscriptions[event] = left;
    };
  }

  // Habits: the callback is registered at once, the frame waits for an open
  // socket (polled, first look after 100 ms, not waiting for authentication),
  // and it is sent once: a reconnect does not repeat it.
  async SubscribePush(event, tags, callback) {
    const unsubscribe = this.Subscribe(event, callback);
    do {
      await new Promise((done) => setTimeout(done, POLL_MS));
    } while (!this.#isOpen());
    const message = { id: randomUUID(), type: "subscribe", event, tags };
    const reply = this.#waitFor(message.id);
    this.#send(message);
    await reply;
    return unsubscribe; // local only: there is no unsubscribe frame
  }

  // Habit: the options are emptied first, so onClose is never called, and the
  // close frame has no code (the other side sees 1005).
  Close() {
    this.Options = {};
    this.InvokeQueue.clear();
    this.MessageQueue = [];
    this.Subscriptions = {};
    this.Authenticated = false;
    clearTimeout(this.reconnectTimer);
    this.Socket.close();
  }

  #connect() {
    // One message per task, as in a browser: the frame after an auth reply must
    // not overtake onOpen.
    const socket = new WebSocket(this.Address, { allowSynchronousEvents: false });
    this.Socket = socket;
    // Async handlers: whatever they throw is an unhandled rejection, as in the original.
    socket.on("open", async () => this.#onSocketOpen());
    socket.on("message", async (data) => this.#onFrame(data.toString()));
    socket.on("error", (error) =>
      this.Options.onError?.({ code: "rtm/network-error", data: error.message }));
    socket.on("close", () => this.#onSocketClose());
  }

  async #onSocketOpen() {
    const { authenticationData } = this.Options;
    if (authenticationData !== undefined) {
      this.Options.onAuthenticating?.();
      const message = { id: randomUUID(), type: "auth", data: [authenticationData] };
      const reply = this.#waitFor(message.id);
      this.#send(message);
      // Habit: an {error} reply rejects here and nobody catches it: the socket
      // stays open, never authenticated, onOpen never comes.
      if (!(await reply)) {
        this.Options.onError?.({
          code: "rtm/auth-error",
          data: "Server returned an invalid response.",
        });
        this.Close(); // hence no reconnect and no onClose
        return;
      }
      this.Authenticated = true; // habit: the reply's value is not kept
    }
    this.attempt = 0;
    this.Options.onOpen?.();
    for (const text of this.MessageQueue.splice(0)) this.Socket.send(text);
  }

  #onSocketClose() {
    this.Authenticated = false;
    this.Options.onClose?.();
    const delay = this.Options.reconnectDelayMs;
    if (!delay) return;
    // Habit: constant delay, no limit of attempts.
    this.reconnectTimer = setTimeout(() => {
      this.attempt += 1;
      this.Options.onReconnecting?.(this.attempt);
      this.#connect();
    }, delay);
  }

  #onFrame(raw) {
    this.Options.onMessage?.(raw); // habit: before any handling, even of a bad frame
    const frame = JSON.parse(raw); // habit: bad JSON is an unhandled rejection
    if (frame.event) {
      // Habit: data is spread, whatever it is (a string: character by character).
      for (const { callback } of [...(this.Subscriptions[frame.event] ?? [])])
        callback(...frame.data);
      return;
    }
    // Habit: the entry stays for ever, and a second reply changes nothing.
    const waiter = this.InvokeQueue.get(frame.id);
    if (frame.data?.error) waiter?.reject(frame.data.error);
    else waiter?.resolve(frame.data);
  }

  #invoke(func, args) {
    return { id: randomUUID(), type: "invoke", data: args, function: func };
  }

  #waitFor(id) {
    return new Promise((resolve, reject) => this.InvokeQueue.set(id, { resolve, reject }));
  }

  // Habit: only the socket's state counts, so an invoke made while
  // authentication is pending goes out before the auth reply.
  #sendOrQueue(message) {
    if (this.#isOpen()) this.#send(message);
    else this.MessageQueue.push(JSON.stringify(message));
  }

  #send(message) {
    this.Socket.send(JSON.stringify(message));
  }

  #isOpen() {
    return this.Socket.readyState === WebSocket.OPEN;
  }
}
