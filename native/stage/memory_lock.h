#pragma once

#include <cstdint>
#include <string>

namespace exo {

// What to tell when llama.cpp could not lock all weights in memory, which it passes over: the limit of this process,
// and how to raise it.
std::string mlock_warning();

// `limit`: bytes that the process may lock; UINT64_MAX: as many as it likes.
std::string mlock_warning(uint64_t limit);

}  // namespace exo
