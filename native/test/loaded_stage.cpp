#include "loaded_stage.h"

#include "tiny_model.h"

namespace exo::test {

StageParams params_for(const std::string & model_path, int begin, int end, bool output) {
    StageParams params;
    params.model_path       = model_path;
    params.layer_begin      = begin;
    params.layer_end        = end;
    params.has_output       = output;
    params.context_size     = 256;
    params.max_sequences    = 2;
    params.batch_size       = 32;
    params.micro_batch_size = 32;
    params.max_outputs      = 32;
    params.threads          = 1;
    params.batch_threads    = 1;
    return params;
}

std::unique_ptr<Stage> load(const StageParams & params) {
    auto              stage = std::make_unique<Stage>();
    Waiter<StageInfo> waiter;
    stage->load(params, [](float) {}, waiter.callback());
    waiter.wait();
    return stage;
}

DecodeResult decode(Stage & stage, DecodeRequest request) {
    Waiter<DecodeResult> waiter;
    stage.decode(std::move(request), waiter.callback());
    return waiter.wait();
}

std::vector<Row> some_rows(uint16_t sequence, int begin, int count) {
    std::vector<Row> rows;
    for (int position = begin; position < begin + count; ++position) {
        rows.push_back({ sequence, true, position, 3 + (position * 7 + sequence * 5) % (tiny_vocabulary - 3) });
    }
    return rows;
}

std::vector<float> logits_of(Stage & stage, const std::vector<Row> & rows) {
    DecodeRequest request;
    request.rows        = rows;
    request.want_logits = true;
    return decode(stage, std::move(request)).logits;
}

}  // namespace exo::test
