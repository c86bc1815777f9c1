/** node driver.js URL TOKEN TRANSPORT: twenty messages from one client to another; prints what came of them as JSON. */

import faye from "faye";

const [url, token, transport] = process.argv.slice(2);
const TYPES = ["websocket", "eventsource", "long-polling", "cross-origin-long-polling", "callback-polling", "in-process"];

function make() {
  const client = new faye.Client(url, { timeout: 10 });
  // It always shakes hands by a request, and then changes to what it likes best.
  for (const type of TYPES) if (type !== transport && type !== "long-polling") client.disable(type);
  client.addExtension({
    outgoing(message, callback) {
      if (message.channel === "/meta/handshake") message.ext = { authentication: { user: "somebody", password: token } };
      callback(message);
    },
  });
  return client;
}

const [reading, writing] = [make(), make()];
const got = [];
let enough;
const all = new Promise((resolve) => (enough = resolve));
await reading.subscribe("/f/*", (data) => {
  got.push(data.n);
  if (got.length === 20) enough();
});
for (let n = 0; n < 20; n += 1) await writing.publish("/f/x", { n });
await all;
console.log(JSON.stringify({ type: reading._dispatcher.connectionType, got }));
await reading.disconnect();
await writing.disconnect();
process.exit(0);
