#include "tiny_model.h"

#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include "check.h"
#include "ggml.h"
#include "gguf.h"

namespace exo::test {
namespace {

// half as many key heads as heads, whatever their number
constexpr int feed_forward  = 96;
constexpr int key_width     = tiny_width / 2;

// Token types of GGUF: 1 normal, 2 unknown, 3 control.
void set_vocabulary(gguf_context * gguf) {
    std::vector<std::string>  texts = { "<unk>", "<s>", "</s>" };
    std::vector<int32_t>      types = { 2, 3, 3 };
    std::vector<float>        scores(3, 0.0f);
    while (texts.size() < tiny_vocabulary) {
        texts.push_back(std::string(1, static_cast<char>(' ' + texts.size() - 3)));
        types.push_back(1);
        scores.push_back(-static_cast<float>(texts.size()));
    }
    std::vector<const char *> pointers;
    for (const auto & text : texts) pointers.push_back(text.c_str());
    gguf_set_val_str(gguf, "tokenizer.ggml.model", "llama");
    gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", pointers.data(), pointers.size());
    gguf_set_arr_data(gguf, "tokenizer.ggml.scores", GGUF_TYPE_FLOAT32, scores.data(), scores.size());
    gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types.data(), types.size());
    gguf_set_val_u32(gguf, "tokenizer.ggml.bos_token_id", 1);
    gguf_set_val_u32(gguf, "tokenizer.ggml.eos_token_id", 2);
    gguf_set_val_u32(gguf, "tokenizer.ggml.unknown_token_id", 0);
}

void set_parameters(gguf_context * gguf, int heads) {
    gguf_set_val_str(gguf, "general.architecture", "llama");
    gguf_set_val_u32(gguf, "llama.context_length", 256);
    gguf_set_val_u32(gguf, "llama.embedding_length", tiny_width);
    gguf_set_val_u32(gguf, "llama.block_count", tiny_layers);
    gguf_set_val_u32(gguf, "llama.feed_forward_length", feed_forward);
    gguf_set_val_u32(gguf, "llama.attention.head_count", heads);
    gguf_set_val_u32(gguf, "llama.attention.head_count_kv", heads / 2);
    gguf_set_val_u32(gguf, "llama.rope.dimension_count", tiny_width / heads);
    gguf_set_val_f32(gguf, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

class TensorWriter {
  public:
    TensorWriter(ggml_context * context, gguf_context * gguf, ggml_type matrices) :
        context_(context),
        gguf_(gguf),
        matrices_(matrices) {}

    void random(const std::string & name, int64_t columns, int64_t rows) {
        auto *                          tensor = ggml_new_tensor_2d(context_, matrices_, columns, rows);
        std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(columns)));
        std::vector<float>              numbers(static_cast<size_t>(columns * rows));
        for (auto & number : numbers) number = normal(numbers_);
        ggml_quantize_chunk(matrices_, numbers.data(), tensor->data, 0, rows, columns, nullptr);
        add(tensor, name);
    }

    void ones(const std::string & name, int64_t columns) {
        auto * tensor = ggml_new_tensor_1d(context_, GGML_TYPE_F32, columns);
        for (int64_t index = 0; index < columns; ++index) static_cast<float *>(tensor->data)[index] = 1;
        add(tensor, name);
    }

  private:
    void add(ggml_tensor * tensor, const std::string & name) {
        ggml_set_name(tensor, name.c_str());
        gguf_add_tensor(gguf_, tensor);
    }

    ggml_context * context_;
    gguf_context * gguf_;
    ggml_type      matrices_;
    std::mt19937   numbers_{ 42 };
};

void add_layer(TensorWriter & writer, int layer) {
    const auto prefix = "blk." + std::to_string(layer) + ".";
    writer.ones(prefix + "attn_norm.weight", tiny_width);
    writer.random(prefix + "attn_q.weight", tiny_width, tiny_width);
    writer.random(prefix + "attn_k.weight", tiny_width, key_width);
    writer.random(prefix + "attn_v.weight", tiny_width, key_width);
    writer.random(prefix + "attn_output.weight", tiny_width, tiny_width);
    writer.ones(prefix + "ffn_norm.weight", tiny_width);
    writer.random(prefix + "ffn_gate.weight", tiny_width, feed_forward);
    writer.random(prefix + "ffn_up.weight", tiny_width, feed_forward);
    writer.random(prefix + "ffn_down.weight", feed_forward, tiny_width);
}

}  // namespace

void write_tiny_model(const std::string & path, const TinyModel & model) {
    const std::unique_ptr<ggml_context, void (*)(ggml_context *)> context(
        ggml_init({ /*mem_size=*/size_t(8) << 20, /*mem_buffer=*/nullptr, /*no_alloc=*/false }), ggml_free);
    const std::unique_ptr<gguf_context, void (*)(gguf_context *)> gguf(gguf_init_empty(), gguf_free);
    set_parameters(gguf.get(), model.heads);
    set_vocabulary(gguf.get());
    TensorWriter writer(context.get(), gguf.get(), model.matrices);
    writer.random("token_embd.weight", tiny_width, tiny_vocabulary);
    for (int layer = 0; layer < tiny_layers; ++layer) add_layer(writer, layer);
    writer.ones("output_norm.weight", tiny_width);
    writer.random("output.weight", tiny_width, tiny_vocabulary);
    CHECK(gguf_write_to_file(gguf.get(), path.c_str(), /*only_meta=*/false));
}

}  // namespace exo::test
