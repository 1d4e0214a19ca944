// Drives the RTMClient of @slack/rtm-api 6.2.1; see ../driver.mjs.

import { LogLevel, RTMClient } from "@slack/rtm-api";

import { obey, report } from "../driver.mjs";
import { apiUrl, options, token } from "./environment.mjs";

const silent = Object.fromEntries(
  ["debug", "info", "warn", "error", "setLevel", "setName", "getLevel"].map((name) => [name, () => LogLevel.ERROR]),
);
const rtm = new RTMClient(token, { slackApiUrl: apiUrl, logger: silent, ...options });
report(rtm);

await obey({
  start: async (args) => (await rtm.start(args.options)).self,
  disconnect: () => rtm.disconnect(),
  send: ({ text, channel }) => rtm.sendMessage(text, channel),
  typing: ({ channel }) => rtm.sendTyping(channel),
  presence: ({ ids }) => rtm.subscribePresence(ids),
  state: () => ({
    connected: rtm.connected,
    authenticated: rtm.authenticated,
    user: rtm.activeUserId,
    team: rtm.activeTeamId,
  }),
});
