// The published SDK of RingCentral (@ringcentral/sdk) as its README and RingCentral's documentation use it: a login in the
// browser with PKCE, messages with files, batches, downloads, refresh, errors, logout; and two more ways to log in.
//
// Run by test_npm_sdk.py with a password, which reads the JSON lines printed here: one per step, each {"step": ..., ...facts}.
// The environment names the gateway as its own first five lines do (RINGCENTRAL_SERVER_URL and so on).

import { SDK } from "@ringcentral/sdk";
import FormData from "form-data";

const { RINGCENTRAL_SERVER_URL: server, RINGCENTRAL_CLIENT_ID: clientId } = process.env;
const { RINGCENTRAL_CLIENT_SECRET: clientSecret, RINGCENTRAL_SECOND_JWT: secondJwt } = process.env;
const [password] = process.argv.slice(2);

const say = (step, facts = {}) => console.log(JSON.stringify({ step, ...facts }));
console.warn = () => {}; // that logging in by password is deprecated
const refused = (error) => ({ status: error.response?.status, message: error.message });

const redirectUri = "http://127.0.0.1:9/back";
// The browser's part: it follows the link, and its user is sent back.
const visit = async (url) => new URL((await fetch(url, { redirect: "manual" })).headers.get("location"));

const sdk = new SDK({ server, clientId, clientSecret, redirectUri });
const platform = sdk.platform();
const happened = [];
for (const name of Object.values(platform.events)) platform.on(name, () => happened.push(name));
const back = await visit(platform.loginUrl({ usePKCE: true, state: "xyz", loginHint: "102" }));
const { code, state } = platform.parseLoginRedirect(back.search);
const wrong = await platform.login({ code, code_verifier: "wrong" }).catch(refused);
const again = await visit(platform.loginUrl({ usePKCE: true, state: "xyz", loginHint: "102" }));
await platform.login({ ...platform.parseLoginRedirect(again.search), access_token_ttl: 600, refresh_token_ttl: 1200 });
const token = await platform.auth().data();
say("code", { state, wrong, loggedIn: await platform.loggedIn(), ttl: [token.expires_in, token.refresh_token_expires_in] });

const extension = "/restapi/v1.0/account/~/extension/~";
const own = await (await platform.get(extension)).json();
const numbers = await (await platform.get(`${extension}/phone-number`, { usageType: ["DirectNumber"] })).json();
const from = { phoneNumber: numbers.records[0].phoneNumber };
const texts = [];
for (const text of ["one", "two"]) {
  texts.push(await (await platform.post(`${extension}/sms`, { from, to: [from], text })).json());
}

// As the README sends a fax, and an MMS.
const upload = async (path, body) => {
  const form = new FormData();
  form.append("json", Buffer.from(JSON.stringify(body)), { filename: "request.json", contentType: "application/json" });
  form.append("attachment", Buffer.from("some plain text"), { filename: "text.txt", contentType: "text/plain" });
  return (await platform.post(path, form)).json();
};
const mms = await upload(`${extension}/sms`, { from, to: [from], text: "with a file" });
const fax = await upload(`${extension}/fax`, { to: [from], faxResolution: "High" });
const attachment = mms.attachments.find(({ type }) => type === "MmsAttachment");
const content = await (await platform.get(attachment.uri)).text();
// For an <img> or <audio> of a page, which send no header.
const signed = await (await fetch(await platform.signUrl(attachment.uri))).text();
say("messages", { extensionNumber: own.extensionNumber, texts, mms, fax, content, signed });

const ids = [...texts.map(({ id }) => id), 1].join(",");
const batch = await sdk.client().multipart(await platform.get(`${extension}/message-store/${ids}`));
const marked = await platform.put(`${extension}/message-store/${texts[0].id}`, { readStatus: "Unread" });
const unread = await platform.get(`${extension}/message-store`, { readStatus: ["Unread"], messageType: ["SMS"] });
const gone = await platform.delete(`${extension}/message-store/${texts[1].id}`);
const presence = await platform.put(`${extension}/presence`, { userStatus: "Busy" });
const callLog = await platform.get(`${extension}/call-log`, { view: "Detailed", perPage: 10 });
say("message-store", {
  batch: await Promise.all(batch.map(async (part) => [part.status, (await part.json()).subject])),
  marked: (await marked.json()).readStatus,
  unread: (await unread.json()).records.map(({ id }) => id),
  gone: gone.status,
  presence: (await presence.json()).userStatus,
  callLog: (await callLog.json()).paging,
});
const chat = await (await platform.post("/team-messaging/v1/conversations", { members: [{ id: String(own.id) }] })).json();
const post = await (await platform.post(`/team-messaging/v1/chats/${chat.id}/posts`, { text: "hello" })).json();
const better = await platform.patch(`/team-messaging/v1/chats/${chat.id}/posts/${post.id}`, { text: "better" });
say("team", { chat: chat.type, post: (await better.json()).text });

say("refused", {
  unknown: await platform.get(`${extension}/message-store/1`).catch(refused),
  invalid: await platform.post(`${extension}/sms`, { text: "to nobody" }).catch(refused),
});

const before = (await platform.auth().data()).access_token;
await platform.refresh();
await platform.auth().cancelAccessToken(); // as if it had expired: the next call refreshes
await platform.get(extension);
const after = (await platform.auth().data()).access_token;
const old = await fetch(server + extension, { headers: { Authorization: `Bearer ${before}` } });
say("refreshed", { changed: before !== after, old: old.status });
await platform.logout();
say("logout", { loggedIn: await platform.loggedIn(), happened });

// Everything found by discovery, as in RingCentral's own applications.
const discovered = new SDK({
  discoveryServer: server, // no `server`: that is told
  enableDiscovery: true,
  clientId,
  clientSecret,
  redirectUri,
  cachePrefix: "discovery",
}).platform();
const link = await visit(await discovered.loginUrlWithDiscovery({ usePKCE: true }));
await discovered.login(discovered.parseLoginRedirect(link.search));
const found = await (await discovered.get(extension)).json();
await discovered.refresh();
await discovered.logout();
say("discovered", { extensionNumber: found.extensionNumber });

// Others: by password and extension number, and by a token that somebody else has got.
const number = numbers.records[0].phoneNumber;
const byPassword = new SDK({ server, clientId, clientSecret, cachePrefix: "password" }).platform();
await byPassword.login({ username: number, extension: own.extensionNumber, password });
const byJwt = new SDK({ server, clientId, clientSecret, cachePrefix: "jwt" }).platform();
await byJwt.login({ jwt: secondJwt });
const byToken = new SDK({ server, clientId, clientSecret, cachePrefix: "token" }).platform();
await byToken.login({ access_token: (await byJwt.auth().data()).access_token, token_type: "bearer", expires_in: 3600 });
const who = async (one) => (await (await one.get(extension)).json()).extensionNumber;
say("others", { password: await who(byPassword), jwt: await who(byJwt), token: await who(byToken) });
process.exit(0);
