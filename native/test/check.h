#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "../stage/error.h"

// A failed check says where and ends the test program.
#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition)) exo::test::fail(__FILE__, __LINE__, #condition);          \
    } while (false)

// The expression must throw a StageError of this code.
#define CHECK_THROWS(expected, expression)                                                    \
    do {                                                                                     \
        bool threw = false;                                                                  \
        try {                                                                                \
            (void) (expression);                                                             \
        } catch (const exo::StageError & error) {                                            \
            threw = true;                                                                    \
            if (error.code() != (expected)) exo::test::fail(__FILE__, __LINE__, error.what());   \
        }                                                                                    \
        if (!threw) exo::test::fail(__FILE__, __LINE__, #expression " did not throw");       \
    } while (false)

namespace exo::test {

[[noreturn]] inline void fail(const char * file, int line, const char * what) {
    std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
    std::exit(1);
}

}  // namespace exo::test
