/**
 * What npm's `mqtt` sends and receives, message by message, as JSON; payloads are in hexadecimal.
 *
 *   node driver.js URL VERSION subscribe TOPIC QOS   reports each message that comes
 *   node driver.js URL VERSION publish MESSAGE...    sends each, when the one before it is confirmed
 *
 * VERSION is 4 for MQTT 3.1.1, or 5. BROKER_USER and BROKER_PASSWORD log in.
 */

import mqtt from "mqtt";

const [url, version, act, ...rest] = process.argv.slice(2);
const client = await mqtt.connectAsync(url, {
  protocolVersion: Number(version),
  username: process.env.BROKER_USER,
  password: process.env.BROKER_PASSWORD,
});
const report = (what) => console.log(JSON.stringify(what));

/** JSON has no bytes; the one property of a message that holds some is shown like a payload. */
function readable({ correlationData, ...others } = {}) {
  return correlationData ? { ...others, correlationData: correlationData.toString("hex") } : others;
}

function subscribe([topic, qos]) {
  const granted = client.subscribeAsync(topic, { qos: Number(qos) }).then(([grant]) => report({ granted: grant.qos }));
  // What was retained may come before the grant (MQTT 3.1.1, 3.8.4), and is told after it.
  client.on("message", (name, payload, { qos, retain, properties }) =>
    granted.then(() =>
      report({ topic: name, payload: payload.toString("hex"), qos, retain, properties: readable(properties) }),
    ),
  );
}

async function publish(messages) {
  for (const message of messages) {
    const { topic, payload, properties = {}, ...options } = JSON.parse(message);
    if (properties.correlationData) properties.correlationData = Buffer.from(properties.correlationData, "hex");
    if (version === "5") options.properties = properties;
    await client.publishAsync(topic, Buffer.from(payload, "hex"), options);
  }
  await client.endAsync();
}

await { subscribe, publish }[act](rest);
