#include "stage_params_reader.h"

#include "fields.h"

namespace exo {

StageParams read_stage_params(const Napi::Value & value) {
    const Fields fields(value, "params");
    StageParams  params;
    params.model_path       = fields.text("model_path");
    params.layer_begin      = fields.int32("layer_begin");
    params.layer_end        = fields.int32("layer_end");
    params.has_output       = fields.boolean("has_output");
    params.vocab_only       = fields.boolean("vocab_only");
    params.context_size     = fields.uint32("context_size");
    params.max_sequences    = fields.uint32("max_sequences");
    params.batch_size       = fields.uint32("batch_size");
    params.micro_batch_size = fields.uint32("micro_batch_size");
    params.max_outputs      = fields.uint32("max_outputs");
    params.threads          = fields.int32("threads");
    params.batch_threads    = fields.int32("batch_threads");
    params.keep_awake       = fields.boolean("keep_awake");
    params.devices          = fields.texts("devices");
    params.gpu_layers       = fields.int32("gpu_layers");
    params.kv_type_k        = kv_type_from_name(fields.text("kv_type_k"));
    params.kv_type_v        = kv_type_from_name(fields.text("kv_type_v"));
    params.flash_attention  = flash_attention_from_name(fields.text("flash_attention"));
    params.kv_unified       = fields.boolean("kv_unified");
    params.use_mmap         = fields.boolean("use_mmap");
    params.use_mlock        = fields.boolean("use_mlock");
    return params;
}

SamplerParams read_sampler_params(const Napi::Value & value) {
    const Fields  fields(value, "params");
    SamplerParams params;
    params.seed              = fields.uint32("seed");
    params.temperature       = fields.number("temperature");
    params.top_k             = fields.int32("top_k");
    params.top_p             = fields.number("top_p");
    params.min_p             = fields.number("min_p");
    params.repeat_penalty    = fields.number("repeat_penalty");
    params.repeat_last_n     = fields.int32("repeat_last_n");
    params.frequency_penalty = fields.number("frequency_penalty");
    params.presence_penalty  = fields.number("presence_penalty");
    params.logit_bias_tokens = fields.int32_array("logit_bias_tokens");
    params.logit_bias_values = fields.float_array("logit_bias_values");
    params.ignore_eos        = fields.boolean("ignore_eos");
    params.grammar           = fields.text_or_null("grammar");
    params.constraint        = fields.text_or_null("constraint");
    return params;
}

}  // namespace exo
