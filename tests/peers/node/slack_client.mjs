// Drives the RtmClient of @slack/client 3.16.0; see ../driver.mjs.

import Slack from "@slack/client";

import { obey, report } from "../driver.mjs";
import { apiUrl, options, token } from "./environment.mjs";

const rtm = new Slack.RtmClient(token, { slackAPIUrl: apiUrl, logLevel: "none", logger: () => {}, ...options });
report(rtm);

await obey({
  // None of these two gives anything back.
  start: (args) => void rtm.start(args.options),
  disconnect: () => void rtm.disconnect("on command"),
  send: ({ text, channel }) => rtm.sendMessage(text, channel),
  typing: ({ channel }) => void rtm.sendTyping(channel),
  presence: ({ ids }) => void rtm.subscribePresence(ids),
  update: (message) => rtm.updateMessage(message),
  state: () => ({
    connected: rtm.connected,
    authenticated: rtm.authenticated,
    user: rtm.activeUserId,
    team: rtm.activeTeamId,
    users: rtm.dataStore && Object.keys(rtm.dataStore.users).length,
  }),
});
