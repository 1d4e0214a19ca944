"use strict";

// -- A client of RTM, of which a page needs no more -------------------------------------------------------------------

// It authenticates, calls functions of the server, gets its events, and reconnects by itself until it is refused.
// `on` has functions: open(), waiting(seconds, why), refused(why), and event(name, data).
class Rtm {
  #url;
  #token;
  #on;
  #socket = null; // of the current attempt or connection
  #calls = new Map(); // what waits for a reply, by id
  #id = 0;
  #failures = 0;
  #timer = null; // ends an attempt that takes too long, or begins the next one
  #watch;
  #heardAt = 0;
  #pinged = false; // since then

  constructor(url, token, on) {
    this.#url = url;
    this.#token = token;
    this.#on = on;
    this.#watch = setInterval(() => this.#checkAlive(), 10_000);
    this.connect();
  }

  // Connect now, instead of after the delay.
  connect() {
    if (this.#socket) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lose("no answer"), 10_000);
    this.#heardAt = Date.now();
    this.#pinged = false;
    let openedAt = Infinity;
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.onopen = () => {
      const accepted = (data) => {
        if (!data) return this.#refuse("This login is not valid here (any more). Please log in again.");
        clearTimeout(this.#timer);
        openedAt = Date.now();
        this.#on.open();
      };
      const refused = (error) => error instanceof Lost || this.#refuse(error.message);
      this.#send({ type: "auth", data: [this.#token] }, accepted, refused);
    };
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => {
      if (Date.now() - openedAt > 30_000 || code === 1012) this.#failures = 0; // 1012: the server restarts
      this.#lose(code === 1012 ? "the server restarts" : "the connection was lost");
    };
  }

  // Call a function of the server; the promise is rejected if it refuses, or if the connection is lost before its reply.
  call(name, ...data) {
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) return reject(new Lost("there is no connection"));
      this.#send({ type: "invoke", function: name, data }, resolve, reject);
    });
  }

  close() {
    clearInterval(this.#watch);
    this.#hangUp();
  }

  #send(frame, resolve, reject) {
    const id = String(++this.#id);
    this.#calls.set(id, { resolve, reject });
    this.#socket.send(JSON.stringify({ id, ...frame }));
  }

  #receive(frame) {
    this.#heardAt = Date.now();
    this.#pinged = false;
    if (frame.event) {
      this.#on.event(frame.event, frame.data);
      return;
    }
    const call = this.#calls.get(frame.id);
    this.#calls.delete(frame.id);
    if (frame.data?.error) call?.reject(new Error(String(frame.data.error)));
    else call?.resolve(frame.data);
  }

  #refuse(why) {
    this.close();
    this.#on.refused(why);
  }

  // Forget the connection, whether it knows that it has ended or not.
  #hangUp() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { reject } of calls) reject(new Lost("the connection was lost"));
  }

  #lose(why) {
    this.#hangUp();
    const delay = Math.min(10, 0.5 * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.connect(), delay * 1000);
    this.#on.waiting(delay, why);
  }

  // A page cannot send pings, and a connection may be dead without a word.
  #checkAlive() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    if (this.#pinged) this.#lose("the server does not answer");
    else if (Date.now() - this.#heardAt > 15_000) {
      this.#pinged = true;
      this.call("ping").catch(() => {});
    }
  }
}

class Lost extends Error {}

// -- The page ----------------------------------------------------------------------------------------------------------

const EVERYONE = "everyone";
const byId = (id) => document.getElementById(id);

const login = JSON.parse(sessionStorage.getItem("chat") ?? "null"); // of this tab alone: {name, token}
const messages = new Map(); // what the server has confirmed, by id
const outbox = new Map(); // what it has not, by id: resent after a loss, as often as it takes
const unread = new Map(); // how many messages, by conversation
let gaps = []; // times at which messages may be missing
let people = {}; // how many tabs each user has open
let team = [];
let shown = EVERYONE; // the conversation on the screen
let lastId = null; // of the last message that came
let atEnd = true; // whether its end is on the screen
let rtm;

// Make an element. What people type becomes text, never HTML.
function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

function avatar(name) {
  const made = element("span", "avatar", name === EVERYONE ? "#" : name[0].toUpperCase());
  made.style.setProperty("--hue", name === EVERYONE ? 215 : (team.indexOf(name) * 95 + 15) % 360);
  made.ariaHidden = "true";
  if (name !== EVERYONE) made.classList.add(people[name] ? "here" : "away");
  return made;
}

function conversationOf(message) {
  if (message.to === EVERYONE) return EVERYONE;
  return message.from === login.name ? message.to : message.from;
}

function add(message) {
  if (messages.has(message.id)) return; // it came twice: as an event and with `hello`, or it was sent twice
  messages.set(message.id, message);
  outbox.delete(message.id);
  lastId = message.id;
  const conversation = conversationOf(message);
  const seen = conversation === shown && !document.hidden;
  if (message.from !== login.name && !seen) unread.set(conversation, (unread.get(conversation) ?? 0) + 1);
}

async function send(text) {
  // Random, as ids of several tabs must differ; crypto.randomUUID needs https.
  const number = crypto.getRandomValues(new Uint32Array(3)).join("");
  const message = { id: `${login.name}-${number}`, number, from: login.name, to: shown, text, at: Date.now() / 1000 };
  outbox.set(message.id, message);
  await deliver(message);
}

async function deliver(message) {
  delete message.error;
  draw();
  try {
    await rtm.call("send", message.number, message.to, message.text);
  } catch (error) {
    if (error instanceof Lost) return; // it stays in the outbox
    message.error = error.message;
    draw();
  }
}

async function begin() {
  showState("", "");
  try {
    const data = await rtm.call("hello", lastId);
    if (!data.complete) gaps.push(data.messages[0]?.at ?? Date.now() / 1000);
    people = data.people;
    data.messages.forEach(add);
    draw();
    for (const message of [...outbox.values()]) await deliver(message);
  } catch (error) {
    if (error instanceof Lost) return; // the next connection begins again
    showState("waiting", `The server cannot tell what was said: ${error.message}.`);
    setTimeout(begin, 3000);
  }
}

function onEvent(name, data) {
  if (name === "message") add(data[0]);
  if (name === "people") people = data[0];
  if (name === "rtm:gap") begin(); // of our servers: events may be missing, for example since Redis was away
  draw();
}

function showState(state, text) {
  byId("chat").dataset.state = state;
  byId("state").textContent = text;
}

function draw() {
  byId("conversations").replaceChildren(...[EVERYONE, ...team].map(drawConversation));
  byId("with").textContent = shown === EVERYONE ? "Everyone" : shown;
  byId("text").placeholder = `Message to ${shown}`;
  const log = byId("messages");
  const lines = [...messages.values(), ...outbox.values()].filter((one) => conversationOf(one) === shown);
  const all = [...lines, ...gaps.map((at) => ({ gap: true, at: at - 1e-6 }))];
  log.replaceChildren(...all.sort((a, b) => a.at - b.at).map(drawMessage));
  if (!lines.length) log.append(element("li", "notice", "Nothing has been said here yet."));
  keepAtEnd();
  const count = [...unread.values()].reduce((sum, one) => sum + one, 0);
  document.title = `${count ? `(${count}) ` : ""}${login.name} · Chat`;
}

function drawConversation(name) {
  const made = element("button", "conversation", avatar(name), element("span", "name", name === EVERYONE ? "Everyone" : name));
  if (name === login.name) made.append(element("span", "hint", people[name] > 1 ? `you, ${people[name]} tabs` : "you"));
  if (unread.get(name)) made.append(element("span", "badge", String(unread.get(name))));
  made.ariaCurrent = name === shown ? "true" : "false";
  made.onclick = () => show(name);
  return element("li", people[name] || name === EVERYONE ? "here" : "away", made);
}

function drawMessage(message) {
  if (message.gap) return element("li", "notice", "Some messages may be missing here.");
  const time = new Date(message.at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const mine = message.from === login.name;
  const pending = outbox.has(message.id);
  const meta = element("span", "meta", message.error ?? (pending ? "sending…" : time));
  const bubble = element("div", "bubble", element("span", "text", message.text), " ", meta);
  if (!mine) bubble.prepend(element("span", "sender", message.from));
  const made = element("li", `message ${mine ? "mine" : "theirs"}`, ...(mine ? [] : [avatar(message.from)]), bubble);
  made.classList.toggle("pending", pending);
  if (message.error) {
    made.classList.add("failed");
    made.append(element("button", "", "Try again"));
    made.lastChild.onclick = () => deliver(message);
  }
  return made;
}

function keepAtEnd() {
  if (atEnd) byId("messages").scrollTop = byId("messages").scrollHeight;
}

function show(name) {
  shown = name;
  atEnd = true;
  unread.delete(name);
  draw();
  byId("text").focus();
}

function leave(why = "") {
  rtm?.close();
  sessionStorage.removeItem("chat");
  if (why) sessionStorage.setItem("chat-why", why);
  location.reload();
}

async function logIn(name) {
  try {
    const response = await fetch("login", { method: "POST", body: JSON.stringify({ name }) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    sessionStorage.setItem("chat", JSON.stringify(answer));
    location.reload();
  } catch (error) {
    showWhy(`This did not work: ${error.message}.`);
  }
}

function showWhy(why) {
  byId("why").textContent = why;
  byId("why").hidden = !why;
}

function startLogin() {
  byId("login").hidden = false;
  byId("names").replaceChildren(
    ...team.map((name) => {
      const made = element("button", "conversation", avatar(name), element("span", "name", name));
      made.onclick = () => logIn(name);
      return element("li", "", made);
    }),
  );
  showWhy(sessionStorage.getItem("chat-why"));
  sessionStorage.removeItem("chat-why");
}

function startChat() {
  byId("chat").hidden = false;
  byId("me").textContent = login.name;
  byId("logout").onclick = () => leave();
  byId("again").onclick = () => rtm.connect();
  byId("composer").onsubmit = (event) => {
    event.preventDefault();
    const text = byId("text").value.trim();
    byId("text").value = "";
    atEnd = true;
    if (text) send(text);
  };
  byId("messages").onscroll = ({ target }) => {
    atEnd = target.scrollHeight - target.scrollTop - target.clientHeight < 80;
  };
  addEventListener("resize", keepAtEnd);
  document.onvisibilitychange = () => document.hidden || (unread.delete(shown), draw());
  addEventListener("online", () => rtm.connect());
  showState("waiting", "Connecting…");
  draw();
  rtm = new Rtm(new URL("rtm", location.href.replace(/^http/, "ws")).href, login.token, {
    open: begin,
    waiting: (seconds, why) => showState("waiting", `Offline: ${why}. Trying again in ${Math.ceil(seconds)} s.`),
    refused: leave,
    event: onEvent,
  });
  show(EVERYONE);
}

fetch("team")
  .then((response) => response.json())
  .then((names) => {
    team = names;
    if (login) startChat();
    else startLogin();
  })
  .catch(() => setTimeout(() => location.reload(), 2000)); // the server is away
