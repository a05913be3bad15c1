// The ring of slots by itself: who wakes, and that nobody sleeps through.
#include <minitrain/data/slot_ring.hpp>

#include "support/errors.hpp"

namespace mt = minitrain;

namespace {

// A ring whose slots hold their tickets, and how many were filled.
struct Tickets {
  explicit Tickets(std::size_t slots, std::size_t workers)
      : filled(slots),
        ring(
            slots,
            [this](const mt::SlotRing::Work& work) {
              filled[work.slot] = work.ticket;
              if (work.ticket % 1000 == failing) throw mt::DataError(mt::ErrorCode::io_error, "no");
              ++fills;
            },
            [](std::uint64_t ticket, std::uint64_t) { return "ticket " + std::to_string(ticket); }) {
    for (std::size_t i = 0; i < workers; ++i) ring.add_worker();
  }
  bool take(std::uint64_t ticket) { return filled[ring.take(ticket, std::chrono::seconds(60))] == ticket; }
  void wait_for(std::uint64_t count) const {
    while (fills != count) std::this_thread::yield();
  }

  std::vector<std::uint64_t> filled;
  std::uint64_t failing = 1000;
  std::atomic<std::uint64_t> fills = 0;
  mt::SlotRing ring;
};

}  // namespace

TEST_CASE("a worker that sleeps wakes for half a ring, or for a slot that nobody fills") {
  Tickets tickets(8, 1);
  REQUIRE(tickets.take(0));
  tickets.wait_for(8);
  for (std::uint64_t t = 1; t < 4; ++t) {
    REQUIRE(tickets.take(t));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    REQUIRE(tickets.fills == 8);
  }
  REQUIRE(tickets.take(4));
  tickets.wait_for(12);
  REQUIRE(tickets.take(100));  // elsewhere
  tickets.wait_for(20);
  REQUIRE(tickets.take(101));
  REQUIRE(tickets.fills == 20);
  tickets.ring.end_at(110);
  REQUIRE(tickets.fills == 20);
  REQUIRE(tickets.take(102));  // now all that is left has room
  tickets.wait_for(22);
  for (std::uint64_t t = 103; t < 110; ++t) REQUIRE(tickets.take(t));
  REQUIRE(tickets.take(110));  // by this thread
  REQUIRE(tickets.fills == 23);
  tickets.ring.end_at(112);
  tickets.wait_for(24);  // without being asked
}

TEST_CASE("every ticket comes, whatever the depth, the workers, and where it goes on") {
  for (const std::size_t workers : {0u, 1u, 2u, 5u}) {
    for (const std::size_t slots : {1u, 2u, 3u, 4u, 7u, 16u}) {
      CAPTURE(workers, slots);
      Tickets tickets(slots, workers);
      std::uint64_t ticket = 0, state = workers * 100 + slots;
      for (int i = 0; i < 3000; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const std::uint64_t choice = state >> 40;
        if (choice % 97 == 0) ticket += choice % 50;
        if (choice % 89 == 0) tickets.ring.end_at(ticket + choice % 20);
        if (choice % 61 == 0) std::this_thread::yield();
        REQUIRE(tickets.take(ticket++));
      }
    }
  }
}

TEST_CASE("after a fill that failed the ring goes on where it is asked to") {
  for (const std::size_t workers : {0u, 1u, 3u}) {
    CAPTURE(workers);
    Tickets tickets(6, workers);
    tickets.failing = 17;
    for (std::uint64_t round = 0; round < 100; ++round) {
      for (std::uint64_t t = 10; t < 17; ++t) REQUIRE(tickets.take(1000 * round + t));
      REQUIRE_THROWS_AS(tickets.take(1000 * round + 17), mt::DataError);
      REQUIRE(tickets.take(1000 * round + 18));
    }
  }
}
