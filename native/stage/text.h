#pragma once

#include <cstdint>
#include <string>

namespace exo {

// printf into a std::string.
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
std::string format(const char * pattern, ...);

// Bytes as people read them, e.g. "3.1 GiB".
std::string readable_bytes(uint64_t bytes);

}  // namespace exo
