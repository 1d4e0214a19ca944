// The published JavaScript client (@rc-ex/core + @rc-ex/ws) as its users write it: by its own paths, for two users, over
// the WebSocket where it can, with a loss on the way.
//
// Run by test_npm_client.py, which reads the JSON lines printed here: one per step, each {"step": ..., ...facts}.
// The environment names the gateway as its own first five lines do (RINGCENTRAL_SERVER_URL and so on).

import { once } from "node:events";

import RingCentral from "@rc-ex/core";
import WebSocketExtension, { Events } from "@rc-ex/ws";

const { RINGCENTRAL_SERVER_URL: server, RINGCENTRAL_CLIENT_ID: clientId } = process.env;
const { RINGCENTRAL_CLIENT_SECRET: clientSecret, RINGCENTRAL_JWT: jwt, RINGCENTRAL_SECOND_JWT: secondJwt } = process.env;

const say = (step, facts = {}) => console.log(JSON.stringify({ step, ...facts }));
const order = async (name, facts = {}) => {
  const answer = await fetch(`${server}/_gateway/${name}`, { method: "POST", body: JSON.stringify(facts) });
  return (await answer.json()).result;
};

const rc = new RingCentral({ server, clientId, clientSecret });
await rc.authorize({ jwt });
// It takes multipart bodies to a WebSocket as they are, which no JSON frame can hold: they go with a client that has none.
const plain = new RingCentral({ server, clientId, clientSecret, token: rc.token });
const colleague = new RingCentral({ server, clientId, clientSecret });
await colleague.authorize({ jwt: secondJwt });

const ws = new WebSocketExtension({
  restOverWebSocket: true,
  autoRecover: { enabled: true, checkInterval: () => 100, pingServerInterval: 200 },
});
await rc.installExtension(ws);

const notified = [];
let wake = () => {};
const until = async (isIt) => {
  while (!notified.some(isIt)) {
    await new Promise((resolve) => (wake = resolve));
  }
  return notified.find(isIt);
};
const filters = [
  "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS",
  "/restapi/v1.0/account/~/extension/~/message-store",
  "/restapi/v1.0/account/~/extension/~/presence?detailedTelephonyState=true",
  "/restapi/v1.0/account/~/extension/~/telephony/sessions",
  "/team-messaging/v1/posts",
];
const { subscriptionInfo } = await ws.subscribe(filters, (notification) => {
  notified.push(notification);
  wake();
});
say("subscribed", { filters: subscriptionInfo.eventFilters });

const own = rc.restapi().account().extension();
const theirs = colleague.restapi().account().extension();
const sender = async (extension) =>
  (await extension.phoneNumber().get()).records.find(({ features }) => features.includes("SmsSender")).phoneNumber;
const from = { phoneNumber: await sender(own) };
const to = [{ phoneNumber: await sender(theirs) }];

// Messages
const picture = { filename: "a.png", content: Buffer.from("\x89PNG\r\n", "latin1"), contentType: "image/png" };
const uploads = plain.restapi().account().extension();
const sms = await uploads.sms().post({ from, to, text: "an SMS" });
const mms = await uploads.mms().post({ from, to, text: "an MMS", attachments: [picture] });
const fax = await uploads.fax().post({ to, faxResolution: "High", attachments: [picture] });
say("sent", { sms, mms, fax });
const overSocket = await own.sms().post({ from, to, text: "?" }).catch((error) => error.response);
say("multipart over the WebSocket", { status: overSocket.status, errorCode: overSocket.data.errorCode });
const asJson = (await rc.post("/restapi/v1.0/account/~/extension/~/sms", { from, to, text: "as JSON" })).data;
say("sent as JSON", { sms: asJson });

const store = await own.messageStore().list({ messageType: ["SMS", "Fax"], direction: ["Outbound"], perPage: 2 });
say("message-store", { records: store.records.map(({ id }) => id), paging: store.paging, uri: store.uri });
const attachment = mms.attachments.find(({ contentType }) => contentType === "image/png");
const bytes = await own.messageStore(mms.id).content(attachment.id).get();
say("content", { content: Buffer.from(bytes).toString("latin1") });
const inbox = await theirs.messageStore().list({ direction: ["Inbound"], readStatus: ["Unread"] });
const read = await theirs.messageStore(inbox.records[0].id).put({ readStatus: "Read" });
const patched = await theirs.messageStore(inbox.records[0].id).patch({ readStatus: "Unread" });
await own.messageStore(asJson.id).delete();
const deleted = await own.messageStore(asJson.id).get();
const sync = await own.messageSync().get({ syncType: "FSync", recordCount: 10 });
say("changed", {
  inbox: inbox.records.map(({ type }) => type),
  marks: [read.readStatus, patched.readStatus],
  deleted: deleted.availability,
  sync: sync.syncInfo.syncType,
});

const path = `/restapi/v1.0/account/~/extension/~/message-store/${sms.id},${mms.id},1`;
const overWebSocket = await rc.get(path);
const overHttps = await plain.get(path);
say("batch", {
  statuses: [overWebSocket.status, overHttps.status],
  bodies: [overWebSocket.data, overHttps.data],
});

// Calls and presence
await order("ring", { from_number: "+14155550100", to_extension: "101" });
const ringing = await until(({ body }) => body.telephonyStatus === "Ringing");
await order("answer");
const call = await own.presence().get({ detailedTelephonyState: true });
await order("hang_up");
await until(({ body }) => body.parties?.[0].status.code === "Disconnected");
const log = await own.callLog().list({ view: "Detailed" });
const ofAccount = await rc.restapi().account().callLog().list({ direction: ["Inbound"] });
const logSync = await own.callLogSync().get({ syncType: "FSync" });
say("calls", {
  ringing: ringing.body.activeCalls[0].from,
  active: call.activeCalls.length,
  record: log.records[0],
  one: (await own.callLog(log.records[0].id).get()).id,
  ofAccount: ofAccount.records.length,
  sync: logSync.records.length,
});
const changed = await own.presence().put({ userStatus: "Busy", dndStatus: "DoNotAcceptAnyCalls", message: "away" });
const event = await until(({ body }) => body.dndStatus === "DoNotAcceptAnyCalls");
say("presence", { changed, event: event.body, ofAll: (await rc.restapi().account().presence().get()).records.length });

// Team messaging
const team = rc.teamMessaging().v1();
const theirTeam = colleague.teamMessaging().v1();
const ownId = String((await own.get()).id);
const chat = await team.conversations().post({ members: [{ id: ownId }, { id: String((await theirs.get()).id) }] });
const post = await team.chats(chat.id).posts().post({ text: "a question" });
const answer = await theirTeam.chats(chat.id).posts().post({ text: "an answer", parentPostId: post.id });
const answered = await until(({ body }) => body.id === answer.id);
await team.chats(chat.id).posts(post.id).patch({ text: "a better question" });
const edited = await until(({ body }) => body.eventType === "PostChanged");
const uploaded = await plain.teamMessaging().v1().files().post({ body: picture }, { groupId: chat.id, name: "a.png" });
const file = await plain.get(uploaded[0].contentUri, undefined, { responseType: "arraybuffer" });
await team.chats(chat.id).posts(post.id).delete();
const posts = await team.chats(chat.id).posts().list({ recordCount: 2 });
const note = await team.chats(chat.id).notes().post({ title: "a note" });
await team.notes(note.id).publish().post();
const task = await team.chats(chat.id).tasks().post({ subject: "a task", assignees: [{ id: ownId }] });
await team.tasks(task.id).complete().post({ status: "Complete" });
const card = await team.chats(chat.id).adaptiveCards().post({ type: "AdaptiveCard", version: "1.0", body: [] });
await team.adaptiveCards(card.id).delete();
say("team", {
  event: answered.body,
  threadId: answer.threadId,
  edited: edited.body.text,
  file: Buffer.from(file.data).toString("latin1"),
  posts: posts.records.map(({ text }) => text),
  person: (await team.persons(answer.creatorId).get()).firstName,
  chats: (await team.chats().list({ type: ["Direct"] })).records.map(({ id }) => id),
  recent: (await team.recent().chats().get()).records.length,
  note: (await team.notes(note.id).get()).status,
  task: (await team.tasks(task.id).get()).status,
});

// A loss: what comes meanwhile is kept.
const lost = once(ws.ws, "close");
const recovered = once(ws.eventEmitter, Events.autoRecoverSuccess);
await order("cut");
await lost;
const missed = await theirs.rc.post("/restapi/v1.0/account/~/extension/~/sms", {
  from: to[0],
  to: [from],
  text: "during the loss",
});
await recovered;
const after = await theirs.sms().post({ from: to[0], to: [from], text: "after the loss" });
await until(({ body }) => body.subject === "after the loss");
say("recovered", {
  state: ws.connectionDetails.recoveryState,
  sent: [missed.data.subject, after.subject],
  texts: notified.filter(({ body }) => body.type === "SMS").map(({ body }) => body.subject),
});

await rc.revoke();
await colleague.revoke();
say("revoked");
