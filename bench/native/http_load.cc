// Asks an HTTP server on this machine the same kinds of request again and again, and tells how it went.
//
//   http_load PORT REQUESTS CONNECTIONS SECONDS RATE
//
// REQUESTS holds one request per line: the method, the path, and after a space the JSON body if there is one.
// RATE 0 is a closed loop: each connection asks as soon as it is answered. Otherwise an open loop: requests
// are due at fixed moments, RATE a second over all connections, and their time counts from then, so that a
// server that falls behind is not waited for (no coordinated omission). It waits for these moments and for
// answers by looking all the time: a thread that sleeps would be woken late. A tenth of SECONDS more goes
// before, to warm up. The result is one line of JSON.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "http_load: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

struct Connection {
  int socket = -1;
  bool waits = false;       // for an answer
  Time due;                 // when its request should have been sent
  std::string in;           // of the answer's head
  std::size_t missing = 0;  // bytes of the answer's body
  bool has_head = false;
};

int Connect(int port) {
  const int made = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) Die("connect");
  const int on = 1;
  setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Where the system's own choice paces what is sent by timers (BBR), requests would go late.
  setsockopt(made, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
  return made;
}

std::vector<std::string> MakeRequests(const char* file) {
  std::vector<std::string> requests;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    const std::size_t target = line.find(' ');
    const std::size_t space = line.find(' ', target + 1);
    const std::string body = space == std::string::npos ? "" : line.substr(space + 1);
    std::string request = line.substr(0, space) + " HTTP/1.1\r\nHost: bench\r\n";
    if (!body.empty()) {
      request += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
    }
    requests.push_back(request + "\r\n" + body);
  }
  if (requests.empty()) Die("no requests");
  return requests;
}

class Load {
 public:
  Load(int port, std::vector<std::string> requests, std::size_t connections, double rate)
      : requests_(std::move(requests)), rate_(rate), epoll_(epoll_create1(0)) {
    for (std::size_t i = 0; i < connections; ++i) {
      connections_.push_back({});
      connections_.back().socket = Connect(port);
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_.back().socket, &event);
    }
  }

  void Run(double warm_seconds, double seconds) {
    began_ = Clock::now();
    const auto span = [](double s) {
      return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
    };
    counted_from_ = began_ + span(warm_seconds);
    end_ = counted_from_ + span(seconds);
    if (rate_ == 0) {
      for (Connection& connection : connections_)
        Send(connection, Clock::now());
    }
    while (true) {
      const Time now = Clock::now();
      if (now >= end_) break;
      const int timeout_ms = rate_ == 0 ? 100 : SendDue(now);
      epoll_event events[64];
      const int count = epoll_wait(epoll_, events, 64, timeout_ms);
      for (int i = 0; i < count; ++i)
        Receive(connections_[events[i].data.u64]);
    }
  }

  void Report(double seconds) {
    std::sort(latencies_us_.begin(), latencies_us_.end());
    const auto at = [&](double part) {
      if (latencies_us_.empty()) return 0.0;
      return latencies_us_[static_cast<std::size_t>(part * static_cast<double>(latencies_us_.size() - 1))];
    };
    std::printf(
        "{\"requests\": %zu, \"all_requests\": %zu, \"rate\": %.1f, \"p50_us\": %.1f, \"p90_us\": %.1f, "
        "\"p99_us\": %.1f, "
        "\"bytes\": %zu, \"failures\": %zu}\n",
        latencies_us_.size(), answered_, static_cast<double>(latencies_us_.size()) / seconds, at(0.5),
        at(0.9), at(0.99), body_bytes_, failures_);
  }

 private:
  /// Sends what is due; how long until the next one.
  int SendDue(Time now) {
    while (true) {
      const Time due = began_ + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(static_cast<double>(sent_) / rate_));
      if (due > now) {
        // The last millisecond is spent looking: epoll's timeout is no finer.
        const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(due - now).count();
        return wait > 1 ? static_cast<int>(wait - 1) : 0;
      }
      const auto idle = std::find_if(connections_.begin(), connections_.end(),
                                     [](const Connection& connection) { return !connection.waits; });
      if (idle == connections_.end()) return 1;  // all wait: the next one is late, and its time runs
      Send(*idle, due);
    }
  }

  void Send(Connection& connection, Time due) {
    const std::string& request = requests_[sent_++ % requests_.size()];
    connection.waits = true;
    connection.due = due;
    std::string_view rest = request;
    while (!rest.empty()) {
      const ssize_t written = send(connection.socket, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (written <= 0) Die("send");
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  void Receive(Connection& connection) {
    static char buffer[1 << 18];
    const ssize_t got = recv(connection.socket, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) Die("the server closed a connection");
    std::string_view bytes(buffer, static_cast<std::size_t>(got));
    if (!connection.has_head) {
      connection.in.append(bytes);
      const std::size_t end = connection.in.find("\r\n\r\n");
      if (end == std::string::npos) return;
      ReadHead(connection, end);
      const std::size_t of_body = connection.in.size() - (end + 4);
      connection.missing -= of_body;
      connection.in.clear();
    } else {
      connection.missing -= bytes.size();
    }
    if (connection.missing > 0) return;
    const Time now = Clock::now();
    connection.waits = connection.has_head = false;
    ++answered_;
    if (now >= counted_from_ && now < end_) {
      latencies_us_.push_back(std::chrono::duration<double, std::micro>(now - connection.due).count());
    }
    if (rate_ == 0) Send(connection, now);
  }

  void ReadHead(Connection& connection, std::size_t end) {
    if (connection.in.compare(9, 3, "200") != 0) ++failures_;
    std::string head = connection.in.substr(0, end);
    std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
    const std::size_t length = head.find("content-length:");
    if (length == std::string::npos) Die("an answer without Content-Length");
    connection.missing = std::strtoull(head.c_str() + length + 15, nullptr, 10);
    connection.has_head = true;
    body_bytes_ = connection.missing;
  }

  const std::vector<std::string> requests_;
  const double rate_;
  const int epoll_;
  std::vector<Connection> connections_;
  std::vector<double> latencies_us_;
  std::size_t sent_ = 0;
  std::size_t answered_ = 0;
  std::size_t failures_ = 0;
  std::size_t body_bytes_ = 0;  // of the last answer
  Time began_;
  Time counted_from_;
  Time end_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: http_load PORT REQUESTS CONNECTIONS SECONDS RATE\n");
    return 2;
  }
  const double seconds = std::atof(argv[4]);
  Load load(std::atoi(argv[1]), MakeRequests(argv[2]), static_cast<std::size_t>(std::atoi(argv[3])),
            std::atof(argv[5]));
  load.Run(seconds / 10, seconds);
  load.Report(seconds);
  return 0;
}
