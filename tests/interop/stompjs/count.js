/** node count.js URL DESTINATION COUNT: receives so many messages and does nothing with them. */

import { Client } from "@stomp/stompjs";
import WebSocket from "ws";

// Every browser has it; Node.js only since 22.
globalThis.WebSocket = WebSocket;

const [brokerURL, destination, count] = process.argv.slice(2);
let left = Number(count);
const client = new Client({
  brokerURL,
  onConnect: () =>
    client.subscribe(destination, () => {
      if (--left === 0) client.deactivate();
    }),
});
client.activate();
