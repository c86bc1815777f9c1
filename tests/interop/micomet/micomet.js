// The CometD half of the original application: a console that walks round a circle, and a grid with a dot for each
// producer. micomet/?url=URL&transport=TYPE; what came is kept in the session's storage, through any reload.

import { AckExtension, CometD, ReloadExtension } from "/cometd/node_modules/cometd/cometd.js";

const CHANNEL = "/test/micomet";
const [MIDDLE, RADIUS] = [250, 200];
const { url, transport } = Object.fromEntries(new URLSearchParams(location.search));
const find = (id) => document.getElementById(id);

const cometd = new CometD();
for (const type of ["websocket", "long-polling", "callback-polling"]) {
  if (type !== transport) cometd.unregisterTransport(type);
}
cometd.registerExtension("ack", new AckExtension());
cometd.registerExtension("reload", new ReloadExtension());
cometd.configure({ url, logLevel: "error" });
cometd.handshake((reply) => {
  if (!reply.successful) find("status").textContent = `refused: ${reply.error ?? reply.failure?.reason}`;
  else cometd.subscribe(CHANNEL, draw, () => {
    find("status").textContent = `${reply.ext?.reload ? "again" : "first"} ${transport} ${reply.clientId}`;
  });
});
window.addEventListener("beforeunload", () => cometd.reload());

let recent = 0;
function draw({ data }) {
  recent += 1;
  sessionStorage.setItem("came", JSON.stringify([...came(), data]));
  const id = `dot-${data.producerId}`;
  const dot = find(id) ?? find("grid").appendChild(document.createElementNS("http://www.w3.org/2000/svg", "circle"));
  for (const [name, value] of Object.entries({ id, cx: data.x, cy: data.y, r: 4 })) dot.setAttribute(name, value);
}
const came = () => JSON.parse(sessionStorage.getItem("came") ?? "[]");

setInterval(() => {
  find("rate").textContent = recent;
  recent = 0;
}, 1000);
find("clear").onclick = () => find("grid").replaceChildren();

const producerId = crypto.randomUUID().slice(-12);
let degrees = 0;
let timer;
function step() {
  degrees = (degrees + 1) % 360;
  const angle = (degrees * Math.PI) / 180;
  const [x, y] = [MIDDLE + RADIUS * Math.cos(angle), MIDDLE + RADIUS * Math.sin(angle)].map(Math.round);
  cometd.publish(CHANNEL, { x, y, producerId, time: new Date().toISOString() });
}
find("run").onclick = () => {
  timer = timer === undefined ? setInterval(step, find("period").valueAsNumber) : clearInterval(timer);
  find("run").textContent = timer === undefined ? "start" : "stop";
};
