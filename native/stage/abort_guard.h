#pragma once

namespace exo {

// ggml ends the process when one of its assertions fails. While an AbortGuard lives, an assertion that fails on this
// thread throws a StageError instead, so that a damaged model or frame costs one request and not the process. State
// that the assertion protected may be half changed: whoever catches it must not use the object again.
class AbortGuard {
  public:
    AbortGuard();
    ~AbortGuard();
    AbortGuard(const AbortGuard &)             = delete;
    AbortGuard & operator=(const AbortGuard &) = delete;
};

// Idempotent.
void install_abort_guard();

}  // namespace exo
