// What a server is told: where it listens, and the limits that it keeps.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace tidemark::http {

/// Limits of one server. Each has a default that suits a machine with a few cores and gigabytes.
struct Limits {
  std::size_t header_bytes_max = 16UL << 10U;          // request line and headers: 431 beyond
  std::size_t body_bytes_max = 64UL << 20U;            // of bodies that are taken whole: 413 beyond
  std::uint64_t stream_bytes_max = 64ULL << 30U;       // of bodies that are streamed: 413 beyond
  std::size_t json_depth_max = 64;                     // nesting of a JSON body: 400 beyond
  std::size_t rows_max = 1'000'000;                    // rows of a JSON body: 400 beyond
  std::size_t entities_max = 100'000;                  // entities of one lookup: 400 beyond
  std::size_t connections_max = 10'000;                // beyond: closed at once
  std::size_t in_flight_max = 1'000;                   // requests being answered: 429 beyond
  std::size_t memory_bytes_max = 1UL << 30U;           // bodies and answers held at once: 503 beyond
  std::chrono::milliseconds request_time_max{30'000};  // for all of a request to arrive, if taken whole: 408
  std::chrono::milliseconds silence_max{30'000};  // without a byte of a streamed body, or taken by the client
  std::chrono::milliseconds answer_time_max{600'000};  // for a handler: 503
  std::chrono::milliseconds idle_time_max{75'000};     // of a kept connection between requests
  std::chrono::milliseconds drain_time_max{30'000};    // for what is being answered when the server stops
};

/// HTTPS. PEM files; they are read again when they change, and new connections use what was read.
struct TlsSettings {
  std::filesystem::path certificate;  // empty: plain HTTP
  std::filesystem::path key;
  std::filesystem::path
      client_ca;  // clients must show a certificate that one of these signed; empty: need not
};

struct ServerSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 6566;               // 0: any that is free
  std::size_t threads = 0;                 // of connections; 0: one for each core
  std::size_t workers = 0;                 // threads of handlers that may wait; 0: 32 for each core
  bool pin_threads = false;                // each connection thread stays on a core of its own
  std::chrono::microseconds busy_poll{0};  // for how long such a thread looks for requests before it sleeps
  TlsSettings tls = {};
  Limits limits = {};
  std::string access_log = {};      // empty: none; "-": standard error; or else a file that is appended to
  std::string project = "default";  // of requests whose path names none
};

}  // namespace tidemark::http
