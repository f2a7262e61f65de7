import type { Rule } from "./rule.js";

/** `--mlock` covers weights that the CPU backend lays out anew: they are in host memory, though not "host" to ggml. */
export const MEMORY_LOCK_RULES: readonly Rule[] = [
  {
    name: "memory lock: repacked weights",
    file: "src/llama-model.cpp",
    find: "            if (use_mlock && ggml_backend_buffer_is_host(buf)) {\n",
    replace:
      "            auto * buft_dev = ggml_backend_buft_get_device(buft);\n" +
      "            const bool is_cpu_buf =\n" +
      "                buft_dev != nullptr && ggml_backend_dev_type(buft_dev) == GGML_BACKEND_DEVICE_TYPE_CPU;\n" +
      "            if (use_mlock && !ml.no_alloc && (ggml_backend_buffer_is_host(buf) || is_cpu_buf)) {\n",
  },
];
