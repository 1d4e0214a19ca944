// Drives a feedme-client over feedme-transport-ws; see driver.mjs. Which versions these are is for the caller to say:
// feedme_a/client.mjs and feedme_b/client.mjs each have their own.
//
// The arguments of the process: the URL, and as JSON the options of the client, with those of the transport in them.

import { obey, report } from "./driver.mjs";

export const drive = async (feedmeClient, transport) => {
  const [url, options] = process.argv.slice(2);
  const { transport: transportOptions, ...clientOptions } = JSON.parse(options);
  const client = feedmeClient({ transport: transport(url, transportOptions), ...clientOptions });
  report(client);

  // The feeds by the names that orders call them by, which are also what their events are "of".
  const feeds = new Map();
  const feedOf = (name) => {
    if (!feeds.has(name)) {
      throw new Error(`no feed was created under the name ${name}`);
    }
    return feeds.get(name);
  };

  await obey({
    connect: () => client.connect(),
    disconnect: () => client.disconnect(),
    state: () => client.state(),
    id: () => client.id(), // of dialect A
    action: ({ actionName, actionArgs }) => client.action(actionName, actionArgs),
    create({ feed: name, feedName, feedArgs }) {
      const feed = client.feed(feedName, feedArgs);
      // "action:<name>" says again what "action" has said.
      report(feed, { of: name, except: (event) => event.startsWith("action:") });
      feeds.set(name, feed);
    },
    desireOpen: ({ feed }) => feedOf(feed).desireOpen(),
    desireClosed: ({ feed }) => feedOf(feed).desireClosed(),
    feedState: ({ feed }) => ({ desired: feedOf(feed).desiredState(), actual: feedOf(feed).state() }),
    data: ({ feed }) => feedOf(feed).data(),
    destroy: ({ feed }) => feedOf(feed).destroy(),
  });
};
