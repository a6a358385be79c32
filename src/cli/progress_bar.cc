// Drawn at most ten times a second.
#include "cli/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tidemark::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr std::size_t kBarWidthMax = 40;
constexpr std::size_t kBarWidthMin = 5;

std::size_t TerminalWidth() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2) return 79;
  return size.ws_col - 1U;
}

}  // namespace

std::string RenderProgress(const Progress& progress, std::size_t width) {
  if (progress.total <= 0) return fmt::format("{} {}", progress.what, progress.done).substr(0, width);
  const double share =
      std::clamp(static_cast<double>(progress.done) / static_cast<double>(progress.total), 0.0, 1.0);
  const std::string percent = fmt::format("{:3.0f}%", share * 100);
  const std::size_t taken = progress.what.size() + percent.size() + 4;
  if (taken + kBarWidthMin > width) return fmt::format("{} {}", progress.what, percent).substr(0, width);
  const std::size_t bar = std::min(kBarWidthMax, width - taken);
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar));
  return fmt::format("{} [{}{}] {}", progress.what, std::string(filled, '#'), std::string(bar - filled, '.'),
                     percent);
}

ProgressBar::ProgressBar() : enabled_(isatty(STDERR_FILENO) == 1) {}

std::function<void(const Progress&)> ProgressBar::Callback() {
  if (!enabled_) return {};
  return [this](const Progress& progress) { Draw(progress); };
}

void ProgressBar::Draw(const Progress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_draw_ && progress.done < progress.total) return;
  next_draw_ = now + kRedraw;
  const std::string line = RenderProgress(progress, TerminalWidth());
  fmt::print(stderr, "\r{:<{}}", line, drawn_);
  std::fflush(stderr);
  drawn_ = line.size();
}

void ProgressBar::Clear() {
  if (drawn_ == 0) return;
  fmt::print(stderr, "\r{:<{}}\r", "", drawn_);
  std::fflush(stderr);
  drawn_ = 0;
}

}  // namespace tidemark::cli
