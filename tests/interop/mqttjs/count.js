/** node count.js URL TOPIC COUNT: receives so many messages and does nothing with them. */

import mqtt from "mqtt";

const [url, topic, count] = process.argv.slice(2);
const client = mqtt.connect(url);
let left = Number(count);
client.on("message", () => {
  if (--left === 0) client.end();
});
client.once("connect", () => client.subscribe(topic));
