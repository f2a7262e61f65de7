import type { Rule } from "./rule.js";

const HEADER = "src/llama-model-loader.h";
const SOURCE = "src/llama-model-loader.cpp";

/** Only tensors of the stage are allocated, mapped, read or uploaded. */
export const LOADER_RULES: readonly Rule[] = [
  {
    name: "loader: include stage memory",
    file: HEADER,
    find: '#include "llama-mmap.h"\n',
    replace: '#include "llama-mmap.h"\n#include "exo-stage-memory.h"\n',
  },
  {
    name: "loader: hold stage memory",
    file: HEADER,
    find: "    llama_files files;\n",
    replace: "    exo_stage_memory stage;\n\n    llama_files files;\n",
  },
  {
    name: "loader: contexts by section",
    file: HEADER,
    find: "        ggml_backend_buffer_type_t buft;\n        bool lazy;\n",
    replace: "        ggml_backend_buffer_type_t buft;\n        bool lazy;\n        std::string section;\n",
  },
  {
    name: "loader: order contexts by section",
    file: HEADER,
    find:
      "            return strcmp(ggml_backend_buft_name(lhs.buft), ggml_backend_buft_name(rhs.buft)) < 0;\n" +
      "        }\n    };\n\n    std::map<ctx_key",
    replace:
      "            const int order = strcmp(ggml_backend_buft_name(lhs.buft), ggml_backend_buft_name(rhs.buft));\n" +
      "            return order != 0 ? order < 0 : lhs.section < rhs.section;\n" +
      "        }\n    };\n\n    std::map<ctx_key",
  },
  {
    name: "loader: section of a tensor",
    file: SOURCE,
    find: "        const ctx_key key { buft, is_lazy };\n",
    replace: "        const ctx_key key { buft, is_lazy, stage.section(tn.str()) };\n",
  },
  {
    name: "loader: tensors of other stages",
    file: SOURCE,
    find:
      "    GGML_ASSERT(ggml_nbytes(&t_meta) == ggml_nbytes(cur));\n\n" +
      "    ggml_backend_buffer_type_t buft = buft_for_tensor(&t_meta);\n",
    replace:
      "    GGML_ASSERT(ggml_nbytes(&t_meta) == ggml_nbytes(cur));\n\n" +
      "    const bool is_skipped = (flags & TENSOR_SKIP) || llm_tensor_info_for(tn.tensor).op == GGML_OP_NONE;\n" +
      "    if (!is_skipped && stage.is_absent(hparams, tn, flags)) {\n" +
      "        if (!(flags & TENSOR_DUPLICATED)) {\n" +
      "            n_created++;\n" +
      "        }\n" +
      "        return stage.add_absent(t_meta, ggml_get_name(&t_meta), n_tensors + 1);\n" +
      "    }\n\n" +
      "    ggml_backend_buffer_type_t buft = buft_for_tensor(&t_meta);\n",
  },
  {
    name: "loader: lazy reads only for tensors of this stage",
    file: SOURCE,
    find: "    if (flags & TENSOR_READ_LAZY) {\n",
    replace: "    if ((flags & TENSOR_READ_LAZY) && !stage.is_absent(hparams, tn, flags)) {\n",
  },
  {
    name: "loader: embedding also read whole",
    file: SOURCE,
    find: "        ggml_tensor * t = ggml_get_tensor(ctx, tn.str().c_str());\n        if (t) {\n            return t;\n",
    replace:
      "        ggml_tensor * t = ggml_get_tensor(ctx, tn.str().c_str());\n        if (t) {\n" +
      "            if (t == stage.looked_up) {\n                stage.looked_up = nullptr;\n            }\n" +
      "            return t;\n",
  },
  {
    name: "loader: embedding looked up by row",
    file: SOURCE,
    find: "    ggml_set_name(tensor, ggml_get_name(&t_meta));\n\n    if (duplicated) {\n",
    replace:
      "    ggml_set_name(tensor, ggml_get_name(&t_meta));\n\n" +
      "    if (!duplicated && tn.tensor == LLM_TENSOR_TOKEN_EMBD) {\n        stage.looked_up = tensor;\n    }\n\n" +
      "    if (duplicated) {\n",
  },
  {
    name: "loader: read ahead only what the stage needs",
    file: SOURCE,
    find: "                    lazy.for_file(idx));\n",
    replace: "                    stage.stage.given ? exo_stage_unneeded(*this, idx) : lazy.for_file(idx));\n",
  },
  {
    name: "loader: progress over the stage's tensors",
    file: SOURCE,
    find: "        size_data += ggml_nbytes(it.second.tensor);\n    }\n}\n",
    replace:
      "        size_data += ggml_nbytes(it.second.tensor);\n    }\n" +
      "    if (stage.stage.given) {\n        size_data = exo_stage_size(*this);\n    }\n}\n",
  },
  {
    name: "loader: lock only the stage's tensors",
    file: SOURCE,
    find:
      "                    const auto & lmlock = lmlocks->at(weight->idx);\n" +
      "                    lmlock->grow_to(weight->offs + n_size);\n",
    replace:
      "                    if (stage.stage.given) {\n" +
      "                        lmlocks->push_back(std::make_unique<llama_mlock>());\n" +
      "                        lmlocks->back()->init(data);\n" +
      "                        lmlocks->back()->grow_to(n_size);\n" +
      "                    } else {\n" +
      "                    const auto & lmlock = lmlocks->at(weight->idx);\n" +
      "                    lmlock->grow_to(weight->offs + n_size);\n" +
      "                    }\n",
  },
  {
    name: "loader: bring in mapped tensors, let go of copied ones",
    file: SOURCE,
    find:
      "                mmap_used.second = std::max(mmap_used.second, weight->offs + n_size);\n" +
      "            } else {\n" +
      "                ggml_backend_tensor_set(cur, data, 0, n_size);\n",
    replace:
      "                mmap_used.second = std::max(mmap_used.second, weight->offs + n_size);\n" +
      "                if (stage.stage.given) {\n" +
      "                    exo_stage_keep(*this, cur, ggml_backend_buffer_is_host(buf_mmap));\n" +
      "                }\n" +
      "            } else {\n" +
      "                ggml_backend_tensor_set(cur, data, 0, n_size);\n" +
      "                if (stage.stage.given) {\n" +
      "                    exo_stage_release(*mapping, weight->offs, weight->offs + n_size);\n" +
      "                }\n",
  },
  {
    name: "loader: bring tensors in unless told not to",
    file: SOURCE,
    find: "            mmaps_used.emplace_back(mapping->size(), 0);\n",
    replace:
      "            mmaps_used.emplace_back(mapping->size(), 0);\n" +
      "            stage.populate = prefetch_size > 0 && !is_numa;\n",
  },
  {
    name: "loader: unmap what no tensor of the stage uses",
    file: SOURCE,
    find: "                auto & mapping = mappings.at(idx);\n                mapping->unmap_fragment(0, mmap_used.first);\n",
    replace:
      "                auto & mapping = mappings.at(idx);\n" +
      "                if (stage.stage.given) {\n" +
      "                    exo_stage_unmap_rest(*this, idx);\n" +
      "                    continue;\n" +
      "                }\n" +
      "                mapping->unmap_fragment(0, mmap_used.first);\n",
  },
];
