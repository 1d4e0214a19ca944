// An RTM server as the original's documentation has it: one process, no
// heartbeat, flat `data` arrays in events.
import WebSocket, { WebSocketServer } from "ws";

export class RtmServer {
  #functions = new Map();
  #connections = new Set();
  #lastNumber = 0;

  Register(name, func) {
    this.#functions.set(name, func);
  }

  // options: authHandler(...params), authTimeoutMs, onAuthTimeout(connection),
  // and observers, all called with the connection first: onOpened, onFrame(raw),
  // onInvalid(raw), onAuthenticated(result), onRefused(params), onCalled(name, args),
  // onSubscribed(event, tags), onClosed(code), onSocketError(error).
  Listen(port, options = {}) {
    this.options = options;
    return new Promise((resolve, reject) => {
      this.server = new WebSocketServer({ host: "127.0.0.1", port });
      this.server.on("connection", (socket, request) => this.#accept(socket, request));
      this.server.once("error", reject);
      this.server.once("listening", () => resolve(this.server.address().port));
    });
  }

  // Stops listening and drops everybody; Listen may follow. Functions stay.
  Stop() {
    for (const { socket } of this.#connections) socket.terminate();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  get Connections() {
    return [...this.#connections];
  }

  // To every admitted client whose authentication the filter accepts.
  Emit(event, data, filter = () => true) {
    return this.#sendEvent(event, data, ({ authentication }) => filter(authentication));
  }

  // To every connection of one user. Single process: no broker in between.
  Publish(user, event, ...data) {
    return this.#sendEvent(event, data, ({ authentication }) => userId(authentication) === user);
  }

  // To those whose subscription shares a tag; no tags = all who subscribed.
  // One frame per connection: its client calls each callback of the event anyway.
  Push(event, tags, ...data) {
    const matches = (subscription) => subscription.event === event &&
      (!tags?.length || subscription.tags.some((tag) => tags.includes(tag)));
    return this.#sendEvent(event, data, ({ subscriptions }) => subscriptions.some(matches));
  }

  #sendEvent(event, data, wanted) {
    const receivers = this.Connections.filter((c) => this.#isAdmitted(c) && wanted(c));
    for (const connection of receivers) send(connection, { event, data });
    return receivers.length;
  }

  #accept(socket, request) {
    const connection = {
      number: ++this.#lastNumber,
      socket,
      path: request.url,
      protocol: request.headers["sec-websocket-protocol"] ?? null,
      authentication: null,
      authenticating: null, // promise while (and after) an auth handler runs
      subscriptions: [],
    };
    this.#connections.add(connection);
    const { options } = this;
    socket.on("message", (data) => this.#onFrame(connection, data.toString()));
    socket.on("error", (error) => options.onSocketError?.(connection, error));
    socket.on("close", (code) => {
      clearTimeout(connection.authTimer);
      this.#connections.delete(connection);
      options.onClosed?.(connection, code);
    });
    if (options.authHandler && options.authTimeoutMs) {
      connection.authTimer = setTimeout(() => {
        options.onAuthTimeout?.(connection);
        socket.close();
      }, options.authTimeoutMs);
    }
    options.onOpened?.(connection);
  }

  async #onFrame(connection, raw) {
    this.options.onFrame?.(connection, raw);
    const frame = parse(raw);
    // Not answered: without a sound shape there may be no id to answer to.
    if (!isSound(frame)) return this.options.onInvalid?.(connection, raw);
    if (frame.type === "auth") {
      connection.authenticating = this.#authenticate(connection, frame);
      return;
    }
    // The original client sends invokes while its authentication is pending:
    // hold them until the handler has decided.
    await connection.authenticating;
    if (!this.#isAdmitted(connection)) return fail(connection, frame.id, "Unauthorized");
    if (frame.type === "subscribe") this.#subscribe(connection, frame);
    else await this.#call(connection, frame);
  }

  async #authenticate(connection, { id, data }) {
    let result = null;
    try {
      result = (await this.options.authHandler?.(...data)) || null;
    } catch {
      // Refused with null: an {error} reply would leave the original client hanging.
    }
    connection.authentication = result;
    if (result) {
      clearTimeout(connection.authTimer);
      this.options.onAuthenticated?.(connection, result);
    } else {
      this.options.onRefused?.(connection, data);
    }
    send(connection, { id, data: result }); // refused: the client closes by itself
  }

  #subscribe(connection, { id, event, tags = [] }) {
    connection.subscriptions.push({ event, tags });
    this.options.onSubscribed?.(connection, event, tags);
    send(connection, { id, data: true });
  }

  async #call(connection, { id, function: name, data }) {
    const func = this.#functions.get(name);
    if (!func) return fail(connection, id, `Function ${name} is not registered.`);
    this.options.onCalled?.(connection, name, data);
    try {
      send(connection, { id, data: await func(...data) });
    } catch (error) {
      fail(connection, id, error instanceof Error ? error.message : error);
    }
  }

  #isAdmitted({ authentication }) {
    return !this.options.authHandler || Boolean(authentication);
  }
}

// The user id Publish goes by: the authentication's `id`, or a plain value itself.
function userId(authentication) {
  return authentication !== null && typeof authentication === "object"
    ? authentication.id
    : authentication;
}

function parse(raw) {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}

function isSound(frame) {
  if (typeof frame?.id !== "string") return false;
  switch (frame.type) {
    case "auth":
      return Array.isArray(frame.data);
    case "invoke":
      return typeof frame.function === "string" && Array.isArray(frame.data);
    case "subscribe":
      return typeof frame.event === "string" &&
        (frame.tags === undefined || Array.isArray(frame.tags));
    default:
      return false;
  }
}

// A result of undefined leaves `data` out: the client then gets undefined.
function send({ socket }, message) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

// The client takes only a truthy error for an error.
function fail(connection, id, error) {
  send(connection, { id, data: { error: error || "Error" } });
}
