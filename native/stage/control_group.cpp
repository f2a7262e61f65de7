#include "control_group.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace exo {
namespace {

// What the files of a group are called, and in its statistics the page cache with that of the groups within it.
struct GroupFiles {
    const char * limit;
    const char * used;
    const char * inactive_cache;
    const char * active_cache;
};

constexpr GroupFiles version_2{ "/memory.max", "/memory.current", "inactive_file", "active_file" };
constexpr GroupFiles version_1{ "/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_inactive_file",
                                "total_active_file" };

// `otherwise` when there is no such file, or it says "max".
uint64_t number_in(const std::string & path, uint64_t otherwise) {
    std::ifstream file(path);
    uint64_t      value = 0;
    return file >> value ? value : otherwise;
}

uint64_t field_in(const std::string & path, const std::string & name) {
    std::ifstream file(path);
    std::string   word;
    uint64_t      value = 0;
    while (file >> word >> value) {
        if (word == name) return value;
    }
    return 0;
}

uint64_t left_in(const std::string & directory, const GroupFiles & files, uint64_t limit) {
    const uint64_t used  = number_in(directory + files.used, 0);
    const auto     stat  = directory + "/memory.stat";
    const uint64_t cache = field_in(stat, files.inactive_cache) + field_in(stat, files.active_cache);
    const uint64_t taken = used > cache ? used - cache : 0;
    return limit > taken ? limit - taken : 0;
}

MemoryLimit memory_limit(const std::string & mount, std::string path, const GroupFiles & files) {
    MemoryLimit least;
    for (;;) {
        const bool     is_root   = path.empty() || path == "/";
        const auto     directory = is_root ? mount : mount + path;
        const uint64_t limit     = number_in(directory + files.limit, UINT64_MAX);
        if (limit != UINT64_MAX) {
            least.total = std::min(least.total, limit);
            least.left  = std::min(least.left, left_in(directory, files, limit));
        }
        if (is_root) return least;
        path.erase(path.find_last_of('/'));
    }
}

}  // namespace

// Lines such as "0::/path" and "4:cpu,cpuacct:/path".
std::string control_group_in(std::istream & text, const std::string & controller) {
    std::string line;
    while (std::getline(text, line)) {
        const auto first  = line.find(':');
        const auto second = line.find(':', first == std::string::npos ? first : first + 1);
        if (second == std::string::npos || second + 1 >= line.size() || line[second + 1] != '/') continue;
        std::istringstream names(line.substr(first + 1, second - first - 1));
        std::string        name;
        if (controller.empty() && first + 1 == second) return line.substr(second + 1);
        while (std::getline(names, name, ',')) {
            if (!controller.empty() && name == controller) return line.substr(second + 1);
        }
    }
    return "/";
}

std::string control_group(const std::string & controller) {
    std::ifstream file("/proc/self/cgroup");
    return control_group_in(file, controller);
}

MemoryLimit memory_limit_v2(const std::string & mount, const std::string & group) {
    return memory_limit(mount, group, version_2);
}

MemoryLimit memory_limit_v1(const std::string & mount, const std::string & group) {
    return memory_limit(mount, group, version_1);
}

}  // namespace exo
