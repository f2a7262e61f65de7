#include "../stage/job_queue.h"

#include <atomic>
#include <thread>

#include "check.h"

using exo::JobQueue;

static void keeps_order_and_bound() {
    JobQueue<int> queue(2);
    CHECK(queue.push(1) == JobQueue<int>::Push::queued);
    CHECK(queue.push(2) == JobQueue<int>::Push::queued);
    CHECK(queue.push(3) == JobQueue<int>::Push::full);
    CHECK(queue.pop() == 1);
    CHECK(queue.push(3) == JobQueue<int>::Push::queued);
    CHECK(queue.pop() == 2);
    CHECK(queue.pop() == 3);
}

static void close_hands_back_what_waits() {
    JobQueue<int> queue(4);
    queue.push(1);
    queue.push(2);
    const auto waiting = queue.close();
    CHECK(waiting.size() == 2 && waiting[0] == 1 && waiting[1] == 2);
    CHECK(!queue.pop());
    CHECK(queue.push(3) == JobQueue<int>::Push::closed);
    CHECK(queue.close().empty());
}

static void close_wakes_the_worker() {
    JobQueue<int>    queue(4);
    std::atomic<int> done{ 0 };
    std::thread      worker([&] {
        while (queue.pop()) ++done;
    });
    queue.push(1);
    while (done == 0) std::this_thread::yield();
    queue.close();
    worker.join();
    CHECK(done == 1);
}

static void many_producers_lose_nothing() {
    JobQueue<int>            queue(8);
    std::atomic<int>         sum{ 0 };
    std::thread              worker([&] {
        while (auto job = queue.pop()) sum += *job;
    });
    std::vector<std::thread> producers;
    for (int producer = 0; producer < 4; ++producer) {
        producers.emplace_back([&] {
            for (int job = 0; job < 1000; ++job) {
                while (queue.push(1) != JobQueue<int>::Push::queued) std::this_thread::yield();
            }
        });
    }
    for (auto & producer : producers) producer.join();
    while (sum < 4000) std::this_thread::yield();
    queue.close();
    worker.join();
    CHECK(sum == 4000);
}

int main() {
    keeps_order_and_bound();
    close_hands_back_what_waits();
    close_wakes_the_worker();
    many_producers_lose_nothing();
}
