// Every endpoint of @rc-ex/core: each method of each path class is called on a client that sends nothing, and the
// HTTP method and URL that it would have sent are printed.
//
// Run by test_npm_paths.py, which reads the JSON lines printed here: one per call, {"chain", "name", "method", "url"};
// a chain is [[method, id?], ...] from the client on. A path class with an id is tried with one and without.

import RingCentral from "@rc-ex/core";

const AsyncFunction = (async () => {}).constructor;
const roots = ["restapi", "scim", "teamMessaging", "rcvideo", "webinar", "analytics", "ai", "wellKnown"];
let sent;
let ids = 0;

const rc = new RingCentral({ server: "http://127.0.0.1:9" });
rc.request = async (method, url) => {
  sent = { method, url };
  return { data: {} };
};

// The default of the only parameter, as it is written: an id, `null`, or undefined if there is no parameter.
const defaultOf = (method) => /^\w+\(\w+ = ([^)]*)\)/.exec(method.toString())?.[1];

const call = async (node, name, chain) => {
  try {
    await node[name]({}, {}, {});
  } catch (error) {
    if (!error.message.endsWith("must be specified.")) throw error;
    return; // a method of one resource, on the path without its id
  }
  console.log(JSON.stringify({ chain, name, ...sent }));
};

const walk = async (node, chain, deeper) => {
  for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(node))) {
    if (name === "constructor" || name === "path") continue;
    if (node[name] instanceof AsyncFunction) {
      await call(node, name, chain);
    } else if (deeper) {
      const written = defaultOf(node[name]);
      // Below a path that lacks its id there are only paths that nobody means.
      await walk(node[name](), [...chain, [name]], written !== "null");
      if (written === undefined) continue;
      const id = `id-${(ids += 1)}`;
      await walk(node[name](id), [...chain, [name, id]], true);
    }
  }
};

for (const root of roots) await walk(rc[root](), [[root]], true);
