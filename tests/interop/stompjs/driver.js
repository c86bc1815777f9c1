/** node driver.js URL USER PASSWORD CASE: plays one case, and prints what came of it as JSON. */

import { Client } from "@stomp/stompjs";
import WebSocket from "ws";
import { TcpSocket } from "./tcp.js";

// Every browser has it; Node.js only since 22.
globalThis.WebSocket = WebSocket;

const [address, user, password, name] = process.argv.slice(2);
const url = new URL(address);
const BEAT_MS = 200;
const BEATS = 5;

const transport =
  url.protocol === "stomp:"
    ? { webSocketFactory: () => new TcpSocket(url.hostname, Number(url.port)) }
    : { brokerURL: address.replace("stomp+ws:", "ws:") };

function connect(options = {}) {
  return new Promise((resolve, reject) => {
    const client = new Client({
      ...transport,
      connectHeaders: { login: user, passcode: password },
      heartbeatIncoming: 0,
      heartbeatOutgoing: 0,
      reconnectDelay: 0,
      onConnect: (frame) => resolve([client, frame]),
      onStompError: (frame) => reject(new Error(frame.headers.message)),
      onWebSocketError: reject,
      ...options,
    });
    client.activate();
  });
}

let receipts = 0;

/** Call `act` with a receipt header; resolves when the receipt comes. */
function confirmed(client, act) {
  const receipt = `r${++receipts}`;
  return new Promise((resolve) => {
    client.watchForReceipt(receipt, resolve);
    act({ receipt });
  });
}

/** Subscribe; resolves to a function that waits for the next message. */
async function reader(client, destination, headers = {}) {
  const messages = [];
  const waiting = [];
  const take = (message) => (waiting.length ? waiting.shift()(message) : messages.push(message));
  await confirmed(client, (receipt) => client.subscribe(destination, take, { ...headers, ...receipt }));
  return () => new Promise((resolve) => (messages.length ? resolve(messages.shift()) : waiting.push(resolve)));
}

const hex = (message) => Buffer.from(message.binaryBody).toString("hex");

const cases = {
  async roundtrip() {
    const [client, frame] = await connect();
    const next = await reader(client, "/topic/a");
    const bodies = ["text", "한국어 ✓", ""];
    for (const body of bodies) {
      await confirmed(client, (headers) => client.publish({ destination: "/topic/a", body, headers }));
    }
    const binaryBody = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    // No letter after the backslash: this client would read an escaped backslash and that letter as another escape.
    client.publish({ destination: "/topic/a", binaryBody, headers: { odd: "a:b\\ c\nd" } });
    const got = [];
    for (const _ of bodies) got.push((await next()).body);
    const binary = await next();
    await client.deactivate();
    return { version: frame.headers.version, got, binary: hex(binary), odd: binary.headers.odd };
  },

  async acknowledge() {
    const [client] = await connect();
    for (const body of ["0", "1", "2"]) {
      await confirmed(client, (headers) => client.publish({ destination: "/queue/q", body, headers }));
    }
    const next = await reader(client, "/queue/q", { ack: "client-individual" });
    const first = [await next(), await next(), await next()];
    await confirmed(client, (headers) => first[0].ack(headers));
    await confirmed(client, (headers) => first[1].nack(headers));
    const again = await next();
    again.ack();
    await client.deactivate();
    const [later] = await connect();
    const left = await (await reader(later, "/queue/q"))();
    await later.deactivate();
    return { again: [again.body, again.headers.redelivered], left: left.body };
  },

  async transaction() {
    const [client] = await connect();
    const next = await reader(client, "/topic/a");
    for (const end of ["abort", "commit"]) {
      const transaction = client.begin();
      client.publish({ destination: "/topic/a", body: end, headers: { transaction: transaction.id } });
      transaction[end]();
    }
    const { body } = await next();
    await client.deactivate();
    return { body };
  },

  async beats() {
    let beats = 0;
    let heard;
    const enough = new Promise((resolve) => (heard = resolve));
    const debug = (line) => {
      if (line === "<<< PONG" && ++beats === BEATS) heard();
    };
    const [client] = await connect({ heartbeatIncoming: BEAT_MS, heartbeatOutgoing: BEAT_MS, debug });
    await enough;
    const connected = client.connected;
    await client.deactivate();
    return { connected };
  },

  async refused() {
    return connect({ connectHeaders: { login: user, passcode: "wrong" } }).then(
      () => ({ message: null }),
      (error) => ({ message: error.message }),
    );
  },
};

console.log(JSON.stringify(await cases[name]()));
process.exit(0);
