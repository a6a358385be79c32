#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <utility>

namespace tidemark::cli {

Option Option::required(bool is_required) const {
  option_->required(is_required);
  return *this;
}

Option Option::type_name(const std::string& name) const {
  option_->type_name(name);
  return *this;
}

Option Option::delimiter(char divides) const {
  option_->delimiter(divides);
  return *this;
}

Option Option::allow_extra_args(bool is_allowed) const {
  option_->allow_extra_args(is_allowed);
  return *this;
}

Option Option::capture_default_str() const {
  option_->capture_default_str();
  return *this;
}

Option Option::excludes(Option other) const {
  option_->excludes(other.option_);
  return *this;
}

Option Option::one_of(const std::vector<std::string>& values) const {
  option_->check(CLI::IsMember(values));
  return *this;
}

Option Option::not_negative() const {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}

Option Option::positive() const {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Command Command::add_subcommand(const std::string& name, const std::string& help) const {
  return Command(*app_->add_subcommand(name, help));
}

void Command::require_subcommand() const {
  app_->require_subcommand(1);
}

Option Command::add_option(const std::string& names, std::string& value, const std::string& help) const {
  return Option(*app_->add_option(names, value, help));
}

Option Command::add_option(const std::string& names, std::vector<std::string>& values,
                           const std::string& help) const {
  return Option(*app_->add_option(names, values, help));
}

Option Command::add_option(const std::string& names, std::int64_t& value, const std::string& help) const {
  return Option(*app_->add_option(names, value, help));
}

Option Command::add_option(const std::string& names, std::optional<std::int64_t>& value,
                           const std::string& help) const {
  return Option(*app_->add_option(names, value, help));
}

Option Command::add_flag(const std::string& names, bool& value, const std::string& help) const {
  return Option(*app_->add_flag(names, value, help));
}

Option Command::add_option(const std::string& names, const std::function<void(const std::string&)>& given,
                           const std::string& help) const {
  return Option(*app_->add_option_function<std::string>(names, given, help));
}

Option Command::add_flag(const std::string& names, std::function<void()> given,
                         const std::string& help) const {
  return Option(*app_->add_flag_callback(names, std::move(given), help));
}

void Command::footer(const std::string& text) const {
  app_->footer(text);
}

void Command::callback(std::function<void()> called) const {
  app_->callback(std::move(called));
}

}  // namespace tidemark::cli
