// Publishing, by hand or by a generator, and what arrives.

import { Refused } from "./bayeux.js";
import { find, keepShown, Tally } from "./drawing.js";
import { GENERATORS } from "./generators.js";
import { clock, Log } from "./log.js";
import { brief, newProducerId, wrap } from "./messages.js";
import { channelOf, channelsOf, topicOf } from "./topics.js";

/** What becomes of published messages, in the words of `mqctl publish`. */
class Fates {
  constructor(client) {
    this.client = client;
    this.attempted = this.confirmed = this.rejected = this.unknown = 0;
    this.why = "";
  }

  /** Publish; returns whether the hub took it. */
  async publish(channel, data) {
    this.attempted += 1;
    try {
      await this.client.publish(channel, data);
      this.confirmed += 1;
      this.why = "";
    } catch (error) {
      if (error instanceof Refused) this.rejected += 1;
      else this.unknown += 1;
      this.why = error.message;
    }
    return this.why === "";
  }

  toString() {
    if (!this.attempted) return "";
    const { attempted, confirmed, rejected, unknown, why } = this;
    const counts = `attempted ${attempted}, confirmed ${confirmed}, rejected ${rejected}, unknown ${unknown}`;
    return why ? `${counts} · ${why}` : counts;
  }
}

/** Start and stop a generator. */
export function generating(client) {
  const [form, period, toggle] = [find("generate"), find("period"), find("generate-toggle")];
  const periods = Object.fromEntries(Object.entries(GENERATORS).map(([name, { period_ms }]) => [name, period_ms]));
  const fates = new Fates(client);
  const chosen = () => form.elements.generator.value;
  let timer = null;

  const run = (name) => {
    clearInterval(timer);
    timer = null;
    if (name) {
      const { channel, make } = GENERATORS[name];
      const next = make();
      const send = () => fates.publish(channel, next());
      send();
      timer = setInterval(send, periods[name]);
    }
    toggle.textContent = timer === null ? "Start" : "Stop";
    form.classList.toggle("running", timer !== null);
  };
  const describe = () => {
    find("generator-help").textContent = GENERATORS[chosen()].help;
    period.value = periods[chosen()];
  };
  const restart = () => timer !== null && run(chosen());

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(timer === null ? chosen() : null);
  });
  form.elements.generator.forEach((radio) =>
    radio.addEventListener("change", () => {
      describe();
      restart();
    }),
  );
  period.addEventListener("change", () => {
    if (!period.reportValidity()) return;
    periods[chosen()] = period.valueAsNumber;
    restart();
  });
  describe();
  keepShown(find("generate-tally"), () => fates);
}

/** Publish what is typed. */
export function publishing(client) {
  const [form, payload, result] = [find("publish"), find("payload"), find("publish-result")];
  const producerId = newProducerId();
  const fates = new Fates(client);
  const forms = { text: (text) => text, json: read, envelope: (text) => wrap(read(text), producerId) };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let done = false;
    try {
      const channel = channelOf(find("publish-topic").value);
      done = await fates.publish(channel, forms[find("format").value](payload.value));
      result.textContent = fates;
    } catch (error) {
      result.textContent = error.message;
    }
    result.classList.toggle("problem", !done);
  });
  payload.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RangeError(`not JSON: ${error.message}`, { cause: error });
  }
}

/** Show what arrives on a topic of choice. */
export class Arrivals {
  constructor(client, speak) {
    this.client = client;
    this.speak = speak;
    this.log = new Log(find("console-log"), "Nothing yet.", cellsOf);
    this.tally = new Tally();
    this.endings = [];
    find("subscribe").addEventListener("submit", (event) => {
      event.preventDefault();
      this.listen();
    });
    find("clear-log").addEventListener("click", () => {
      this.log.clear();
      this.tally.clear();
    });
    keepShown(find("console-tally"), () => this.tally);
    this.listen();
  }

  show() {
    this.log.show();
  }

  listen() {
    const problem = find("subscribe-problem");
    problem.textContent = "";
    try {
      const channels = channelsOf(find("subscribe-topic").value);
      this.endings.splice(0).forEach((end) => end());
      const onRefused = (why) => (problem.textContent = why ? `The hub refuses this subscription: ${why}` : "");
      this.endings = channels.map((each) => this.client.subscribe(each, (...of) => this.observe(...of), onRefused));
    } catch (error) {
      problem.textContent = error.message;
    }
  }

  observe(data, channel, ext) {
    this.tally.add();
    this.log.add({ at: Date.now(), channel, text: ext?.binary ? sizeOf(data) : brief(data) });
    this.speak(() => `${this.tally.total} messages, the last on ${topicOf(channel)}`);
  }
}

function cellsOf({ at, channel, text }) {
  return { cells: [clock(new Date(at)), topicOf(channel), text] };
}

/** Of what the binary extension carries: four bytes for five characters of Z85. */
function sizeOf(data) {
  return `${Math.floor((String(data?.data).length * 4) / 5)} bytes that are no text`;
}
