#pragma once

#include <future>
#include <memory>
#include <vector>

#include "../stage/stage.h"

// Stages without callbacks, for tests: every call waits and throws.
namespace exo::test {

template <typename T> class Waiter {
  public:
    OutcomeCallback<T> callback() {
        return [promise = promise_](Outcome<T> outcome) { promise->set_value(std::move(outcome)); };
    }
    T wait() {
        auto outcome = promise_->get_future().get();
        if (auto * error = std::get_if<StageError>(&outcome)) throw *error;
        return std::move(std::get<T>(outcome));
    }

  private:
    std::shared_ptr<std::promise<Outcome<T>>> promise_ = std::make_shared<std::promise<Outcome<T>>>();
};

// A stage of the tiny model with room for two sequences and one thread.
StageParams params_for(const std::string & model_path, int begin, int end, bool output);

std::unique_ptr<Stage> load(const StageParams & params);
DecodeResult           decode(Stage & stage, DecodeRequest request);

// Rows of one sequence, all with output, of tokens that are always the same.
std::vector<Row>   some_rows(uint16_t sequence, int begin, int count);
std::vector<float> logits_of(Stage & stage, const std::vector<Row> & rows);

}  // namespace exo::test
