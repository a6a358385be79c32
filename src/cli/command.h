// What a command of the program takes, in CLI11's words. Over CLI11, which costs every file that includes it
// five seconds, so only command.cc, program.cc and completion.cc do.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's
class App;
class Option;
}  // namespace CLI

namespace tidemark::cli {

/// An option or argument that was just added. A handle: copies are the same option.
class Option {
 public:
  explicit Option(CLI::Option& option) : option_(&option) {}

  Option required(bool is_required = true) const;
  /// What stands for its value in the help.
  Option type_name(const std::string& name) const;
  /// Of a list: values may stand in one word, divided by this.
  Option delimiter(char divides) const;
  /// Of a list: whether further words are values of it too.
  Option allow_extra_args(bool is_allowed) const;
  /// The help shows the value that it has now.
  Option capture_default_str() const;
  Option excludes(Option other) const;
  /// Everything else is refused.
  Option one_of(const std::vector<std::string>& values) const;
  Option not_negative() const;
  Option positive() const;

 private:
  CLI::Option* option_;
};

/// A command, or the program itself. A handle: copies are the same command, which the program owns. What
/// options are put into must live until the arguments are parsed.
class Command {
 public:
  explicit Command(CLI::App& app) : app_(&app) {}

  Command add_subcommand(const std::string& name, const std::string& help) const;
  /// One of its subcommands must be given.
  void require_subcommand() const;

  /// `names`: `-f,--features` for an option, a word alone for an argument.
  Option add_option(const std::string& names, std::string& value, const std::string& help) const;
  Option add_option(const std::string& names, std::vector<std::string>& values,
                    const std::string& help) const;
  Option add_option(const std::string& names, std::int64_t& value, const std::string& help) const;
  Option add_option(const std::string& names, std::optional<std::int64_t>& value,
                    const std::string& help) const;
  Option add_flag(const std::string& names, bool& value, const std::string& help) const;
  /// Called with the value, or without one if the flag is given, while arguments are parsed.
  Option add_option(const std::string& names, const std::function<void(const std::string&)>& given,
                    const std::string& help) const;
  Option add_flag(const std::string& names, std::function<void()> given, const std::string& help) const;

  /// What the help says at its end.
  void footer(const std::string& text) const;

  /// Called while arguments are parsed, if they name this command.
  void callback(std::function<void()> called) const;

  CLI::App& app() const { return *app_; }

 private:
  CLI::App* app_;
};

}  // namespace tidemark::cli
