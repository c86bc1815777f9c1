/** What the pages and the console of the original application do, whatever carries their messages. */

export const TOPICS = ["rect", "chart"];

/** Six random characters: the name of a client, and of the producer that it is. */
export const newClientId = () => Math.random().toString(36).slice(2, 8).padEnd(6, "0");

const draws = { rect: (data) => typeof data === "number", chart: Array.isArray };

/** What a page does with a message: it draws it, or ignores it. */
export function received(topic, text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return { page: topic, drawn: false };
  }
  const { producerId, data, date } = message ?? {};
  return { page: topic, drawn: draws[topic](data), producerId, data, date };
}

let angle = 0;

const next = {
  rect: () => (angle = (angle + 50) % 360),
  chart: () => Array.from({ length: 7 }, () => 1 + Math.floor(Math.random() * 20)),
};

const message = (producerId, topic) => ({ producerId, data: next[topic](), date: new Date().toISOString() });

/** The console: publishes `count` messages to a topic, one each period, and reports them. */
export function generate(producerId, topic, periodMs, count, publish, done) {
  const timer = setInterval(() => {
    const sent = message(producerId, topic);
    publish(topic, JSON.stringify(sent));
    report(sent);
    if (--count === 0) {
      clearInterval(timer);
      done();
    }
  }, periodMs);
}

/** Tell who started this script. */
export const report = (what) => console.log(JSON.stringify(what));
