// The console: shows what /_gateway/events tells, and sends commands by POST /_gateway/<name>. What comes from clients is written
// as text only, never as HTML.

const MOST_ROWS = 400;
const UNREACHABLE = "the gateway is not reachable";
const $ = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// What happens

const TONES = {
  connect: "good", recovered: "good", node_restored: "good",
  lost: "bad", cut: "bad", error: "bad", recovery_failed: "bad", upgrade_refused: "bad", details_refused: "bad",
  node_lost: "bad", logged_out: "bad", overflow: "bad",
  superseded: "warn", freeze: "warn", unmatched: "warn",
};

function toneOf(entry) {
  if (entry.kind === "request") {
    if (typeof entry.status !== "number" || entry.status >= 500) return "bad";
    return entry.status >= 400 ? "warn" : "quiet";
  }
  if (entry.kind === "notification") return { sent: "good", buffered: "warn", dropped: "bad" }[entry.state];
  return TONES[entry.kind] ?? "quiet";
}

function member(text, name) {
  return new RegExp(`"${name}": ?(?:"((?:[^"\\\\]|\\\\.)*)"|(\\d+))`).exec(text)?.slice(1).find(Boolean);
}

function textOf(entry) {
  if (entry.kind === "wire") {
    const named = (names) => names.map((name) => member(entry.text, name)).filter(Boolean).join(" ");
    const type = member(entry.text, "type") ?? "";
    if (type === "ServerNotification") return `${type} ${named(["event"])}`;
    if (type === "ClientRequest") return named(entry.direction === "in" ? ["method", "path"] : ["type", "status"]);
    return type ? `${type} ${named(["errorCode", "recoveryState"])}` : entry.text.slice(0, 200);
  }
  if (entry.kind === "request") {
    return `${entry.method} ${entry.path}${entry.query ? `?${entry.query}` : ""} → ${entry.status}`;
  }
  if (entry.kind === "notification") return `${entry.state} ${entry.event}${entry.replay ? " (replay)" : ""}`;
  return Object.entries(entry)
    .filter(([name, value]) => !["time", "kind", "connection"].includes(name) && value !== null)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(", ") : value}`)
    .join(" ");
}

// Nearly all paths begin alike; what tells them apart is to be seen.
function short(text) {
  return text.replaceAll(/\/restapi\/v1\.0\/account\/[^/\s]+\/extension\/(\d+|~)/g, "…/$1");
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // cut off, multipart, or no JSON at all
  }
}

function whoOf(entry) {
  if (entry.connection !== undefined) return `#${entry.connection}`;
  return entry.via === "https" ? "http" : "";
}

function rowOf(entry) {
  const isWire = entry.kind === "wire";
  const kind = isWire ? (entry.direction === "in" ? "→ frame" : "← frame") : entry.kind.replaceAll("_", " ");
  const head = make(
    isWire ? "summary" : "div",
    { class: "head" },
    make("span", { class: "time" }, entry.time.toFixed(3)),
    make("span", { class: "who" }, whoOf(entry)),
    make("span", { class: "kind", "data-tone": isWire ? undefined : toneOf(entry) }, kind),
    make("span", { class: "facts", title: textOf(entry) }, short(textOf(entry))),
  );
  const row = make("li", { "data-who": whoOf(entry), "data-kind": entry.kind });
  row.append(isWire ? make("details", {}, head, make("pre", {}, pretty(entry.text))) : head);
  return row;
}

let waiting = null; // entries that came while paused

function isWanted(row) {
  const who = $("of").value;
  const isFrame = row.dataset.kind === "wire" || row.dataset.kind === "frame";
  return (who === "" || row.dataset.who === who) && ($("frames").checked || !isFrame);
}

function know(who) {
  const of = $("of");
  if (!who.startsWith("#") || [...of.options].some((option) => option.value === who)) return;
  of.append(make("option", { value: who }, who));
  if (of.options.length > 50 && of.value !== of.options[2].value) of.options[2].remove();
}

function show(entries, isHistory = false) {
  if (waiting !== null) {
    waiting = [...waiting, ...entries].slice(-MOST_ROWS);
    return;
  }
  const list = $("entries");
  for (const entry of entries) {
    if (entry.kind === "frame" && !isHistory) continue; // its frame itself is shown
    const row = rowOf(entry);
    know(row.dataset.who);
    row.hidden = !isWanted(row);
    list.prepend(row);
  }
  while (list.children.length > MOST_ROWS) list.lastChild.remove();
}

function filter() {
  for (const row of $("entries").children) row.hidden = !isWanted(row);
}

$("of").addEventListener("change", filter);
$("frames").addEventListener("change", filter);
$("clear").addEventListener("click", () => $("entries").replaceChildren());
$("pause").addEventListener("click", () => {
  const kept = waiting;
  waiting = kept === null ? [] : null;
  $("pause").setAttribute("aria-pressed", String(waiting !== null));
  if (kept !== null) show(kept);
});

// What is there

function fill(id, cards, empty) {
  $(id).replaceChildren(...(cards.length ? cards : [make("li", { class: "empty" }, empty)]));
}

function sessionCard(one) {
  const isLost = one.connection === null;
  const state = isLost ? "away" : `connection #${one.connection}${one.node ? `, node ${one.node}` : ""}`;
  const left = isLost
    ? make("span", { class: "left", "data-until": Date.now() / 1000 + one.recoverable_for }, secondsLeft(one.recoverable_for))
    : null;
  const buffer = make("meter", { min: 0, max: Math.max(1, one.buffer_size), value: one.buffered, "aria-label": "buffer" });
  const filters = make("ul", { class: "filters" }, ...one.filters.map((text) => make("li", { title: text }, short(text))));
  const more = one.filter_count > one.filters.length ? [make("p", {}, `and ${one.filter_count - one.filters.length} more filters`)] : [];
  const disabled = one.disabled.map((text) => make("p", { class: "tone-warn" }, `not granted: ${short(text)}`));
  return make(
    "li",
    { "data-tone": isLost ? "warn" : "good", "data-session": one.id },
    make("p", {}, make("b", {}, `${one.owner.name} (${one.owner.number})`), " ", state, left === null ? null : " ", left),
    ...(isLost || one.buffered ? [make("p", { class: "buffer" }, `buffered: ${one.buffered} of ${one.buffer_size}`), buffer] : []),
    ...(one.subscription ? [filters, ...more] : [make("p", { class: "empty" }, "no subscription")]),
    ...disabled,
  );
}

function secondsLeft(seconds) {
  return seconds > 0 ? `${Math.ceil(seconds)} s left to recover` : "too late to recover";
}

setInterval(() => {
  for (const left of document.querySelectorAll(".left")) {
    left.textContent = secondsLeft(Number(left.dataset.until) - Date.now() / 1000);
  }
}, 1000);

function faultCard(fault) {
  const { kind, where, times, ...rest } = fault;
  const facts = Object.entries(rest).filter(([, value]) => value !== null && value !== false && value !== 0);
  const often = times === null ? "until cleared" : times === 1 ? "once" : `${times} times`;
  const text = facts.map(([name, value]) => `${name.replaceAll("_", " ")} ${value === true ? "" : value}`.trim()).join(", ");
  return make("li", { "data-tone": "warn" }, make("b", {}, kind.replaceAll("_", " ")), ` ${where}, ${often}${text ? `: ${text}` : ""}`);
}

function draw(state) {
  fill("sessions", state.sessions.toReversed().map(sessionCard), "Nobody is connected.");
  if (state.session_count > state.sessions.length) {
    $("sessions").append(make("li", {}, `and ${state.session_count - state.sessions.length} older ones`));
  }
  fill("faults", state.faults.map(faultCard), "None.");
  const nodes = state.nodes.map(({ number, port, alive }) =>
    make("li", { "data-tone": alive ? "good" : "bad" }, `node ${number}, port ${port}${alive ? "" : ": lost"}`));
  fill("nodes", nodes, "None of its own.");
}

// Near misses

let looking = null;

function lookForMisses() {
  looking ??= setTimeout(async () => {
    looking = null;
    let misses;
    try {
      misses = await (await fetch("/_gateway/near_misses")).json();
    } catch {
      return; // not reachable, as the page says already; the next `hello` looks again
    }
    $("near").hidden = misses.length === 0;
    fill("misses", misses.slice(-20).map((miss) => make("li", { "data-tone": "warn" }, describe(miss))), "None.");
  }, 300);
}

function describe({ method, path, ...rest }) {
  const facts = Object.entries(rest).map(([name, value]) =>
    `${name.replaceAll("_", " ")}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
  return [`${method} ${path}`, ...facts].join("; ");
}

// Live

function tell(state, text) {
  $("link").dataset.state = state;
  $("link").textContent = text;
}

const events = new EventSource("/_gateway/events");
events.onopen = () => tell("live", "live");
events.onerror = () => {
  tell("lost", "not reachable");
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000); // refused: too many pages
};
const on = (name, react) => events.addEventListener(name, ({ data }) => react(JSON.parse(data)));
on("hello", ({ entries }) => {
  $("entries").replaceChildren();
  show(entries, true);
  lookForMisses();
});
on("entries", ({ entries, missed }) => {
  if (missed) show([{ time: entries[0].time, kind: "missed", entries: missed }]);
  show(entries);
  if (entries.some(({ kind, status }) => kind === "request" && (status === 404 || status === 405))) lookForMisses();
});
on("state", draw);

// Commands

function valueOf(field) {
  if (field.dataset.kind === "flag") return field.checked;
  if (field.dataset.kind === "text" || field.dataset.kind === "choice") return field.value;
  try {
    return JSON.parse(field.value);
  } catch {
    return field.value;
  }
}

async function send(form) {
  const fields = [...form.querySelectorAll("[data-kind]")];
  const given = fields.filter((field) => field.dataset.kind === "flag"
    ? field.checked !== field.defaultChecked
    : field.value.trim() !== "" || field.required);
  const body = Object.fromEntries(given.map((field) => [field.name, valueOf(field)]));
  const output = form.querySelector("output");
  try {
    const answer = await fetch(`/_gateway/${form.dataset.command}`, { method: "POST", body: JSON.stringify(body) });
    const { result, note, message } = await answer.json();
    output.className = answer.ok ? "tone-good" : "tone-bad";
    output.textContent = answer.ok ? [result === null ? "done" : JSON.stringify(result), note].filter(Boolean).join("; ") : message;
  } catch {
    output.className = "tone-bad";
    output.textContent = UNREACHABLE;
  }
}

for (const form of document.querySelectorAll(".command")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
  form.addEventListener("invalid", () => form.querySelector("details")?.setAttribute("open", ""), true);
}

// Credentials

$("credentials").addEventListener("click", async () => {
  const isShown = $("env").toggleAttribute("hidden") === false;
  $("credentials").setAttribute("aria-expanded", String(isShown));
  if (!isShown) {
    $("env-text").textContent = "";
    return;
  }
  try {
    const answer = await fetch("/_gateway/console/credentials");
    $("env-text").textContent = answer.ok ? await answer.text() : (await answer.json()).message;
  } catch {
    $("env-text").textContent = UNREACHABLE;
  }
});
$("copy").addEventListener("click", () => navigator.clipboard?.writeText($("env-text").textContent));
