/**
 * The original application over STOMP in WebSocket, without its browser.
 *
 *   node application.js URL pages                        reports what each page does with what comes
 *   node application.js URL rect|chart PERIOD_MS COUNT   publishes as the console does, and reports what
 *
 * BROKER_USER and BROKER_PASSWORD log in.
 */

import { Client } from "@stomp/stompjs";
import WebSocket from "ws";
import { TOPICS, generate, newClientId, received, report } from "../contract.mjs";

// Every browser has it; Node.js only since 22.
globalThis.WebSocket = WebSocket;

const [brokerURL, part, periodMs, count] = process.argv.slice(2);
const clientId = newClientId();
const client = new Client({
  brokerURL,
  connectHeaders: { login: process.env.BROKER_USER, passcode: process.env.BROKER_PASSWORD },
  onConnect: part === "pages" ? pages : console_,
});

function pages() {
  for (const topic of TOPICS) {
    client.subscribe(`/topic/${topic}`, (message) => report(received(topic, message.body)));
  }
  // What follows on a connection is answered after what came before: the subscriptions stand.
  client.watchForReceipt("ready", () => report({ ready: true, clientId }));
  client.subscribe(`/topic/${clientId}`, () => {}, { receipt: "ready" });
}

function console_() {
  const publish = (topic, body) => client.publish({ destination: `/topic/${topic}`, body });
  generate(clientId, part, Number(periodMs), Number(count), publish, () => client.deactivate());
}

client.activate();
