import { ChatPanel } from "./chat-panel.js";
import { ClusterPanel } from "./cluster-panel.js";
import { byId } from "./element.js";
import { Server } from "./server.js";
import { Settings } from "./settings.js";

const server = new Server();
const cluster = new ClusterPanel(server);
const settings = new Settings((key) => {
  server.apiKey = key;
  void cluster.refresh();
});
new ChatPanel(server, settings, () => cluster.model);
cluster.start();

const side = byId("side", HTMLElement);
const toggle = byId("side-toggle", HTMLButtonElement);
toggle.addEventListener("click", () => {
  const open = side.classList.toggle("open");
  toggle.setAttribute("aria-expanded", String(open));
});
