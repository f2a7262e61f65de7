#include "text.h"

#include <array>
#include <cstdarg>
#include <cstdio>

namespace exo {

std::string format(const char * pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    va_list again;
    va_copy(again, arguments);
    const int length = std::vsnprintf(nullptr, 0, pattern, arguments);
    va_end(arguments);
    std::string text(length < 0 ? 0 : static_cast<size_t>(length), '\0');
    std::vsnprintf(text.data(), text.size() + 1, pattern, again);
    va_end(again);
    return text;
}

std::string readable_bytes(uint64_t bytes) {
    static constexpr std::array<const char *, 5> units = { "B", "KiB", "MiB", "GiB", "TiB" };
    double value = static_cast<double>(bytes);
    size_t unit  = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return format(unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

}  // namespace exo
