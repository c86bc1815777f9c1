/** node driver.js URL USER PASSWORD TRANSPORT CASE: plays one case, and prints what came of it, a line of JSON each. */

import {
  AckExtension,
  BinaryExtension,
  CometD,
  ReloadExtension,
  TimeStampExtension,
  TimeSyncExtension,
} from "cometd";
import { adapt } from "cometd-nodejs-client";

adapt();
const [url, user, password, transport, name] = process.argv.slice(2);
const stored = new Map();
globalThis.window.sessionStorage = {
  setItem: (key, value) => stored.set(key, value),
  getItem: (key) => stored.get(key) ?? null,
  removeItem: (key) => stored.delete(key),
};

const say = (value) => console.log(JSON.stringify(value));

function make(...extensions) {
  const client = new CometD();
  client.configure({ url, useWorkerScheduler: false, logLevel: process.env.LEVEL ?? "warn", maxBackoff: 200, backoffIncrement: 50 });
  for (const type of ["websocket", "long-polling", "callback-polling"]) {
    if (type !== transport) client.unregisterTransport(type);
  }
  for (const extension of extensions) client.registerExtension(extension.constructor.name, extension);
  return client;
}

/** Resolves to the reply to a request, whatever it says. */
const asked = (act) => new Promise((resolve) => act(resolve));
const handshake = (client, secret = password) =>
  asked((done) => client.handshake({ ext: { authentication: { user, password: secret } } }, done));
const connected = (client) =>
  new Promise((resolve) => {
    const listener = client.addListener("/meta/connect", (reply) => {
      if (reply.successful) {
        client.removeListener(listener);
        resolve();
      }
    });
  });

/** Subscribes; resolves to what waits for the next message. */
async function reader(client, channel) {
  const messages = [];
  const waiting = [];
  const take = (message) => (waiting.length ? waiting.shift()(message) : messages.push(message));
  const reply = await asked((done) => client.subscribe(channel, take, done));
  if (!reply.successful) throw new Error(reply.error);
  const next = () => new Promise((resolve) => (messages.length ? resolve(messages.shift()) : waiting.push(resolve)));
  return Object.assign(next, { left: () => messages.length });
}

async function open(...extensions) {
  const client = make(...extensions);
  const first = connected(client);
  const reply = await handshake(client);
  if (!reply.successful) throw new Error(reply.error);
  await first;
  return client;
}

const leave = (client) => asked((done) => client.disconnect(done));
const publish = (client, channel, data) => asked((done) => client.publish(channel, data, done));

const cases = {
  async roundtrip() {
    const [reading, writing] = [await open(), await open()];
    const exact = await reader(reading, "/a/b");
    const replies = await Promise.all([1, "two", [3], { four: 4 }, null].map((each) => publish(writing, "/a/b", each)));
    const got = [];
    for (const _ of replies) got.push((await exact()).data);
    const type = reading.getTransport().type;
    for (const client of [reading, writing]) await leave(client);
    say({ type, confirmed: replies.every((reply) => reply.successful), got, left: exact.left() });
  },

  async patterns() {
    const client = await open();
    const one = await reader(client, "/a/*");
    const all = await reader(client, "/a/**");
    await publish(client, "/a/b", 1);
    await publish(client, "/a/b/c", 2);
    await publish(client, "/a", 0);
    await publish(client, "/a/d", 3);
    const got = [(await one()).data, (await one()).data, (await all()).data, (await all()).data, (await all()).data];
    const service = await asked((done) => client.subscribe("/service/x", () => {}, done));
    const wild = await publish(client, "/a/*", 1);
    await leave(client);
    say({ got, left: one.left() + all.left(), service: service.successful, wild: wild.error });
  },

  async acknowledged() {
    const [client, other] = [await open(new AckExtension()), await open()];
    const next = await reader(client, "/a");
    const got = [];
    for (let number = 0; number < 60; number += 1) {
      await publish(other, "/a", number);
      if (number % 20 === 10) client.getTransport().abort();
      if (number % 3 === 0) got.push((await next()).data);
    }
    while (got.length < 60) got.push((await next()).data);
    const rest = next.left();
    for (const each of [client, other]) await leave(each);
    say({ ordered: got.every((number, index) => number === index), rest });
  },

  async clock() {
    const sync = new TimeSyncExtension();
    const client = await open(sync, new TimeStampExtension());
    const { successful } = await publish(client, "/a", 1);
    await leave(client);
    say({ successful, near: Math.abs(sync.getTimeOffset()) < 1000, lag: sync.getNetworkLag() >= 0 });
  },

  async binary() {
    const [reading, writing] = [await open(new BinaryExtension()), await open(new BinaryExtension())];
    const next = await reader(reading, "/bytes");
    const bytes = Uint8Array.from({ length: 257 }, (_, byte) => byte);
    await asked((done) => writing.publishBinary("/bytes", bytes.buffer, true, {}, done));
    const { data } = await next();
    say({ hex: Buffer.from(data.data).toString("hex"), last: data.last });
    for (const client of [reading, writing]) await leave(client);
  },

  async reload() {
    const before = await open(new AckExtension(), new ReloadExtension());
    await reader(before, "/a");
    const other = await open();
    const id = before.getClientId();
    before.reload();
    await publish(other, "/a", "meanwhile");
    const after = make(new AckExtension(), new ReloadExtension());
    const got = new Promise((resolve) => {
      after.handshake({}, (reply) => {
        after.subscribe("/a", (message) => resolve({ data: message.data, reloaded: reply.ext?.reload === true }));
      });
    });
    const { data, reloaded } = await got;
    say({ data, reloaded, same: after.getClientId() === id });
    for (const client of [after, other]) await leave(client);
  },

  async refused() {
    const client = make();
    const reply = await handshake(client, "wrong");
    say({ successful: reply.successful, error: reply.error, advice: reply.advice, status: client.getStatus() });
  },

  /** Says what comes, and says it back. */
  async bridge() {
    const client = await open(new BinaryExtension());
    const next = await reader(client, "/in/**");
    say("ready");
    for (;;) {
      const { channel, data, ext } = await next();
      const bytes = ext?.binary ? Buffer.from(data.data).toString("hex") : undefined;
      say({ channel, ...(bytes === undefined ? { data } : { bytes }), ...(ext?.headers && { headers: ext.headers }) });
      if (data === "end") break;
      if (bytes !== undefined) await asked((done) => client.publishBinary("/out", data.data, true, {}, done));
      else await asked((done) => client.publish("/out", data, { ext: { headers: ext?.headers ?? {} } }, done));
    }
    await leave(client);
  },
};

cases[name]().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
