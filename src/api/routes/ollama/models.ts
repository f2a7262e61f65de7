import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { packageVersion } from "../../../core/package.js";
import { isHere, loadedJson, tagJson } from "../../ollama/listed-models.js";
import { describeCard } from "../../ollama/model-details.js";
import { modelInfoJson } from "../../ollama/model-info.js";
import { nameFields, nameOf, plainName } from "../../ollama/names.js";
import { findModel, knownModel } from "../../resolve-model.js";
import { parseBody } from "../../schema/parse-body.js";
import type { OllamaPorts } from "./ports.js";

/** The release of Ollama whose API this is; clients refuse what looks too old to know a feature. */
const OLLAMA_VERSION = "0.12.11";

const showSchema = z.object(nameFields);

export function ollamaModelRoutes(app: FastifyInstance, ports: OllamaPorts): void {
  const { models, library, cluster, clock } = ports;

  app.get("/api/version", () => ({ version: OLLAMA_VERSION, exo_native: packageVersion() }));

  app.get("/api/tags", async () => {
    const here = models.list().filter(isHere);
    return { models: await Promise.all(here.map(async (card) => tagJson(card, await describeCard(library, card)))) };
  });

  app.get("/api/ps", async () => {
    const { rings, nodes } = cluster.snapshot();
    const loaded = rings.filter(({ state }) => state === "ready");
    const listed = loaded.map(async (ring) => {
      const card = knownModel(models, ring.spec ?? ring.model) ?? { id: ring.model, created: 0, ownedBy: "" };
      return loadedJson(ring, nodes, card, await describeCard(library, card), clock.wall());
    });
    return { models: await Promise.all(listed) };
  });

  app.post("/api/show", async (request) => {
    const name = nameOf(parseBody(showSchema, request.body), request.body);
    const card = findModel(models, plainName(name));
    return modelInfoJson(card, await describeCard(library, card));
  });
}
