import { ModelStore } from "../../src/model/model-store.js";

/** A process of its own that resolves a model and tells its parent how it goes. */
const [modelsDir = "", url = ""] = process.argv.slice(2);
const tell = (report: object): void => void process.send?.({ pid: process.pid, ...report });
const model = await new ModelStore({ modelsDir }).resolve(url, { onProgress: tell });
tell({ phase: "resolved", path: model.path });
process.disconnect();
