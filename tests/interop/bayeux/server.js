// A server of Bayeux at a free port of the loopback interface: server.js KIND TIMEOUT_MS. KIND is cometd, cometd-acks
// or faye; TIMEOUT_MS is how long a connect waits. Says its port when it serves.
import http from "node:http";
import acks from "cometd-nodejs-server/ack-extension.js";
import cometd from "cometd-nodejs-server";
import faye from "faye";

const [kind, timeout] = process.argv.slice(2);

function cometdServer() {
  const bayeux = cometd.createCometDServer({ timeout: Number(timeout) });
  if (kind === "cometd-acks") {
    bayeux.addExtension(new acks.AcknowledgedMessagesExtension());
  }
  return http.createServer(bayeux.handle);
}

function fayeServer() {
  const server = http.createServer();
  new faye.NodeAdapter({ mount: "/bayeux", timeout: Number(timeout) / 1000 }).attach(server);
  return server;
}

const server = kind === "faye" ? fayeServer() : cometdServer();
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
