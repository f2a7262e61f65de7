import { ChatPanel } from "./chat-panel.js";
import { ClusterPanel } from "./cluster-panel.js";
import { Server } from "./server.js";
import { Settings } from "./settings.js";
import { startSidePanel } from "./side-panel.js";

const server = new Server();
const cluster = new ClusterPanel(server);
const settings = new Settings((key) => {
  server.apiKey = key;
  void cluster.refresh();
});
new ChatPanel(server, settings, () => cluster.model);
cluster.start();
startSidePanel();
