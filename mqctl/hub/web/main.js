// The page: one connection, and the views of what comes over it.

import { Bayeux } from "./bayeux.js";
import { Chart } from "./chart.js";
import { Arrivals, generating, publishing } from "./console.js";
import { Dots } from "./dots.js";
import { find, speaker } from "./drawing.js";
import { LINKS } from "./links.js";
import { Rect } from "./rect.js";
import { Status } from "./status.js";
import { tabs } from "./tabs.js";

const VIEWS = { rect: [Rect, "/rect"], chart: [Chart, "/chart"], dots: [Dots, "/test/micomet"] };

let seen = "";
const speak = speaker(find("spoken"));
const speakFor = (name) => (text) => seen === name && speak(text);

const client = new Bayeux(new URL("bayeux", document.baseURI), LINKS, (state) => status.show(state));
const status = new Status(
  (login, kinds) => client.start(login, kinds),
  () => client.hurry(),
);

const views = { console: new Arrivals(client, speakFor("console")) };
for (const [name, [View, channel]] of Object.entries(VIEWS)) {
  const view = (views[name] = new View(speakFor(name)));
  const problem = find(`${name}-problem`);
  client.subscribe(
    channel,
    (data) => view.observe(data),
    (why) => (problem.textContent = why ? `The hub refuses this subscription: ${why}` : ""),
  );
}
generating(client);
publishing(client);

tabs((name) => {
  seen = name;
  views[name].show();
});

addEventListener("online", () => client.hurry());
addEventListener("pagehide", () => client.stop());
addEventListener("pageshow", (event) => event.persisted && status.connect());
status.connect();
