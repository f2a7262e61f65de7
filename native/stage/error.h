#pragma once

#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <variant>

namespace exo {

// The codes of src/core/errors.ts that native code gives.
enum class ErrorCode {
    invalid_argument,
    invalid_model,
    unsupported,
    context_exceeded,
    not_ready,
    overloaded,
    out_of_memory,
    cancelled,
    bad_frame,
    stage_lost,
    internal,
};

const char * error_code_name(ErrorCode code);

// The one exception type of native/stage. `what()` is a whole sentence that says what was wrong and what to do.
class StageError : public std::exception {
  public:
    StageError(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

    ErrorCode    code() const { return code_; }
    const char * what() const noexcept override { return message_.c_str(); }

  private:
    ErrorCode   code_;
    std::string message_;
};

// What an asynchronous job ends with.
template <typename T> using Outcome         = std::variant<T, StageError>;
template <typename T> using OutcomeCallback = std::function<void(Outcome<T>)>;

// The exception being handled, as a StageError. Call only inside a catch block.
StageError current_error(ErrorCode fallback = ErrorCode::internal);

}  // namespace exo
