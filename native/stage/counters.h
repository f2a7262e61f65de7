#pragma once

#include <atomic>

namespace exo {

// Live objects of the process, for leak tests.
struct Counters {
    std::atomic<int> stages{ 0 };
    std::atomic<int> samplers{ 0 };

    static Counters & shared() {
        static Counters counters;
        return counters;
    }
};

// A member of this type counts the object that holds it.
template <std::atomic<int> Counters::*field> class Counted {
  public:
    Counted() { ++(Counters::shared().*field); }
    ~Counted() { --(Counters::shared().*field); }
    Counted(const Counted &)             = delete;
    Counted & operator=(const Counted &) = delete;
};

}  // namespace exo
