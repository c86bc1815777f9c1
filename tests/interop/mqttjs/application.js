/**
 * The original application over MQTT, without its browser.
 *
 *   node application.js URL pages                        reports what each page does with what comes
 *   node application.js URL rect|chart PERIOD_MS COUNT   publishes as the console does, and reports what
 *
 * BROKER_USER and BROKER_PASSWORD log in.
 */

import mqtt from "mqtt";
import { TOPICS, generate, newClientId, received, report } from "../contract.mjs";

const [url, part, periodMs, count] = process.argv.slice(2);
const clientId = newClientId();
const client = mqtt.connect(url, {
  clientId,
  username: process.env.BROKER_USER,
  password: process.env.BROKER_PASSWORD,
});

function pages() {
  client.on("message", (topic, payload) => report(received(topic, payload.toString())));
  client.subscribe(TOPICS, { qos: 0 }, (error) => report({ ready: !error, clientId }));
}

function console_() {
  const publish = (topic, text) => client.publish(topic, text, { qos: 0 });
  generate(clientId, part, Number(periodMs), Number(count), publish, () => client.end());
}

client.once("connect", part === "pages" ? pages : console_);
