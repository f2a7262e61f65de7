import { h, render } from "preact";
import { Shell } from "./app/shell.js";
import { AppState } from "./app/state.js";
import { watchCluster } from "./app/watch-cluster.js";

const root = document.getElementById("app");
if (root === null) throw new Error("index.html has no element with the id app.");
const app = new AppState();
root.replaceChildren();
render(h(Shell, { app }), root);
watchCluster(app);
