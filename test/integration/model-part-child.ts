import { ModelStore } from "../../src/model/model-store.js";

/** A process of its own that fetches a part of a model slowly and tells its parent how it goes. */
const [modelsDir = "", url = "", part = "", downloadLimit = ""] = process.argv.slice(2);
const hub = { endpoint: "http://127.0.0.1:1", token: null, offline: false };
const store = new ModelStore({ modelsDir, hub, downloadLimit: Number(downloadLimit) });
await store.resolvePart(url, JSON.parse(part), { onProgress: ({ received }) => process.send?.(received) });
process.disconnect();
